// SPDX-License-Identifier: Apache-2.0
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct MediaTextTests {
    @Test(arguments: [
        ("QUJD", "QUJD"), ("QUI=", "QUI="), ("QQ==", "QQ=="), ("QQ", "QQ=="), ("_-8", "/+8="),
        ("ab_d", "ab/d"),
    ])
    func `both alphabets of base64 become the standard one with padding`(given: String, standard: String) {
        #expect(MediaText.standardBase64(given) == standard)
    }

    @Test(arguments: ["", "=", "====", "Q", "QUJDR", "QU=", "QUJD=", "QU JD", "QUJ\n", "Q=QQ", "QÜI="])
    func `what is no base64 is refused`(given: String) {
        #expect(MediaText.standardBase64(given) == nil)
    }

    @Test func `a data URL is its bytes and every other URL itself`() throws {
        #expect(
            try MediaText.source(url: "data:image/png;base64,QUI=")
                == .base64(mediaType: "image/png", data: "QUI="))
        #expect(
            try MediaText.source(url: "DATA:;charset=utf-8;BASE64,QUI=")
                == .base64(mediaType: "application/octet-stream", data: "QUI="))
        #expect(try MediaText.source(url: "https://a/b") == .url("https://a/b"))
    }

    @Test(arguments: [
        "", "data:", "data:image/png;base64", "data:image/png,abc", "data:image/png;base64,***",
    ])
    func `a data URL without base64 is an error`(url: String) {
        #expect(throws: FieldError.self) { try MediaText.source(url: url) }
    }
}

@Suite struct GrammarFormatTests {
    private let flat = JSONText(#"{"type":"grammar","syntax":"lark","definition":"start: \"a\\n\""}"#)
    private let nested = JSONText(
        #"{"type":"grammar","grammar":{"syntax":"lark","definition":"start: \"a\\n\""}}"#)

    @Test func `a grammar of Chat is an object of its own, one of Responses is not`() {
        #expect(GrammarFormat.flat(nested) == flat)
        #expect(GrammarFormat.nested(flat) == nested)
    }

    @Test(arguments: [#"{"type":"text"}"#, "{}", #"{"type":"grammar","grammar":"x"}"#])
    func `what is no grammar stays as it is`(text: String) {
        #expect(GrammarFormat.flat(JSONText(text)) == JSONText(text))
        #expect(GrammarFormat.nested(JSONText(text)) == JSONText(text))
    }
}

@Suite struct MetaFreeSchemaTests {
    @Test(arguments: [
        (
            #"{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991}"#,
            #"{"type":"integer"}"#
        ),
        (
            #"{"$schema":"s","properties":{"$id":{"exclusiveMaximum":9007199254740991}}}"#,
            #"{"properties":{"$id":{}}}"#
        ),
        (#"{"maximum":9007199254740990}"#, #"{"maximum":9007199254740990}"#),
        (#"{"default":9007199254740991}"#, #"{"default":9007199254740991}"#),
    ])
    func `keywords of the document and bounds that bound nothing are left out`(
        schema: String, expected: String
    ) {
        #expect(MetaFreeSchema.schema(JSONText(schema)) == JSONText(expected))
    }
}

@Suite struct PairingTests {
    private static func call(_ id: String) -> Part { .toolCall(ToolCall(id: id, name: "f", arguments: "{}")) }
    private static func result(_ id: String, _ text: String = "r") -> Part {
        .toolResult(ToolResult(callID: id, content: [.text(TextPart(text))]))
    }
    private static func text(_ text: String) -> Part { .text(TextPart(text)) }

    @Test func `a conversation in order stays as it is`() {
        let turns = [
            Turn(.user, [Self.text("a")]),
            Turn(.assistant, [Self.text("b"), Self.call("1"), Self.call("2")]),
            Turn(.user, [Self.result("1"), Self.result("2")]), Turn(.assistant, [Self.text("c")]),
        ]
        var losses = Losses()
        #expect(Pairing.paired(turns, &losses) == turns)
        #expect(losses.isEmpty)
    }

    @Test func `results move behind their calls in the order of the calls`() {
        var losses = Losses()
        let paired = Pairing.paired(
            [
                Turn(.assistant, [Self.call("1")]), Turn(.assistant, [Self.call("2")]),
                Turn(.system, [Self.text("s")]), Turn(.user, [Self.result("2"), Self.text("t")]),
                Turn(.user, [Self.result("1")]),
            ], &losses)
        #expect(
            paired == [
                Turn(.assistant, [Self.call("1"), Self.call("2")]),
                Turn(.user, [Self.result("1"), Self.result("2")]),
                Turn(.system, [Self.text("s")]), Turn(.user, [Self.text("t")]),
            ])
        #expect(losses.isEmpty)
    }

    @Test func `a call without a result gets one and a result without a call becomes a text`() {
        var losses = Losses()
        let paired = Pairing.paired(
            [Turn(.user, [Self.result("9", "old")]), Turn(.assistant, [Self.call("1")])], &losses)
        var missing = ToolResult(callID: "1", content: [Self.text(Pairing.missing)])
        missing.isError = true
        #expect(
            paired == [
                Turn(.user, [Self.text("[result of 9]"), Self.text("old")]),
                Turn(.assistant, [Self.call("1")]), Turn(.user, [.toolResult(missing)]),
            ])
        #expect(losses[.unpairedCall] == 2)
    }

    @Test func `two calls with one id get their results in order, and no third`() {
        var losses = Losses()
        let paired = Pairing.paired(
            [
                Turn(.assistant, [Self.call("1")]), Turn(.user, [Self.result("1", "a")]),
                Turn(.assistant, [Self.call("1")]),
                Turn(.user, [Self.result("1", "b"), Self.result("1", "c")]),
            ], &losses)
        #expect(
            paired == [
                Turn(.assistant, [Self.call("1")]), Turn(.user, [Self.result("1", "a")]),
                Turn(.assistant, [Self.call("1")]), Turn(.user, [Self.result("1", "b")]),
                Turn(.user, [Self.text("[result of 1]"), Self.text("c")]),
            ])
        #expect(losses[.unpairedCall] == 1)
    }
}

@Suite struct OfferedToolsTests {
    private static func tool(_ name: String, deferred: Bool = false) -> Tool {
        var tool = Tool(.function, name: name, description: "d", schema: JSONText("{}"))
        tool.isDeferred = deferred
        return tool
    }

    @Test func `deferred tools are offered behind the others once something refers to them`() {
        var request = CanonicalRequest(dialect: .messages, model: "m", streaming: true)
        request.tools = [
            Self.tool("late", deferred: true), Self.tool("a"), Self.tool("never", deferred: true),
            Self.tool("a"), Self.tool("b"), Self.tool("called", deferred: true),
        ]
        var result = ToolResult(callID: "1", content: [])
        result.loadedTools = [
            Tool(.function, name: "late"), Self.tool("new"), Tool(.function, name: "unknown"),
        ]
        request.turns = [
            Turn(.user, [.toolResult(result)]),
            Turn(.assistant, [.toolCall(ToolCall(id: "2", name: "called", arguments: ""))]),
        ]
        #expect(request.offeredTools.map(\.name) == ["a", "b", "late", "new", "called"])
    }

    @Test(arguments: ["local_shell", "bash_20250124", "text_editor_20250728"])
    func `a tool with a type of its own has a function that stands for it`(type: String) throws {
        let tool = Tool(.builtIn(type: type, definition: JSONText("{}")), name: "t")
        let function = try #require(tool.asFunction)
        #expect(function.kind == .function)
        let parser = JSONParser()
        let schema = try parser.parse(function.schemaOrEmpty.bytes)
        #expect(schema.member("type")?.string == "object")
        withExtendedLifetime(parser) {}
    }

    @Test func `a tool of an unknown type has none`() {
        #expect(
            Tool(.builtIn(type: "computer_20250124", definition: JSONText("{}")), name: "t").asFunction == nil
        )
    }
}
