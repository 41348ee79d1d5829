// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite struct SourceMapTests {
    /// Every value of the document, depth first, with the text that the map gives for it.
    private func texts(_ document: String) throws -> [String] {
        let parser = JSONParser()
        let bytes = Array(document.utf8)
        return try bytes.withUnsafeBytes { view in
            let root = try parser.parse(view)
            let map = try #require(SourceMap(parser))
            var found: [String] = []
            func walk(_ value: JSONValue) {
                found.append(String(decoding: map.bytes(of: value), as: UTF8.self))
                for element in value.elements { walk(element) }
                for (_, member) in value.members { walk(member) }
            }
            walk(root)
            return withExtendedLifetime(parser) { found }
        }
    }

    @Test func `every value has the bytes it was written with`() throws {
        let array = #"[ 1.50e+2,-0,"a\"]\\" ,{ } , [],null]"#
        let document = #" {"k:,":  \#(array), "x" : {"y":18446744073709551615,"z":true}}  "#
        #expect(
            try texts(document) == [
                document.trimmingSpaces, array, "1.50e+2", "-0", #""a\"]\\""#, "{ }", "[]", "null",
                #"{"y":18446744073709551615,"z":true}"#, "18446744073709551615", "true",
            ])
    }

    @Test(arguments: ["7", #""é""#, "null", "[]", "{}", "-1.5"])
    func `a document of one value is that value`(_ text: String) throws {
        #expect(try texts("  \(text)\n") == [text])
    }

    @Test(arguments: [
        (#"plain \n \u00e9"#, true), (#"\ud83d\ude00"#, true), (#"\\ud83d"#, true),
        (#"\\\ud83d\ude00"#, true),
        (#"\ud83d"#, false), (#"\ude00"#, false), (#"\ud83dx\ude00"#, false), (#"\ud83d\ud83d\ude00"#, false),
        (#"\ud83d\ude00\ude00"#, false), (#"\\ud83d\ude00"#, false), (#"\ud83d\u0041"#, false),
    ])
    func `a text with half a surrogate pair does not hold the strings that it means`(
        written: String, holdsStrings: Bool
    ) throws {
        let parser = JSONParser()
        _ = try parser.parse(Array("[\"\(written)\"]".utf8))
        #expect(try #require(SourceMap(parser)).holdsStrings == holdsStrings)
        // What one document was like says nothing of the next.
        _ = try parser.parse(Array("[1]".utf8))
        #expect(try #require(SourceMap(parser)).holdsStrings)
    }

    @Test func `a parser without a document has no map`() {
        #expect(SourceMap(JSONParser()) == nil)
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
