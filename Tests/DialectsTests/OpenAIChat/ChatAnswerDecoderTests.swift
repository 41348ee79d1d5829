// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Dialects

private func delta(_ delta: String, finish: String = "null") -> String {
    #"data: {"id":"c","choices":[{"index":0,"delta":\#(delta),"finish_reason":\#(finish)}]}"# + "\n\n"
}

private let done = "data: [DONE]\n\n"

private func call(_ id: String, _ name: String, _ form: CallForm = .function) -> AnswerEvent {
    .callBegan(ToolCall(id: id, name: name, form: form, arguments: ""))
}

private func thoughts(_ text: String) -> AnswerEvent {
    .reasoningEnded(
        state: ReasoningState(.reasoningContent, origin: CodecSupport.origin, bytes: Array(text.utf8)))
}

@Suite struct ChatAnswerDecoderTests {
    static func decoder(thinkTags: Bool = false) -> ChatAnswerDecoder {
        var rules = UpstreamRules()
        rules.replay = .optional
        if thinkTags { rules.reasoning = .thinkTags }
        return ChatAnswerDecoder(
            origin: CodecSupport.origin, ids: AnswerIDs(requestID: "req_t"), rules: rules)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let stream: String
        let events: [AnswerEvent]
        var thinkTags = false
    }

    private static func failure(_ text: String) -> AnswerEvent {
        .failed(GatewayError(.upstreamUnreachable, text))
    }

    static let cases = [
        Case(
            testDescription: "text, and usage behind the reason",
            stream: delta(#"{"role":"assistant","content":""}"#) + delta(#"{"content":"a"}"#)
                + delta(#"{"content":"b"}"#) + delta("{}", finish: #""stop""#)
                + #"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}"#
                + "\n\n" + done,
            events: [
                .started(id: "c"), .textBegan(phase: nil), .text("ab"),
                .usage(Usage(input: 5, cacheRead: 4, output: 2)),
                .textEnded, .finished(.endTurn, stopSequence: nil),
            ]),
        Case(
            testDescription: "thoughts come before text and calls, and go back whole",
            stream: delta(#"{"reasoning_content":"I "}"#) + delta(#"{"reasoning_content":"see"}"#)
                + delta(#"{"content":"x"}"#)
                + delta(
                    #"{"tool_calls":[{"index":0,"id":"call_long_1","function":{"name":"f","arguments":"{}"}}]}"#
                )
                + delta("{}", finish: #""tool_calls""#) + done,
            events: [
                .started(id: "c"), .reasoningBegan(isSummary: false), .reasoning("I see"), thoughts("I see"),
                .textBegan(phase: nil), .text("x"), .textEnded, call("call_long_1", "f"), .arguments("{}"),
                .callEnded, .finished(.toolUse, stopSequence: nil),
            ]),
        Case(
            testDescription: "calls that arrive interleaved come one after the other",
            stream: delta(
                #"{"tool_calls":[{"index":0,"id":"call_long_1","function":{"name":"f","arguments":""}}]}"#)
                + delta(
                    #"{"tool_calls":[{"index":1,"id":"call_long_2","function":{"name":"g","arguments":""}}]}"#
                )
                + delta(#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"#)
                + delta(#"{"tool_calls":[{"index":1,"function":{"arguments":"{\"b\":2}"}}]}"#)
                + delta(#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#)
                + delta("{}", finish: #""stop""#) + done,
            events: [
                .started(id: "c"), call("call_long_1", "f"), .arguments(#"{"a":1}"#), .callEnded,
                call("call_long_2", "g"), .arguments(#"{"b":2}"#), .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ]),
        Case(
            testDescription: "an index that is used again with another id is another call",
            stream: delta(
                #"{"tool_calls":[{"index":0,"id":"call_long_1","function":{"name":"f","arguments":"{}"}}]}"#)
                + delta(
                    #"{"tool_calls":[{"index":0,"id":"call_long_2","function":{"name":"f","arguments":"{}"}}]}"#
                )
                + delta("{}", finish: #""tool_calls""#) + done,
            events: [
                .started(id: "c"), call("call_long_1", "f"), .arguments("{}"), .callEnded,
                call("call_long_2", "f"),
                .arguments("{}"), .callEnded, .finished(.toolUse, stopSequence: nil),
            ]),
        Case(
            testDescription: "ids that are missing, short or used twice are made",
            stream: delta(
                #"{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"id":"call_1","function":{"name":"g","arguments":"{}"}}]}"#
            )
                + delta(
                    #"{"tool_calls":[{"index":5,"id":"call_long_1","function":{"name":"h","arguments":{"a":1}}}]}"#
                )
                + delta(
                    #"{"tool_calls":[{"index":6,"id":"call_long_1","function":{"name":"h","arguments":"{}"}}]}"#
                )
                + delta("{}", finish: #""tool_calls""#) + done,
            events: [
                .started(id: "c"), call("call_t", "f"), .arguments("{}"), .callEnded, call("call_t2", "g"),
                .arguments("{}"), .callEnded, call("call_long_1", "h"), .arguments(#"{"a":1}"#), .callEnded,
                call("call_t3", "h"), .arguments("{}"), .callEnded, .finished(.toolUse, stopSequence: nil),
            ]),
        Case(
            testDescription:
                "a name may come in pieces or again and again, and a call without arguments is one",
            stream: delta(#"{"tool_calls":[{"index":0,"id":"call_long_1","function":{"name":"get_"}}]}"#)
                + delta(
                    #"{"tool_calls":[{"index":0,"id":"call_long_1","function":{"name":"file","arguments":""}}]}"#
                )
                + delta(#"{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}"#)
                + delta(#"{"tool_calls":[{"index":0,"function":{"name":"get_file","arguments":"}"}}]}"#)
                + delta(#"{"tool_calls":[{"index":1,"id":"call_long_2","function":{"name":"none"}}]}"#)
                + delta("{}", finish: #""tool_calls""#) + done,
            events: [
                .started(id: "c"), call("call_long_1", "get_file"), .arguments("{}"), .callEnded,
                call("call_long_2", "none"), .callEnded, .finished(.toolUse, stopSequence: nil),
            ]),
        Case(
            testDescription: "the form before tools",
            stream: delta(#"{"function_call":{"name":"f","arguments":"{\"a\""}}"#)
                + delta(#"{"function_call":{"arguments":":1}"}}"#) + delta("{}", finish: #""function_call""#)
                + done,
            events: [
                .started(id: "c"), call("call_t", "f"), .arguments(#"{"a":1}"#), .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ]),
        Case(
            testDescription: "free text of a custom tool",
            stream: delta(
                #"{"tool_calls":[{"index":0,"id":"call_long_1","type":"custom","custom":{"name":"p","input":"a {"}}]}"#
            )
                + delta("{}", finish: #""tool_calls""#) + done,
            events: [
                .started(id: "c"), call("call_long_1", "p", .custom), .arguments("a {"), .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ]),
        Case(
            testDescription: "a refusal, a filter, a source",
            stream: delta(#"{"content":"a"}"#)
                + delta(#"{"annotations":[{"type":"url_citation","url_citation":{"url":"u","title":"t"}}]}"#)
                + delta(#"{"refusal":"no"}"#) + delta("{}", finish: #""content_filter""#) + done,
            events: [
                .started(id: "c"), .textBegan(phase: nil), .text("a"),
                .citation(Citation(url: "u", title: "t")),
                .textEnded, .refusal("no"), .finished(.contentFilter, stopSequence: nil),
            ]),
        Case(
            testDescription: "the end of the stream is as good as its marker when the answer is complete",
            stream: delta(#"{"content":"a"}"#, finish: #""length""#),
            events: [
                .started(id: "c"), .textBegan(phase: nil), .text("a"), .textEnded,
                .finished(.maxTokens, stopSequence: nil),
            ]),
        Case(
            testDescription: "text without a reason is an answer all the same",
            stream: delta(#"{"content":"a"}"#, finish: #""""#) + done,
            events: [
                .started(id: "c"), .textBegan(phase: nil), .text("a"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Case(
            testDescription: "a reason is an end without [DONE]",
            stream: delta(#"{"content":"a"}"#, finish: #""stop""#),
            events: [
                .started(id: "c"), .textBegan(phase: nil), .text("a"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Case(
            testDescription: "text without a reason and without [DONE] was cut off",
            stream: delta(#"{"content":"a"}"#),
            events: [
                .started(id: "c"), .textBegan(phase: nil), .text("a"),
                failure("the provider ended its answer in the middle"),
            ]),
        Case(
            testDescription: "an end inside a call is a failure",
            stream: delta(
                #"{"tool_calls":[{"index":0,"id":"call_long_1","function":{"name":"f","arguments":"{\"a"}}]}"#
            ),
            events: [
                .started(id: "c"), call("call_long_1", "f"), .arguments(#"{"a"#),
                failure("the provider ended its answer in the middle"),
            ]),
        Case(
            testDescription: "an end before anything is a failure",
            stream: delta(#"{"role":"assistant","content":""}"#),
            events: [.started(id: "c"), failure("the provider ended its answer before it began")]),
        Case(
            testDescription: "nothing but the marker is a failure", stream: done,
            events: [failure("the provider ended its answer in the middle")]),
        Case(
            testDescription: "an error ends the answer, and nothing follows it",
            stream: delta(#"{"content":"a"}"#)
                + #"data: {"error":{"message":"slow down","code":429}}"# + "\n\n" + delta(#"{"content":"b"}"#)
                + done,
            events: [
                .started(id: "c"), .textBegan(phase: nil), .text("a"),
                .failed(GatewayError(.rateLimited, "the provider reported an error", quote: "slow down")),
            ]),
        Case(
            testDescription: "an answer for the sake of a status that is none",
            stream: #"data: {"id":"c","base_resp":{"status_code":1004,"status_msg":"login fail"}}"# + "\n\n",
            events: [
                .failed(
                    GatewayError(.upstreamUnreachable, "the provider reported an error", quote: "login fail"))
            ]),
        Case(
            testDescription: "what is no JSON and chunks without choices say nothing",
            stream: "data: {oops\n\n" + #"data: {"id":"f","choices":[],"prompt_filter_results":[]}"# + "\n\n"
                + delta(#"{"content":"a"}"#, finish: #""stop""#) + done,
            events: [
                .started(id: "f"), .textBegan(phase: nil), .text("a"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Case(
            testDescription: "thoughts between tags",
            stream: delta(#"{"content":"\n<thi"}"#) + delta(#"{"content":"nk>let <b> me</th"}"#)
                + delta(#"{"content":"ink>\n\nso"}"#) + delta(#"{"content":" <think>"}"#, finish: #""stop""#)
                + done,
            events: [
                .started(id: "c"), .reasoningBegan(isSummary: false), .reasoning("let <b> me"),
                thoughts("let <b> me"),
                .textBegan(phase: nil), .text("so <think>"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ], thinkTags: true),
        Case(
            testDescription: "a text that only looks like a tag",
            stream: delta(#"{"content":" <thing"}"#, finish: #""stop""#) + done,
            events: [
                .started(id: "c"), .textBegan(phase: nil), .text(" <thing"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ], thinkTags: true),
        Case(
            testDescription: "Mistral's list of thoughts and text",
            stream: delta(
                #"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"}]}"#,
                finish: #""stop""#)
                + done,
            events: [
                .started(id: "c"), .reasoningBegan(isSummary: false), .reasoning("hm"), thoughts("hm"),
                .textBegan(phase: nil), .text("a"), .textEnded, .finished(.endTurn, stopSequence: nil),
            ]),
        Case(
            testDescription: "OpenRouter's details go back as one list",
            stream: delta(
                #"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","format":"x","index":0}]}"#
            )
                + delta(
                    #"{"reasoning":"b","reasoning_details":[{"type":"reasoning.text","text":"b","signature":"s","index":0}]}"#
                )
                + delta(#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"e","index":1}]}"#)
                + delta(#"{"content":"t"}"#, finish: #""stop""#) + done,
            events: [
                .started(id: "c"), .reasoningBegan(isSummary: false), .reasoning("ab"),
                .reasoningEnded(
                    state: ReasoningState(
                        .reasoningDetails, origin: CodecSupport.origin,
                        bytes: Array(
                            #"[{"type":"reasoning.text","text":"ab","signature":"s","format":"x","index":0},{"type":"reasoning.encrypted","data":"e","index":1}]"#
                                .utf8))),
                .textBegan(phase: nil), .text("t"), .textEnded, .finished(.endTurn, stopSequence: nil),
            ]),
    ]

    @Test(arguments: cases)
    func `a stream is the events it tells of`(item: Case) throws {
        let events = try CodecSupport.events(Self.decoder(thinkTags: item.thinkTags), item.stream)
        #expect(joined(events) == item.events)
    }

    @Test(arguments: cases)
    func `how the bytes arrive changes nothing`(item: Case) throws {
        let bytes = Array(item.stream.utf8)
        let whole = try CodecSupport.events(Self.decoder(thinkTags: item.thinkTags), item.stream)
        let single = bytes.indices.map { bytes[$0...$0] }
        #expect(try CodecSupport.events(Self.decoder(thinkTags: item.thinkTags), single) == whole)
        for split in bytes.indices {
            let parts = [bytes[..<split], bytes[split...]]
            #expect(try CodecSupport.events(Self.decoder(thinkTags: item.thinkTags), parts) == whole)
        }
    }

    @Test(arguments: cases)
    func `a stream that is cut anywhere has one end`(item: Case) throws {
        let bytes = Array(item.stream.utf8)
        for end in bytes.indices {
            let events = try CodecSupport.events(Self.decoder(thinkTags: item.thinkTags), [bytes[..<end]])
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
        ("stop", StopReason.endTurn), ("length", .maxTokens), ("content_filter", .contentFilter),
        ("tool_calls", .endTurn), ("eos", .endTurn), ("model_length", .maxTokens),
        ("sensitive", .contentFilter),
    ])
    func `each reason has its counterpart`(name: String, reason: StopReason) throws {
        let events = try CodecSupport.events(
            Self.decoder(), delta(#"{"content":"a"}"#, finish: "\"\(name)\"") + done)
        #expect(events.last == .finished(reason, stopSequence: nil))
    }

    @Test func `a document is its stream at once`() throws {
        let document = #"""
            {"id":"c","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"hm","content":"a",
            "tool_calls":[{"id":"call_long_1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
            "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}
            """#
        let events = try CodecSupport.events(Self.decoder(), document: document)
        #expect(
            events == [
                .started(id: "c"), .reasoningBegan(isSummary: false), .reasoning("hm"), thoughts("hm"),
                .textBegan(phase: nil), .text("a"), .textEnded, call("call_long_1", "f"),
                .arguments(#"{"x":1}"#),
                .usage(Usage(input: 3, output: 4)), .callEnded, .finished(.toolUse, stopSequence: nil),
            ])
    }

    @Test func `an entanglement without an end is given up`() throws {
        var decoder = Self.decoder()
        var stream = delta(
            #"{"tool_calls":[{"index":0,"id":"call_long_1","function":{"name":"f","arguments":"{"}}]}"#)
        let piece = String(repeating: "x", count: 1 << 20)
        for _ in 0..<17 {
            stream += delta(#"{"tool_calls":[{"index":1,"function":{"name":"g","arguments":"\#(piece)"}}]}"#)
        }
        let events = try CodecSupport.events(decoder, stream)
        guard case .failed? = events.last else {
            Issue.record("it goes on")
            return
        }
        decoder = Self.decoder()
        let many = (0..<2000).map { #"{"index":\#($0),"function":{"name":"f"}}"# }.joined(separator: ",")
        guard case .failed? = try CodecSupport.events(decoder, delta(#"{"tool_calls":[\#(many)]}"#)).last
        else {
            Issue.record("it goes on")
            return
        }
    }
}
