// SPDX-License-Identifier: Apache-2.0
// The conversation as messages of Chat Completions.
// Source: OpenAI API reference (chat completions: messages; a message with tool_calls is followed by a tool message for
// each of them), DeepSeek (reasoning_content), OpenRouter (reasoning_details), 2026.

import Gateway
import JSON

extension ChatRequestWriter {
    mutating func writeMessages(_ writer: inout JSONWriter) {
        writeSystem(&writer)
        for turn in orderedTurns() {
            switch turn.role {
            case .system: writeOperator(turn, &writer)
            case .user: writeUser(turn, &writer)
            case .assistant: writeAssistant(turn, &writer)
            }
        }
    }

    /// The turns as they are to be written. A client of the same dialect is taken at its word.
    private mutating func orderedTurns() -> [Turn] {
        var turns = isSameDialect ? request.turns : Pairing.paired(request.turns, &notes.losses)
        if rules.systemPlacement == .leading {
            for index in turns.indices where turns[index].role == .system {
                turns[index].role = .user
                turns[index].parts = OperatorNote.parts(turns[index].parts, &notes.losses)
            }
        }
        guard rules.has(.strictAlternation) else { return turns }
        var joined: [Turn] = []
        for turn in turns where !turn.parts.isEmpty {
            if let last = joined.indices.last, joined[last].role == turn.role {
                joined[last].parts += turn.parts
            } else {
                joined.append(turn)
            }
        }
        return joined
    }

    // MARK: - The operator

    private var operatorRole: String { rules.systemRole == .developer ? "developer" : "system" }

    private mutating func writeSystem(_ writer: inout JSONWriter) {
        var texts = OperatorNote.texts(request.system, &notes.losses).filter {
            !$0.isBillingHeader && !$0.content.isEmpty
        }
        if let instruction = formatInstruction {
            notes.losses.add(.outputFormat)
            texts.append(TextPart(instruction))
        }
        guard !texts.isEmpty else { return }
        if isSameDialect, rules.systemPlacement == .anywhere {
            for text in texts { writeOperator([.text(text)], keepsParts: true, extra: [], &writer) }
        } else {
            for text in texts { countHints(text.cacheControl, text.extra) }
            writeOperator(texts.map(ChatContent.text), keepsParts: false, extra: [], &writer)
        }
    }

    private mutating func writeOperator(_ turn: Turn, _ writer: inout JSONWriter) {
        let texts = turn.parts.compactMap { part -> ChatContent? in
            if case .text(let text) = part, keepsCacheHints {
                return text.content.isEmpty ? nil : .text(text)
            }
            return textOf(part).flatMap { $0.isEmpty ? nil : .text(TextPart($0)) }
        }
        guard !texts.isEmpty else { return }
        countExtra(turn)
        writeOperator(texts, keepsParts: isSameDialect, extra: isSameDialect ? turn.extra : [], &writer)
    }

    private func writeOperator(
        _ contents: [ChatContent], keepsParts: Bool, extra: [ExtraMember], _ writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("role", operatorRole)
            write(contents, keepsParts: keepsParts, &writer)
            writer.members(extra)
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
            writeResult(result, &media, &writer)
        }
        // What tools showed stands before what the user says to it.
        let contents = contents(of: media + rest)
        guard !contents.isEmpty else { return }
        countExtra(turn)
        writer.object { writer in
            writer.member("role", "user")
            write(contents, keepsParts: isSameDialect, &writer)
            if isSameDialect { writer.members(turn.extra) }
        }
    }

    /// A tool message holds text only: what else a result has follows as a message of the user.
    private mutating func writeResult(
        _ result: ToolResult, _ media: inout [Part], _ writer: inout JSONWriter
    ) {
        countHints(result.cacheControl, result.extra)
        var texts: [JSONString] = []
        var shown: [Part] = []
        for part in result.content {
            switch part {
            case .image:
                if rules.has(.noImages) {
                    texts += [textOf(part)].compactMap { $0 }
                } else {
                    shown.append(part)
                }
            case .document(let document):
                if case .text = document.source {
                    texts.append(JSONString(Self.text(of: document)))
                } else if rules.has(.noDocuments) {
                    texts += [textOf(part)].compactMap { $0 }
                } else {
                    shown.append(part)
                }
            default: if let text = textOf(part) { texts.append(text) }
            }
        }
        if !shown.isEmpty {
            texts.append(JSONString("[what the tool showed follows in the next message]"))
            media.append(.text(TextPart("[tool result \(result.callID)]")))
            media += shown
        }
        if texts.isEmpty, !result.loadedTools.isEmpty {
            texts = result.loadedTools.map { JSONString("tool \($0.name) is now available") }
        }
        // Results are the largest texts of a conversation: one that stands alone is not copied.
        var text = JSONString.joined(texts, separator: "\n")
        if result.isError, !isSameDialect { text = .joined([JSONString("Error: "), text], separator: "") }
        let id = callIDs.wireID(result.callID)
        writer.object { writer in
            writer.member("role", "tool")
            writer.member("tool_call_id", id)
            if isSameDialect, result.content.count > 1, !rules.has(.stringContent) {
                writer.member(
                    "content",
                    array: { writer in
                        for case .text(let part) in result.content { write(part, &writer) }
                    })
            } else {
                writer.member("content", text)
            }
            if isSameDialect { writer.members(result.extra) }
        }
    }

    // MARK: - The model

    private mutating func writeAssistant(_ turn: Turn, _ writer: inout JSONWriter) {
        var texts: [JSONString] = []
        var calls: [ToolCall] = []
        var refusal: String?
        var isSpoken = false
        var members: [ExtraMember] = []
        for part in turn.parts {
            switch part {
            case .toolCall(let call): calls.append(call)
            case .reasoning(let reasoning): add(reasoning, to: &members)
            case .refusal(let text):
                if isSameDialect { refusal = text } else { texts.append(JSONString(text)) }
            case .opaque(let opaque) where opaque.isSpokenAnswer && isSameDialect:
                isSpoken = true
                members.append(ExtraMember("\(SpokenAnswer.member)", opaque.json))
            default: if let text = textOf(part) { texts.append(text) }
            }
        }
        countExtra(turn)
        if !calls.isEmpty, rules.replay == .afterCalls { demandThoughts(&members) }
        let text = Self.joined(texts)
        // A turn of thoughts alone, whose state may not go here, says nothing.
        guard !text.isEmpty || !calls.isEmpty || refusal != nil || !members.isEmpty else { return }
        writer.object { writer in
            writer.member("role", "assistant")
            if text.isEmpty {
                let isNull = (!calls.isEmpty || refusal != nil || isSpoken) && !rules.has(.noNulls)
                writer.member("content", isNull ? nil : "")
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
        // A client of the same dialect knows what its provider wants.
        guard isSameDialect || rules.replay != .never else { return }
        switch state.form {
        case .reasoningContent: add(thoughts: String(decoding: state.bytes, as: UTF8.self), to: &members)
        case .reasoningDetails: members.append(ExtraMember("reasoning_details", JSONText(state.bytes)))
        case .signature, .redacted, .encryptedContent, .thoughtSignature: notes.losses.add(.foreignReasoning)
        }
    }

    private var thoughtsMember: String {
        !isSameDialect && rules.reasoning == .reasoning ? "reasoning" : "reasoning_content"
    }

    /// Thoughts of several parts are one text, since there is one member.
    private func add(thoughts: String, to members: inout [ExtraMember]) {
        let name = thoughtsMember
        var text = thoughts
        if let index = members.firstIndex(where: { $0.name == name }) {
            text = (members.remove(at: index).value.withValue { $0.string ?? "" } ?? "") + thoughts
        }
        var writer = JSONWriter()
        writer.string(text)
        members.append(ExtraMember(name, JSONText(writer.bytes)))
    }

    /// The provider refuses calls without thoughts; those that came through another dialect have none.
    private func demandThoughts(_ members: inout [ExtraMember]) {
        let names = ["reasoning_content", "reasoning", "reasoning_details"]
        guard !members.contains(where: { names.contains($0.name) }) else { return }
        add(thoughts: " ", to: &members)
    }

    private mutating func write(_ call: ToolCall, _ writer: inout JSONWriter) {
        countHints(call.cacheControl, call.extra)
        let name = upstreamName(of: call)
        let id = callIDs.wireID(call.id)
        writer.object { writer in
            writer.member("id", id)
            if call.form == .custom, keepsCustom {
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

    private var keepsCustom: Bool { isSameDialect && !rules.has(.functionToolsOnly) }

    /// The name under which the provider knows the tool, also of one that is no longer offered.
    private mutating func upstreamName(of call: ToolCall) -> String {
        notes.toolNames.register(
            ToolName(call.name, namespace: call.namespace), form: call.form,
            isWrapped: call.form == .custom && !keepsCustom, maximum: rules.toolNameBytes)
    }

    private static func arguments(of call: ToolCall) -> String {
        if call.form == .custom { return WrappedTool.arguments(call.arguments) }
        return call.arguments.isEmpty ? "{}" : call.arguments
    }
}
