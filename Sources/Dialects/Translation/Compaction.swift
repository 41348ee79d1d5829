// SPDX-License-Identifier: Apache-2.0
// Compaction for clients of Responses whose provider has none: the model is asked for a summary, and the summary goes to
// the client in the one item that it waits for, from which it comes back as a user's words.
// Source: codex-cli 0.163.0 (compaction_trigger, compaction; exactly one such item ends a compaction), 2026.

import Bytes
package import Gateway
import JSON

/// The summary of one answer.
package struct Compaction: Equatable, Sendable {
    private static let request = """
        Write a summary of this conversation for another model that will go on with the work and sees nothing else: the \
        task, what was decided and done, the state of files and commands, what failed, and the next steps. Write the \
        summary alone.
        """
    private static let itemType = "compaction"
    private static let opening = "Summary of the conversation so far:\n\n"

    private let origin: Origin
    private var summary = ""
    private(set) var isOver = false

    package init(origin: Origin) {
        self.origin = origin
    }

    // MARK: - Requests

    /// Readies a request for a provider of another dialect: puts the question in the place of the trigger, and a summary
    /// that Anthropic made in the place of what it is about.
    static func prepare(_ request: inout CanonicalRequest) {
        takeUpSummary(&request)
        guard request.compacts else { return }
        request.turns.removeLast()
        request.turns.append(Turn(.user, [.text(TextPart(self.request))]))
        // Tools stay: calls of the history need them.
        if !request.tools.isEmpty { request.toolChoice = ToolChoice.none }
        request.outputFormat = nil
    }

    /// A `compaction` block of Messages stands for everything before it, which its provider passes over.
    private static func takeUpSummary(_ request: inout CanonicalRequest) {
        for (index, turn) in request.turns.enumerated().reversed() {
            let place = turn.parts.lastIndex { part in
                guard case .opaque(let opaque) = part, opaque.dialect == .messages else { return false }
                return opaque.type == itemType && opaque.summary != nil
            }
            guard let place, case .opaque(let block) = turn.parts[place] else { continue }
            var rest = turn
            rest.parts.removeSubrange(...place)
            request.turns.replaceSubrange(
                ...index,
                with: [Turn(.user, [.text(TextPart(opening + (block.summary ?? "")))])]
                    + (rest.parts.isEmpty ? [] : [rest]))
            return
        }
    }

    /// Whether an item of Responses stands for a conversation; Codex knows it by other names as well.
    static func isItem(_ item: JSONValue) -> Bool {
        guard let type = item.member("type")?.stringBytes else { return false }
        return type.equals("compaction") || type.equals("context_compaction")
            || type.equals("compaction_summary")
    }

    /// What an item of the history says; nil when another provider sealed it.
    static func summary(ofItem sealed: String) -> String? {
        ReasoningEnvelope.open(sealed).map { opening + String(decoding: $0.bytes, as: UTF8.self) }
    }

    // MARK: - The answer

    /// The events in place of one of the provider's.
    mutating func received(_ event: AnswerEvent) -> [AnswerEvent] {
        switch event {
        case .started, .usage: return [event]
        case .text(let piece): summary += piece
        case .finished:
            isOver = true
            guard !summary.isEmpty else {
                return [.failed(GatewayError(.upstreamUnreachable, "the provider wrote no summary"))]
            }
            return [.opaque(item), .finished(.endTurn, stopSequence: nil)]
        case .failed:
            isOver = true
            return [event]
        default: break
        }
        return []
    }

    private var item: OpaquePart {
        let state = ReasoningState(.reasoningContent, origin: origin, bytes: Array(summary.utf8))
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("type", Self.itemType)
            writer.member("encrypted_content", ReasoningEnvelope.seal(state))
        }
        return OpaquePart(.responses, type: Self.itemType, json: JSONText(writer.bytes))
    }
}
