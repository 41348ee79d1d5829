// SPDX-License-Identifier: Apache-2.0
import Gateway
import JSON
import Testing

@testable import Dialects

/// Sounds, compactions and tools on MCP servers: what one dialect knows and another does not, from each to each.
@Suite struct ForeignPartsTests {
    /// A client's request at a provider.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let client: Dialect
        let providers: [Dialect]
        let body: String
        /// What the provider's request holds, without white space outside of strings.
        let holds: [String]
        let lacks: [String]
        /// What the client is told that it lost.
        let losses: String

        init(
            _ description: String, _ client: Dialect, to providers: [Dialect], _ body: String,
            holds: [String] = [], lacks: [String] = [], losses: String = ""
        ) {
            testDescription = description
            self.client = client
            self.providers = providers
            self.body = body
            self.holds = holds
            self.lacks = lacks
            self.losses = losses
        }
    }

    private static func others(_ dialect: Dialect) -> [Dialect] { Dialect.allCases.filter { $0 != dialect } }

    private static func chat(_ messages: String, _ members: String = "") -> String {
        #"{"model":"m","messages":[\#(messages)]\#(members)}"#
    }

    private static func responses(_ input: String, _ members: String = "") -> String {
        #"{"model":"m","input":[\#(input)]\#(members)}"#
    }

    private static func messages(_ messages: String, _ members: String = "") -> String {
        #"{"model":"m","max_tokens":9,"messages":[\#(messages)]\#(members)}"#
    }

    private static func translation(
        _ client: Dialect, to upstream: Dialect, _ body: String, streaming: Bool? = nil
    ) throws -> (Translation, String) {
        let request = TranslationRequest(
            client: client, upstream: upstream,
            target: RequestTarget(origin: CodecSupport.origin, streaming: streaming ?? false),
            streamingByPath: client == .gemini ? streaming ?? false : streaming, requestID: "req_t",
            nowUnix: 1)
        let (translation, bytes) = try Translation.make(
            request, body: Array(body.utf8), clientModel: "m", estimatedInput: 1, parser: JSONParser())
        let text = String(decoding: bytes, as: UTF8.self)
        // A request is JSON whatever it was made of.
        _ = try CodecSupport.normalised(text)
        return (translation, text)
    }

    // MARK: - Requests

    private static let absent = Recording.absent
    private static let wav = #"{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}"#
    private static let spoken = chat(#"{"role":"user","content":[{"type":"text","text":"Hear:"},\#(wav)]}"#)
    private static let heard = responses(
        #"{"role":"user","content":[{"type":"input_text","text":"Hear:"},\#(wav)]}"#)
    private static let film = chat(
        #"{"role":"user","content":[{"type":"video_url","video_url":{"url":"https://h/v.mp4"}}]}"#)
    private static let answered = chat(
        #"{"role":"user","content":"a"},{"role":"assistant","audio":{"id":"audio_1"}},{"role":"user","content":"b"}"#,
        #","modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}"#)
    private static let recording =
        #"{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/ogg","data":"QUJD"}},{"text":"Hear."}]}],"#
        + #""generationConfig":{"responseModalities":["AUDIO"],"thinkingConfig":{"thinkingBudget":0}}}"#

    private static let block = #"{"type":"compaction","content":"It is half done.","signature":"s"}"#
    private static let compacted = messages(
        #"{"role":"user","content":"old words"},{"role":"assistant","content":[\#(block),{"type":"text","text":"On."}]},{"role":"user","content":"Go."}"#
    )
    private static let failedCompaction = messages(
        #"{"role":"user","content":"old words"},{"role":"assistant","content":[{"type":"compaction","content":null}]},{"role":"user","content":"Go."}"#
    )
    private static let editing = messages(
        #"{"role":"user","content":"a"}"#,
        #","context_management":{"edits":[{"type":"compact_20260112"}]}"#)
    private static let mark = responses(
        #"{"role":"user","content":"a"},{"type":"context_compaction"},{"role":"user","content":"b"}"#,
        #","context_management":[{"type":"compaction","compact_threshold":9}]"#)

    private static let server = #"{"type":"mcp","server_label":"wiki","server_url":"https://w.example/mcp"}"#
    private static let function = #"{"type":"function","name":"search","parameters":{"type":"object"}}"#
    private static let called = responses(
        #"""
        {"role":"user","content":"Look."},{"type":"mcp_list_tools","id":"mcpl_1","server_label":"wiki","tools":[]},
        {"type":"mcp_approval_request","id":"mcpr_1","name":"read","server_label":"wiki","arguments":"{\"page\":1}"},
        {"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true},
        {"type":"mcp_call","id":"mcp_1","approval_request_id":"mcpr_1","name":"read","server_label":"wiki","arguments":"{\"page\":1}","output":"Page one."},
        {"type":"mcp_call","id":"mcp_2","name":"read","server_label":"wiki","arguments":"{}","error":{"type":"http_error","code":502,"message":"Bad gateway"}},
        {"role":"user","content":"And?"}
        """#,
        #","tools":[\#(server),\#(function)],"tool_choice":{"type":"mcp","server_label":"wiki","name":"search"}"#
    )
    private static let denied = responses(
        #"""
        {"role":"user","content":"Look."},{"type":"mcp_approval_request","id":"mcpr_1","name":"read","server_label":"wiki","arguments":"{}"},
        {"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":false,"reason":"Not today."}
        """#)
    private static let among = responses(
        #"{"role":"user","content":"Look."}"#,
        #","tools":[\#(server),\#(function)],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"search"},{"type":"mcp","server_label":"wiki"}]}"#
    )
    private static let connected = messages(
        #"""
        {"role":"user","content":"Look."},{"role":"assistant","content":[
        {"type":"mcp_tool_listing","mcp_server_name":"wiki","tools":[]},
        {"type":"mcp_tool_use","id":"mcptoolu_1","name":"read","server_name":"wiki","input":{"page":1}},
        {"type":"mcp_tool_result","tool_use_id":"mcptoolu_1","is_error":false,"content":[{"type":"text","text":"Page one."}]},
        {"type":"mcp_tool_use","id":"mcptoolu_2","name":"read","server_name":"wiki","input":{}},
        {"type":"mcp_tool_result","tool_use_id":"mcptoolu_2","is_error":true,"content":"Bad gateway"}]},
        {"role":"user","content":"And?"}
        """#,
        #","mcp_servers":[{"type":"url","name":"wiki","url":"https://w.example/mcp"}],"tools":[{"type":"mcp_toolset","mcp_server_name":"wiki"}]"#
    )

    static let requests: [Case] = [
        // Sounds.
        Case(
            "a recording of Chat is heard by Gemini", .chat, to: [.gemini], spoken,
            holds: [#"{"inlineData":{"mimeType":"audio/wav","data":"QUJD"}}"#]),
        Case(
            "a recording of Responses is heard by Gemini", .responses, to: [.gemini], heard,
            holds: [#"{"inlineData":{"mimeType":"audio/wav","data":"QUJD"}}"#]),
        Case(
            "a recording in a data URL is the same", .chat, to: [.gemini],
            spoken.replacing("QUJD", with: "data:;base64,QUJD"),
            holds: [#"{"inlineData":{"mimeType":"audio/wav","data":"QUJD"}}"#]),
        Case(
            "a recording that is elsewhere is not got", .chat, to: [.gemini],
            spoken.replacing("QUJD", with: "https://h/a.wav"), holds: [absent], losses: "opaque_part=1"),
        Case(
            "a recording of Chat is missing where nobody listens", .chat, to: [.responses, .messages], spoken,
            holds: ["Hear:", absent], lacks: ["QUJD"], losses: "opaque_part=1"),
        Case(
            "a recording of Responses is missing where nobody listens", .responses, to: [.chat, .messages],
            heard, holds: ["Hear:", absent], lacks: ["QUJD"], losses: "opaque_part=1"),
        Case(
            "a recording of Gemini is missing elsewhere, and a spoken answer is not asked for", .gemini,
            to: others(.gemini), recording, holds: ["Hear.", absent],
            lacks: ["QUJD", "AUDIO"], losses: "parameter=1 (responseModalities), opaque_part=1"),
        Case(
            "a film is missing everywhere else", .chat, to: others(.chat), film, holds: [absent],
            losses: "opaque_part=1"),
        Case(
            "an answer that was spoken is known to its provider only", .chat, to: others(.chat), answered,
            holds: ["[a spoken answer that is not available]"], lacks: ["audio_1", "alloy"],
            losses: "parameter=2 (modalities, audio), opaque_part=1"),
        Case("sounds stay in their dialect", .chat, to: [.chat], spoken, holds: [wav]),
        Case(
            "a reference to a spoken answer stays in its dialect", .chat, to: [.chat], answered,
            holds: [#"{"role":"assistant","content":null,"audio":{"id":"audio_1"}}"#, #""voice":"alloy""#]),
        Case("sounds of Responses stay in it", .responses, to: [.responses], heard, holds: [wav]),
        // Compactions.
        Case(
            "Anthropic's summary stands for what it is about", .messages, to: others(.messages), compacted,
            holds: [#"Summary of the conversation so far:\n\nIt is half done."#, "On.", "Go."],
            lacks: ["old words"]),
        Case(
            "a compaction that failed changes nothing", .messages, to: others(.messages), failedCompaction,
            holds: ["old words", "Go."], losses: "opaque_part=1"),
        Case(
            "a compaction stays in its dialect", .messages, to: [.messages], compacted,
            holds: ["old words", block]),
        Case(
            "a wish to be compacted on the way is named", .messages, to: others(.messages), editing,
            losses: "parameter=1 (context_management)"),
        Case(
            "a mark of a compaction says nothing elsewhere", .responses, to: others(.responses), mark,
            holds: ["a", "b"], losses: "parameter=1 (context_management), opaque_part=1"),
        Case(
            "a mark of a compaction stays in its dialect", .responses, to: [.responses], mark,
            holds: [#"{"type":"context_compaction"}"#, "compact_threshold"]),
        // MCP.
        Case(
            "what was called on a server is told elsewhere", .responses, to: others(.responses), called,
            holds: [
                #"[read was run by the provider with {\"page\":1}]\n[result of a tool run by the provider]\nPage one."#,
                #"[read was run by the provider]\n[a tool run by the provider failed]\nBad gateway"#,
                #"[asked whether read may be run with {\"page\":1}]"#,
            ], lacks: ["w.example", "tool_choice", "toolConfig"],
            losses: "parameter=1 (tool_choice), hosted_tool=1, opaque_part=5"),
        Case(
            "servers and choices of their tools stay in their dialect", .responses, to: [.responses], called,
            holds: [
                server, #""tool_choice":{"type":"mcp","server_label":"wiki","name":"search"}"#, "mcpl_1",
            ]),
        Case(
            "a choice among functions and servers stays in its dialect", .responses, to: [.responses], among,
            holds: [#"{"type":"mcp","server_label":"wiki"}]"#]),
        Case(
            "of a choice among functions and servers the functions hold elsewhere", .responses,
            to: [.chat, .messages, .gemini], among, holds: ["search"], lacks: ["w.example"],
            losses: "parameter=1 (tool_choice), hosted_tool=1"),
        Case(
            "a call that was not allowed is told", .responses, to: others(.responses), denied,
            holds: ["[asked whether read may be run]", #"[the call was not allowed]\nNot today."#],
            losses: "opaque_part=2"),
        Case(
            "what Anthropic called on a server is told elsewhere", .messages, to: others(.messages),
            connected,
            holds: [
                #"[read was run by the provider with {\"page\":1}]"#,
                #"[result of a tool run by the provider]\nPage one."#,
                #"[a tool run by the provider failed]\nBad gateway"#,
            ], lacks: ["w.example"], losses: "parameter=1 (mcp_servers), hosted_tool=1, opaque_part=5"),
        Case(
            "servers, listings and calls stay with Anthropic", .messages, to: [.messages], connected,
            holds: ["mcp_tool_listing", "mcp_servers", "mcp_toolset", #""id":"mcptoolu_2""#]),
        Case(
            "a server that a provider of Chat would ask is dropped", .chat, to: others(.chat),
            chat(#"{"role":"user","content":"a"}"#, #","tools":[\#(server)]"#), lacks: ["w.example"],
            losses: "hosted_tool=1"),
        Case(
            "a server stays with a provider of Chat", .chat, to: [.chat],
            chat(#"{"role":"user","content":"a"}"#, #","tools":[\#(server)]"#), holds: [server]),
        Case(
            "Gemini's servers are dropped", .gemini, to: others(.gemini),
            #"{"contents":[{"parts":[{"text":"a"}]}],"tools":[{"mcpServers":[{"name":"wiki"}]}]}"#,
            lacks: ["wiki"], losses: "hosted_tool=1"),
        // Tools that the conversation declares.
        Case(
            "tools that the conversation declares are no loss", .responses, to: others(.responses),
            responses(
                #"{"type":"additional_tools","role":"developer","tools":[\#(function)]},{"role":"user","content":"a"},{"type":"additional_tools","role":"developer","tools":[]}"#
            ), holds: [#""search""#]),
    ]

    @Test(arguments: requests)
    func `what a client's dialect alone knows is carried, or left out and named`(item: Case) throws {
        for provider in item.providers {
            let (translation, body) = try Self.translation(item.client, to: provider, item.body)
            for text in item.holds { #expect(body.contains(text), "\(provider.name): \(body)") }
            for text in item.lacks { #expect(!body.contains(text), "\(provider.name): \(text) in \(body)") }
            #expect(translation.losses.description == item.losses, "\(provider.name)")
        }
    }

    @Test(arguments: [
        (
            Dialect.messages,
            messages(#"{"role":"user","content":"a"}"#, #","compaction":{"type":"summarize"}"#),
            "compaction: is done by Anthropic only"
        ),
        (
            .responses,
            responses(
                #"{"type":"context_compaction","encrypted_content":"gAAA"},{"role":"user","content":"a"}"#),
            "input[0].encrypted_content: can be read by the provider that made it only"
        ),
        (
            .responses,
            responses(
                #"{"type":"mcp_approval_request","id":"mcpr_1","name":"read","server_label":"wiki","arguments":"{}"},{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}"#
            ), "input[1].approval_request_id: approves a call that only the provider which asked can make"
        ),
    ])
    func `what would mean something else is refused by its place, and passes in its dialect`(
        client: Dialect, body: String, message: String
    ) throws {
        for provider in Self.others(client) {
            #expect {
                _ = try Self.translation(client, to: provider, body)
            } throws: { error in
                guard let error = error as? GatewayError else { return false }
                return error.kind == .invalidRequest && error.message.hasPrefix(message)
            }
        }
        #expect(throws: Never.self) { try Self.translation(client, to: client, body) }
    }

    @Test(arguments: [
        (#"{"type":"input_audio"}"#, "input_audio: is missing"),
        (#"{"type":"input_audio","input_audio":{}}"#, "input_audio.data: is missing"),
        (
            #"{"type":"input_audio","input_audio":{"data":"???","format":"wav"}}"#,
            "input_audio.data: is no base64"
        ),
        (
            #"{"type":"input_audio","input_audio":{"data":"data:x","format":"wav"}}"#,
            "input_audio.data: is a data URL without data"
        ),
        (
            #"{"type":"input_audio","input_audio":{"data":"QUJD","format":1}}"#,
            "input_audio.format: must be a string"
        ),
    ])
    func `a recording that is none is refused by its place`(part: String, problem: String) {
        let message = #"{"role":"user","content":[\#(part)]}"#
        #expect(
            CodecSupport.refusal(ChatRequests.self, Self.chat(message)) == "messages[0].content[0].\(problem)"
        )
        #expect(
            CodecSupport.refusal(ResponsesRequests.self, Self.responses(message))
                == "input[0].content[0].\(problem)")
    }

    // MARK: - Answers

    /// What the client gets of a provider's stream, as a stream and as a document.
    private static func answers(
        _ provider: Dialect, _ stream: String, to client: Dialect
    ) throws -> [(text: String, losses: String)] {
        let empty =
            switch client {
            case .chat: chat(#"{"role":"user","content":"a"}"#)
            case .responses: responses(#"{"role":"user","content":"a"}"#)
            case .messages: messages(#"{"role":"user","content":"a"}"#)
            case .gemini: #"{"contents":[{"parts":[{"text":"a"}]}]}"#
            }
        return try [true, false].map { streaming in
            let (translation, _) = try translation(client, to: provider, empty, streaming: streaming)
            let translator = translation.translator(.eventStream)
            Array(stream.utf8).withUnsafeBytes { translator.received($0, parser: JSONParser()) }
            translator.ended(parser: JSONParser())
            #expect(translator.phase == .finished)
            return (
                String(decoding: translator.takeOutput(), as: UTF8.self), translator.losses.description
            )
        }
    }

    private static func events(_ data: [String]) -> String {
        data.map { "data: \($0)\n\n" }.joined()
    }

    private static let speech =
        events(
            [
                #"{"id":"audio_1"}"#, #"{"data":"QU","transcript":"Good "}"#,
                #"{"data":"JD","transcript":"day."}"#, #"{"expires_at":9}"#,
            ].map { #"{"id":"c","choices":[{"delta":{"audio":\#($0)}}]}"# })
        + "data: [DONE]\n\n"

    private static func blocks(_ blocks: [(start: String, deltas: [String])]) -> String {
        var data = [
            #"{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":1,"output_tokens":1}}}"#
        ]
        for (index, block) in blocks.enumerated() {
            data.append(#"{"type":"content_block_start","index":\#(index),"content_block":\#(block.start)}"#)
            data += block.deltas.map { #"{"type":"content_block_delta","index":\#(index),"delta":\#($0)}"# }
            data.append(#"{"type":"content_block_stop","index":\#(index)}"#)
        }
        data.append(
            #"{"type":"message_delta","delta":{"stop_reason":"compaction"},"usage":{"output_tokens":2}}"#)
        data.append(#"{"type":"message_stop"}"#)
        return events(data)
    }

    private static let anthropic = blocks([
        (#"{"type":"mcp_tool_listing","mcp_server_name":"wiki","tools":[]}"#, []),
        (
            #"{"type":"mcp_tool_use","id":"mcptoolu_1","name":"read","server_name":"wiki","input":{}}"#,
            [
                #"{"type":"input_json_delta","partial_json":"{\"page\""}"#,
                #"{"type":"input_json_delta","partial_json":":1}"}"#,
            ]
        ),
        (
            #"{"type":"mcp_tool_result","tool_use_id":"mcptoolu_1","is_error":false,"content":"Page one."}"#,
            []
        ),
        (
            #"{"type":"compaction","content":null,"signature":"s"}"#,
            [#"{"type":"compaction_delta","content":"It is half done.","encrypted_content":"e"}"#]
        ),
    ])

    private static let items = [
        #"{"type":"mcp_list_tools","id":"mcpl_1","server_label":"wiki","tools":[]}"#,
        #"{"type":"mcp_approval_request","id":"mcpr_1","name":"read","server_label":"wiki","arguments":"{}"}"#,
        #"{"type":"mcp_call","id":"mcp_1","name":"read","server_label":"wiki","arguments":"{}","output":"Page one."}"#,
        #"{"type":"context_compaction","encrypted_content":"gAAA"}"#,
        #"{"type":"compaction","id":"cmp_1","encrypted_content":"gAAA"}"#,
        #"{"type":"program_output","id":"po_1","call_id":"c","result":"1","status":"completed"}"#,
    ]
    private static let openAI: String = {
        var data: [String] = []
        for (index, item) in items.enumerated() {
            data.append(#"{"type":"response.output_item.added","output_index":\#(index),"item":\#(item)}"#)
            data.append(#"{"type":"response.mcp_call_arguments.delta","output_index":\#(index),"delta":"{"}"#)
            data.append(#"{"type":"response.output_item.done","output_index":\#(index),"item":\#(item)}"#)
        }
        return events(data + [#"{"type":"response.completed","response":{"id":"r","status":"completed"}}"#])
    }()

    @Test func `a spoken answer is heard by clients of Chat and read by all others`() throws {
        let whole = #""audio":{"id":"audio_1","data":"QUJD","transcript":"Good day.","expires_at":9}"#
        for (text, losses) in try Self.answers(.chat, Self.speech, to: .chat) {
            #expect(text.contains(whole) && losses.isEmpty, "\(text)")
        }
        let document = try Self.answers(.chat, Self.speech, to: .chat)[1].text
        #expect(document.contains(#""content":null"#))
        for client in Self.others(.chat) {
            for (text, losses) in try Self.answers(.chat, Self.speech, to: client) {
                #expect(text.contains("Good day.") && !text.contains("QUJD"), "\(client.name): \(text)")
                #expect(losses == "opaque_part=1")
            }
        }
    }

    @Test func `compactions and calls on servers reach clients of Messages whole`() throws {
        let answers = try Self.answers(.messages, Self.anthropic, to: .messages)
        // In a stream, inputs and summaries come in deltas, from which clients take them.
        for text in [
            #""content_block":{"type":"mcp_tool_listing","mcp_server_name":"wiki","tools":[]}"#,
            #""content_block":{"type":"mcp_tool_use","id":"mcptoolu_1","name":"read","server_name":"wiki","input":{}}"#,
            #""delta":{"type":"input_json_delta","partial_json":"{\"page\":1}"}"#,
            #""content_block":{"type":"compaction","signature":"s","content":null,"encrypted_content":null}"#,
            #""delta":{"type":"compaction_delta","content":"It is half done.","encrypted_content":"e"}"#,
            #""stop_reason":"compaction""#,
        ] { #expect(answers[0].text.contains(text), "\(answers[0].text)") }
        for text in [
            #""server_name":"wiki","input":{"page":1}}"#,
            #"{"type":"compaction","signature":"s","content":"It is half done.","encrypted_content":"e"}"#,
        ] { #expect(answers[1].text.contains(text), "\(answers[1].text)") }
        for answer in answers { #expect(answer.losses.isEmpty) }
    }

    @Test func `compactions and calls on servers reach clients of Responses whole`() throws {
        for answer in try Self.answers(.responses, Self.openAI, to: .responses) {
            for item in Self.items { #expect(answer.text.contains(item), "\(item) in \(answer.text)") }
            #expect(answer.losses.isEmpty)
        }
    }

    @Test(arguments: Dialect.allCases)
    func `blocks and items of one dialect are never another's, whatever they are called`(client: Dialect)
        throws
    {
        for (provider, stream, count) in [
            (Dialect.messages, Self.anthropic, 4), (.responses, Self.openAI, 6),
        ]
        where provider != client {
            for (text, losses) in try Self.answers(provider, stream, to: client) {
                for name in ["mcp", "compaction", "program"] { #expect(!text.contains(name), "\(text)") }
                #expect(losses == "opaque_part=\(count)")
            }
        }
    }
}
