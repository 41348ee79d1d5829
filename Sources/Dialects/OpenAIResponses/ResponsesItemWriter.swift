// SPDX-License-Identifier: Apache-2.0
// Writes a conversation as the input of a Responses request: turns become items.
// Source: OpenAI API reference (responses/create, input items) and openai-python 3.52, 2026-08. Observed of OpenAI: an
// item's id must begin with the letters of its type and have at most 64 bytes; each call needs one output; a
// reasoning item stands before what came of it.

import Gateway
import JSON

struct ResponsesItemWriter {
    private let request: CanonicalRequest
    private let target: RequestTarget
    private let tools: ResponsesToolWriter
    private(set) var notes: RequestNotes
    /// The texts that stand before the conversation; complete after `writeInput`.
    private(set) var instructions: String?
    private var callIDs = CallIDTable()
    /// Images of results that follow in a message, since the provider takes none in results.
    private var lateMedia: [Part] = []
    /// How each call was written, which its output must follow.
    private var callForms: [String: CallForm] = [:]

    private var isOwn: Bool { request.dialect == .responses }
    private var rules: UpstreamRules { target.rules }

    init(
        _ request: CanonicalRequest, _ target: RequestTarget, _ tools: ResponsesToolWriter,
        _ notes: RequestNotes
    ) {
        self.request = request
        self.target = target
        self.tools = tools
        self.notes = notes
    }

    /// Writes the value of `input`, an array.
    mutating func writeInput(to writer: inout JSONWriter) {
        let system = takeInstructions()
        let turns = Pairing.paired(request.turns, &notes.losses)
        writer.array { writer in
            writeMessages(system, role: operatorRole, [], &writer)
            for turn in turns { write(turn, &writer) }
        }
    }

    /// Both words mean the same; a client's own choice stands unless the provider refuses it.
    private var operatorRole: String { isOwn || rules.systemRole == .developer ? "developer" : "system" }

    /// Texts that are part of no message are the instructions; returns what is left of the system's parts.
    private mutating func takeInstructions() -> [Part] {
        var texts: [String] = []
        var rest: [Part] = []
        for (index, part) in request.system.enumerated() {
            if case .text(let text) = part, text.messageID == nil, text.messageExtra.isEmpty,
                !rest.contains(where: { if case .text = $0 { true } else { false } })
            {
                if index == 0, text.isBillingHeader { continue }
                if text.cacheControl != nil { notes.losses.add(.cacheHint) }
                texts.append(text.text)
            } else {
                rest.append(part)
            }
        }
        if !texts.isEmpty { instructions = texts.joined(separator: "\n\n") }
        return rest
    }

    private mutating func write(_ turn: Turn, _ writer: inout JSONWriter) {
        if !isOwn, !turn.extra.isEmpty { notes.losses.add(.member, turn.extra.count) }
        switch turn.role {
        case .system where rules.systemPlacement == .leading:
            writeMessages(OperatorNote.parts(turn.parts, &notes.losses), role: "user", [], &writer)
        case .system: writeMessages(turn.parts, role: operatorRole, turn.extra, &writer)
        case .assistant: writeMessages(turn.parts, role: "assistant", turn.extra, &writer)
        case .user:
            var rest: [Part] = []
            for part in turn.parts {
                if case .toolResult(let result) = part {
                    writeResult(result, &writer)
                } else {
                    rest.append(part)
                }
            }
            let media = lateMedia
            lateMedia = []
            writeMessages(media + rest, role: "user", turn.extra, &writer)
        }
    }

    // MARK: - Messages

    /// Writes parts in order; what can stand in a message and belongs together becomes one.
    private mutating func writeMessages(
        _ parts: [Part], role: String, _ extra: [ExtraMember], _ writer: inout JSONWriter
    ) {
        var message: [Part] = []
        var first: TextPart?
        for part in parts {
            switch part {
            case .text(let text):
                if let known = first, known.messageID != text.messageID || known.phase != text.phase {
                    writeMessage(message, role, known, extra, &writer)
                    message = []
                }
                if message.isEmpty || first == nil { first = text }
                message.append(part)
                continue
            case .image, .document, .refusal:
                message.append(part)
                continue
            case .opaque(let opaque) where isOwn && opaque.isResponsesContent:
                message.append(part)
                continue
            case .reasoning, .toolCall, .toolResult, .opaque: break
            }
            writeMessage(message, role, first, extra, &writer)
            message = []
            first = nil
            writeItem(part, role, &writer)
        }
        writeMessage(message, role, first, extra, &writer)
    }

    private mutating func writeItem(_ part: Part, _ role: String, _ writer: inout JSONWriter) {
        switch part {
        case .reasoning(let reasoning): writeReasoning(reasoning, &writer)
        case .toolCall(let call): writeCall(call, &writer)
        case .opaque(let opaque):
            if isOwn, opaque.type == "additional_tools", !tools.isNative {
                // Its tools are among the others.
            } else if isOwn {
                writer.raw(opaque.json.bytes)
            } else {
                notes.losses.add(.opaquePart)
                guard let summary = opaque.summary else { return }
                writeMessage([.text(TextPart(summary))], role, nil, [], &writer)
            }
        // A result is written with its turn; the others stand in messages.
        case .toolResult, .text, .image, .document, .refusal: break
        }
    }

    private mutating func writeMessage(
        _ parts: [Part], _ role: String, _ first: TextPart?, _ extra: [ExtraMember],
        _ writer: inout JSONWriter
    ) {
        guard !parts.isEmpty else { return }
        var own = isOwn ? (first?.messageExtra ?? []) + extra : []
        if rules.systemRole == .developer { own.removeAll { $0.name == "role" } }
        let id = validID(first?.messageID, "msg_")
        var content = JSONWriter()
        content.array { content in
            for part in parts { writeContent(part, isAnswer: role == "assistant", &content) }
        }
        guard content.bytes.count > 2 else { return }
        writer.object { writer in
            writer.member("type", "message")
            writer.optional("id", id)
            if !own.contains(where: { $0.name == "role" }) { writer.member("role", role) }
            if role == "assistant", id != nil, !own.contains(where: { $0.name == "status" }) {
                writer.member("status", "completed")
            }
            writer.member("content", json: JSONText(content.bytes))
            writer.optional("phase", first?.phase)
            writer.members(own)
        }
    }

    private mutating func writeContent(_ part: Part, isAnswer: Bool, _ writer: inout JSONWriter) {
        switch part {
        case .text(let text):
            if text.cacheControl != nil { notes.losses.add(.cacheHint) }
            if !isOwn { notes.losses.add(.member, text.extra.count) }
            writer.object { writer in
                writer.member("type", isAnswer ? "output_text" : "input_text")
                writer.member("text", text.content)
                if isAnswer, !text.extra.contains(where: { $0.name == "annotations" }) {
                    writer.member("annotations", array: { _ in })
                }
                if isOwn { writer.members(text.extra) }
            }
        case .image, .document: writeMedia(part, isAnswer: isAnswer, &writer)
        case .refusal(let text):
            writer.object { writer in
                writer.member("type", isAnswer ? "refusal" : "input_text")
                writer.member(isAnswer ? "refusal" : "text", text)
            }
        case .opaque(let opaque): writer.raw(opaque.json.bytes)
        case .reasoning, .toolCall, .toolResult: break
        }
    }

    // MARK: - Images and documents

    private mutating func writeMedia(_ part: Part, isAnswer: Bool, _ writer: inout JSONWriter) {
        // The model's own pictures have no place in its messages.
        guard !isAnswer else { return notes.losses.add(.media) }
        switch part {
        case .image(let image):
            if image.cacheControl != nil { notes.losses.add(.cacheHint) }
            write(image, &writer)
        case .document(let document):
            if document.cacheControl != nil { notes.losses.add(.cacheHint) }
            write(document, &writer)
        case .text, .reasoning, .toolCall, .toolResult, .refusal, .opaque: break
        }
    }

    /// Whether the provider takes a file from where it is.
    private func isReachable(_ source: MediaSource) -> Bool {
        if case .url = source { isOwn || !rules.has(.noImageURLs) } else { true }
    }

    private mutating func write(_ image: ImagePart, _ writer: inout JSONWriter) {
        guard !rules.has(.noImages), isReachable(image.source) else {
            notes.losses.add(.media)
            return writeInputText("[an image that this model cannot see]", &writer)
        }
        let name: StaticString
        let value: String
        switch image.source {
        case .base64(let mediaType, let data):
            (name, value) = ("image_url", MediaText.dataURL(mediaType: mediaType, data: data))
        case .url(let url): (name, value) = ("image_url", url)
        case .file(let id) where isOwn: (name, value) = ("file_id", id)
        case .file, .text:
            notes.losses.add(.media)
            return writeInputText("[an image that is not available]", &writer)
        }
        writer.object { writer in
            writer.member("type", "input_image")
            writer.member(name, value)
            writer.optional("detail", image.detail)
            if isOwn { writer.members(image.extra) }
        }
    }

    private mutating func write(_ document: DocumentPart, _ writer: inout JSONWriter) {
        if let context = document.context { writeInputText(context, &writer) }
        let isText = if case .text = document.source { true } else { false }
        guard isText || (!rules.has(.noDocuments) && isReachable(document.source)) else {
            notes.losses.add(.media)
            return writeInputText("[a document that this model cannot read]", &writer)
        }
        let name: StaticString
        let value: String
        switch document.source {
        case .base64(let mediaType, let data):
            (name, value) = ("file_data", MediaText.dataURL(mediaType: mediaType, data: data))
        case .url(let url): (name, value) = ("file_url", url)
        case .file(let id) where isOwn: (name, value) = ("file_id", id)
        case .file:
            notes.losses.add(.media)
            return writeInputText("[a document that is not available]", &writer)
        case .text(let text):
            return writeInputText(document.title.map { "\($0)\n\n\(text)" } ?? text, &writer)
        }
        writer.object { writer in
            writer.member("type", "input_file")
            if case .base64 = document.source {
                writer.member("filename", document.title ?? "document.pdf")
            } else if isOwn {
                writer.optional("filename", document.title)
            }
            writer.member(name, value)
            if isOwn { writer.members(document.extra) }
        }
    }

    private func writeInputText(_ text: String, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "input_text")
            writer.member("text", text)
        }
    }

    // MARK: - Reasoning

    private mutating func writeReasoning(_ part: ReasoningPart, _ writer: inout JSONWriter) {
        guard let state = part.state else {
            // Thoughts without a state are of use only where they are the thoughts themselves.
            guard isOwn, !part.isSummary, !part.text.isEmpty else {
                if !part.text.isEmpty { notes.losses.add(.reasoningText) }
                return
            }
            return writeReasoning(part, id: part.itemID, encrypted: nil, &writer)
        }
        guard !rules.has(.noEncryptedReasoning), state.form == .encryptedContent,
            target.accepts(state, dialect: .responses, of: request)
        else {
            return notes.losses.add(.foreignReasoning)
        }
        writeReasoning(
            part, id: state.itemID ?? (state.origin == nil ? part.itemID : nil),
            encrypted: String(decoding: state.bytes, as: UTF8.self), &writer)
    }

    private func writeReasoning(
        _ part: ReasoningPart, id: String?, encrypted: String?, _ writer: inout JSONWriter
    ) {
        let own = isOwn ? part.extra : []
        writer.object { writer in
            writer.member("type", "reasoning")
            writer.optional("id", validID(id, "rs_"))
            if !own.contains(where: { $0.name == "summary" }) {
                writer.member(
                    "summary",
                    array: { writer in
                        guard part.isSummary, !part.text.isEmpty else { return }
                        writer.object { writer in
                            writer.member("type", "summary_text")
                            writer.member("text", part.text)
                        }
                    })
            }
            if !part.isSummary, !own.contains(where: { $0.name == "content" }) {
                writer.member(
                    "content",
                    array: { writer in
                        writer.object { writer in
                            writer.member("type", "reasoning_text")
                            writer.member("text", part.text)
                        }
                    })
            }
            if let encrypted { writer.member("encrypted_content", encrypted) }
            writer.members(own)
        }
    }

    // MARK: - Calls and results

    private mutating func writeCall(_ call: ToolCall, _ writer: inout JSONWriter) {
        if call.cacheControl != nil { notes.losses.add(.cacheHint) }
        if !isOwn { notes.losses.add(.member, call.extra.count) }
        let form = tools.form(of: call)
        callForms[call.id] = form
        let name = tools.name(of: call, &notes)
        let id = validID(call.itemID, ResponsesItemID.prefix(form))
        let callID = callIDs.wireID(call.id)
        writer.object { writer in
            switch form {
            case .function:
                writer.member("type", "function_call")
                writer.member("name", name.name)
                writer.optional("namespace", name.namespace)
                writer.member("arguments", tools.arguments(of: call))
            case .custom:
                writer.member("type", "custom_tool_call")
                writer.member("name", name.name)
                writer.optional("namespace", name.namespace)
                writer.member("input", call.arguments)
            case .toolSearch:
                writer.member("type", "tool_search_call")
                if !call.extra.contains(where: { $0.name == "execution" }) {
                    writer.member("execution", "client")
                }
                writer.member("arguments", json: JSONText.object(ofArguments: call.arguments))
            case .localShell:
                writer.member("type", "local_shell_call")
                writer.member("action", json: JSONText.object(ofArguments: call.arguments))
            }
            writer.optional("id", id)
            writer.member("call_id", callID)
            let needsStatus = id != nil || form == .toolSearch || form == .localShell
            if needsStatus, !isOwn || !call.extra.contains(where: { $0.name == "status" }) {
                writer.member("status", "completed")
            }
            if isOwn { writer.members(call.extra) }
        }
    }

    private mutating func writeResult(_ result: ToolResult, _ writer: inout JSONWriter) {
        if result.cacheControl != nil { notes.losses.add(.cacheHint) }
        if !isOwn { notes.losses.add(.member, result.extra.count) }
        let form = callForms[result.callID] ?? .function
        let callID = callIDs.wireID(result.callID)
        var late: [Part] = []
        let output = form == .toolSearch ? JSONText("") : output(of: result, &late)
        writer.object { writer in
            switch form {
            case .function: writer.member("type", "function_call_output")
            case .custom: writer.member("type", "custom_tool_call_output")
            case .localShell: writer.member("type", "local_shell_call_output")
            case .toolSearch: writer.member("type", "tool_search_output")
            }
            writer.optional("id", isOwn ? validID(result.itemID, "") : nil)
            writer.member("call_id", callID)
            if form == .toolSearch {
                for (name, value) in [("execution", "client"), ("status", "completed")]
                where !result.extra.contains(where: { $0.name == name }) {
                    writer.key(name)
                    writer.string(value)
                }
                writer.member("tools", array: { tools.write(result.loadedTools, to: &$0) })
            } else {
                writer.member("output", json: output)
            }
            if isOwn { writer.members(result.extra) }
        }
        lateMedia += late
    }

    /// A string where the result is just that, else an array of parts.
    ///
    /// - Parameter late: receives what the provider does not take here.
    private mutating func output(of result: ToolResult, _ late: inout [Part]) -> JSONText {
        var content = result.content
        if rules.has(.noResultImages) {
            let media = content.filter(\.isMedia)
            if !media.isEmpty { late = [.text(TextPart("[of the result of \(result.callID)]"))] + media }
            content.removeAll(where: \.isMedia)
        }
        for tool in result.loadedTools {
            content.append(.text(TextPart("tool \(tool.name) is now available")))
        }
        var writer = JSONWriter()
        let prefix = result.isError ? "Error: " : ""
        if content.isEmpty {
            writer.string(prefix)
        } else if content.count == 1, case .text(let text) = content[0], !isOwn || text.extra.isEmpty {
            writer.string(
                result.isError ? .joined([JSONString(prefix), text.content], separator: "") : text.content)
        } else {
            if result.isError {
                if case .text(var text) = content[0] {
                    text.content = .joined([JSONString(prefix), text.content], separator: "")
                    content[0] = .text(text)
                } else {
                    content.insert(.text(TextPart("Error:")), at: 0)
                }
            }
            writer.array { writer in
                for part in content {
                    if case .opaque(let opaque) = part, !isOwn {
                        notes.losses.add(.opaquePart)
                        if let summary = opaque.summary { writeInputText(summary, &writer) }
                    } else {
                        writeContent(part, isAnswer: false, &writer)
                    }
                }
            }
        }
        return JSONText(writer.bytes)
    }

    /// The id of an item, if a provider of this dialect can have made it.
    private func validID(_ id: String?, _ prefix: String) -> String? {
        guard isOwn || prefix == "rs_", let id, ResponsesItemID.isValid(id, prefix: prefix) else {
            return nil
        }
        return id
    }
}
