// SPDX-License-Identifier: Apache-2.0
// Between a provider's answer and the client's: gives calls the names and forms the client knows, cuts at stop sequences
// the provider does not know, keeps an answer to one call where the client wants no more, and settles the reason why
// it ended.
// Source: the rules on names, stop reasons and parallel calls of the dialects' API references, 2026.

package import Gateway

/// Events in, events out. No I/O.
package struct AnswerRestorer {
    private let names: ToolNameTable
    private let maximumCalls: Int
    private var cutter: StopCutter
    private var wrapped: WrappedInput?
    private var calls = 0
    /// Takes the answer in place of the client, which wants a summary of the conversation.
    private var compaction: Compaction?
    /// The call that is running is one too many.
    private var isDroppingCall = false
    /// What the client is not shown.
    private(set) package var losses = Losses()
    /// `finished` or `failed` went out; nothing follows.
    private(set) package var isOver = false

    /// - Parameters:
    ///   - names: as the request was encoded.
    ///   - stop: sequences that the provider was not told of.
    ///   - maximumCalls: calls that the client takes in one answer.
    ///   - compaction: the client asked for a summary of the conversation.
    package init(
        names: ToolNameTable, stop: [String], maximumCalls: Int = .max, compaction: Compaction? = nil
    ) {
        self.compaction = compaction
        self.names = names
        self.maximumCalls = maximumCalls
        cutter = StopCutter(stop)
    }

    /// Appends what the client is to see of `event`, in order.
    package mutating func received(_ event: AnswerEvent, into events: inout [AnswerEvent]) {
        guard !isOver else { return }
        if let folded = compaction?.received(event) {
            isOver = compaction?.isOver == true
            events += folded
            return
        }
        switch event {
        case .text(let piece):
            let shown = cutter.received(piece)
            if !shown.isEmpty { events.append(.text(shown)) }
            if let sequence = cutter.found {
                events.append(.textEnded)
                isOver = true
                events.append(.finished(.stopSequence, stopSequence: sequence))
            }
        case .textEnded:
            flushText(&events)
            events.append(.textEnded)
        case .callBegan(let call): begin(call, &events)
        case .arguments(let piece):
            guard !isDroppingCall else { return }
            let text = wrapped?.received(piece) ?? piece
            if !text.isEmpty { events.append(.arguments(text)) }
        case .callEnded:
            defer { isDroppingCall = false }
            guard !isDroppingCall else { return }
            if let rest = wrapped?.ended(), !rest.isEmpty { events.append(.arguments(rest)) }
            wrapped = nil
            events.append(.callEnded)
        case .finished(let reason, let sequence):
            flushText(&events)
            isOver = true
            events.append(.finished(settled(reason), stopSequence: sequence))
        case .failed:
            flushText(&events)
            isOver = true
            events.append(event)
        case .started, .textBegan, .reasoningBegan, .reasoning, .reasoningPartEnded, .reasoningEnded,
            .refusal,
            .citation, .opaque, .usage:
            events.append(event)
        }
    }

    private mutating func begin(_ call: ToolCall, _ events: inout [AnswerEvent]) {
        calls += 1
        if calls > maximumCalls {
            isDroppingCall = true
            losses.add(.surplusCall)
            return
        }
        var call = call
        wrapped = nil
        if let entry = names.entry(call.name) {
            call.name = entry.tool.name
            call.namespace = entry.tool.namespace
            call.form = entry.form
            if entry.isWrapped { wrapped = WrappedInput() }
        }
        events.append(.callBegan(call))
    }

    private mutating func flushText(_ events: inout [AnswerEvent]) {
        let rest = cutter.ended()
        if !rest.isEmpty { events.append(.text(rest)) }
    }

    /// vLLM, Ollama and Gemini say "stop" behind a call; clients then would not run it.
    private func settled(_ reason: StopReason) -> StopReason {
        switch reason {
        case .endTurn, .stopSequence: calls > 0 ? .toolUse : reason
        case .toolUse: calls > 0 ? reason : .endTurn
        default: reason
        }
    }
}
