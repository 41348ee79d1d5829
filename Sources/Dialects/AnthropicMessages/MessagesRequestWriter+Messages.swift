// SPDX-License-Identifier: Apache-2.0
// The conversation as messages of Messages.
// Source: Anthropic API reference (messages: alternating roles, results first, no empty text blocks; thinking blocks stay as
// they were; no prefill on newer models), 2026.

import Gateway
import JSON

extension MessagesRequestWriter {
    /// What is said for a client that ends with the model's own turn: newer models do not continue it.
    private static let continuation = "Please continue."
    /// What stands before a conversation that the model begins.
    private static let opening = "(The conversation begins here.)"

    /// The turns as they are to be written. A client of the same dialect is taken at its word.
    mutating func orderedTurns() -> [Turn] {
        guard !isSameDialect else { return request.turns }
        var ordered: [Turn] = []
        let turns = Pairing.paired(request.turns, &notes.losses)
        for (index, turn) in turns.enumerated() {
            var turn = turn
            if !turn.extra.isEmpty { notes.losses.add(.member, turn.extra.count) }
            turn.extra = []
            if turn.role == .system {
                let next = index + 1 < turns.count ? turns[index + 1].role : .assistant
                // The operator is heard behind a turn of the user and before one of the model.
                if rules.has(.midSystem), ordered.last?.role == .user, next == .assistant {
                    turn.parts = OperatorNote.texts(turn.parts, &notes.losses).map(Part.text)
                } else {
                    turn.role = .user
                    turn.parts = OperatorNote.parts(turn.parts, &notes.losses)
                }
            }
            guard turn.parts.contains(where: isShown) else {
                countUnshown(turn.parts)
                continue
            }
            if let last = ordered.indices.last, ordered[last].role == turn.role {
                ordered[last].parts += turn.parts
            } else {
                ordered.append(turn)
            }
        }
        if ordered.first?.role != .user {
            ordered.insert(Turn(.user, [.text(TextPart(Self.opening))]), at: 0)
        }
        if ordered.last?.role == .assistant {
            ordered.append(Turn(.user, [.text(TextPart(Self.continuation))]))
        }
        return ordered
    }

    /// Counts what a turn held of which nothing is written.
    private mutating func countUnshown(_ parts: [Part]) {
        for part in parts {
            switch part {
            case .opaque: notes.losses.add(.opaquePart)
            case .reasoning(let reasoning):
                notes.losses.add(reasoning.state == nil ? .reasoningText : .foreignReasoning)
            case .text, .image, .document, .toolCall, .toolResult, .refusal: break
            }
        }
    }

    /// Whether anything of a part will be written.
    private func isShown(_ part: Part) -> Bool {
        switch part {
        case .text(let text): !text.content.isEmpty
        case .refusal(let text): !text.isEmpty
        case .reasoning(let reasoning): reasoning.state.map(isReplayable) ?? false
        case .opaque(let opaque): opaque.summary != nil
        case .image, .document, .toolCall, .toolResult: true
        }
    }

    mutating func writeMessages(_ turns: [Turn], _ writer: inout JSONWriter) {
        for turn in turns {
            writer.object { writer in
                switch turn.role {
                case .user: writer.member("role", "user")
                case .assistant: writer.member("role", "assistant")
                case .system: writer.member("role", "system")
                }
                writer.member("content", array: { writer in for part in turn.parts { write(part, &writer) } })
                guard isSameDialect else { return }
                writer.members(turn.extra)
                if let effort = turn.effort, !turn.extra.contains(where: { $0.name == "output_config" }) {
                    writer.member("output_config", object: { $0.member("effort", effort) })
                }
            }
        }
    }

    private mutating func write(_ part: Part, _ writer: inout JSONWriter) {
        switch part {
        case .text(let text): if !text.content.isEmpty { write(text, &writer) }
        case .refusal(let text): if !text.isEmpty { write(TextPart(text), &writer) }
        case .image(let image): write(image, &writer)
        case .document(let document): write(document, &writer)
        case .reasoning(let reasoning): write(reasoning, &writer)
        case .toolCall(let call): write(call, &writer)
        case .toolResult(let result): write(result, &writer)
        case .opaque(let opaque):
            if isSameDialect { return writer.raw(opaque.json.bytes) }
            notes.losses.add(.opaquePart)
            if let summary = opaque.summary { write(TextPart(summary), &writer) }
        }
    }

    mutating func write(_ text: TextPart, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "text")
            writer.member("text", text.content)
            if let cacheControl = text.cacheControl { writer.member("cache_control", json: cacheControl) }
            writeExtra(text.extra, &writer)
        }
    }

    private mutating func writeExtra(_ extra: [ExtraMember], _ writer: inout JSONWriter) {
        if isSameDialect {
            writer.members(extra)
        } else if !extra.isEmpty {
            notes.losses.add(.member, extra.count)
        }
    }

    private mutating func write(_ reasoning: ReasoningPart, _ writer: inout JSONWriter) {
        guard let state = reasoning.state else {
            // Without a signature nobody takes thoughts; a client of the same dialect knows what it does.
            guard isSameDialect else { return notes.losses.add(.reasoningText) }
            return writer.object { writer in
                writer.member("type", "thinking")
                writer.member("thinking", reasoning.text)
                writer.member("signature", "")
                writer.members(reasoning.extra)
            }
        }
        guard isReplayable(state) else { return notes.losses.add(.foreignReasoning) }
        writer.object { writer in
            if state.form == .redacted {
                writer.member("type", "redacted_thinking")
                writer.member("data", String(decoding: state.bytes, as: UTF8.self))
            } else {
                writer.member("type", "thinking")
                writer.member("thinking", reasoning.text)
                writer.member("signature", String(decoding: state.bytes, as: UTF8.self))
            }
            writeExtra(reasoning.extra, &writer)
        }
    }

    // MARK: - Calls and results

    private mutating func write(_ call: ToolCall, _ writer: inout JSONWriter) {
        let isWrapped = call.form == .custom
        let name = name(ToolName(call.name, namespace: call.namespace), call.form, isWrapped)
        let arguments = isWrapped ? WrappedTool.arguments(call.arguments) : call.arguments
        let id = isSameDialect ? call.id : callIDs.wireID(call.id)
        writer.object { writer in
            writer.member("type", "tool_use")
            writer.member("id", id)
            writer.member("name", name)
            // A client of the same dialect sent an object.
            writer.member(
                "input", json: isSameDialect ? JSONText(arguments) : JSONText.object(ofArguments: arguments))
            if let cacheControl = call.cacheControl { writer.member("cache_control", json: cacheControl) }
            writeExtra(call.extra, &writer)
        }
    }

    private mutating func write(_ result: ToolResult, _ writer: inout JSONWriter) {
        let id = isSameDialect ? result.callID : callIDs.wireID(result.callID)
        var content = result.content
        if content.isEmpty, !result.loadedTools.isEmpty {
            let names = result.loadedTools.map {
                "tool \(name($0.fullName, $0.callForm, false)) is now available"
            }
            content = [.text(TextPart(names.joined(separator: "\n")))]
        }
        writer.object { writer in
            writer.member("type", "tool_result")
            writer.member("tool_use_id", id)
            if !content.isEmpty {
                writer.member("content", array: { writer in for part in content { write(part, &writer) } })
            }
            if result.isError { writer.member("is_error", true) }
            if let cacheControl = result.cacheControl { writer.member("cache_control", json: cacheControl) }
            writeExtra(result.extra, &writer)
        }
    }
}
