// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct CompactionTests {
    private let parser = JSONParser()

    private func translation(_ items: String, to upstream: Dialect = .chat) throws -> (Translation, String) {
        let body =
            #"{"model":"m","stream":true,"tools":[{"type":"function","name":"f"}],"input":[\#(items)]}"#
        let request = TranslationRequest(
            client: .responses, upstream: upstream,
            target: RequestTarget(origin: CodecSupport.origin, streaming: true), streamingByPath: nil,
            requestID: "req_t", nowUnix: 1)
        let (translation, bytes) = try Translation.make(
            request, body: Array(body.utf8), clientModel: "m", estimatedInput: 1, parser: parser)
        return (translation, String(decoding: bytes, as: UTF8.self))
    }

    private func answer(_ translation: Translation, _ deltas: [String]) -> String {
        let translator = translation.translator(.eventStream)
        let chunks = deltas.map { #"data: {"choices":[{"delta":\#($0)}]}"# + "\n\n" }
        Array((chunks.joined() + "data: [DONE]\n\n").utf8).withUnsafeBytes {
            translator.received($0, parser: parser)
        }
        translator.ended(parser: parser)
        return String(decoding: translator.takeOutput(), as: UTF8.self)
    }

    private static let talk = #"{"role":"user","content":"Fix it."},{"role":"assistant","content":"Done."}"#

    @Test func `a summary takes the place of the answer and comes back as a user's words`() throws {
        let (first, asked) = try translation(Self.talk + #",{"type":"compaction_trigger"}"#)
        #expect(asked.contains("Write a summary") && asked.contains(#""tool_choice":"none""#))
        let stream = answer(
            first, [#"{"reasoning_content":"hm"}"#, #"{"content":"It is "}"#, #"{"content":"fixed."}"#])
        let done = stream.components(separatedBy: "\n").filter { $0.contains("response.output_item.done") }
        #expect(done.count == 2, "the event's line and its data")
        let end = try #require(
            stream.components(separatedBy: "\n").last { $0.contains(#""type":"response.completed""#) })
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(end.dropFirst(6).utf8)) as? [String: Any])
        let output = try #require((object["response"] as? [String: Any])?["output"] as? [[String: Any]])
        #expect(output.map { $0["type"] as? String } == ["compaction"])
        let item = try JSONSerialization.data(withJSONObject: output[0])
        for upstream in Dialect.allCases {
            let (_, next) = try translation(
                String(decoding: item, as: UTF8.self) + #",{"role":"user","content":"Go on."}"#, to: upstream)
            #expect(next.contains("Summary of the conversation so far:\\n\\nIt is fixed."))
            #expect(next.contains("Go on.") && !next.contains("ccr1:"))
        }
    }

    @Test func `an answer without a word is a failure and no empty summary`() throws {
        let (first, _) = try translation(Self.talk + #",{"type":"compaction_trigger"}"#)
        let stream = answer(first, [#"{"reasoning_content":"hm"}"#])
        #expect(stream.contains("response.failed") && !stream.contains(#""type":"compaction""#))
    }

    @Test
    func `what another provider sealed is refused by its place, and passes to a provider of the dialect`()
        throws
    {
        let items =
            Self.talk + #",{"type":"compaction","encrypted_content":"gAAA"},{"role":"user","content":"x"}"#
        #expect(try translation(items, to: .responses).1.contains("gAAA"))
        #expect {
            _ = try translation(items, to: .messages)
        } throws: { error in
            (error as? GatewayError)?.message.hasPrefix("input[2].encrypted_content: can be read by") == true
        }
    }
}

@Suite struct HostedSearchTests {
    private func body(_ upstream: Dialect, tools: String, searches: Bool) throws -> String {
        var rules = UpstreamRules()
        if searches { rules.quirks = [.webSearch] }
        let request = TranslationRequest(
            client: .messages, upstream: upstream,
            target: RequestTarget(origin: CodecSupport.origin, streaming: true, rules: rules),
            streamingByPath: nil, requestID: "req_t", nowUnix: 1)
        let body = #"{"max_tokens":9,"tools":[\#(tools)],"messages":[{"role":"user","content":"Search."}]}"#
        let (_, bytes) = try Translation.make(
            request, body: Array(body.utf8), clientModel: "m", estimatedInput: 1, parser: JSONParser())
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let search = #"{"type":"web_search_20250305","name":"web_search","max_uses":8}"#

    @Test func `a model that is asked for a search alone and cannot search is told to say so`() throws {
        let note = "There is no web search here."
        for upstream in [Dialect.chat, .responses, .gemini] {
            #expect(try body(upstream, tools: Self.search, searches: false).contains(note))
            let mixed = Self.search + #",{"name":"f","input_schema":{"type":"object"}}"#
            #expect(try !body(upstream, tools: mixed, searches: false).contains(note))
        }
        #expect(try body(.responses, tools: Self.search, searches: true).contains(#"{"type":"web_search"}"#))
        #expect(try body(.gemini, tools: Self.search, searches: true).contains(#"{"googleSearch":{}}"#))
        #expect(try !body(.gemini, tools: Self.search, searches: true).contains(note))
    }
}

@Suite struct MessagesSearchTests {
    private static let events: [AnswerEvent] = [
        .started(id: nil),
        .opaque(OpaquePart(.responses, type: "web_search_call", json: JSONText("{}"), search: "ccr gateway")),
        .textBegan(phase: nil), .text("It is one."),
        .citation(Citation(url: "https://e.org/a", title: "A")),
        .citation(Citation(url: "https://e.org/a", title: "A")), .citation(Citation(url: "https://e.org/b")),
        .textEnded, .finished(.endTurn, stopSequence: nil),
    ]

    private func check(_ message: [String: Any]) throws {
        let content = try #require(message["content"] as? [[String: Any]])
        let use = try #require(content.first { $0["type"] as? String == "server_tool_use" })
        #expect((use["input"] as? [String: String]) == ["query": "ccr gateway"])
        let result = try #require(content.first { $0["type"] as? String == "web_search_tool_result" })
        #expect(result["tool_use_id"] as? String == use["id"] as? String)
        let pages = try #require(result["content"] as? [[String: Any]])
        #expect(pages.map { $0["url"] as? String } == ["https://e.org/a", "https://e.org/b"])
        // Back at a provider, nothing of it is left: the words stay.
        let history = try JSONSerialization.data(withJSONObject: ["role": "assistant", "content": content])
        let body =
            #"{"messages":[{"role":"user","content":"x"},\#(String(decoding: history, as: UTF8.self))]}"#
        let written = try CodecSupport.encode(
            MessagesRequests.self, try CodecSupport.decode(MessagesRequests.self, body)
        ).body
        #expect(written.contains("It is one.") && !written.contains("srvtoolu"))
    }

    @Test func `a document shows what was searched and found`() throws {
        let document = CodecSupport.document(MessagesAnswerEncoder(CodecSupport.context), Self.events)
        let message = try #require(
            try JSONSerialization.jsonObject(with: Data(document.utf8)) as? [String: Any])
        let usage = try #require(message["usage"] as? [String: Any])
        #expect((usage["server_tool_use"] as? [String: Int]) == ["web_search_requests": 1])
        try check(message)
    }

    @Test func `a stream has the same blocks, each begun and ended`() throws {
        let stream = CodecSupport.stream(MessagesAnswerEncoder(CodecSupport.context), Self.events)
        let starts = stream.components(separatedBy: "event: content_block_start").count - 1
        #expect(starts == 3 && stream.components(separatedBy: "event: content_block_stop").count - 1 == 3)
        #expect(stream.contains(#""partial_json":"{\"query\":\"ccr gateway\"}""#))
        #expect(stream.contains(#""web_search_requests":1"#))
    }

    @Test func `Gemini tells what it searched for`() throws {
        let stream =
            #"data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"],"groundingChunks":[{"web":{"uri":"u"}}]}}]}"#
            + "\n\n"
        let decoder = GeminiAnswerDecoder(origin: CodecSupport.origin, ids: AnswerIDs(requestID: "req_u"))
        let written = CodecSupport.stream(
            MessagesAnswerEncoder(CodecSupport.context), try CodecSupport.events(decoder, stream))

        #expect(written.contains("web_search_tool_result"))
    }
}
