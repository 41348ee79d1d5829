// SPDX-License-Identifier: Apache-2.0
// Reads the messages of a Chat Completions request.
// Source: OpenAI API reference (chat completions: messages, content parts, and the earlier role "function"); DeepSeek
// (reasoning_content), OpenRouter (reasoning, reasoning_details, cache_control), 2026.

import Gateway
import JSON

struct ChatMessageReader {
    let source: RequestSource
    /// What stands before the conversation.
    private(set) var system: [Part] = []
    private(set) var turns: [Turn] = []
    /// The id that was given to the last call of the form that has none.
    private var functionCalls = 0

    init(source: RequestSource) { self.source = source }

    mutating func read(_ message: JSONValue) throws(FieldError) {
        guard message.isObject else { throw FieldError("", "must be an object") }
        switch try message.requiredText("role") {
        case "system", "developer": try readOperator(message)
        case "user":
            turns.append(
                Turn(
                    .user, try content(message, isRequired: true),
                    extra: source.extraMembers(of: message, besides: ["role", "content"])))
        case "assistant": try readAssistant(message)
        case "tool": try readResult(message, callID: try message.identifier("tool_call_id"))
        case "function":
            _ = try message.identifier("name")
            try readResult(message, callID: Self.functionCallID(functionCalls))
        default: throw FieldError("role", "is no known role")
        }
    }

    private static func functionCallID(_ number: Int) -> String { "call_function_\(number)" }

    private mutating func readOperator(_ message: JSONValue) throws(FieldError) {
        let parts = try content(message, isRequired: true)
        let extra = source.extraMembers(of: message, besides: ["role", "content"])
        guard turns.isEmpty, extra.isEmpty else { return turns.append(Turn(.system, parts, extra: extra)) }
        system += parts
    }

    // MARK: - Contents

    private func content(_ message: JSONValue, isRequired: Bool) throws(FieldError) -> [Part] {
        do throws(FieldError) {
            guard let content = message.field("content") else {
                if isRequired { throw FieldError("", "is missing") }
                return []
            }
            if let text = source.string(content) { return [.text(TextPart(text))] }
            guard content.isArray else { throw FieldError("", "must be a string or an array") }
            var parts: [Part] = []
            try content.readElements { (part) throws(FieldError) in parts.append(try self.part(part)) }
            return parts
        } catch {
            throw error.within("content")
        }
    }

    private func part(_ value: JSONValue) throws(FieldError) -> Part {
        guard value.isObject else { throw FieldError("", "must be an object") }
        let type = try value.requiredText("type")
        switch type {
        case "text":
            var part = TextPart(
                try source.requiredString("text", of: value),
                cacheControl: try source.objectJSON("cache_control", of: value))
            part.extra = source.extraMembers(of: value, besides: ["type", "text", "cache_control"])
            return .text(part)
        case "image_url": return .image(try image(value))
        case "file": return .document(try file(value))
        case "refusal": return .refusal(try value.requiredText("refusal"))
        case Recording.type: return .opaque(try Recording.part(value, .chat, source))
        case "video_url", "audio_url":
            return .opaque(
                OpaquePart(.chat, type: type, json: source.json(value), summary: Recording.absent))
        case "thinking", "reference":
            return .opaque(OpaquePart(.chat, type: type, json: source.json(value)))
        default: throw FieldError("type", "is no known type of a content part")
        }
    }

    private func image(_ value: JSONValue) throws(FieldError) -> ImagePart {
        guard let field = value.field("image_url") else { throw FieldError("image_url", "is missing") }
        var part: ImagePart
        do throws(FieldError) {
            // Some clients write the URL without its object.
            let url = if let text = field.string { text } else { try field.requiredText("url") }
            do throws(FieldError) {
                part = ImagePart(try MediaText.source(url: url))
            } catch {
                throw field.isObject ? error.within("url") : error
            }
            if field.isObject { part.detail = try field.text("detail") }
        } catch {
            throw error.within("image_url")
        }
        part.cacheControl = try source.objectJSON("cache_control", of: value)
        part.extra = source.extraMembers(of: value, besides: ["type", "image_url", "cache_control"])
        return part
    }

    private func file(_ value: JSONValue) throws(FieldError) -> DocumentPart {
        guard let file = try value.object("file") else { throw FieldError("file", "is missing") }
        var part: DocumentPart
        do throws(FieldError) {
            if let data = try file.text("file_data") {
                do throws(FieldError) {
                    part = DocumentPart(try data.hasPrefix("data:") ? MediaText.source(url: data) : pdf(data))
                } catch {
                    throw error.within("file_data")
                }
            } else {
                part = DocumentPart(.file(id: try file.identifier("file_id")))
            }
            part.title = try file.text("filename")
        } catch {
            throw error.within("file")
        }
        part.cacheControl = try source.objectJSON("cache_control", of: value)
        part.extra = source.extraMembers(of: value, besides: ["type", "file", "cache_control"])
        return part
    }

    private func pdf(_ data: String) throws(FieldError) -> MediaSource {
        guard let data = MediaText.standardBase64(data) else { throw FieldError("", "is no base64") }
        return .base64(mediaType: "application/pdf", data: data)
    }

    // MARK: - The model

    private mutating func readAssistant(_ message: JSONValue) throws(FieldError) {
        var parts = try reasoning(message)
        parts += try content(message, isRequired: false)
        if let refusal = try message.text("refusal") { parts.append(.refusal(refusal)) }
        if let answer = try message.object(SpokenAnswer.member) {
            parts.append(.opaque(SpokenAnswer.part(of: source.json(answer), isAlone: parts.isEmpty)))
        }
        var calls: [Part] = []
        try message.readList("tool_calls") { (call) throws(FieldError) in
            calls.append(.toolCall(try self.call(call)))
        }
        if let function = try message.object("function_call") {
            functionCalls += 1
            do throws(FieldError) {
                calls.append(
                    .toolCall(
                        ToolCall(
                            id: Self.functionCallID(functionCalls), name: try function.identifier("name"),
                            arguments: try function.text("arguments") ?? "")))
            } catch {
                throw error.within("function_call")
            }
        }
        turns.append(
            Turn(
                .assistant, parts + calls,
                extra: source.extraMembers(
                    of: message,
                    besides: [
                        "role", "content", "refusal", "tool_calls", "function_call", "reasoning_content",
                        "reasoning", "reasoning_details", SpokenAnswer.member,
                    ])))
    }

    /// Thoughts that the client gives back. An envelope of ccr is in the details, its text in one of the others.
    private func reasoning(_ message: JSONValue) throws(FieldError) -> [Part] {
        let content = try message.text("reasoning_content")
        let shown = try message.text("reasoning")
        if let details = try message.list("reasoning_details"), details.count > 0 {
            let sealed = details.elements.compactMap(ChatOutcome.state)
            if !sealed.isEmpty {
                // What carries no text of its own has it in the message, which is that of the only one.
                let text = sealed.count == 1 ? content ?? shown ?? "" : ""
                return sealed.map { state, own in
                    .reasoning(ReasoningPart(own ?? text, state: state, itemID: state.itemID))
                }
            }
            // A damaged envelope is nobody's state.
            if !details.elements.contains(where: ChatOutcome.isEnvelope) {
                var part = ReasoningPart(
                    content ?? shown ?? "",
                    state: ReasoningState(.reasoningDetails, origin: nil, bytes: source.json(details).bytes))
                if let shown = message.field("reasoning") {
                    part.extra = [ExtraMember("reasoning", source.json(shown))]
                }
                return [.reasoning(part)]
            }
        }
        if let content {
            return [
                .reasoning(
                    ReasoningPart(
                        content,
                        state: ReasoningState(.reasoningContent, origin: nil, bytes: Array(content.utf8))))
            ]
        }
        guard let shown, let json = message.field("reasoning") else { return [] }
        var part = ReasoningPart(shown)
        part.extra = [ExtraMember("reasoning", source.json(json))]
        return [.reasoning(part)]
    }

    private func call(_ value: JSONValue) throws(FieldError) -> ToolCall {
        guard value.isObject else { throw FieldError("", "must be an object") }
        let isCustom = value.member("type")?.isString("custom") == true
        let member: StaticString = isCustom ? "custom" : "function"
        guard let described = try value.object(member) else { throw FieldError("\(member)", "is missing") }
        var call: ToolCall
        let id = try value.identifier("id")
        do throws(FieldError) {
            let name = try described.identifier("name")
            // Clients that keep parsed arguments write them as the object that they are.
            let given = described.field("arguments")
            let arguments =
                try isCustom
                ? described.text("input") ?? ""
                : given?.isObject == true
                    ? given.map { source.json($0).text } ?? "" : described.text("arguments") ?? ""
            call = ToolCall(id: id, name: name, form: isCustom ? .custom : .function, arguments: arguments)
        } catch {
            throw error.within("\(member)")
        }
        call.extra = source.extraMembers(
            of: value,
            besides: isCustom ? ["id", "type", "custom", "index"] : ["id", "type", "function", "index"])
        return call
    }

    // MARK: - Results

    /// Results that follow each other are one turn, as the calls that they belong to are.
    private mutating func readResult(_ message: JSONValue, callID: String) throws(FieldError) {
        var result = ToolResult(callID: callID, content: try content(message, isRequired: false))
        result.extra = source.extraMembers(of: message, besides: ["role", "content", "tool_call_id", "name"])
        if let last = turns.indices.last, turns[last].isResults {
            turns[last].parts.append(.toolResult(result))
        } else {
            turns.append(Turn(.user, [.toolResult(result)]))
        }
    }
}

extension Turn {
    /// It holds nothing but results.
    fileprivate var isResults: Bool {
        role == .user && extra.isEmpty
            && parts.allSatisfy { if case .toolResult = $0 { true } else { false } }
    }
}
