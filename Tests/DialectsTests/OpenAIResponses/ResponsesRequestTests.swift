// SPDX-License-Identifier: Apache-2.0
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct ResponsesRequestTests {
    private static func input(_ items: String, _ members: String = "") -> String {
        #"{"model":"m","stream":true,"input":[\#(items)]\#(members)}"#
    }

    @Test(arguments: ["codex-standard.json", "codex-lite.json"])
    func `a body of Codex comes back as it was`(file: String) throws {
        let body = try CodecSupport.file("Fixtures/responses/" + file)
        let text = String(decoding: body, as: UTF8.self)
        let request = try CodecSupport.decode(
            ResponsesRequests.self, body, model: text.contains("\"m1\"") ? "m1" : "gpt-6.1-sol")
        let (written, notes) = try CodecSupport.encode(ResponsesRequests.self, request)
        try CodecSupport.expectSame(written, text)
        #expect(notes.losses.isEmpty)
        #expect(notes.toolNames.isEmpty)
    }

    @Test func `items in a row of the model are one turn and results in a row another`() throws {
        let body = try CodecSupport.file("Fixtures/responses/codex-standard.json")
        let request = try CodecSupport.decode(ResponsesRequests.self, body)
        #expect(request.system.count == 3)
        #expect(
            request.turns.map(\.role) == [
                .user, .user, .assistant, .user, .assistant, .user, .assistant, .user, .assistant, .user,
                .assistant, .user,
            ])
        #expect(request.turns.map(\.parts.count) == [1, 4, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1])
        #expect(request.tools.map(\.namespace).compactMap { $0 }.count == 7)
        #expect(request.cacheKey == "00000000-0000-7000-8000-000000000019")
        #expect(
            request.reasoning == ReasoningRequest(effort: "medium", display: .summarized, summary: "auto"))
    }

    @Test func `tools declared in the input are offered and not declared twice`() throws {
        let body = try CodecSupport.file("Fixtures/responses/codex-lite.json")
        let request = try CodecSupport.decode(ResponsesRequests.self, body)
        #expect(request.tools.first?.name == "exec")
        #expect(request.tools.first?.namespace == "functions")
        #expect(!request.tools.contains { !$0.isInline })
        #expect(!request.tools.isEmpty)
    }

    struct Refused: Sendable {
        let body: String
        let message: String
        init(_ body: String, _ message: String) {
            self.body = body
            self.message = message
        }
    }

    static let refused = [
        Refused("[]", "the body must be an object"),
        Refused(#"{"model":"m"}"#, "input: is missing"),
        Refused(#"{"input":3}"#, "input: must be a string or an array"),
        Refused(input("3"), "input[0]: must be an object"),
        Refused(input("{}"), "input[0].role: is missing"),
        Refused(
            input(#"{"role":"tool","content":"x"}"#),
            "input[0].role: must be user, assistant, developer or system"),
        Refused(input(#"{"role":"user"}"#), "input[0].content: is missing"),
        Refused(input(#"{"role":"user","content":[{"text":"a"}]}"#), "input[0].content[0].type: is missing"),
        Refused(
            input(#"{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image"}]}"#),
            "input[0].content[1].image_url: is missing"),
        Refused(
            input(
                #"{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,@"}]}"#),
            "input[0].content[0].image_url: is no base64"),
        Refused(
            input(#"{"role":"user","content":[{"type":"input_file","file_data":"%%%"}]}"#),
            "input[0].content[0].file_data: is no base64"),
        Refused(input(#"{"type":"function_call","name":"f"}"#), "input[0].call_id: is missing"),
        Refused(
            input(#"{"type":"function_call","call_id":"","name":"f"}"#), "input[0].call_id: must not be empty"
        ),
        Refused(
            input(
                #"{"type":"function_call","call_id":"c","name":"f"},{"type":"function_call","call_id":"c","name":"f"}"#
            ),
            "input[1].call_id: is used by an earlier call"),
        Refused(input(#"{"type":"function_call_output","call_id":"c"}"#), "input[0].output: is missing"),
        Refused(input(#"{"type":"reasoning","summary":[{}]}"#), "input[0].summary[0].text: is missing"),
        Refused(
            input(#"{"type":"item_reference","id":"x"}"#),
            "input[0].type: item_reference needs a stored conversation, which this provider does not have; send the item"
        ),
        Refused(
            input("", #","previous_response_id":"resp_1""#),
            "previous_response_id: needs a stored conversation, which this provider does not have; send the whole input"
        ),
        Refused(
            input("", #","conversation":{"id":"c"}"#),
            "conversation: needs a stored conversation, which this provider does not have; send the whole input"
        ),
        Refused(input("", #","tools":{}"#), "tools: must be an array"),
        Refused(input("", #","tools":[{"type":"function"}]"#), "tools[0].name: is missing"),
        Refused(
            input(
                "",
                #","tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"f","parameters":1}]}]"#
            ),
            "tools[0].tools[0].parameters: must be an object"),
        Refused(
            input("", #","tool_choice":"some""#), "tool_choice: must be auto, none, required or an object"),
        Refused(
            input("", #","tool_choice":{"type":"allowed_tools","tools":[{}]}"#),
            "tool_choice.tools[0].type: is missing"),
        Refused(input("", #","text":{"format":{"type":"json_schema"}}"#), "text.format.schema: is missing"),
        Refused(input("", #","reasoning":{"effort":3}"#), "reasoning.effort: must be a string"),
        Refused(input("", #","max_output_tokens":"9""#), "max_output_tokens: must be an integer"),
        Refused(#"{"input":[],"stream":"yes"}"#, "stream: must be true or false"),
    ]

    @Test(arguments: refused)
    func `what cannot be read is refused by the name of its field`(refused: Refused) {
        #expect(CodecSupport.refusal(ResponsesRequests.self, refused.body) == refused.message)
    }

    @Test func `an envelope of another provider is opened for its origin and kept from everybody else`()
        throws
    {
        let state = ReasoningState(
            .signature, origin: Origin(provider: "anthropic", model: "claude"), bytes: Array("sig".utf8))
        let sealed = try #require(ReasoningEnvelope.seal(state))
        let request = try CodecSupport.decode(
            ResponsesRequests.self,
            Self.input(
                #"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"\#(sealed)"}"#
            ))
        guard case .reasoning(let part)? = request.turns.first?.parts.first else {
            Issue.record("no reasoning")
            return
        }
        #expect(part.state == state)
        let (body, notes) = try CodecSupport.encode(ResponsesRequests.self, request)
        #expect(!body.contains("reasoning\",\"id"))
        #expect(!body.contains("ccr1:"))
        #expect(notes.losses[.foreignReasoning] == 1)
    }

    @Test func `state of the same origin goes back as the provider sent it`() throws {
        let state = ReasoningState(
            .encryptedContent, origin: CodecSupport.origin, bytes: Array("gAAA".utf8), itemID: "rs_theirs")
        let sealed = try #require(ReasoningEnvelope.seal(state))
        let request = try CodecSupport.decode(
            ResponsesRequests.self,
            Self.input(#"{"type":"reasoning","id":"rs_ours","summary":[],"encrypted_content":"\#(sealed)"}"#))
        let (body, _) = try CodecSupport.encode(ResponsesRequests.self, request)
        #expect(
            body.contains(#"{"type":"reasoning","id":"rs_theirs","summary":[],"encrypted_content":"gAAA"}"#))
    }

    @Test func `ids that no provider of Responses made are left out`() throws {
        let request = try CodecSupport.decode(
            ResponsesRequests.self,
            Self.input(
                #"{"type":"message","role":"assistant","id":"chatcmpl-1","content":[{"type":"output_text","text":"a"}]},{"type":"function_call","id":"call_1","call_id":"toolu_1","name":"f","arguments":""},{"type":"function_call_output","call_id":"toolu_1","output":"o"}"#
            ))
        let (body, _) = try CodecSupport.encode(ResponsesRequests.self, request)
        #expect(!body.contains("chatcmpl-1"))
        #expect(!body.contains("call_1\",\"call_id"))
        #expect(body.contains(#"{"type":"function_call","name":"f","arguments":"{}","call_id":"toolu_1"}"#))
    }

    // MARK: - From other dialects

    private static func foreign() -> CanonicalRequest {
        var request = CanonicalRequest(dialect: .messages, model: "gpt", streaming: true)
        request.system = [.text(TextPart("x-anthropic-billing-header: a")), .text(TextPart("Be kind."))]
        request.tools = [
            Tool(.function, name: "f", description: "d", schema: JSONText(#"{"type":"object"}"#)),
            Tool(.hosted(.webSearch(WebSearch()), definition: JSONText("{}")), name: "web_search"),
            Tool(.hosted(.other("code_execution"), definition: JSONText("{}")), name: "code_execution"),
            Tool(.function, name: String(repeating: "n", count: 70)),
        ]
        return request
    }

    @Test func `a request of Messages becomes instructions, items and tools`() throws {
        var request = Self.foreign()
        var failed = ToolResult(callID: "toolu_1", content: [.text(TextPart("no"))], isError: true)
        failed.extra = []
        request.turns = [
            Turn(
                .user,
                [.text(TextPart("hi")), .image(ImagePart(.base64(mediaType: "image/png", data: "QUI=")))]),
            Turn(
                .assistant,
                [
                    .reasoning(
                        ReasoningPart("t", state: ReasoningState(.signature, origin: nil, bytes: [1]))),
                    .text(TextPart("ok")), .toolCall(ToolCall(id: "toolu_1", name: "f", arguments: "{}")),
                ]),
            Turn(.user, [.text(TextPart("and?")), .toolResult(failed)]),
        ]
        request.reasoning = ReasoningRequest(mode: .budget(5000))
        request.sampling.topK = 4
        request.sampling.maxTokens = 99
        request.toolChoice = .tool(ToolName("f"))
        request.allowsParallelCalls = false
        request.extra = [ExtraMember("context_management", JSONText("{}"))]
        var rules = UpstreamRules()
        rules.quirks = [.cacheKey, .webSearch]
        let (body, notes) = try CodecSupport.encode(ResponsesRequests.self, request, rules: rules)
        try CodecSupport.expect(body, isGolden: "messages-to-responses.json")
        #expect(notes.losses[.foreignReasoning] == 1)
        #expect(notes.losses[.hostedTool] == 1)
        #expect(notes.losses.parameters == ["context_management", "top_k"])
        #expect(notes.toolNames.entry("f")?.tool == ToolName("f"))
    }

    @Test func `a strict tool stays strict only if OpenAI takes its schema`() throws {
        var request = Self.foreign()
        request.tools = []
        for schema in [
            #"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
            #"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#,
            #"{"type":"object","properties":{"a":{"type":"object"}},"required":["a"],"additionalProperties":false}"#,
        ] {
            var tool = Tool(.function, name: "f\(request.tools.count)", schema: JSONText(schema))
            tool.strict = true
            request.tools.append(tool)
        }
        let (body, _) = try CodecSupport.encode(ResponsesRequests.self, request)
        let strict = body.split(separator: "\"strict\":").dropFirst().map { $0.hasPrefix("true") }
        #expect(strict == [true, false, false])
    }

    @Test
    func
        `free text, a tool search and a local shell keep their forms between clients and providers of Responses`()
        throws
    {
        let body = Self.input(
            #"""
            {"type":"custom_tool_call","call_id":"c1","name":"apply_patch","input":"*** Begin"},
            {"type":"custom_tool_call_output","call_id":"c1","output":"done"},
            {"type":"tool_search_call","call_id":"c2","execution":"client","status":"completed","arguments":{"query":"weather","limit":3}},
            {"type":"tool_search_output","call_id":"c2","execution":"client","status":"completed","tools":[{"type":"namespace","name":"mcp__w","description":"d","tools":[{"type":"function","name":"get","description":"g","strict":false,"parameters":{"type":"object"}}]}]},
            {"type":"local_shell_call","call_id":"c3","status":"completed","action":{"type":"exec","command":["ls"]}},
            {"type":"local_shell_call_output","call_id":"c3","output":"a"},
            {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},
            {"type":"compaction","encrypted_content":"zzz"}
            """#, #","store":false,"include":["reasoning.encrypted_content"]"#)
        let request = try CodecSupport.decode(ResponsesRequests.self, body)
        #expect(request.offeredTools.map(\.fullName) == [ToolName("get", namespace: "mcp__w")])
        let (written, notes) = try CodecSupport.encode(ResponsesRequests.self, request)
        try CodecSupport.expectSame(written, body)
        #expect(notes.losses.isEmpty)
    }

    @Test func `a provider that knows functions only gets nothing else, also from Codex`() throws {
        var rules = UpstreamRules()
        rules.quirks = [.functionToolsOnly, .noEncryptedReasoning, .noParallelToolCalls]
        let body = try CodecSupport.file("Fixtures/responses/codex-standard.json")
        let request = try CodecSupport.decode(ResponsesRequests.self, body)
        let (written, notes) = try CodecSupport.encode(ResponsesRequests.self, request, rules: rules)
        for word in ["custom", "namespace", "web_search", "encrypted_content", "parallel_tool_calls"] {
            #expect(!written.contains("\"\(word)"), "\(word)")
        }
        #expect(written.contains(#""name":"mcp__my_srv__get_weather","arguments":"{\"city\": \"Oslo\"}""#))
        #expect(written.contains(#""name":"apply_patch","arguments":"{\"input\":\"*** Begin Patch"#))
        #expect(notes.toolNames.entry("apply_patch")?.isWrapped == true)
        #expect(notes.toolNames.entry("mcp__my_srv__get_weather")?.tool.namespace == "mcp__my_srv")
        #expect(notes.losses[.hostedTool] == 1)
        let lite = try CodecSupport.decode(
            ResponsesRequests.self, CodecSupport.file("Fixtures/responses/codex-lite.json"))
        let flat = try CodecSupport.encode(ResponsesRequests.self, lite, rules: rules)
        #expect(!flat.body.contains("additional_tools"))
        #expect(flat.body.contains(#""name":"functions__exec""#))
    }

    @Test func `what the provider refuses is left out and counted`() throws {
        var rules = UpstreamRules()
        rules.quirks = [
            .noTemperature, .noTopP, .noMaxTokens, .noMetadata, .noServiceTier, .noVerbosity, .noImages,
            .noResultImages, .needsInstructions, .storeFalse,
        ]
        rules.toolChoice = .autoOnly
        rules.systemPlacement = .leading
        rules.output = .jsonObject
        var request = CanonicalRequest(dialect: .chat, model: "m", streaming: true)
        request.tools = [Tool(.function, name: "f")]
        request.toolChoice = .any
        request.sampling.temperature = 1
        request.sampling.topP = 1
        request.sampling.maxTokens = 5
        request.metadata = JSONText("{}")
        request.serviceTier = "flex"
        request.verbosity = "low"
        request.outputFormat = .jsonSchema(name: nil, schema: JSONText("{}"), strict: nil)
        let image = Part.image(ImagePart(.base64(mediaType: "image/png", data: "QUI=")))
        request.turns = [
            Turn(.user, [.text(TextPart("a"))]),
            Turn(.assistant, [.toolCall(ToolCall(id: "c", name: "f", arguments: ""))]),
            Turn(.user, [.toolResult(ToolResult(callID: "c", content: [image]))]),
            Turn(.system, [.text(TextPart("note"))]),
        ]
        let (body, notes) = try CodecSupport.encode(ResponsesRequests.self, request, rules: rules)
        try CodecSupport.expect(body, isGolden: "chat-to-narrow-responses.json")
        #expect(
            notes.losses.parameters == [
                "metadata", "temperature", "top_p", "max_tokens", "verbosity", "service_tier",
            ])
        #expect(notes.losses[.toolChoice] == 1)
        #expect(notes.losses[.media] == 1)
        #expect(notes.losses[.outputFormat] == 1)
    }

    @Test func `ten thousand tools and a schema of a hundred levels are read and written`() throws {
        let deep =
            String(repeating: #"{"type":"object","properties":{"a":"#, count: 100) + "{}"
            + String(repeating: "}}", count: 100)
        let tools = (0..<10_000).map {
            #"{"type":"function","name":"f\#($0)","parameters":{"type":"object"}}"#
        }
        let request = try CodecSupport.decode(
            ResponsesRequests.self,
            Self.input(
                "",
                #","tools":[\#(tools.joined(separator: ",")),{"type":"function","name":"deep","parameters":\#(deep)}]"#
            ))
        #expect(request.tools.count == 10_001)
        var foreign = request
        foreign.dialect = .chat
        let (body, _) = try CodecSupport.encode(ResponsesRequests.self, foreign)
        #expect(body.contains(deep))
    }
}
