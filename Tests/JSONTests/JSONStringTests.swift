// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite struct JSONStringTests {
    /// What stands between quotes, and the text it stands for.
    static let written: [(String, String)] = [
        ("", ""), ("plain", "plain"), (#"a\"b\\c\/d"#, #"a"b\c/d"#), (#"\n\r\t\b\f"#, "\n\r\t\u{8}\u{C}"),
        (#"\u00e9\u4E2D"#, "é中"), (#"\ud83d\ude00!"#, "😀!"), ("é😀", "é😀"), (#"x\\"#, #"x\"#),
        (#"\u0000\u001f"#, "\u{0}\u{1F}"), (#"\ud83d x"#, "\u{FFFD} x"), (#"\ude00"#, "\u{FFFD}"),
        (#"\ud83d\u0041"#, "\u{FFFD}A"),
    ]

    private func string(_ written: String) -> JSONString { JSONString(written: Array(written.utf8)[...]) }

    private func json(_ value: JSONString) -> String {
        var writer = JSONWriter()
        writer.string(value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test(arguments: written)
    func `what was written is what is read and written again`(written: String, text: String) {
        #expect(string(written).text == text)
        #expect(string(written) == JSONString(text))
        #expect(string(written).isEmpty == text.isEmpty)
        #expect(json(string(written)) == "\"\(written)\"")
    }

    @Test(arguments: written)
    func `what is read is what the parser reads`(written: String, text: String) throws {
        let parser = JSONParser()
        let root = try parser.parse(Array(#"["\#(written)"]"#.utf8))
        let first = root.elements.first { _ in true }
        #expect(withExtendedLifetime(parser) { first?.string } == text)
    }

    @Test func `texts are joined without being decoded`() {
        let joined = JSONString.joined([string(#"a\u0062"#), JSONString("c\"\n")], separator: "\n")
        #expect(json(joined) == #""a\u0062\nc\"\n""#)
        #expect(joined.text == "ab\nc\"\n")
        #expect(JSONString.joined([], separator: ",").isEmpty)
    }

    @Test func `a text grows by pieces, whatever its form`() {
        var text = string(#"a\n"#)
        text.append("b\"")
        text.append("c")
        #expect(text == JSONString("a\nb\"c"))
        #expect(text.hasPrefix("a\n") && !text.hasPrefix("b"))
        #expect(string("x-y").hasPrefix("x-") && !string("x").hasPrefix("x-"))
    }
}
