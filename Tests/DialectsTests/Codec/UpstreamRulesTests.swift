// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Dialects

/// What encoders of Chat and Messages make of a provider's rules.
@Suite struct UpstreamRulesTests {
    private func write(
        _ codec: any RequestCodec.Type, _ body: String, from: any RequestCodec.Type = MessagesRequests.self,
        _ change: (inout UpstreamRules) -> Void = { _ in }, _ model: (inout ModelRules) -> Void = { _ in }
    ) throws -> (body: String, notes: RequestNotes) {
        var rules = UpstreamRules()
        change(&rules)
        var modelRules = ModelRules()
        model(&modelRules)
        var notes = RequestNotes()
        let request = try CodecSupport.decode(from, body)
        let target = RequestTarget(
            origin: CodecSupport.origin, streaming: true, rules: rules, model: modelRules)
        let bytes = try codec.encode(request, for: target, &notes)
        return (String(decoding: bytes, as: UTF8.self), notes)
    }

    private static let image = #"{"type":"image","source":{"type":"url","url":"https://e.org/i"}}"#

    /// A Messages body with these members besides.
    private func body(_ members: String, content: String = #""a""#) -> String {
        #"{"model":"m","messages":[{"role":"user","content":\#(content)}]\#(members.isEmpty ? "" : ",")\#(members)}"#
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let members: String
        var content = #""a""#
        let change: @Sendable (inout UpstreamRules) -> Void
        let contains: [String]
        var lacks: [String] = []
    }

    private static let tool = #""tools":[{"name":"f","input_schema":{"$schema":"x","type":"object"}}]"#

    static let chat = [
        Case(
            testDescription: "the limit of tokens has the provider's name", members: #""max_tokens":5"#,
            change: { $0.maxTokens = .maxCompletionTokens }, contains: [#""max_completion_tokens":5"#]),
        Case(
            testDescription: "or none", members: #""max_tokens":5"#, change: { $0.quirks = .noMaxTokens },
            contains: [],
            lacks: ["max_"]),
        Case(
            testDescription: "what is refused is left out",
            members:
                #""temperature":1,"top_p":0.5,"stop_sequences":["x"],"metadata":{"user_id":"u"},"service_tier":"auto""#,
            change: {
                $0.quirks = [.noTemperature, .noTopP, .noStop, .noMetadata, .noServiceTier, .noStreamOptions]
            },
            contains: [#""stream":true"#],
            lacks: [
                "temperature", "top_p", "stop\"", "\"user\":", "service_tier", "stream_options", "safety",
            ]),
        Case(
            testDescription: "temperatures end where the provider's do", members: #""temperature":1"#,
            change: { $0.temperatureMilli = 600 }, contains: [#""temperature":0.6"#]),
        Case(
            testDescription: "top_k goes where it is known", members: #""top_k":3"#,
            change: { $0.quirks = .topK },
            contains: [#""top_k":3"#]),
        Case(
            testDescription: "a forced choice becomes a free one",
            members: tool + #","tool_choice":{"type":"any"}"#, change: { $0.toolChoice = .autoOnly },
            contains: [#""tool_choice":"auto""#]),
        Case(
            testDescription: "or has another word", members: tool + #","tool_choice":{"type":"any"}"#,
            change: { $0.toolChoice = .anyWord }, contains: [#""tool_choice":"any""#]),
        Case(
            testDescription: "schemas lose their meta keywords", members: tool,
            change: { $0.schema = .noMeta },
            contains: [#""parameters":{"type":"object"}"#], lacks: ["$schema"]),
        Case(
            testDescription: "parallel calls are not spoken of",
            members: tool + #","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#,
            change: { $0.quirks = .noParallelToolCalls }, contains: [], lacks: ["parallel_tool_calls"]),
        Case(
            testDescription: "images that cannot be shown are told of", members: "",
            content: "[\(image)]", change: { $0.quirks = .noImages },
            contains: ["[an image that cannot be shown here]"],
            lacks: ["image_url"]),
        Case(
            testDescription: "so are those that the provider does not fetch", members: "",
            content: "[\(image)]", change: { $0.quirks = .noImageURLs },
            contains: ["[an image that cannot be shown here]"]),
        Case(
            testDescription: "cache hints go to who knows them", members: "",
            content: #"[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]"#,
            change: { $0.quirks = .cacheControl },
            contains: [#""content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]"#]),
        Case(
            testDescription: "a format that is not enforced is said",
            members: #""output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#,
            change: { $0.output = .jsonObject },
            contains: [#""response_format":{"type":"json_object"}"#, #"JSON Schema: {\"type\":\"object\"}"#]),
        Case(
            testDescription: "thinking as a type", members: #""thinking":{"type":"disabled"}"#,
            change: { $0.chatThinking = .thinkingType }, contains: [#""thinking":{"type":"disabled"}"#],
            lacks: ["reasoning_effort"]),
        Case(
            testDescription: "thinking as a switch", members: #""thinking":{"type":"adaptive"}"#,
            change: { $0.chatThinking = .enableThinking }, contains: [#""enable_thinking":true"#]),
        Case(
            testDescription: "thinking as an object",
            members: #""thinking":{"type":"enabled","budget_tokens":3000}"#,
            change: { $0.chatThinking = .reasoningObject }, contains: [#""reasoning":{"max_tokens":3000}"#]),
        Case(
            testDescription: "thinking as an effort",
            members: #""thinking":{"type":"enabled","budget_tokens":3000}"#,
            change: { _ in }, contains: [#""reasoning_effort":"medium""#]),
        Case(
            testDescription: "the operator has another role", members: #""system":"s""#,
            change: { $0.systemRole = .developer }, contains: [#"{"role":"developer","content":"s"}"#]),
    ]

    @Test(arguments: chat)
    func `a Chat request keeps to the rules`(item: Case) throws {
        let written = try write(ChatRequests.self, body(item.members, content: item.content), item.change)
            .body
        for text in item.contains { #expect(written.contains(text), "\(written)") }
        for text in item.lacks { #expect(!written.contains(text), "\(written)") }
    }

    private static let loop = #"""
        {"model":"m","messages":[{"role":"user","content":"a"},
        {"role":"assistant","content":[{"type":"tool_use","id":"toolu_0123456789","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_0123456789","content":"r"}]},
        {"role":"system","content":"note"},{"role":"user","content":"b"},{"role":"user","content":"c"}]}
        """#

    @Test func `thoughts are made up where calls need them, and ids where they have a form`() throws {
        let written = try write(ChatRequests.self, Self.loop) {
            $0.replay = .afterCalls
            $0.callIDs = .nineAlphanumerics
            $0.systemPlacement = .leading
            $0.quirks = [.strictAlternation, .noNulls]
        }.body
        #expect(written.contains(#""content":"","reasoning_content":" ","tool_calls""#))
        let id = try #require(written.split(separator: #""tool_call_id":""#).last?.prefix { $0 != "\"" })
        #expect(id.count == 9 && written.contains(#"[{"id":"\#(id)""#))
        #expect(
            written.contains(
                #"{"role":"user","content":"<system-reminder>\nnote\n</system-reminder>\n\nb\n\nc"}"#))
    }

    @Test func `a provider gets its own thoughts back in its member, and nobody else does`() throws {
        let state = ReasoningState(.reasoningContent, origin: CodecSupport.origin, bytes: Array("hm".utf8))
        let sealed = try #require(ReasoningEnvelope.seal(state))
        let body = #"""
            {"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"\#(sealed)"},{"type":"text","text":"x"}]}]}
            """#
        let own = try write(ChatRequests.self, body) { $0.replay = .optional }
        #expect(own.body.contains(#""content":"x","reasoning_content":"hm""#))
        let renamed = try write(ChatRequests.self, body) {
            $0.replay = .optional
            $0.reasoning = .reasoning
        }
        #expect(renamed.body.contains(#""reasoning":"hm""#))
        #expect(!(try write(ChatRequests.self, body).body.contains("hm")))
        var notes = RequestNotes()
        let request = try CodecSupport.decode(MessagesRequests.self, body)
        let target = RequestTarget(origin: Origin(provider: "q", model: "m"), streaming: true)
        #expect(
            !String(decoding: try ChatRequests.encode(request, for: target, &notes), as: UTF8.self).contains(
                "hm"))
        #expect(notes.losses[.foreignReasoning] == 1)
    }

    // MARK: - Messages

    private static let chatBody = #"""
        {"messages":[{"role":"user","content":"a"},{"role":"system","content":"mid"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],
        "reasoning_effort":"high","temperature":1.5
        """#

    @Test func `Messages thinks as the model does`() throws {
        let body = Self.chatBody + "}"
        let adaptive = try write(MessagesRequests.self, body, from: ChatRequests.self).body
        #expect(
            adaptive.contains(#""thinking":{"type":"adaptive"}"#) && adaptive.contains(#""effort":"high""#))
        #expect(!adaptive.contains("temperature"))
        let budget = try write(MessagesRequests.self, body, from: ChatRequests.self) {
            $0.messagesThinking = .budget
        }.body
        #expect(budget.contains(#""thinking":{"type":"enabled","budget_tokens":24576}"#))
        let small = try write(
            MessagesRequests.self, Self.chatBody + #","max_tokens":2000}"#, from: ChatRequests.self
        ) { $0.messagesThinking = .budget }.body
        #expect(small.contains(#""budget_tokens":1999"#))
        let none = try write(MessagesRequests.self, body, from: ChatRequests.self) {
            $0.messagesThinking = .none
        }.body
        #expect(!none.contains("thinking") && none.contains(#""temperature":1"#))
        let limited = try write(MessagesRequests.self, body, from: ChatRequests.self, { _ in }) {
            $0.maxOutput = 9
        }.body
        #expect(limited.contains(#""max_tokens":9"#))
    }

    @Test func `a forced tool and thinking do not go together`() throws {
        let body =
            Self.chatBody
            + #","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"}"#
        let written = try write(MessagesRequests.self, body, from: ChatRequests.self).body
        #expect(!written.contains("thinking") && written.contains(#""tool_choice":{"type":"any"}"#))
        let free = try write(MessagesRequests.self, body, from: ChatRequests.self) {
            $0.toolChoice = .autoOnly
        }.body
        #expect(free.contains("thinking") && free.contains(#""tool_choice":{"type":"auto"}"#))
    }

    @Test func `the operator keeps the floor where the provider lets him`() throws {
        let body = Self.chatBody + "}"
        let kept = try write(MessagesRequests.self, body, from: ChatRequests.self) { $0.quirks = .midSystem }
            .body
        #expect(kept.contains(#"{"role":"system","content":[{"type":"text","text":"mid"}]}"#))
        let note = try write(MessagesRequests.self, body, from: ChatRequests.self).body
        #expect(note.contains(#"{"type":"text","text":"<system-reminder>\nmid\n</system-reminder>"}"#))
    }

    @Test func `a search goes to who can search, else it is dropped and counted`() throws {
        let body = #"{"input":"a","tools":[{"type":"web_search","filters":{"allowed_domains":["e.org"]}}]}"#
        let kept = try write(MessagesRequests.self, body, from: ResponsesRequests.self) {
            $0.quirks = .webSearch
        }
        #expect(
            kept.body.contains(
                #"{"type":"web_search_20250305","name":"web_search","allowed_domains":["e.org"]}"#))
        let dropped = try write(MessagesRequests.self, body, from: ResponsesRequests.self)
        #expect(!dropped.body.contains("web_search") && dropped.notes.losses[.hostedTool] == 1)
    }
}
