// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Dialects

@Suite struct PartSequencerTests {
    @Test func `the first open part passes at once and later ones wait for its end`() {
        var sequencer = PartSequencer()
        var events: [AnswerEvent] = []
        sequencer.begin(0, .callBegan(ToolCall(id: "a", name: "f", arguments: "")), into: &events)
        sequencer.begin(1, .callBegan(ToolCall(id: "b", name: "g", arguments: "")), into: &events)
        sequencer.add(1, .arguments("1"), into: &events)
        sequencer.add(0, .arguments("0"), into: &events)
        sequencer.end(1, .callEnded, into: &events)
        #expect(events == [.callBegan(ToolCall(id: "a", name: "f", arguments: "")), .arguments("0")])
        events = []
        sequencer.begin(2, .textBegan(phase: nil), into: &events)
        sequencer.end(0, .callEnded, into: &events)
        sequencer.add(2, .text("x"), into: &events)
        #expect(
            events == [
                .callEnded, .callBegan(ToolCall(id: "b", name: "g", arguments: "")), .arguments("1"),
                .callEnded,
                .textBegan(phase: nil), .text("x"),
            ])
    }

    @Test func `what belongs to no open part is dropped`() {
        var sequencer = PartSequencer()
        var events: [AnswerEvent] = []
        sequencer.add(0, .text("x"), into: &events)
        sequencer.end(0, .textEnded, into: &events)
        #expect(events.isEmpty)
        sequencer.place(.refusal("no"), into: &events)
        #expect(events == [.refusal("no")])
    }

    @Test func `what stands between parts keeps its place`() {
        var sequencer = PartSequencer()
        var events: [AnswerEvent] = []
        sequencer.begin(0, .textBegan(phase: nil), into: &events)
        sequencer.place(.refusal("no"), into: &events)
        sequencer.end(0, .textEnded, into: &events)
        #expect(events == [.textBegan(phase: nil), .textEnded, .refusal("no")])
    }

    @Test func `what waits is bounded`() {
        var sequencer = PartSequencer()
        var events: [AnswerEvent] = []
        sequencer.begin(0, .textBegan(phase: nil), into: &events)
        sequencer.begin(1, .textBegan(phase: nil), into: &events)
        let piece = String(repeating: "x", count: 1 << 20)
        for _ in 0..<17 { sequencer.add(1, .text(piece), into: &events) }
        #expect(sequencer.isOverfull)
        sequencer.end(0, .textEnded, into: &events)
        #expect(!sequencer.isOverfull)
    }
}
