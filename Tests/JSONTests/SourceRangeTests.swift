// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite struct SourceRangeTests {
    let parser = JSONParser()

    private func value(_ name: StaticString, in text: String) throws -> String? {
        let bytes = Array(text.utf8)
        _ = try parser.parse(bytes)
        guard case .found(let range) = parser.sourceRange(ofTopLevel: name) else { return nil }
        return String(decoding: bytes[range], as: UTF8.self)
    }

    @Test(arguments: [
        (#"{"model":"m"}"#, #""m""#), (#"{"a":1,"model":"m","b":2}"#, #""m""#),
        ("{ \"model\" :\t\"m\" \r\n }", #""m""#), (#"{"model":"a\"},{b"}"#, #""a\"},{b""#),
        (#"{"x":{"model":1},"model":2}"#, "2"), (#"{"model":-1.5e3 ,"x":[]}"#, "-1.5e3"),
        (#"{"model":true}"#, "true"), (#"{"x":[[],{},[{"y":"]"}]],"model":null}"#, "null"),
        (#"{"model":[1,{"a":[]}] ,"x":1}"#, #"[1,{"a":[]}]"#), (#"{"model":{},"x":1}"#, "{}"),
        (#"{"x":"é😀","model":"ü"}"#, #""ü""#), (#"{"mod\u0065l":"m"}"#, #""m""#),
        (#"{"":1,"model":""}"#, #""""#),
    ])
    func `a member is found where it stands`(text: String, expected: String) throws {
        #expect(try value("model", in: text) == expected)
    }

    @Test(arguments: [
        "{}", "[]", "1", #"{"Model":1}"#, #"{"x":{"model":1}}"#, #"[{"model":1}]"#, #"{"x":"model"}"#,
    ])
    func `a member that is not at the top is absent`(text: String) throws {
        _ = try parser.parse(Array(text.utf8))
        #expect(parser.sourceRange(ofTopLevel: "model") == .absent)
    }

    @Test(arguments: [
        #"{"model":"a","model":"b"}"#, #"{"model":"a","x":{},"mod\u0065l":"b"}"#,
        #"{"\u006dodel":1,"model":1,"model":1}"#,
    ])
    func `a name that occurs twice is told`(text: String) throws {
        _ = try parser.parse(Array(text.utf8))
        #expect(parser.sourceRange(ofTopLevel: "model") == .duplicate)
        #expect(parser.sourceRange(ofTopLevel: "stream") == .absent)
    }

    @Test func `every range is the text of its value, however the text is laid out`() throws {
        let values = [
            "1", "-0.5", "\"\"", "\"a,}\\\\\"", "[]", "{}", "[1,[2,{\"a\":[3]}]]", "{\"a\":{\"b\":[]}}",
            "null", "true",
        ]
        let spaces = ["", " ", "\n\t ", "\r\n"]
        for value in values {
            for space in spaces {
                let text =
                    "{\(space)\"a\"\(space):\(space)\(value)\(space),\(space)\"b\":\(value)\(space)}\(space)"
                for name: StaticString in ["a", "b"] {
                    #expect(try self.value(name, in: text) == value)
                }
            }
        }
    }

    @Test func `a failed parse leaves nothing to find`() throws {
        _ = try parser.parse(Array(#"{"model":1}"#.utf8))
        #expect(parser.sourceRange(ofTopLevel: "model") != .absent)
        #expect(throws: JSONError.self) { _ = try parser.parse(Array("{".utf8)) }
        #expect(parser.sourceRange(ofTopLevel: "model") == .absent)
        _ = try parser.parse(Array(#"{"model":1}"#.utf8))
        parser.releaseMemory()
        #expect(parser.sourceRange(ofTopLevel: "model") == .absent)
    }
}
