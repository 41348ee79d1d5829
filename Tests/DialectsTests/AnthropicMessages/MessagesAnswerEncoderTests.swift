// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Dialects

/// An answer with everything that Messages shows.
enum AnswerSample {
    static let state = ReasoningState(
        .reasoningContent, origin: CodecSupport.origin, bytes: Array("I think".utf8))

    static let events: [AnswerEvent] = [
        .started(id: "x"), .reasoningBegan(isSummary: false), .reasoning("I "), .reasoning("think"),
        .reasoningEnded(state: state), .textBegan(phase: nil), .text("He said \"ü\"\n"), .text("😀\u{1}"),
        .citation(Citation(url: "https://e.org/", title: "E")), .textEnded,
        .callBegan(ToolCall(id: "call_1", name: "f", arguments: "")), .arguments(#"{"a":"#), .arguments("1}"),
        .callEnded, .callBegan(ToolCall(id: "call_2", name: "g", arguments: "")), .callEnded,
        .usage(Usage(input: 5, cacheRead: 3, cacheWrite: 2, output: 9, reasoning: 4)),
        .finished(.toolUse, stopSequence: nil),
    ]
}

@Suite struct MessagesAnswerEncoderTests {
    private func stream(_ events: [AnswerEvent]) -> String {
        CodecSupport.stream(MessagesAnswerEncoder(CodecSupport.context), events)
    }

    private func kinds(_ stream: String) -> [String] {
        stream.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { String($0.dropFirst(7)) }
    }

    @Test func `a stream has every event that Claude Code needs`() throws {
        try CodecSupport.expect(stream(AnswerSample.events), isGolden: "messages-stream.txt")
    }

    @Test func `a document has the blocks of the stream`() throws {
        let document = CodecSupport.document(MessagesAnswerEncoder(CodecSupport.context), AnswerSample.events)
        try CodecSupport.expect(document, isGolden: "messages-document.json")
    }

    @Test func `an answer without a word is a message all the same`() {
        #expect(
            kinds(stream([.finished(.endTurn, stopSequence: nil)])) == [
                "message_start", "message_delta", "message_stop",
            ])
    }

    @Test func `an error is the last event, whenever it comes`() {
        let error = AnswerEvent.failed(GatewayError(.overloaded, "busy"))
        #expect(kinds(stream([error, .text("late"), error])) == ["error"])
        let late = stream([.started(id: nil), .text("a"), error, .finished(.endTurn, stopSequence: nil)])
        #expect(kinds(late) == ["message_start", "content_block_start", "content_block_delta", "error"])
        #expect(late.contains(#""error":{"type":"overloaded_error","message":"busy"}"#))
    }

    @Test func `nothing follows the end`() {
        let text = stream([
            .text("a"), .finished(.maxTokens, stopSequence: nil), .text("b"),
            .finished(.endTurn, stopSequence: nil),
        ])
        #expect(!text.contains(#""b""#))
        #expect(kinds(text).filter { $0 == "message_stop" }.count == 1)
    }

    @Test func `steps that are missing are added`() {
        let text = stream([
            .text("a"), .arguments("lost"), .callBegan(ToolCall(id: "i", name: "f", arguments: "")),
            .arguments("{}"),
            .text("b"), .reasoningBegan(isSummary: true), .reasoning("c"),
            .finished(.endTurn, stopSequence: nil),
        ])
        #expect(
            kinds(text).filter { $0 == "content_block_start" }.count == 4
                && kinds(text).filter { $0 == "content_block_stop" }.count == 4)
        #expect(!text.contains("lost"))
    }

    @Test func `thoughts that show nothing and hold nothing are no block`() {
        let text = stream([
            .reasoningBegan(isSummary: true), .reasoningEnded(state: nil), .text("a"),
            .finished(.endTurn, stopSequence: nil),
        ])
        #expect(!text.contains("thinking"))
    }

    @Test func `a state without a text is a block with a signature, and a provider's own stays as it is`() {
        let origin = CodecSupport.origin
        let sealed = stream([
            .reasoningBegan(isSummary: true),
            .reasoningEnded(state: ReasoningState(.encryptedContent, origin: origin, bytes: [1, 2])),
        ])
        #expect(sealed.contains(#""type":"signature_delta","signature":"ccr1:"#))
        let native = stream([
            .reasoningBegan(isSummary: false),
            .reasoningEnded(state: ReasoningState(.signature, origin: origin, bytes: Array("sig".utf8))),
            .reasoningBegan(isSummary: false),
            .reasoningEnded(state: ReasoningState(.redacted, origin: origin, bytes: Array("red".utf8))),
        ])
        #expect(native.contains(#""signature":"sig""#))
        #expect(native.contains(#"{"type":"redacted_thinking","data":"red"}"#))
    }

    @Test(arguments: [
        (StopReason.endTurn, "end_turn"), (.stopSequence, "stop_sequence"), (.maxTokens, "max_tokens"),
        (.toolUse, "tool_use"), (.refusal, "refusal"), (.contentFilter, "refusal"),
        (.pauseTurn, "pause_turn"),
        (.contextWindowExceeded, "model_context_window_exceeded"), (.compaction, "compaction"),
    ])
    func `each reason has its name`(reason: StopReason, name: String) {
        let text = stream([.text("a"), .finished(reason, stopSequence: "S")])
        #expect(text.contains(#""stop_reason":"\#(name)","stop_sequence":"S""#))
    }
}
