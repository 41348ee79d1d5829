// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Config

@Suite("The reader of JSON with comments")
struct ConfigTextTests {
    private func parse(_ text: String) throws(ConfigProblem) -> ConfigNode {
        try ConfigText.parse(Array(text.utf8), file: "f")
    }

    @Test("reads comments, trailing commas and a byte order mark")
    func relaxed() throws {
        let root = try parse(
            "\u{FEFF}// a\n{ /* b\n** */ \"a\": [1, 2,], // c\n \"b\": {\"c\": null,},\n}\n// end")
        #expect(root["a"]?.elements.map(\.value) == [.number("1"), .number("2")])
        #expect(root["b"]?["c"]?.value == .null)
    }

    @Test("reads every kind of value")
    func values() throws {
        let root = try parse(#"[true, false, null, "", -0.5e+3, 0, {}, []]"#)
        #expect(
            root.elements.map(\.value) == [
                .boolean(true), .boolean(false), .null, .string(""), .number("-0.5e+3"), .number("0"),
                .object([]),
                .array([]),
            ])
    }

    @Test(
        "decodes escapes",
        arguments: [
            (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u00e9\uD83D\uDE00""#, "é😀"),
            ("\"https://x//y\"", "https://x//y"),
        ])
    func escapes(text: String, value: String) throws {
        #expect(try parse(text).text == value)
    }

    @Test("knows line and column of every value and key, counted in characters")
    func positions() throws {
        let root = try parse("{\n  \"é\": \"ü\", \"b\": [\n\t7]}")
        #expect(root.position.description == "f:1:1")
        #expect(root.members[0].keyPosition.description == "f:2:3")
        #expect(root["é"]?.position.description == "f:2:8")
        #expect(root["b"]?.position.description == "f:2:18")
        #expect(root["b"]?.elements[0].position.description == "f:3:2")
    }

    @Test(
        "says where a text is broken and what was expected",
        arguments: [
            (
                "",
                "f:1:1: error: expected a value (object, array, string in double quotes, number, true, false or null), found the end of the file"
            ),
            ("{\"a\" 1}", "f:1:6: error: expected “:” after the key “a”, found “1”"),
            (
                "{\n \"a\": 1\n \"b\": 2}",
                "f:3:2: error: expected “,” or “}” after the value of “a”, found “\"”"
            ),
            ("{a: 1}", "f:1:2: error: expected a key in double quotes or “}”, found “a”"),
            (
                "{\"a\": 'x'}",
                "f:1:7: error: expected a value (object, array, string in double quotes, number, true, false or null), found “'”"
            ),
            ("[1 2]", "f:1:4: error: expected “,” or “]” after the element, found “2”"),
            (
                "[,]",
                "f:1:2: error: expected a value (object, array, string in double quotes, number, true, false or null), found “,”"
            ),
            ("[tru]", "f:1:2: error: expected a value; did you mean “true”?, found “t”"),
            ("[01]", "f:1:3: error: expected “,” or “]” after the element, found “1”"),
            ("[1.]", "f:1:4: error: expected a digit, found “]”"),
            ("[-]", "f:1:3: error: expected a digit, found “]”"),
            (
                "\"a\nb\"",
                "f:1:3: error: expected “\"” that closes the string (write a line break as \\n), found the end of the line"
            ),
            ("\"abc", "f:1:1: error: this string is never closed: expected “\"”"),
            ("\"\\x\"", "f:1:3: error: expected one of \" \\ / b f n r t u after “\\”, found “x”"),
            ("\"\\u12\"", "f:1:6: error: expected four hexadecimal digits after “\\u”, found “\"”"),
            ("\"\\uD800\"", "f:1:3: error: half of a surrogate pair"),
            ("\"\\uD800\\u0041\"", "f:1:3: error: half of a surrogate pair"),
            ("{} x", "f:1:4: error: expected the end of the file, found “x”"),
            ("/* x", "f:1:1: error: this comment is never closed: expected “*/”"),
            ("{} /", "f:1:4: error: expected the end of the file, found “/”"),
            ("{\"a\": 1} €", "f:1:10: error: expected the end of the file, found a character outside ASCII"),
        ])
    func faults(text: String, message: String) {
        let problem = #expect(throws: ConfigProblem.self) { try parse(text) }
        #expect(problem?.description == message)
    }

    @Test("refuses bytes that are not UTF-8 inside a string")
    func notUTF8() {
        let problem = #expect(throws: ConfigProblem.self) {
            try ConfigText.parse([0x22, 0xFF, 0x22], file: "f")
        }
        #expect(problem?.message == "the string is not UTF-8")
    }

    @Test("accepts 64 levels and refuses 65")
    func depth() throws {
        let nested = { (levels: Int) in
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        _ = try parse(nested(64))
        let problem = #expect(throws: ConfigProblem.self) { try parse(nested(65)) }
        #expect(problem?.description == "f:1:65: error: nested deeper than 64 levels")
    }

    @Test("refuses a file above 8 MiB without reading it")
    func size() {
        let bytes = [UInt8](repeating: 0x20, count: ConfigText.maximumBytes + 1)
        let problem = #expect(throws: ConfigProblem.self) { try ConfigText.parse(bytes, file: "f") }
        #expect(problem?.message == "the file is 8388609 bytes, allowed are 8388608")
    }

    @Test("gives an error, never a crash, for every beginning of a text")
    func everyCut() throws {
        let text = Array(#"{"a": [1.5e3, "x\u00e9\n"], /* c */ "b": {"c": true, "d": null}, } // e"#.utf8)
        let whole = try ConfigText.parse(text, file: "f")
        for cut in 0..<text.count {
            let result = try? ConfigText.parse(Array(text[..<cut]), file: "f")
            // Only the comment behind the object may be missing.
            #expect(result == nil || result == whole, "cut at \(cut)")
        }
    }

    @Test("gives an error, never a crash, for every changed byte")
    func everyByte() {
        let text = Array(#"{"a": [1.5, "\u00e9"], "b": false}"#.utf8)
        for index in text.indices {
            for byte in [0x00, 0x22, 0x5B, 0x5C, 0x7D, 0xFF] as [UInt8] {
                var changed = text
                changed[index] = byte
                _ = try? ConfigText.parse(changed, file: "f")
            }
        }
    }
}
