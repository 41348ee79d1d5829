// SPDX-License-Identifier: Apache-2.0
// Compaction for clients of Responses whose provider has none: the model is asked for a summary, and the summary goes to
// the client in the one item that it waits for, from which it comes back as a user's words.
// Source: codex-cli 0.163.0 (compaction_trigger, compaction; exactly one such item ends a compaction), 2026.

package import Gateway
import JSON

/// The summary of one answer.
package struct Compaction: Equatable, Sendable {
    private static let request = """
        Write a summary of this conversation for another model that will go on with the work and sees nothing else: the \
        task, what was decided and done, the state of files and commands, what failed, and the next steps. Write the \
        summary alone.
        """
    private static let opening = "Summary of the conversation so far:\n\n"

    private let origin: Origin
    private var summary = ""
    private(set) var isOver = false

    package init(origin: Origin) {
        self.origin = origin
    }

    // MARK: - Requests

    /// Puts the question in the place of the trigger.
    ///
    /// - Throws: for an item that only the provider which made it can read.
    static func prepare(_ request: inout CanonicalRequest) throws(GatewayError) {
        if let path = request.sealedCompaction {
            throw FieldError(
                path,
                "can be read by the provider that made it only; go back to it or start a new conversation"
            ).gatewayError
        }
        guard request.compacts else { return }
        request.turns.removeLast()
        request.turns.append(Turn(.user, [.text(TextPart(self.request))]))
        // Tools stay: calls of the history need them.
        if !request.tools.isEmpty { request.toolChoice = ToolChoice.none }
        request.outputFormat = nil
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
            writer.member("type", "compaction")
            writer.member("encrypted_content", ReasoningEnvelope.seal(state))
        }
        return OpaquePart(type: "compaction", json: JSONText(writer.bytes))
    }
}
