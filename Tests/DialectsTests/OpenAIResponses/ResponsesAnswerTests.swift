// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

/// An answer with everything that has an item in Responses.
enum ResponsesSample {
    static let usage = Usage(input: 10, cacheRead: 5, cacheWrite: 2, output: 7, reasoning: 3)
    static let state = ReasoningState(
        .signature, origin: Origin(provider: "a", model: "b"), bytes: Array("sig".utf8))

    static let events: [AnswerEvent] = [
        .started(id: "x"),
        .reasoningBegan(isSummary: true), .reasoning("Let me "), .reasoning("see."), .reasoningPartEnded,
        .reasoning("Well."), .reasoningEnded(state: state),
        .textBegan(phase: "commentary"), .text("I will "), .text("look.\n\"é😀\""),
        .citation(Citation(url: "https://e.org/", title: "E")), .textEnded,
        .callBegan(ToolCall(id: "call_1", name: "f", arguments: "")), .arguments(#"{"a":"#), .arguments("1}"),
        .callEnded,
        .callBegan(ToolCall(id: "call_2", name: "get", namespace: "mcp__w", arguments: "")), .callEnded,
        .callBegan(ToolCall(id: "call_3", name: "apply_patch", form: .custom, arguments: "")),
        .arguments("*** Begin"), .callEnded,
        .callBegan(ToolCall(id: "call_4", name: "tool_search", form: .toolSearch, arguments: "")),
        .arguments(#"{"query":"w"}"#), .callEnded,
        .callBegan(ToolCall(id: "call_5", name: "local_shell", form: .localShell, arguments: "")),
        .arguments(#"{"type":"exec","command":["ls"]}"#), .callEnded,
        .usage(usage), .finished(.toolUse, stopSequence: nil),
    ]
}

@Suite struct ResponsesAnswerEncoderTests {
    @Test func `a stream has every event of every item in order`() throws {
        let stream = CodecSupport.stream(ResponsesAnswerEncoder(CodecSupport.context), ResponsesSample.events)
        try CodecSupport.expect(stream, isGolden: "responses-stream.txt")
    }

    @Test func `sequence numbers ascend without a gap and one response id stands in all events`() throws {
        let stream = CodecSupport.stream(ResponsesAnswerEncoder(CodecSupport.context), ResponsesSample.events)
        let numbers = stream.split(separator: "\"sequence_number\":").dropFirst().compactMap { rest in
            Int(rest.prefix { $0.isNumber })
        }
        #expect(numbers == Array(0..<numbers.count))
        let ids = Set(stream.split(separator: "\"response\":{\"id\":\"").dropFirst().map { $0.prefix(12) })
        #expect(ids.count == 1)
    }

    @Test func `a document has the items of the stream`() throws {
        let document = CodecSupport.document(
            ResponsesAnswerEncoder(CodecSupport.context), ResponsesSample.events)
        try CodecSupport.expect(document, isGolden: "responses-document.json")
    }

    @Test(arguments: [
        (StopReason.endTurn, "response.completed"), (.stopSequence, "response.completed"),
        (.toolUse, "response.completed"), (.refusal, "response.completed"),
        (.compaction, "response.completed"),
        (.pauseTurn, #""end_turn":false"#),
        (.maxTokens, #""incomplete_details":{"reason":"max_output_tokens"}"#),
        (.contextWindowExceeded, "response.incomplete"),
        (.contentFilter, #""error":{"code":"invalid_prompt""#),
    ])
    func `each reason ends the stream with one last event`(reason: StopReason, sign: String) {
        let stream = CodecSupport.stream(
            ResponsesAnswerEncoder(CodecSupport.context),
            [
                .text("a"), .finished(reason, stopSequence: nil), .text("late"),
                .finished(reason, stopSequence: nil),
            ])
        #expect(stream.contains(sign))
        let ends = ["completed", "incomplete", "failed"].map {
            stream.split(separator: "event: response.\($0)\n", omittingEmptySubsequences: false).count - 1
        }
        #expect(ends.reduce(0, +) == 1)
        #expect(!stream.contains("late"))
    }

    @Test func `a refusal without a text fails with its words, so that Codex shows them`() {
        let stream = CodecSupport.stream(
            ResponsesAnswerEncoder(CodecSupport.context),
            [.refusal("I "), .refusal("won't"), .finished(.refusal, stopSequence: nil)])
        #expect(stream.contains(#""error":{"code":"invalid_prompt","message":"I won't"}"#))
        #expect(stream.contains("event: response.refusal.delta"))
    }

    @Test(arguments: [
        (
            GatewayError(.invalidRequest, "m", quote: "prompt is too long: 9 tokens > 8 maximum"),
            "context_length_exceeded"
        ),
        (GatewayError(.invalidRequest, "m"), "invalid_prompt"),
        (GatewayError(.rateLimited, "m"), "rate_limit_exceeded"),
        (GatewayError(.overloaded, "m"), "server_error"),
        (GatewayError(.upstreamUnreachable, "m"), "server_error"),
    ])
    func `a failure is response.failed with a code that steers Codex`(error: GatewayError, code: String) {
        for events in [[AnswerEvent.failed(error)], [.text("a"), .failed(error), .text("b")]] {
            let stream = CodecSupport.stream(ResponsesAnswerEncoder(CodecSupport.context), events)
            #expect(stream.contains(#""error":{"code":"\#(code)""#))
            #expect(stream.hasSuffix("\n\n"))
            #expect(!stream.contains("response.completed"))
            #expect(!stream.contains("output_item.done"))
        }
    }

    @Test func `events out of order still make a stream that can be read`() throws {
        let events: [AnswerEvent] = [
            .arguments("x"), .reasoning("a"), .text("b"), .reasoningEnded(state: nil), .callEnded, .textEnded,
            .citation(Citation(url: "u")), .usage(Usage(input: 1)), .finished(.endTurn, stopSequence: nil),
        ]
        let stream = CodecSupport.stream(ResponsesAnswerEncoder(CodecSupport.context), events)
        let read = try CodecSupport.events(ResponsesAnswerDecoder(origin: CodecSupport.origin), stream)
        #expect(
            joined(read).dropFirst() == [
                .reasoningBegan(isSummary: true), .reasoning("a"), .reasoningEnded(state: nil),
                .textBegan(phase: nil),
                .text("b"), .textEnded, .usage(Usage(input: 1)), .finished(.endTurn, stopSequence: nil),
            ])
    }
}

@Suite struct ResponsesAnswerDecoderTests {
    private static var decoder: ResponsesAnswerDecoder { ResponsesAnswerDecoder(origin: CodecSupport.origin) }

    /// What the sample is when a Responses client has it and sends it to a decoder again.
    private static func expected(_ events: [AnswerEvent], _ stream: String) throws -> [AnswerEvent] {
        let ids = stream.components(separatedBy: "output_item.added\",").dropFirst().compactMap { event in
            event.components(separatedBy: "\"item\":{\"id\":\"").last?.prefix { $0 != "\"" }
        }
        var unused = ids.map(String.init)
        func nextID(_ prefix: String) -> String? {
            unused.firstIndex { $0.hasPrefix(prefix) }.map { unused.remove(at: $0) }
        }
        var expected: [AnswerEvent] = []
        for event in events {
            switch event {
            case .started: expected.append(.started(id: "resp_t"))
            case .callBegan(var call):
                call.itemID = nextID(ResponsesItemID.prefix(call.form))
                expected.append(.callBegan(call))
            case .reasoningEnded(let state?):
                let sealed = try #require(ReasoningEnvelope.seal(state))
                expected.append(
                    .reasoningEnded(
                        state: ReasoningState(
                            .encryptedContent, origin: CodecSupport.origin, bytes: Array(sealed.utf8),
                            itemID: nextID("rs_"))))
            case .callEnded
            where expected.last.map({ if case .callBegan = $0 { true } else { false } }) == true:
                expected += [.arguments("{}"), .callEnded]
            default: expected.append(event)
            }
        }
        return expected
    }

    @Test func `what the encoder writes is read as it was`() throws {
        let stream = CodecSupport.stream(ResponsesAnswerEncoder(CodecSupport.context), ResponsesSample.events)
        let read = try CodecSupport.events(Self.decoder, stream)
        let expected = joined(try Self.expected(ResponsesSample.events, stream))
        for (read, expected) in zip(joined(read), expected) { #expect(read == expected) }
        #expect(joined(read).count == expected.count)
    }

    @Test func `a stream cut anywhere is read the same`() throws {
        let stream = CodecSupport.stream(ResponsesAnswerEncoder(CodecSupport.context), ResponsesSample.events)
        let bytes = Array(stream.utf8)
        let whole = try CodecSupport.events(Self.decoder, [bytes[...]])
        #expect(try CodecSupport.events(Self.decoder, bytes.indices.map { bytes[$0...$0] }) == whole)
        for index in stride(from: 1, to: bytes.count, by: 7) {
            #expect(try CodecSupport.events(Self.decoder, [bytes[..<index], bytes[index...]]) == whole)
        }
    }

    @Test func `a stream that ends anywhere before its last event has failed`() throws {
        let stream = CodecSupport.stream(ResponsesAnswerEncoder(CodecSupport.context), ResponsesSample.events)
        let bytes = Array(stream.utf8)
        for index in stride(from: 0, to: bytes.count, by: 101) {
            let read = try CodecSupport.events(Self.decoder, [bytes[..<index]])
            guard case .failed(let error)? = read.last else {
                Issue.record("no failure at \(index)")
                return
            }
            #expect(error.kind == .upstreamUnreachable)
        }
    }

    struct Stream: Sendable, CustomTestStringConvertible {
        let name: String
        let data: [String]
        let events: [AnswerEvent]
        var testDescription: String { name }
        var text: String { data.map { "data: \($0)\n\n" }.joined() }

        init(_ name: String, _ data: [String], _ events: [AnswerEvent]) {
            self.name = name
            self.data = data
            self.events = events
        }
    }

    private static let done =
        #"{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"#
    private static let call = ToolCall(id: "c", name: "f", arguments: "", itemID: "fc_1")
    private static let callDone =
        #"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{\"a\":1}"}}"#

    static let streams = [
        Stream(
            "only finished items, and a last event without output",
            [
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"hi"}]}}"#,
                done,
            ],
            [
                .started(id: nil), .textBegan(phase: nil), .text("hi"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "only the last event",
            [
                #"{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]},{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":""}],"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":1},"output_tokens":2,"total_tokens":5}}}"#
            ],
            [
                .started(id: "r"), .textBegan(phase: nil), .text("hi"), .textEnded, .callBegan(call),
                .callEnded,
                .usage(Usage(input: 2, cacheRead: 1, output: 2)), .finished(.toolUse, stopSequence: nil),
            ]),
        Stream(
            "another item id in every event",
            [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"a","content":[]}}"#,
                #"{"type":"response.output_text.delta","output_index":0,"item_id":"b","content_index":0,"delta":"h"}"#,
                #"{"type":"response.output_text.delta","output_index":0,"item_id":"c","content_index":0,"delta":"i"}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"d","content":[{"type":"output_text","text":"hi"}]}}"#,
                #"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","id":"e","content":[{"type":"output_text","text":"hi"}]}]}}"#,
            ],
            [
                .started(id: nil), .textBegan(phase: nil), .text("h"), .text("i"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "a delta before its item",
            [#"{"type":"response.output_text.delta","delta":"hi"}"#, done],
            [
                .started(id: nil), .textBegan(phase: nil), .text("hi"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "the end of a text that its deltas did not tell",
            [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}"#,
                #"{"type":"response.output_text.delta","output_index":0,"delta":"hé"}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"hé!"}]}}"#,
                done,
            ],
            [
                .started(id: nil), .textBegan(phase: nil), .text("hé"), .text("!"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "calls that arrive interleaved",
            [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":""}}"#,
                #"{"type":"response.output_item.added","output_index":1,"item":{"type":"custom_tool_call","id":"ctc_1","call_id":"d","name":"g","input":""}}"#,
                #"{"type":"response.custom_tool_call_input.delta","output_index":1,"delta":"x"}"#,
                #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\":1}"}"#,
                #"{"type":"response.output_item.done","output_index":1,"item":{"type":"custom_tool_call","id":"ctc_1","call_id":"d","name":"g","input":"xy"}}"#,
                callDone, done,
            ],
            [
                .started(id: nil), .callBegan(call), .arguments(#"{"a":1}"#), .callEnded,
                .callBegan(ToolCall(id: "d", name: "g", form: .custom, arguments: "", itemID: "ctc_1")),
                .arguments("x"), .arguments("y"), .callEnded, .finished(.toolUse, stopSequence: nil),
            ]),
        Stream(
            "thoughts themselves, and encrypted ones without a word",
            [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1"}}"#,
                #"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"hm"}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]}}"#,
                #"{"type":"response.output_item.done","output_index":1,"item":{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gA"}}"#,
                done,
            ],
            [
                .started(id: nil), .reasoningBegan(isSummary: false), .reasoning("hm"),
                .reasoningEnded(state: nil),
                .reasoningBegan(isSummary: true),
                .reasoningEnded(
                    state: ReasoningState(
                        .encryptedContent, origin: CodecSupport.origin, bytes: Array("gA".utf8),
                        itemID: "rs_2")),
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "a refusal",
            [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}"#,
                #"{"type":"response.refusal.delta","output_index":0,"content_index":0,"delta":"no"}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"refusal","refusal":"no"}]}}"#,
                done,
            ],
            [.started(id: nil), .refusal("no"), .textEnded, .finished(.refusal, stopSequence: nil)]),
        Stream(
            "an item of the provider's own",
            [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"ws_1"}}"#,
                #"{"type":"response.web_search_call.searching","output_index":0,"item_id":"ws_1"}"#,
                #"{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"ws_1"}}"#,
                done,
            ],
            [
                .started(id: nil),
                .opaque(
                    OpaquePart(
                        .responses, type: "web_search_call",
                        json: JSONText(#"{"type":"web_search_call","id":"ws_1"}"#),
                        search: "")),
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "the limit inside a call",
            [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c","name":"f"}}"#,
                #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{"}"#,
                #"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}"#,
            ],
            [
                .started(id: nil), .callBegan(call), .arguments("{"), .callEnded,
                .finished(.maxTokens, stopSequence: nil),
            ]),
        Stream(
            "the filter",
            [
                #"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}}"#
            ],
            [.started(id: nil), .finished(.contentFilter, stopSequence: nil)]),
        Stream(
            "an end inside a call",
            [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c","name":"f"}}"#,
                done,
            ],
            [
                .started(id: nil), .callBegan(call),
                .failed(GatewayError(.upstreamUnreachable, "the provider ended the answer inside a call")),
            ]),
        Stream(
            "a failed response",
            [
                #"{"type":"response.created","response":{"id":"r"}}"#,
                #"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}}"#,
            ],
            [
                .started(id: "r"),
                .failed(GatewayError(.rateLimited, "the provider reported an error", quote: "slow")),
            ]),
        Stream(
            "an error event",
            [#"{"type":"error","code":"server_error","message":"oops","param":null,"sequence_number":1}"#],
            [.failed(GatewayError(.upstreamUnreachable, "the provider reported an error", quote: "oops"))]),
        Stream(
            "what nobody knows",
            [
                "nonsense", "[]", #"{"type":"keepalive"}"#, #"{"type":"codex.rate_limits"}"#,
                #"{"type":"response.new.thing"}"#, #"{"type":"response.output_item.added"}"#, done, callDone,
            ],
            [.started(id: "r"), .finished(.endTurn, stopSequence: nil)]),
    ]

    @Test(arguments: streams)
    func `providers stream in many ways`(stream: Stream) throws {
        #expect(try CodecSupport.events(Self.decoder, stream.text) == stream.events)
    }

    @Test func `a document is read like its stream`() throws {
        let document = CodecSupport.document(
            ResponsesAnswerEncoder(CodecSupport.context), ResponsesSample.events)
        let stream = CodecSupport.stream(ResponsesAnswerEncoder(CodecSupport.context), ResponsesSample.events)
        let read = CodecSupport.document(try CodecSupport.events(Self.decoder, document: document))
        let streamed = CodecSupport.document(try CodecSupport.events(Self.decoder, stream))
        #expect(read.usage == streamed.usage)
        #expect(read.stop == .toolUse)
        #expect(read.parts.count == streamed.parts.count)
    }

    @Test(arguments: [
        #"{"error":{"code":"rate_limit_exceeded","message":"m"}}"#,
        #"{"status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"m"}}"#,
    ])
    func `a document that is an error has failed`(document: String) throws {
        #expect(
            try CodecSupport.events(Self.decoder, document: document).last
                == .failed(GatewayError(.rateLimited, "the provider reported an error", quote: "m")))
    }
}
