// SPDX-License-Identifier: Apache-2.0
// The conversation as messages of Chat Completions.
// Source: OpenAI API reference (chat completions: messages; a message with tool_calls is followed by a tool message for
// each of them), DeepSeek (reasoning_content), OpenRouter (reasoning_details), 2026.

import Gateway
import JSON

extension ChatRequestWriter {
    mutating func writeMessages(_ writer: inout JSONWriter) {
        writeSystem(&writer)
        let turns = isSameDialect ? request.turns : Pairing.paired(request.turns, &notes.losses)
        for turn in turns {
            switch turn.role {
            case .system: writeOperator(turn, &writer)
            case .user: writeUser(turn, &writer)
            case .assistant: writeAssistant(turn, &writer)
            }
        }
    }

    // MARK: - The operator

    private mutating func writeSystem(_ writer: inout JSONWriter) {
        var texts: [TextPart] = []
        for part in request.system {
            guard case .text(let text) = part else {
                notes.losses.add(.media)
                continue
            }
            if !text.isBillingHeader, !text.text.isEmpty { texts.append(text) }
        }
        guard !texts.isEmpty else { return }
        if isSameDialect {
            for text in texts {
                writer.object { writer in
                    writer.member("role", "system")
                    writer.member("content", text.text)
                    writer.members(text.extra)
                }
            }
        } else {
            for text in texts { countHints(text.cacheControl, text.extra) }
            writer.object { writer in
                writer.member("role", "system")
                writer.member("content", Self.joined(texts.map(\.text)))
            }
        }
    }

    private mutating func writeOperator(_ turn: Turn, _ writer: inout JSONWriter) {
        let text = Self.joined(turn.parts.compactMap { textOf($0) })
        guard !text.isEmpty else { return }
        countExtra(turn)
        writer.object { writer in
            writer.member("role", "system")
            writer.member("content", text)
            if isSameDialect { writer.members(turn.extra) }
        }
    }

    // MARK: - The user

    private mutating func writeUser(_ turn: Turn, _ writer: inout JSONWriter) {
        var rest: [Part] = []
        var media: [Part] = []
        for part in turn.parts {
            guard case .toolResult(let result) = part else {
                rest.append(part)
                continue
            }
            writeResult(result, turn, &media, &writer)
        }
        if !media.isEmpty { writeContentMessage(media, extra: [], &writer) }
        if !rest.isEmpty {
            countExtra(turn)
            writeContentMessage(rest, extra: isSameDialect ? turn.extra : [], &writer)
        }
    }

    /// A tool message holds text only: what else a result has follows as a message of the user.
    private mutating func writeResult(
        _ result: ToolResult, _ turn: Turn, _ media: inout [Part], _ writer: inout JSONWriter
    ) {
        countHints(result.cacheControl, result.extra)
        var texts: [String] = []
        var shown: [Part] = []
        for part in result.content {
            switch part {
            case .image: shown.append(part)
            case .document(let document):
                if case .text = document.source {
                    texts.append(Self.text(of: document))
                } else {
                    shown.append(part)
                }
            default: if let text = textOf(part) { texts.append(text) }
            }
        }
        if !shown.isEmpty {
            texts.append("[what the tool showed follows in the next message]")
            media.append(.text(TextPart("[tool result \(result.callID)]")))
            media += shown
        }
        let text = (result.isError && !isSameDialect ? "Error: " : "") + texts.joined(separator: "\n")
        writer.object { writer in
            writer.member("role", "tool")
            writer.member("tool_call_id", result.callID)
            if isSameDialect, result.content.count > 1 {
                writer.member(
                    "content",
                    array: { writer in
                        for case .text(let part) in result.content {
                            Self.write(part, keepsExtra: true, &writer)
                        }
                    })
            } else {
                writer.member("content", text)
            }
            if isSameDialect { writer.members(result.extra) }
        }
    }

    private mutating func writeContentMessage(
        _ parts: [Part], extra: [ExtraMember], _ writer: inout JSONWriter
    ) {
        let contents = contents(of: parts)
        guard !contents.isEmpty else { return }
        writer.object { writer in
            writer.member("role", "user")
            Self.write(contents, keepsParts: isSameDialect, &writer)
            writer.members(extra)
        }
    }

    // MARK: - The model

    private mutating func writeAssistant(_ turn: Turn, _ writer: inout JSONWriter) {
        var texts: [String] = []
        var calls: [ToolCall] = []
        var refusal: String?
        var members: [ExtraMember] = []
        for part in turn.parts {
            switch part {
            case .toolCall(let call): calls.append(call)
            case .reasoning(let reasoning): add(reasoning, to: &members)
            case .refusal(let text):
                if isSameDialect { refusal = text } else { texts.append(text) }
            default: if let text = textOf(part) { texts.append(text) }
            }
        }
        countExtra(turn)
        let text = Self.joined(texts)
        // A turn of thoughts alone, whose state may not go here, says nothing.
        guard !text.isEmpty || !calls.isEmpty || refusal != nil || !members.isEmpty else { return }
        writer.object { writer in
            writer.member("role", "assistant")
            if text.isEmpty {
                writer.member("content", calls.isEmpty && refusal == nil ? "" : nil)
            } else {
                writer.member("content", text)
            }
            writer.optional("refusal", refusal)
            writer.members(members)
            if !calls.isEmpty {
                writer.member("tool_calls", array: { writer in for call in calls { write(call, &writer) } })
            }
            if isSameDialect { writer.members(turn.extra) }
        }
    }

    /// What goes back of the thoughts: only what this provider made, in the form it gave it.
    private mutating func add(_ reasoning: ReasoningPart, to members: inout [ExtraMember]) {
        if isSameDialect { members += reasoning.extra }
        guard let state = reasoning.state else {
            if reasoning.extra.isEmpty, !reasoning.text.isEmpty { notes.losses.add(.reasoningText) }
            return
        }
        guard target.accepts(state, dialect: .chat, of: request) else {
            return notes.losses.add(.foreignReasoning)
        }
        switch state.form {
        case .reasoningContent:
            var writer = JSONWriter()
            writer.string(String(decoding: state.bytes, as: UTF8.self))
            members.append(ExtraMember("reasoning_content", JSONText(writer.bytes)))
        case .reasoningDetails: members.append(ExtraMember("reasoning_details", JSONText(state.bytes)))
        case .signature, .redacted, .encryptedContent, .thoughtSignature: notes.losses.add(.foreignReasoning)
        }
    }

    private mutating func write(_ call: ToolCall, _ writer: inout JSONWriter) {
        countHints(call.cacheControl, call.extra)
        let name = upstreamName(of: call)
        writer.object { writer in
            writer.member("id", call.id)
            if call.form == .custom, isSameDialect {
                writer.member("type", "custom")
                writer.member(
                    "custom",
                    object: { writer in
                        writer.member("name", name)
                        writer.member("input", call.arguments)
                    })
            } else {
                writer.member("type", "function")
                writer.member(
                    "function",
                    object: { writer in
                        writer.member("name", name)
                        writer.member("arguments", Self.arguments(of: call))
                    })
            }
            if isSameDialect { writer.members(call.extra) }
        }
    }

    /// The name under which the provider knows the tool, also of one that is no longer offered.
    private mutating func upstreamName(of call: ToolCall) -> String {
        notes.toolNames.register(
            ToolName(call.name, namespace: call.namespace), form: call.form,
            isWrapped: call.form == .custom && !isSameDialect, maximum: Self.maximumName)
    }

    private static func arguments(of call: ToolCall) -> String {
        if call.form == .custom { return WrappedTool.arguments(call.arguments) }
        return call.arguments.isEmpty ? "{}" : call.arguments
    }
}
