// SPDX-License-Identifier: Apache-2.0
// Reads the content blocks of Messages requests.
// Source: Anthropic API reference (messages: content blocks), anthropic-python 2.11 (content_block_param), 2026.

import Gateway
import JSON

struct MessagesBlockReader {
    let source: RequestSource

    /// A message's content: a text, or blocks. The text and one block with it are the same to the model.
    func content(_ value: JSONValue?) throws(FieldError) -> [Part] {
        guard let value else { throw FieldError("", "is missing") }
        if let text = source.string(value) { return [.text(TextPart(text))] }
        guard value.isArray else { throw FieldError("", "must be a string or an array") }
        var parts: [Part] = []
        parts.reserveCapacity(value.count)
        try value.readElements { (block) throws(FieldError) in
            if !MessagesSearch.isOwn(block) { parts.append(try part(block)) }
        }
        return parts
    }

    private func part(_ block: JSONValue) throws(FieldError) -> Part {
        guard block.isObject else { throw FieldError("", "must be an object") }
        guard let type = block.member("type"), type.isString else {
            throw FieldError("type", block.field("type") == nil ? "is missing" : "must be a string")
        }
        if type.isString("text") { return .text(try text(block)) }
        if type.isString("tool_use") { return .toolCall(try toolUse(block)) }
        if type.isString("tool_result") { return .toolResult(try toolResult(block)) }
        if type.isString("thinking") { return .reasoning(try thinking(block)) }
        if type.isString("redacted_thinking") { return .reasoning(try redacted(block)) }
        if type.isString("image") { return try image(block) }
        if type.isString("document") { return try document(block) }
        let name = type.string ?? ""
        guard MessagesBlocks.isKnown(name) else { throw FieldError("type", "is no known type of a block") }
        return .opaque(
            OpaquePart(
                .messages, type: name, json: source.json(block), summary: MessagesBlocks.summary(of: block)))
    }

    func text(_ block: JSONValue) throws(FieldError) -> TextPart {
        var part = TextPart(
            try source.requiredString("text", of: block),
            cacheControl: try source.objectJSON("cache_control", of: block))
        part.extra = source.extraMembers(of: block, besides: ["type", "text", "cache_control"])
        if isOwnCitation(block) { part.extra.removeAll { $0.name == "citations" } }
        return part
    }

    /// Citations that ccr wrote in another provider's name: Anthropic would refuse their missing index.
    private func isOwnCitation(_ block: JSONValue) -> Bool {
        guard let citations = block.field("citations") else { return false }
        return citations.elements.contains { $0.member("encrypted_index")?.isString("") == true }
    }

    // MARK: - Thinking

    private func thinking(_ block: JSONValue) throws(FieldError) -> ReasoningPart {
        var part = ReasoningPart(try block.requiredText("thinking"))
        part.state = state(try block.text("signature") ?? "", .signature)
        part.itemID = part.state?.itemID
        part.extra = source.extraMembers(of: block, besides: ["type", "thinking", "signature"])
        return part
    }

    private func redacted(_ block: JSONValue) throws(FieldError) -> ReasoningPart {
        var part = ReasoningPart("", state: state(try block.requiredText("data"), .redacted))
        part.extra = source.extraMembers(of: block, besides: ["type", "data"])
        return part
    }

    /// What a client carries: an envelope of ccr, or a native field; nil for nothing and for a damaged envelope.
    private func state(_ text: String, _ form: ReasoningState.Form) -> ReasoningState? {
        if ReasoningEnvelope.isEnvelope(text) { return ReasoningEnvelope.open(text) }
        return text.isEmpty ? nil : ReasoningState(form, origin: nil, bytes: Array(text.utf8))
    }

    // MARK: - Media

    private func image(_ block: JSONValue) throws(FieldError) -> Part {
        let known: [StaticString] = ["type", "source", "cache_control"]
        guard let media = try block.object("source") else { throw FieldError("source", "is missing") }
        var part: ImagePart
        do throws(FieldError) {
            part = ImagePart(try mediaSource(media, allowsText: false))
        } catch {
            throw error.within("source")
        }
        part.cacheControl = try source.objectJSON("cache_control", of: block)
        part.extra = source.extraMembers(of: block, besides: known)
        return .image(part)
    }

    private func document(_ block: JSONValue) throws(FieldError) -> Part {
        guard let media = try block.object("source") else { throw FieldError("source", "is missing") }
        if media.member("type")?.isString("content") == true {
            return .opaque(
                OpaquePart(
                    .messages, type: "document", json: source.json(block),
                    summary: MessagesBlocks.texts(media.field("content"))))
        }
        var part: DocumentPart
        do throws(FieldError) {
            part = DocumentPart(try mediaSource(media, allowsText: true))
        } catch {
            throw error.within("source")
        }
        part.title = try block.text("title")
        part.context = try block.text("context")
        part.cacheControl = try source.objectJSON("cache_control", of: block)
        part.extra = source.extraMembers(
            of: block, besides: ["type", "source", "title", "context", "cache_control"])
        return .document(part)
    }

    private func mediaSource(_ media: JSONValue, allowsText: Bool) throws(FieldError) -> MediaSource {
        switch try media.requiredText("type") {
        case "base64":
            let type = try media.identifier("media_type")
            guard let data = MediaText.standardBase64(try media.requiredText("data")) else {
                throw FieldError("data", "is no base64")
            }
            return .base64(mediaType: type, data: data)
        case "url": return .url(try media.identifier("url"))
        case "file": return .file(id: try media.identifier("file_id"))
        case "text" where allowsText: return .text(try media.requiredText("data"))
        default: throw FieldError("type", "is no known type of a source")
        }
    }

    // MARK: - Tools

    private func toolUse(_ block: JSONValue) throws(FieldError) -> ToolCall {
        guard let input = try source.objectJSON("input", of: block) else {
            throw FieldError("input", "is missing")
        }
        var call = ToolCall(
            id: try block.identifier("id"), name: try block.identifier("name"), arguments: input.text)
        call.cacheControl = try source.objectJSON("cache_control", of: block)
        call.extra = source.extraMembers(
            of: block, besides: ["type", "id", "name", "input", "cache_control"])
        return call
    }

    private func toolResult(_ block: JSONValue) throws(FieldError) -> ToolResult {
        var result = ToolResult(callID: try block.identifier("tool_use_id"), content: [])
        if let content = block.field("content") {
            do throws(FieldError) {
                result.content = try self.content(content)
            } catch {
                throw error.within("content")
            }
            for (index, part) in result.content.enumerated() {
                switch part {
                case .text, .image, .document, .opaque: break
                case .reasoning, .toolCall, .toolResult, .refusal:
                    throw FieldError("type", "cannot be part of a result").within(index).within("content")
                }
            }
            try content.readElements { (element) throws(FieldError) in
                guard element.member("type")?.isString("tool_reference") == true else { return }
                result.loadedTools.append(Tool(.function, name: try element.identifier("tool_name")))
            }
        }
        result.isError = try block.flag("is_error") ?? false
        result.cacheControl = try source.objectJSON("cache_control", of: block)
        result.extra = source.extraMembers(
            of: block, besides: ["type", "tool_use_id", "content", "is_error", "cache_control"])
        return result
    }
}
