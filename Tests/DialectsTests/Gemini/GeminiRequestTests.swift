// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct GeminiRequestTests {
    private static let rules = {
        var rules = UpstreamRules()
        rules.quirks = [.noFormatWithTools, .webSearch, .noImageURLs, .noPrefill]
        rules.stopCount = 5
        return rules
    }()

    private static func encode(
        _ request: CanonicalRequest, model: String = "gemini-3-pro", rules: UpstreamRules = rules
    ) throws -> (body: String, notes: RequestNotes) {
        var request = request
        request.model = model
        return try CodecSupport.encode(GeminiRequests.self, request, rules: rules)
    }

    @Test func `a whole request comes back as it was`() throws {
        let body = try CodecSupport.file("Fixtures/gemini/tool-loop.json")
        let request = try CodecSupport.decode(GeminiRequests.self, body, streaming: true)
        let (written, notes) = try Self.encode(request)
        try CodecSupport.expectSame(written, String(decoding: body, as: UTF8.self))
        #expect(notes.losses.isEmpty)
        #expect(request.streaming)
    }

    @Test func `responses find their calls by id or by name and order`() throws {
        let body = try CodecSupport.file("Fixtures/gemini/tool-loop.json")
        let request = try CodecSupport.decode(GeminiRequests.self, body)
        var calls: [String] = []
        var results: [ToolResult] = []
        for part in request.turns.flatMap(\.parts) {
            switch part {
            case .toolCall(let call): calls.append(call.id)
            case .toolResult(let result): results.append(result)
            default: break
            }
        }
        #expect(calls.count == 3)
        #expect(results.map(\.callID) == calls)
        #expect(results.map(\.isError) == [false, true, false])
        #expect(results[2].content.first == .text(TextPart(#"{"width": 3, "ratio": 1.50}"#)))
    }

    @Test func `a schema in capitals becomes JSON Schema`() throws {
        let body = try CodecSupport.file("Fixtures/gemini/tool-loop.json")
        let request = try CodecSupport.decode(GeminiRequests.self, body)
        #expect(
            request.tools[0].schema?.text
                == #"{"type":"object","properties":{"city":{"type":["string","null"],"minLength":1}},"required":["city"]}"#
        )
        #expect(
            request.outputFormat
                == .jsonSchema(
                    name: nil, schema: JSONText(#"{"type":"object","properties":{"a":{"type":"integer"}}}"#),
                    strict: nil))
    }

    @Test func `names with underscores are the same names`() throws {
        let request = try CodecSupport.decode(
            GeminiRequests.self,
            #"""
            {"system_instruction":{"parts":[{"text":"s"}]},"contents":{"parts":[{"inline_data":{"mime_type":"image/png","data":"QUI"}}]},
            "generation_config":{"max_output_tokens":5,"stop_sequences":["x"],"thinking_config":{"thinking_level":"HIGH"}},
            "tools":[{"function_declarations":[{"name":"f"}]}],"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["f"]}}}
            """#)
        #expect(request.system == [.text(TextPart("s"))])
        #expect(
            request.turns == [Turn(.user, [.image(ImagePart(.base64(mediaType: "image/png", data: "QUI=")))])]
        )
        #expect(request.sampling.maxTokens == 5)
        #expect(request.sampling.stop == ["x"])
        #expect(request.reasoning.effort == "high")
        #expect(request.tools.map(\.name) == ["f"])
        #expect(request.toolChoice == .tool(ToolName("f")))
    }

    @Test(arguments: [
        (#"[]"#, "the body must be an object"), (#"{}"#, "contents: is missing"),
        (#"{"contents":3}"#, "contents: must be an array"),
        (#"{"contents":[{"role":"assistant"}]}"#, "contents[0].role: must be user or model"),
        (#"{"contents":[{"parts":{}}]}"#, "contents[0].parts: must be an array"),
        (
            #"{"contents":[{"parts":[{}]}]}"#,
            "contents[0].parts[0]: must have text, data, a call or a response"
        ),
        (#"{"contents":[{"parts":[{"text":3}]}]}"#, "contents[0].parts[0].text: must be a string"),
        (
            #"{"contents":[{"parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"@@"}}]}]}"#,
            "contents[0].parts[1].inlineData.data: is no base64"
        ),
        (
            #"{"contents":[{"parts":[{"inline_data":{"data":"QUI="}}]}]}"#,
            "contents[0].parts[0].inline_data.mimeType: is missing"
        ),
        (
            #"{"contents":[{"role":"model","parts":[{"functionCall":{}}]}]}"#,
            "contents[0].parts[0].functionCall.name: is missing"
        ),
        (
            #"{"contents":[{"role":"model","parts":[{"functionCall":{"id":"a","name":"f"}},{"functionCall":{"id":"a","name":"f"}}]}]}"#,
            "contents[0].parts[1].functionCall.id: is used by an earlier call"
        ),
        (
            #"{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","parameters":[]}]}]}"#,
            "tools[0].functionDeclarations[0].parameters: must be an object"
        ),
        (
            #"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":3}}}"#,
            "toolConfig.functionCallingConfig.mode: must be a string"
        ),
        (
            #"{"contents":[],"generationConfig":{"temperature":"hot"}}"#,
            "generationConfig.temperature: must be a number"
        ),
        (
            #"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":"a"}}}"#,
            "generationConfig.thinkingConfig.thinkingBudget: must be an integer"
        ),
        (
            #"{"contents":[],"systemInstruction":{"parts":[3]}}"#,
            "systemInstruction.parts[0]: must be an object"
        ),
    ])
    func `what cannot be read is refused by the name of its field`(body: String, message: String) {
        #expect(CodecSupport.refusal(GeminiRequests.self, body) == message)
    }

    // MARK: - From other dialects

    private static func call(_ id: String, _ name: String = "f", _ arguments: String = "{}") -> Part {
        .toolCall(ToolCall(id: id, name: name, arguments: arguments))
    }

    private static func result(_ id: String, _ content: [Part], isError: Bool = false) -> Part {
        .toolResult(ToolResult(callID: id, content: content, isError: isError))
    }

    private static func sample() -> CanonicalRequest {
        var request = CanonicalRequest(dialect: .messages, model: "gemini-3-pro", streaming: true)
        request.system = [.text(TextPart("x-anthropic-billing-header: a")), .text(TextPart("Be kind."))]
        request.tools = [
            Tool(.function, name: "f", description: "d", schema: JSONText(#"{"type":"object"}"#)),
            Tool(.custom(format: JSONText(#"{"type":"text"}"#)), name: "apply_patch", description: "p"),
            Tool(.function, name: "get", namespace: "mcp__w", schema: JSONText(#"{"type":"object"}"#)),
            Tool(.hosted(.webSearch(WebSearch()), definition: JSONText("{}")), name: "web_search"),
            Tool(.hosted(.other("mcp"), definition: JSONText("{}")), name: "mcp"),
        ]
        request.turns = [
            Turn(
                .user,
                [.text(TextPart("hi")), .image(ImagePart(.base64(mediaType: "image/png", data: "QUI=")))]),
            Turn(
                .assistant,
                [
                    .reasoning(
                        ReasoningPart(
                            "hm",
                            state: ReasoningState(
                                .thoughtSignature, origin: CodecSupport.origin, bytes: Array("c2ln".utf8)))),
                    call("1"),
                    .toolCall(ToolCall(id: "2", name: "get", namespace: "mcp__w", arguments: "{}")),
                    .toolCall(ToolCall(id: "3", name: "apply_patch", form: .custom, arguments: "*** Begin")),
                ]),
            Turn(.system, [.text(TextPart("note"))]),
            Turn(
                .user,
                [
                    result("3", [.text(TextPart("done"))]),
                    result("1", [.text(TextPart("no"))], isError: true),
                    result("2", [.image(ImagePart(.base64(mediaType: "image/png", data: "QUJD")))]),
                    .text(TextPart("and?")),
                ]),
            Turn(.assistant, [call("4")]),
        ]
        request.toolChoice = .any
        request.sampling.maxTokens = 99
        request.sampling.stop = ["a", "b", "c", "d", "e", "f"]
        request.reasoning = ReasoningRequest(mode: .budget(5000))
        request.outputFormat = .jsonObject
        return request
    }

    @Test func `a request of another dialect becomes contents and declarations`() throws {
        let (body, notes) = try Self.encode(Self.sample())
        try CodecSupport.expect(body, isGolden: "messages-to-gemini.json")
        #expect(notes.losses[.hostedTool] == 1)
        #expect(notes.losses[.stopSequence] == 1)
        #expect(notes.losses[.unpairedCall] == 1)
        #expect(notes.toolNames.entry("mcp__w__get")?.tool == ToolName("get", namespace: "mcp__w"))
        #expect(notes.toolNames.entry("apply_patch")?.isWrapped == true)
        #expect(notes.toolNames.entry("apply_patch")?.form == .custom)
    }

    @Test func `an older model has budgets, no ids, and either functions or searches and formats`() throws {
        let (body, notes) = try Self.encode(Self.sample(), model: "gemini-2.5-flash")
        try CodecSupport.expect(body, isGolden: "messages-to-gemini-2.5.json")
        #expect(notes.losses[.hostedTool] == 2)
        #expect(notes.losses[.outputFormat] == 1)
    }

    @Test func `a foreign signature is left out, and calls of the running turn get the placeholder`() throws {
        var request = Self.sample()
        request.turns[1].parts[0] = .reasoning(
            ReasoningPart(
                "hm",
                state: ReasoningState(
                    .thoughtSignature, origin: Origin(provider: "q", model: "m"), bytes: Array("c2ln".utf8))))
        let (body, notes) = try Self.encode(request)
        #expect(!body.contains("c2ln"))
        #expect(notes.losses[.foreignReasoning] == 1)
        #expect(body.components(separatedBy: GeminiSignature.placeholder).count == 2)
        request.turns.remove(at: 3)
        let (running, _) = try Self.encode(request)
        #expect(running.components(separatedBy: GeminiSignature.placeholder).count == 3)
    }

    @Test func `an endpoint that takes no JSON Schema gets the subset that it takes`() throws {
        var rules = Self.rules
        rules.schema = .openAPI
        var request = Self.sample()
        request.tools = [
            Tool(
                .function, name: "f",
                schema: JSONText(
                    #"{"$schema":"s","type":"object","properties":{"a":{"type":["string","null"]}},"additionalProperties":false}"#
                ))
        ]
        request.outputFormat = .jsonSchema(
            name: nil, schema: JSONText(#"{"type":"object","not":{}}"#), strict: nil)
        let (body, notes) = try Self.encode(request, rules: rules)
        #expect(
            body.contains(
                #""parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}"#))
        #expect(body.contains(#""responseSchema":{"type":"OBJECT"}"#))
        #expect(!body.contains("JsonSchema"))
        #expect(notes.losses[.schemaKeyword] == 2)
    }

    @Test func `a picture that Google cannot reach is named, and the user has the last word`() throws {
        var request = CanonicalRequest(dialect: .chat, model: "m", streaming: false)
        request.turns = [
            Turn(
                .user,
                [
                    .image(ImagePart(.url("https://example.org/a.png"))),
                    .image(ImagePart(.url("gs://bucket/b.png"))),
                ]), Turn(.assistant, [.text(TextPart("It is"))]),
        ]
        let (body, notes) = try Self.encode(request)
        #expect(
            body
                == #"{"contents":[{"role":"user","parts":[{"text":"[a file that is not available]"},{"fileData":{"mimeType":"image/png","fileUri":"gs://bucket/b.png"}}]},{"role":"model","parts":[{"text":"It is"}]},{"role":"user","parts":[{"text":"Continue."}]}]}"#
        )
        #expect(notes.losses[.media] == 1)
    }

    @Test func `the model does not speak first`() throws {
        var request = CanonicalRequest(dialect: .chat, model: "m", streaming: false)
        request.turns = [Turn(.assistant, [.text(TextPart("Hello"))]), Turn(.user, [.text(TextPart("hi"))])]
        let (body, _) = try Self.encode(request)
        #expect(
            body.hasPrefix(
                #"{"contents":[{"role":"user","parts":[{"text":"(no content)"}]},{"role":"model","parts":[{"text":"Hello"}]}"#
            ))
        request.turns = []
        #expect(
            try Self.encode(request).body
                == #"{"contents":[{"role":"user","parts":[{"text":"(no content)"}]}]}"#)
    }

    @Test func `thoughts that came in pieces are one again when they come back`() throws {
        let state = ReasoningState(
            .signature, origin: Origin(provider: "anthropic", model: "claude"), bytes: Array("sig+/=".utf8))
        let envelope = GeminiSignature.text(of: state)
        let urlSafe = envelope.replacingOccurrences(of: "+", with: "-").replacingOccurrences(
            of: "/", with: "_")
        for signature in [envelope, urlSafe] {
            let request = try CodecSupport.decode(
                GeminiRequests.self,
                #"""
                {"contents":[{"role":"user","parts":[{"text":"q"}]},
                {"role":"model","parts":[{"text":"Let ","thought":true}]},{"role":"model","parts":[{"text":"me","thought":true}]},
                {"role":"model","parts":[{"text":"","thought":true,"thoughtSignature":"\#(signature)"}]},
                {"role":"model","parts":[{"text":"ok"}]}]}
                """#)
            var losses = Losses()
            let turns = Pairing.paired(request.turns, &losses)
            #expect(
                turns.last?.parts == [
                    .reasoning(ReasoningPart("Let me", isSummary: true, state: state)), .text(TextPart("ok")),
                ])
        }
    }

    @Test(arguments: [
        ("gemini-2.5-flash", ReasoningRequest(mode: .off), #"{"thinkingBudget":0}"#),
        ("gemini-2.5-pro", ReasoningRequest(mode: .off), #"{"thinkingBudget":128}"#),
        (
            "gemini-2.5-flash", ReasoningRequest(mode: .budget(99_999)),
            #"{"thinkingBudget":24576,"includeThoughts":true}"#
        ),
        (
            "gemini-2.5-pro", ReasoningRequest(mode: .adaptive),
            #"{"thinkingBudget":-1,"includeThoughts":true}"#
        ),
        ("gemini-2.5-pro", ReasoningRequest(effort: "max"), #"{"thinkingBudget":32768}"#),
        ("gemini-3-pro", ReasoningRequest(effort: "none"), #"{"thinkingLevel":"LOW"}"#),
        ("gemini-3.1-flash", ReasoningRequest(mode: .off), #"{"thinkingLevel":"MINIMAL"}"#),
        (
            "gemini-3-pro", ReasoningRequest(mode: .budget(4000), display: .omitted),
            #"{"thinkingLevel":"MEDIUM"}"#
        ),
        (
            "gemini-3-pro", ReasoningRequest(effort: "xhigh", display: .summarized),
            #"{"thinkingLevel":"HIGH","includeThoughts":true}"#
        ),
        ("gemini-3-pro", ReasoningRequest(effort: "odd"), ""),
        ("gemini-2.0-flash", ReasoningRequest(effort: "high"), ""),
        ("gemini-2.5-pro", ReasoningRequest(), ""),
    ])
    func `effort and budget become what the model takes`(
        model: String, reasoning: ReasoningRequest, config: String
    )
        throws
    {
        var request = CanonicalRequest(dialect: .chat, model: model, streaming: false)
        request.turns = [Turn(.user, [.text(TextPart("q"))])]
        request.reasoning = reasoning
        let (body, _) = try Self.encode(request, model: model)
        let expected = config.isEmpty ? "" : #","generationConfig":{"thinkingConfig":\#(config)}"#
        #expect(body == #"{"contents":[{"role":"user","parts":[{"text":"q"}]}]\#(expected)}"#)
    }
}
