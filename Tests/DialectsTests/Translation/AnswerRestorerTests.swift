// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Dialects

@Suite struct AnswerRestorerTests {
    private func restore(_ events: [AnswerEvent], _ restorer: AnswerRestorer) -> [AnswerEvent] {
        var restorer = restorer
        var restored: [AnswerEvent] = []
        for event in events { restorer.received(event, into: &restored) }
        return restored
    }

    private func call(_ name: String, _ id: String = "c1") -> ToolCall {
        ToolCall(id: id, name: name, arguments: "")
    }

    @Test func `a call gets back the client's name, namespace and form`() {
        var names = ToolNameTable()
        let tool = ToolName("apply_patch", namespace: "functions")
        let upstream = names.register(tool, form: .custom, isWrapped: true)
        let restored = restore(
            [
                .callBegan(call(upstream)), .arguments(#"{"input":"*** Be"#), .arguments(#"gin\n"}"#),
                .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ],
            AnswerRestorer(names: names, stop: []))
        var expected = call("apply_patch")
        expected.namespace = "functions"
        expected.form = .custom
        #expect(
            restored == [
                .callBegan(expected), .arguments("*** Be"), .arguments("gin\n"), .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ])
    }

    @Test func `a name that the provider made up passes as it is`() {
        let events: [AnswerEvent] = [.callBegan(call("invented")), .arguments("{}"), .callEnded]
        #expect(restore(events, AnswerRestorer(names: ToolNameTable(), stop: [])) == events)
    }

    @Test func `calls beyond what the client takes are left out`() {
        let restored = restore(
            [
                .callBegan(call("a", "1")), .arguments("{}"), .callEnded, .callBegan(call("b", "2")),
                .arguments("{}"), .callEnded, .finished(.toolUse, stopSequence: nil),
            ],
            AnswerRestorer(names: ToolNameTable(), stop: [], maximumCalls: 1))
        #expect(
            restored == [
                .callBegan(call("a", "1")), .arguments("{}"), .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ])
    }

    @Test func `a call that is left out is counted`() {
        var restorer = AnswerRestorer(names: ToolNameTable(), stop: [], maximumCalls: 1)
        var events: [AnswerEvent] = []
        for id in ["1", "2", "3"] { restorer.received(.callBegan(call("a", id)), into: &events) }
        #expect(restorer.losses.description == "surplus_call=2")
    }

    @Test func `an answer ends at the client's stop sequence and nothing follows`() {
        let restored = restore(
            [
                .textBegan(phase: nil), .text("one EN"), .text("D two"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ],
            AnswerRestorer(names: ToolNameTable(), stop: ["END"]))
        #expect(
            restored == [
                .textBegan(phase: nil), .text("one "), .textEnded,
                .finished(.stopSequence, stopSequence: "END"),
            ])
    }

    @Test func `text held back for a stop sequence is not lost at the end`() {
        let restored = restore(
            [.textBegan(phase: nil), .text("EN"), .textEnded, .finished(.endTurn, stopSequence: nil)],
            AnswerRestorer(names: ToolNameTable(), stop: ["END"]))
        #expect(
            restored == [
                .textBegan(phase: nil), .text("EN"), .textEnded, .finished(.endTurn, stopSequence: nil),
            ])
    }

    @Test(arguments: [
        (true, StopReason.endTurn, StopReason.toolUse), (true, .stopSequence, .toolUse),
        (true, .maxTokens, .maxTokens), (false, .toolUse, .endTurn), (false, .endTurn, .endTurn),
    ])
    func `whether a call was made decides how an answer ends`(
        _ calls: Bool, _ said: StopReason, _ told: StopReason
    ) {
        var events: [AnswerEvent] = calls ? [.callBegan(call("a")), .callEnded] : []
        events.append(.finished(said, stopSequence: nil))
        let restored = restore(events, AnswerRestorer(names: ToolNameTable(), stop: []))
        #expect(restored.last == .finished(told, stopSequence: nil))
    }

    @Test func `nothing follows the end`() {
        let failure = AnswerEvent.failed(GatewayError(.upstreamUnreachable, "broke"))
        #expect(
            restore(
                [failure, .text("late"), .finished(.endTurn, stopSequence: nil)],
                AnswerRestorer(names: ToolNameTable(), stop: [])) == [failure])
    }
}
