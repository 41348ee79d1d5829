// SPDX-License-Identifier: Apache-2.0
// An answer as a whole, folded from its events: what clients that want no stream are sent.

import JSON

/// Collects the events of one answer. No event is refused: what contradicts the order that `AnswerEvent` documents is
/// taken as if the missing step had been there.
package struct AnswerDocument: Equatable, Sendable {
    /// The provider's own id of the answer.
    package private(set) var id: String?
    /// Texts, thoughts, calls, refusals and opaque parts, in the order of the answer.
    package private(set) var parts: [Part] = []
    /// Sources, each with the index of the text in `parts` that it stands behind.
    package private(set) var citations: [(partIndex: Int, citation: Citation)] = []
    package private(set) var usage = Usage()
    package private(set) var stop: StopReason?
    package private(set) var stopSequence: String?
    /// Set when the answer failed; the parts are then incomplete.
    package private(set) var failure: GatewayError?

    package init() {}

    package static func == (left: AnswerDocument, right: AnswerDocument) -> Bool {
        left.id == right.id && left.parts == right.parts && left.usage == right.usage
            && left.stop == right.stop
            && left.stopSequence == right.stopSequence && left.failure == right.failure
            && left.citations.map(\.partIndex) == right.citations.map(\.partIndex)
            && left.citations.map(\.citation) == right.citations.map(\.citation)
    }

    package mutating func add(_ event: AnswerEvent) {
        switch event {
        case .started(let id): self.id = id
        case .textBegan(let phase): parts.append(.text(TextPart("", phase: phase)))
        case .text(let piece):
            if case .text(var part) = parts.last {
                // Taken out first, so that the text grows in place.
                parts.removeLast()
                part.content.append(piece)
                parts.append(.text(part))
            } else {
                parts.append(.text(TextPart(piece)))
            }
        case .reasoningBegan(let isSummary): parts.append(.reasoning(ReasoningPart("", isSummary: isSummary)))
        case .reasoning(let piece): updateReasoning { $0.text += piece }
        case .reasoningPartEnded: updateReasoning { $0.text += "\n\n" }
        case .reasoningEnded(let state): updateReasoning { $0.state = state }
        case .callBegan(let call): parts.append(.toolCall(call))
        case .arguments(let piece):
            guard case .toolCall(var call) = parts.last else { return }
            parts.removeLast()
            call.arguments += piece
            parts.append(.toolCall(call))
        case .refusal(let piece):
            if case .refusal(let text) = parts.last {
                parts[parts.count - 1] = .refusal(text + piece)
            } else {
                parts.append(.refusal(piece))
            }
        case .citation(let citation): citations.append((max(parts.count - 1, 0), citation))
        case .opaque(let part): parts.append(.opaque(part))
        case .usage(let usage): self.usage = usage
        case .finished(let reason, let sequence):
            stop = reason
            stopSequence = sequence
        case .failed(let error): failure = error
        case .textEnded, .callEnded: break
        }
    }

    private mutating func updateReasoning(_ change: (inout ReasoningPart) -> Void) {
        var part = ReasoningPart("")
        if case .reasoning(let last) = parts.last {
            part = last
            parts.removeLast()
        }
        change(&part)
        parts.append(.reasoning(part))
    }
}
