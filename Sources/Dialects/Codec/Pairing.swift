// SPDX-License-Identifier: Apache-2.0
// Calls and their results put in the order that providers insist on: behind the model's turn the results of all its
// calls, in the order of the calls, before anything else is said.
// Source: API references of Anthropic (tool_result), OpenAI (tool messages, function_call_output), Google
// (functionResponse), 2026: each refuses calls without results and results without calls.

import Gateway

enum Pairing {
    /// What stands for a result that the client did not send.
    static let missing = "(no result)"

    /// The conversation with neighbouring turns of the model joined, and every such turn with calls followed by one turn
    /// that begins with their results. What is missing is made up, what belongs to no call becomes a text.
    static func paired(_ turns: [Turn], _ losses: inout Losses) -> [Turn] {
        var results = Results(turns)
        var paired: [Turn] = []
        paired.reserveCapacity(turns.count + 4)
        var index = 0
        while index < turns.count {
            guard turns[index].role == .assistant else {
                append(results.withoutPaired(turns[index], &losses), to: &paired)
                index += 1
                continue
            }
            var turn = turns[index]
            index += 1
            while index < turns.count, turns[index].role == .assistant {
                turn.parts.append(contentsOf: turns[index].parts)
                turn.extra.append(contentsOf: turns[index].extra)
                index += 1
            }
            let answers = turn.parts.compactMap { part -> Part? in
                guard case .toolCall(let call) = part else { return nil }
                return .toolResult(results.take(for: call, &losses))
            }
            append(turn, to: &paired)
            append(Turn(.user, answers), to: &paired)
        }
        return paired
    }

    private static func append(_ turn: Turn, to turns: inout [Turn]) {
        if !turn.parts.isEmpty || !turn.extra.isEmpty { turns.append(turn) }
    }

    /// A result as a text, for a place where it answers no call.
    static func asText(_ result: ToolResult) -> [Part] {
        [.text(TextPart("[result of \(result.callID)]"))] + result.content
    }

    /// The results of a conversation by call, each given out once.
    private struct Results {
        private var waiting: [String: [ToolResult]] = [:]
        /// How many results of an id belong to calls.
        private var calls: [String: Int] = [:]

        init(_ turns: [Turn]) {
            for turn in turns {
                for part in turn.parts {
                    switch part {
                    case .toolCall(let call): calls[call.id, default: 0] += 1
                    case .toolResult(let result): waiting[result.callID, default: []].append(result)
                    case .text, .image, .document, .reasoning, .refusal, .opaque: break
                    }
                }
            }
            for id in waiting.keys { waiting[id]?.reverse() }
        }

        mutating func take(for call: ToolCall, _ losses: inout Losses) -> ToolResult {
            if let result = waiting[call.id]?.popLast() { return result }
            losses.add(.unpairedCall)
            return ToolResult(
                callID: call.id, form: call.form, content: [.text(TextPart(Pairing.missing))], isError: true)
        }

        /// A turn of the client without the results that stand behind their calls.
        mutating func withoutPaired(_ turn: Turn, _ losses: inout Losses) -> Turn {
            guard turn.parts.contains(where: { if case .toolResult = $0 { true } else { false } }) else {
                return turn
            }
            var kept = turn
            kept.parts = []
            for part in turn.parts {
                guard case .toolResult(let result) = part else {
                    kept.parts.append(part)
                    continue
                }
                if let count = calls[result.callID], count > 0 {
                    calls[result.callID] = count - 1
                } else {
                    losses.add(.unpairedCall)
                    kept.parts.append(contentsOf: Pairing.asText(result))
                }
            }
            return kept
        }
    }
}
