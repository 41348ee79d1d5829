// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Dialects

private func event(_ json: String) -> String {
    let type = json.dropFirst(#"{"type":""#.count).prefix { $0 != "\"" }
    return "event: \(type)\ndata: \(json)\n\n"
}

private func start(_ index: Int, _ block: String) -> String {
    event(#"{"type":"content_block_start","index":\#(index),"content_block":\#(block)}"#)
}

private func delta(_ index: Int, _ delta: String) -> String {
    event(#"{"type":"content_block_delta","index":\#(index),"delta":\#(delta)}"#)
}

private func stop(_ index: Int) -> String { event(#"{"type":"content_block_stop","index":\#(index)}"#) }

private let begin = event(
    #"{"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],"usage":{"input_tokens":9,"cache_read_input_tokens":3,"output_tokens":1}}}"#
)

private func end(_ reason: String) -> String {
    event(
        #"{"type":"message_delta","delta":{"stop_reason":"\#(reason)","stop_sequence":null},"usage":{"output_tokens":7}}"#
    )
        + event(#"{"type":"message_stop"}"#)
}

private let opening: [AnswerEvent] = [
    .started(id: "msg_1"), .usage(Usage(input: 9, cacheRead: 3, output: 1)),
]

private func closing(_ reason: StopReason) -> [AnswerEvent] {
    [.usage(Usage(input: 9, cacheRead: 3, output: 7)), .finished(reason, stopSequence: nil)]
}

private func call(_ id: String, _ name: String) -> AnswerEvent {
    .callBegan(ToolCall(id: id, name: name, arguments: ""))
}

private func state(_ form: ReasoningState.Form, _ text: String) -> AnswerEvent {
    .reasoningEnded(state: ReasoningState(form, origin: CodecSupport.origin, bytes: Array(text.utf8)))
}

@Suite struct MessagesAnswerDecoderTests {
    static func decoder() -> MessagesAnswerDecoder {
        MessagesAnswerDecoder(origin: CodecSupport.origin, ids: AnswerIDs(requestID: "req_t"))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let stream: String
        let events: [AnswerEvent]
    }

    static let cases = [
        Case(
            testDescription: "thoughts, text and a call",
            stream: begin + event(#"{"type":"ping"}"#)
                + start(0, #"{"type":"thinking","thinking":"","signature":""}"#)
                + delta(0, #"{"type":"thinking_delta","thinking":"hm"}"#)
                + delta(0, #"{"type":"signature_delta","signature":"s1"}"#) + stop(0)
                + start(1, #"{"type":"redacted_thinking","data":"red"}"#) + stop(1)
                + start(2, #"{"type":"text","text":"a"}"#) + delta(2, #"{"type":"text_delta","text":"b"}"#)
                + delta(
                    2,
                    #"{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"u","title":"t","cited_text":"c"}}"#
                )
                + stop(2) + start(3, #"{"type":"tool_use","id":"toolu_1","name":"f","input":{}}"#)
                + delta(3, #"{"type":"input_json_delta","partial_json":""}"#)
                + delta(3, #"{"type":"input_json_delta","partial_json":"{\"a\":1}"}"#) + stop(3)
                + end("tool_use"),
            events: opening + [
                .reasoningBegan(isSummary: false), .reasoning("hm"), state(.signature, "s1"),
                .reasoningBegan(isSummary: false), state(.redacted, "red"), .textBegan(phase: nil),
                .text("ab"),
                .citation(Citation(url: "u", title: "t", text: "c")), .textEnded, call("toolu_1", "f"),
                .arguments(#"{"a":1}"#), .callEnded,
            ] + closing(.toolUse)),
        Case(
            testDescription: "a call decides the reason",
            stream: begin + start(0, #"{"type":"tool_use","id":"toolu_1","name":"f","input":{}}"#) + stop(0)
                + end("end_turn"),
            events: opening + [call("toolu_1", "f"), .callEnded] + closing(.toolUse)),
        Case(
            testDescription: "blocks that are open at once come one after the other",
            stream: begin + start(0, #"{"type":"tool_use","id":"toolu_1","name":"f","input":{}}"#)
                + start(1, #"{"type":"tool_use","name":"g","input":{}}"#)
                + delta(1, #"{"type":"input_json_delta","partial_json":"{}"}"#) + stop(1)
                + delta(0, #"{"type":"input_json_delta","partial_json":"{}"}"#) + stop(0) + end("tool_use"),
            events: opening + [
                call("toolu_1", "f"), .arguments("{}"), .callEnded, call("toolu_t", "g"), .arguments("{}"),
                .callEnded,
            ] + closing(.toolUse)),
        Case(
            testDescription: "what the provider ran itself stays whole",
            stream: begin
                + start(0, #"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}"#)
                + delta(0, #"{"type":"input_json_delta","partial_json":"{\"query\":"}"#)
                + delta(0, #"{"type":"input_json_delta","partial_json":"\"q\"}"}"#) + stop(0)
                + start(
                    1,
                    #"{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","title":"T","url":"U"}]}"#
                )
                + stop(1) + end("pause_turn"),
            events: opening + [
                .opaque(
                    OpaquePart(
                        .messages, type: "server_tool_use",
                        json: JSONText(
                            #"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"q"}}"#
                        ),
                        summary: #"[web_search was run by the provider with {"query":"q"}]"#)),
                .opaque(
                    OpaquePart(
                        .messages, type: "web_search_tool_result",
                        json: JSONText(
                            #"{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","title":"T","url":"U"}]}"#
                        ), summary: "[result of a tool run by the provider]\nT U")),
            ] + closing(.pauseTurn)),
        Case(
            testDescription: "blocks that nobody closed end with the message",
            stream: begin + start(0, #"{"type":"text","text":""}"#)
                + delta(0, #"{"type":"text_delta","text":"a"}"#)
                + end("max_tokens"),
            events: opening + [.textBegan(phase: nil), .text("a")]
                + [
                    .usage(Usage(input: 9, cacheRead: 3, output: 7)), .textEnded,
                    .finished(.maxTokens, stopSequence: nil),
                ]),
        Case(
            testDescription: "text without an end is an answer all the same",
            stream: begin + start(0, #"{"type":"text","text":"a"}"#) + stop(0),
            events: opening + [
                .textBegan(phase: nil), .text("a"), .textEnded, .finished(.endTurn, stopSequence: nil),
            ]),
        Case(
            testDescription: "an end inside a call is a failure",
            stream: begin + start(0, #"{"type":"tool_use","id":"toolu_1","name":"f","input":{}}"#)
                + delta(0, #"{"type":"input_json_delta","partial_json":"{}"}"#),
            events: opening + [
                call("toolu_1", "f"), .arguments("{}"),
                .failed(GatewayError(.upstreamUnreachable, "the provider ended its answer in the middle")),
            ]),
        Case(
            testDescription: "an end before anything is a failure", stream: begin,
            events: opening + [
                .failed(GatewayError(.upstreamUnreachable, "the provider ended its answer before it began"))
            ]),
        Case(
            testDescription: "an error ends the answer, and nothing follows it",
            stream: begin
                + event(#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#)
                + end("end_turn"),
            events: opening + [
                .failed(GatewayError(.overloaded, "the provider reported an error", quote: "Overloaded"))
            ]),
        Case(
            testDescription: "what belongs to no block and what is not known says nothing",
            stream: begin + "data: {\n\n" + delta(4, #"{"type":"text_delta","text":"x"}"#) + stop(4)
                + event(#"{"type":"later_event"}"#) + start(0, #"{"type":"text","text":"a"}"#)
                + delta(0, #"{"type":"later_delta"}"#)
                + delta(0, #"{"type":"input_json_delta","partial_json":"x"}"#)
                + stop(0) + end("later_reason"),
            events: opening + [.textBegan(phase: nil), .text("a"), .textEnded] + closing(.endTurn)),
    ]

    @Test(arguments: cases)
    func `a stream is the events it tells of`(item: Case) throws {
        #expect(joined(try CodecSupport.events(Self.decoder(), item.stream)) == item.events)
    }

    @Test(arguments: cases)
    func `how the bytes arrive changes nothing`(item: Case) throws {
        let bytes = Array(item.stream.utf8)
        let whole = try CodecSupport.events(Self.decoder(), item.stream)
        #expect(try CodecSupport.events(Self.decoder(), bytes.indices.map { bytes[$0...$0] }) == whole)
        for split in bytes.indices {
            #expect(try CodecSupport.events(Self.decoder(), [bytes[..<split], bytes[split...]]) == whole)
        }
    }

    @Test(arguments: cases)
    func `a stream that is cut anywhere has one end`(item: Case) throws {
        let bytes = Array(item.stream.utf8)
        for end in bytes.indices {
            let events = try CodecSupport.events(Self.decoder(), [bytes[..<end]])
            let ends = events.indices.filter { index in
                switch events[index] {
                case .finished, .failed: true
                default: false
                }
            }
            #expect(ends == [events.count - 1])
        }
    }

    @Test(arguments: [
        ("end_turn", StopReason.endTurn), ("stop_sequence", .stopSequence), ("max_tokens", .maxTokens),
        ("refusal", .refusal), ("pause_turn", .pauseTurn),
        ("model_context_window_exceeded", .contextWindowExceeded), ("compaction", .compaction),
    ])
    func `each reason has its counterpart`(name: String, reason: StopReason) throws {
        let stream = begin + start(0, #"{"type":"text","text":"a"}"#) + stop(0) + end(name)
        #expect(try CodecSupport.events(Self.decoder(), stream).last == .finished(reason, stopSequence: nil))
    }

    @Test func `a document is its stream at once`() throws {
        let document = #"""
            {"id":"msg_1","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
            {"type":"text","text":"a"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"x": 1.0}}],
            "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4}}
            """#
        #expect(
            try CodecSupport.events(Self.decoder(), document: document) == [
                .started(id: "msg_1"), .usage(Usage(input: 3, output: 4)), .reasoningBegan(isSummary: false),
                .reasoning("hm"), state(.signature, "s"), .textBegan(phase: nil), .text("a"), .textEnded,
                call("toolu_1", "f"), .arguments(#"{"x": 1.0}"#), .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ])
    }

    @Test func `an answer comes back from its own dialect as it was`() throws {
        let stream =
            begin + start(0, #"{"type":"thinking","thinking":"","signature":""}"#)
            + delta(0, #"{"type":"thinking_delta","thinking":"hm"}"#)
            + delta(0, #"{"type":"signature_delta","signature":"s1"}"#) + stop(0)
            + start(
                1, #"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"q"}}"#)
            + stop(1) + start(2, #"{"type":"text","text":""}"#)
            + delta(2, #"{"type":"text_delta","text":"b"}"#)
            + stop(2) + end("end_turn")
        let events = try CodecSupport.events(Self.decoder(), stream)
        let written = CodecSupport.stream(MessagesAnswerEncoder(CodecSupport.context), events)
        #expect(try CodecSupport.events(Self.decoder(), written).dropFirst(2) == events.dropFirst(2))
    }
}
