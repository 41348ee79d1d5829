// SPDX-License-Identifier: Apache-2.0
// Hints for Anthropic's prompt cache in requests of dialects whose providers cache by themselves. Without them every turn
// of an agent would be paid in full.
// Source: Anthropic API reference (prompt caching: at most four breakpoints, lookback of 20 blocks), 2026.

import Gateway

extension MessagesRequestWriter {
    static let hint = JSONText(#"{"type":"ephemeral"}"#)
    /// Turns of the user that end in a hint: the last one, which the next request will read, and the one that this reads.
    private static let hintedTurns = 2

    /// The client knows no hints, and gave none where its dialect has them.
    var addsHints: Bool { !isSameDialect && rules.has(.cacheControl) && !hasHints }

    private var hasHints: Bool {
        request.system.contains(where: \.isHinted) || request.tools.contains { $0.cacheControl != nil }
            || request.turns.contains { $0.parts.contains(where: \.isHinted) }
    }

    func hinted(_ turns: [Turn]) -> [Turn] {
        guard addsHints else { return turns }
        var turns = turns
        var count = 0
        for index in turns.indices.reversed() where turns[index].role == .user {
            guard count < Self.hintedTurns, let last = turns[index].parts.indices.last else { break }
            turns[index].parts[last].hint(Self.hint)
            count += 1
        }
        return turns
    }
}

extension Part {
    fileprivate var isHinted: Bool {
        switch self {
        case .text(let part): part.cacheControl != nil
        case .image(let part): part.cacheControl != nil
        case .document(let part): part.cacheControl != nil
        case .toolCall(let call): call.cacheControl != nil
        case .toolResult(let result): result.cacheControl != nil
        case .reasoning, .refusal, .opaque: false
        }
    }

    fileprivate mutating func hint(_ hint: JSONText) {
        switch self {
        case .text(var part):
            part.cacheControl = hint
            self = .text(part)
        case .image(var part):
            part.cacheControl = hint
            self = .image(part)
        case .document(var part):
            part.cacheControl = hint
            self = .document(part)
        case .toolResult(var result):
            result.cacheControl = hint
            self = .toolResult(result)
        case .toolCall, .reasoning, .refusal, .opaque: break
        }
    }
}
