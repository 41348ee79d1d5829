// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite struct JSONParserTests {
    let parser = JSONParser()

    private func parse(_ text: String) throws(JSONError) -> JSONValue {
        try parser.parse(Array(text.utf8))
    }

    @Test func `every kind of value is read`() throws {
        let root = try parse(
            #"{"s":"a\n\u00e9😀","i":-7,"u":18446744073709551615,"d":1.5e3,"t":true,"f":false,"n":null,"a":[1,[2],{}],"o":{"x":1}}"#
        )
        #expect(root.kind == .object)
        #expect(root.count == 9)
        #expect(root.member("s")?.string == "a\né😀")
        #expect(root.member("s")?.isString("a\né😀") == true)
        #expect(root.member("i")?.int == -7)
        #expect(root.member("i")?.double == -7)
        #expect(root.member("u")?.int == nil)
        #expect(root.member("u")?.double == 18446744073709551616)
        #expect(root.member("d")?.int == 1500)
        #expect(root.member("d")?.kind == .number)
        #expect(root.member("t")?.bool == true)
        #expect(root.member("f")?.bool == false)
        #expect(root.member("n")?.isNull == true)
        #expect(root.member("a")?.count == 3)
        #expect(root.member("a")?.elements.map(\.kind) == [.number, .array, .object])
        #expect(root.member("o")?.member("x")?.int == 1)
        #expect(root.member("x") == nil)
        #expect(root.member("i")?.string == nil)
        #expect(root.member("i")?.member("x") == nil)
        #expect(root.member("i")?.count == 0)
        #expect(root.member("s")?.int == nil)
    }

    @Test func `members and elements come in order`() throws {
        let root = try parse(#"{"a":[1,2,3],"b":{"k":[]},"c":"x"}"#)
        var names: [String] = []
        root.forEachMember { key, _ in names.append(String(decoding: key, as: UTF8.self)) }
        #expect(names == ["a", "b", "c"])
        var numbers: [Int?] = []
        root.member("a")?.forEachElement { numbers.append($0.int) }
        #expect(numbers == [1, 2, 3])
        #expect(Array(root.elements.map(\.kind)).isEmpty)
        #expect(Array(try #require(root.member("a")).members.map(\.value.kind)).isEmpty)
    }

    @Test func `a scalar is a document`() throws {
        #expect(try parse("17").int == 17)
        #expect(try parse(" \"x\" ").string == "x")
        #expect(try parse("null").isNull)
        #expect(parser.sourceRange(ofTopLevel: "x") == .absent)
    }

    @Test func `an integer is the same however it is written`() throws {
        for text in ["-9223372036854775808", "-9223372036854775809", "-9.223372036854775808e18"] {
            #expect(try parse(text).int == .min)
        }
        for text in ["9223372036854775808", "9.3e18", "0.5"] { #expect(try parse(text).int == nil) }
        #expect(try parse("9223372036854775807").int == .max)
    }

    @Test func `every kind of white space ends a scalar`() throws {
        for space in [" ", "\t", "\r", "\n", "\r\n"] {
            let root = try parse("{\"a\":1\(space),\"b\":true\(space),\"c\":[null\(space)]\(space)}\(space)")
            #expect(root.member("a")?.int == 1)
            #expect(root.member("b")?.bool == true)
            #expect(root.member("c")?.count == 1)
        }
        for other in ["\u{0}", "\u{B}", "\u{C}", "\u{A0}", "\"a\"", "x", "."] {
            #expect(throws: JSONError.self) { _ = try parse("[1\(other)]") }
            #expect(throws: JSONError.self) { _ = try parse("[true\(other)]") }
        }
    }

    @Test(arguments: [
        ("", JSONError.Reason.empty), ("  \n", .empty), ("{", .malformed), ("{\"a\":1}x", .malformed),
        ("{\"a\":1} {}", .malformed), ("[1,]", .malformed), ("{\"a\" 1}", .malformed), ("{a:1}", .malformed),
        ("{\"a\":\"x", .invalidString), ("[\"\u{1}\"]", .invalidString), (#"["\x"]"#, .invalidString),
        ("[01]", .invalidNumber), ("[1.]", .invalidNumber),
        ("[tru]", .malformed), ("nul", .malformed), ("{]", .malformed),
    ])
    func `what is not one JSON text is refused`(text: String, reason: JSONError.Reason) {
        let error = #expect(throws: JSONError.self) { _ = try parse(text) }
        #expect(error?.reason == reason)
    }

    @Test(arguments: [
        [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC0, 0x80, 0x22],
    ])
    func `bytes that are not UTF-8 are refused`(bytes: [UInt8]) {
        let error = #expect(throws: JSONError.self) { _ = try parser.parse(bytes) }
        #expect(error?.reason == .invalidUTF8)
    }

    @Test(arguments: [1, 2, 10, 256])
    func `nesting is bounded exactly`(depth: Int) throws {
        let parser = JSONParser(maximumDepth: depth)
        defer { withExtendedLifetime(parser) {} }
        func text(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)).utf8)
        }
        _ = try parser.parse(text(depth))
        let error = #expect(throws: JSONError.self) { _ = try parser.parse(text(depth + 1)) }
        #expect(error?.reason == .tooDeep)
        parser.releaseMemory()
        #expect(throws: JSONError.self) { _ = try parser.parse(text(depth + 1)) }
        _ = try parser.parse(text(depth))
    }

    @Test func `the depth bound holds for documents larger than all before`() {
        let parser = JSONParser(maximumDepth: 4)
        for size in [10, 100_000] {
            let text = "[[[[[1]]]],\"" + String(repeating: "x", count: size) + "\"]"
            #expect(throws: JSONError.self) { _ = try parser.parse(Array(text.utf8)) }
        }
    }

    @Test func `an error is described without a byte of the text`() {
        let error = #expect(throws: JSONError.self) { _ = try parse("{\"secret\":oops}") }
        #expect(error?.description == "a bracket, comma, colon or literal is wrong or missing (byte 10)")
    }

    @Test(arguments: [
        ("{\"a\" 1}", 5), ("[1,]", 3), ("[1 2]", 3), ("{\"a\":1,}", 7), ("{a:1}", 1), ("{\"a\":tru}", 8),
        ("[\"\\x\"]", 3), ("[\"\\u12g4\"]", 6), ("[\"a\nb\"]", 3), ("{\"a\":1} x", 8), ("[01]", 2),
        ("[1.]", 3),
        ("[-]", 2), ("[1e]", 3), ("{\"a\":[1}", 7), ("[1]]", 3), ("{\"a\":\"x", 7), ("{", 1), ("[,]", 1),
        ("{,}", 1),
    ])
    func `the place of a fault is told`(text: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { _ = try parse(text) }
        #expect(error?.offset == offset)
    }

    @Test func `a fault that grammar does not show has no place`() {
        #expect(#expect(throws: JSONError.self) { _ = try parse("  ") }?.offset == nil)
    }

    @Test func `what is valid has no fault, byte for byte`() {
        let valid = #"{"a":[1,-2.5e+3,0.1,{"b":{}},[],[[]]],"c":"\u00e9\n\"x","d":true,"e":false,"f":null} "#
        // What follows it makes the parser refuse the whole, so that the fault is searched for.
        let error = #expect(throws: JSONError.self) { _ = try parse("\(valid)x") }
        #expect(error?.offset == valid.utf8.count)
    }

    @Test(arguments: [
        ("18446744073709551616", 1.8446744073709552e19),
        ("-9223372036854775809", -9.223372036854775808e18),
        ("123456789012345678901234567890", 1.2345678901234568e29), ("1e400", .greatestFiniteMagnitude),
        ("-1.5E+400", -.greatestFiniteMagnitude),
        (String(repeating: "9", count: 400), .greatestFiniteMagnitude),
        (String(repeating: "9", count: 400) + ".5", .greatestFiniteMagnitude),
        ("1e308", 1e308), ("1e-400", 0), ("123456789012345678.5", 123_456_789_012_345_680),
    ])
    func `a number beyond all types is the nearest there is`(text: String, value: Double) throws {
        // The second one makes the first, which may be in order, go the same way.
        let root = try parse("{\"a\":\(text),\"b\":1e999,\"c\":\"1e999 \\\" 2\"}")
        let number = try #require(root.member("a")?.double)
        #expect(abs(number - value) <= abs(value) * 1e-15)
        #expect(root.member("b")?.double == .greatestFiniteMagnitude)
        #expect(root.member("c")?.string == "1e999 \" 2")
    }

    @Test(arguments: [
        (#"\ud83d"#, "\u{FFFD}"), (#"\uDE00"#, "\u{FFFD}"), (#"\ud83dx"#, "\u{FFFD}x"),
        (#"\ud83d\ud83d\ude00"#, "\u{FFFD}😀"), (#"\ud83d\u0041"#, "\u{FFFD}A"),
        (#"\\\ud83d\\"#, "\\\u{FFFD}\\"),
        (#"\"\ud83d\""#, "\"\u{FFFD}\""), (#"\ud83d\n\ude00"#, "\u{FFFD}\n\u{FFFD}"),
    ])
    func `half a surrogate pair is the replacement character`(text: String, value: String) throws {
        #expect(try parse("[\"\(text)\"]").elements.map(\.string) == [value])
    }

    @Test func `what no type can hold has a place like everything else`() throws {
        let text = #"{"n":123456789012345678901,"s":"\ud800","model":"m","x":1e400}"#
        let root = try parse(text)
        #expect(root.member("model")?.string == "m")
        guard case .found(let range) = parser.sourceRange(ofTopLevel: "model") else {
            Issue.record("the model has no place")
            return
        }
        #expect(Array(text.utf8)[range].elementsEqual("\"m\"".utf8))
    }

    @Test(arguments: [
        "[01e400]", "[1.e400]", "[--1e400]", "[1e400", "[1e400]]", "[1e400 1]", "[+1e400]", "[1e4001e400]",
        "[012345678901234567890]", "[1e400,]", #"["\ud83d]"#, #"["\ud83"]"#, #"["\ud83d","\x"]"#,
        "[\"\\ud83d\u{1}\"]",
        "[.1e400]", "[0x1e400]", "[1.1.5e400]",
    ])
    func `what is no JSON stays none beside a value that no type can hold`(text: String) {
        #expect(throws: JSONError.self) { _ = try parse(text) }
        #expect(throws: JSONError.self) { _ = try parse("[1e400,\(text)]") }
    }

    @Test func `a text cut anywhere is refused`() throws {
        let text = Array(#"{"model":"m","n":[1,2,{"a":"b\n"}],"t":true}"#.utf8)
        for length in 0..<text.count {
            #expect(throws: JSONError.self) { _ = try parser.parse(Array(text[..<length])) }
        }
        _ = try parser.parse(text)
    }

    @Test func `a text is read in place and no further than its end`() throws {
        let text = Array("{\"a\":[1,2]}".utf8)
        let longer = text + [UInt8](repeating: 0x7B, count: 64)
        try longer.withUnsafeBytes { view in
            let root = try parser.parse(UnsafeRawBufferPointer(rebasing: view[..<text.count]))
            #expect(root.member("a")?.count == 2)
            #expect(parser.sourceRange(ofTopLevel: "a") == .found(5..<10))
        }
    }

    @Test func `names and texts are the same with and without escapes`() throws {
        let root = try parse(
            #"{"\u0061b":"\u0063cr1:x","ab\n":2,"abc":"pre \u003canalysis> \n","x":"\\u003canalysis>"}"#)
        #expect(root.member("ab")?.isString("ccr1:x") == true)
        #expect(root.member("ab")?.isString("ccr1:") == false)
        #expect(root.member("ab")?.hasPrefix("ccr1:") == true)
        #expect(root.member("ab")?.hasPrefix("cr1:") == false)
        #expect(root.member("abc")?.contains("<analysis>") == true)
        #expect(root.member("x")?.contains("<analysis>") == false)
        #expect(root.members.map { String(decoding: $0.key, as: UTF8.self) } == ["ab", "ab\n", "abc", "x"])
        #expect(parser.holdsString(withPrefix: "ccr1:", or: "none"))
        #expect(parser.holdsString(withPrefix: "none", or: "ccr1:"))
        #expect(!parser.holdsString(withPrefix: "ccr2:", or: "none"))
    }

    @Test func `a name is no string that is held`() throws {
        _ = try parse(#"{"ccr1:x":["none"],"\u0063cr1:":"ccr"}"#)
        #expect(!parser.holdsString(withPrefix: "ccr1:", or: "ccr1:x"))
        #expect(parser.holdsString(withPrefix: "ccr1:", or: "none"))
        _ = try parse(#""ccr1:x""#)
        #expect(parser.holdsString(withPrefix: "ccr1:", or: "none"))
    }

    @Test func `the beginning of a string is decoded no further than asked`() throws {
        let long = String(repeating: #"a\n"#, count: 1000)
        let value = try #require(try parse("[\"\(long)\"]").elements.map { $0 }.first)
        let prefix = try #require(value.stringPrefix(10))
        #expect(prefix.count >= 10 && prefix.count < 20)
        #expect(prefix.prefix(4).elementsEqual("a\na\n".utf8))
        #expect(value.stringPrefix(5000)?.count == 2000)
    }

    /// Runs of backslashes of every length around the ends of the blocks in which they are looked at.
    @Test(arguments: 55...75)
    func `escapes are told from escaped backslashes wherever they stand`(offset: Int) throws {
        for run in 1...6 {
            let text = String(repeating: "x", count: offset) + String(repeating: #"\"#, count: run)
            for (end, isValid) in [("n", true), ("q", run % 2 == 0), ("u12", run % 2 == 0), ("ud83d", true)] {
                let document = "[\"\(text)\(end)\",1]"
                guard isValid else {
                    #expect(throws: JSONError.self) { _ = try parse(document) }
                    continue
                }
                let root = try parse(document)
                let escaped = ["n": "\n", "ud83d": "\u{FFFD}"][end] ?? end
                let expected =
                    String(repeating: "x", count: offset) + String(repeating: #"\"#, count: run / 2)
                    + (run % 2 == 1 ? escaped : end)
                #expect(root.elements.map(\.string).first == expected)
            }
        }
    }

    @Test func `elements are counted, however many`() throws {
        var elements = Array("0,".utf8)
        for _ in 0..<24 { elements += elements }
        let text = Array("[".utf8) + elements + Array("0]".utf8)
        #expect(try parser.parse(text).count == (1 << 24) + 1)
        parser.releaseMemory()
    }

    @Test(arguments: [
        ("", 0, 0), ("plain", 0, 0), (#"\n\"\/\t\\"#, 5, 0), ("é世😀", 0, 9), (#"\u0041\u007F\u0000"#, 15, 0),
        (#"\u0080\u07ff"#, 8, 4), (#"\u0800\uD7FF\uffff"#, 9, 9), (#"\ud83d\uDE00"#, 8, 4),
        (#"\\u0041é"#, 1, 2),
    ])
    func `how long the strings of a document are is known`(written: String, excess: Int, foreign: Int) throws
    {
        // At every place of the blocks in which a text is looked at, and across their borders.
        for offset in 0..<70 {
            let padding = String(repeating: "x", count: offset)
            let root = try parse("{\"\(padding)\":\"\(padding)\(written)\",\"n\":[1,\"\(written)\"]}")
            #expect(parser.lengths.excess == 2 * excess)
            #expect(parser.lengths.foreign == 2 * foreign)
            let decoded = try #require(root.member("n")?.elements.map(\.stringBytes).last??.count)
            #expect(written.utf8.count - decoded == excess)
        }
    }

    @Test(arguments: ["g", "G", "/", ":", "@", "`", " ", "\"", "é"])
    func `four digits of an escape are hexadecimal, wherever it stands`(wrong: String) throws {
        for offset in 55..<70 {
            let padding = String(repeating: "x", count: offset)
            _ = try parse("[\"\(padding)\\u12fA\\uBcD9\"]")
            for place in 0..<4 {
                var digits = ["1", "b", "2", "E"]
                digits[place] = wrong
                #expect(throws: JSONError.self) { _ = try parse("[\"\(padding)\\u\(digits.joined())\"]") }
                #expect(throws: JSONError.self) {
                    _ = try parse("[\"\(padding)\\u00e9\\u\(digits.joined())xxxx\"]")
                }
            }
        }
    }

    @Test func `letters that JSON does not escape are refused, wherever they stand`() throws {
        for offset in [0, 1, 30, 61, 62, 63, 64, 100] {
            let padding = String(repeating: "x", count: offset)
            for byte in UInt8(0x21)..<0x7F {
                let text = Array("[\"\(padding)\\".utf8) + [byte] + Array("0041\"]".utf8)
                let isEscape = #""\/bfnrtu"#.utf8.contains(byte)
                let isRead = (try? parser.parse(text)) != nil
                #expect(isRead == isEscape, "\(byte) after \(offset) bytes")
            }
        }
    }
}
