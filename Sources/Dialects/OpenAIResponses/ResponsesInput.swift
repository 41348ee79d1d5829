// SPDX-License-Identifier: Apache-2.0
// Reads the input of a Responses request: items become parts of turns. Everything the model wrote in a row is one turn,
// results in a row are one turn, and each message of another role is one.
// Source: OpenAI API reference (responses/create, input items), openai-python 3.52; items of codex-cli 0.163.0.

import Gateway
import JSON

struct ResponsesInput {
    private let source: RequestSource
    /// What stands before the conversation, in order; parts of a message share its id.
    private(set) var system: [Part] = []
    private(set) var turns: [Turn] = []
    /// Declared by `additional_tools`.
    private(set) var inlineTools: [Tool] = []
    private var callIDs: Set<String> = []
    /// What a provider of another dialect cannot go on with: the last compaction that a provider sealed, else approvals.
    var foreignRefusal: GatewayError? { (sealed ?? approvals.first?.error)?.gatewayError }
    private var sealed: FieldError?
    /// Approvals of calls that have not been made, by the id of what asked for them.
    private var approvals: [(request: String, error: FieldError)] = []
    /// The last item asks for a compaction.
    private(set) var compacts = false

    init(_ source: RequestSource) {
        self.source = source
    }

    mutating func read(_ input: JSONValue) throws(FieldError) {
        if let text = source.string(input) {
            turns = [Turn(.user, [.text(TextPart(text))])]
            return
        }
        guard input.isArray else { throw FieldError("", "must be a string or an array") }
        var index = 0
        for item in input.elements {
            do throws(FieldError) {
                compacts = item.member("type")?.isString("compaction_trigger") == true
                try read(item: item)
                if Compaction.isItem(item) { try readCompaction(item, index) }
                try readApproval(item, index)
            } catch {
                throw error.within(index)
            }
            index += 1
        }
    }

    private mutating func read(item: JSONValue) throws(FieldError) {
        guard item.isObject else { throw FieldError("", "must be an object") }
        switch try item.text("type") ?? "message" {
        case "message": try readMessage(item)
        case "reasoning": appendAssistant(.reasoning(try reasoning(item)))
        case "function_call": try appendCall(item, .function, arguments: try functionArguments(item))
        case "custom_tool_call":
            try appendCall(item, .custom, arguments: try item.requiredText("input"))
        case "tool_search_call" where item.field("call_id") != nil:
            try appendCall(
                item, .toolSearch, name: "tool_search", arguments: try objectArguments("arguments", item))
        case "local_shell_call" where item.field("call_id") != nil:
            try appendCall(
                item, .localShell, name: "local_shell", arguments: try objectArguments("action", item))
        case "function_call_output": try appendResult(item, .function)
        case "custom_tool_call_output": try appendResult(item, .custom)
        case "local_shell_call_output": try appendResult(item, .localShell)
        case "tool_search_output" where item.field("call_id") != nil: try appendSearchResult(item)
        case "additional_tools": try readAdditionalTools(item)
        // Read with its place.
        case _ where Compaction.isItem(item): break
        case "item_reference":
            throw FieldError(
                "type",
                "item_reference needs a stored conversation, which this provider does not have; send the item"
            )
        case "agent_message": append(opaque(item, summary: messageText(item)), role: .user)
        case "mcp_approval_response": append(opaque(item, summary: refusedApproval(item)), role: .user)
        case "compaction_trigger", "computer_call_output", "shell_call_output",
            "apply_patch_call_output":
            append(opaque(item, summary: nil), role: .user)
        case let type: appendAssistant(opaque(item, summary: summary(item, type)))
        }
    }

    // MARK: - Messages

    private mutating func readMessage(_ item: JSONValue) throws(FieldError) {
        let role = try item.requiredText("role")
        let id = try item.text("id")
        let phase = try item.text("phase")
        var extra = source.extraMembers(
            of: item, besides: ["type", "id", "role", "content", "phase", "status"])
        if let status = item.field("status"), !status.isString("completed") {
            extra.append(ExtraMember("status", source.json(status)))
        }
        var parts = try content(of: item, "content")
        var isFirst = true
        for index in parts.indices {
            guard case .text(var text) = parts[index] else { continue }
            text.messageID = id
            text.phase = phase
            if isFirst {
                text.messageExtra = extra
                // The canonical form has one role for both.
                if role == "system" {
                    text.messageExtra.insert(ExtraMember("role", JSONText("\"system\"")), at: 0)
                }
                isFirst = false
            }
            parts[index] = .text(text)
        }
        // Without a text there is nowhere else to keep them.
        if isFirst, let id = item.field("id") { extra.insert(ExtraMember("id", source.json(id)), at: 0) }
        switch role {
        case "user": turns.append(Turn(.user, parts, extra: isFirst ? extra : []))
        case "developer", "system":
            if turns.isEmpty {
                system.append(contentsOf: parts)
            } else {
                turns.append(Turn(.system, parts, extra: isFirst ? extra : []))
            }
        case "assistant": appendAnswer(parts, id: id)
        default: throw FieldError("role", "must be user, assistant, developer or system")
        }
    }

    /// A further message without an id would otherwise become one with the message before it.
    private mutating func appendAnswer(_ parts: [Part], id: String?) {
        if id == nil, case .text(let last)? = turns.last?.parts.last, last.messageID == nil {
            turns.append(Turn(.assistant, []))
        }
        for part in parts { appendAssistant(part) }
    }

    /// A string or an array of parts.
    private func content(of item: JSONValue, _ name: StaticString) throws(FieldError) -> [Part] {
        guard let content = item.field(name) else { throw FieldError("\(name)", "is missing") }
        if let text = source.string(content) { return [.text(TextPart(text))] }
        guard content.isArray else { throw FieldError("\(name)", "must be a string or an array") }
        var parts: [Part] = []
        do throws(FieldError) {
            try content.readElements { (element) throws(FieldError) in parts.append(try part(element)) }
        } catch {
            throw error.within("\(name)")
        }
        return parts
    }

    private func part(_ value: JSONValue) throws(FieldError) -> Part {
        guard value.isObject else { throw FieldError("", "must be an object") }
        switch try value.identifier("type") {
        case "input_text", "output_text", "text":
            var text = TextPart(try source.requiredString("text", of: value))
            text.extra = source.extraMembers(of: value, besides: ["type", "text"])
            // Every text of an answer has these, mostly empty.
            text.extra.removeAll { ["annotations", "logprobs"].contains($0.name) && $0.value.text == "[]" }
            return .text(text)
        case "input_image": return .image(try image(value))
        case "input_file": return .document(try document(value))
        case "refusal": return .refusal(try value.requiredText("refusal"))
        case Recording.type: return .opaque(try Recording.part(value, .responses, source))
        case let type: return .opaque(OpaquePart(.responses, type: type, json: source.json(value)))
        }
    }

    private func image(_ value: JSONValue) throws(FieldError) -> ImagePart {
        let media: MediaSource
        if let id = try value.text("file_id") {
            media = .file(id: id)
        } else if let url = try value.text("image_url") {
            media = try source(url: url, "image_url")
        } else {
            throw FieldError("image_url", "is missing")
        }
        var image = ImagePart(media, detail: try value.text("detail"))
        image.extra = source.extraMembers(of: value, besides: ["type", "image_url", "file_id", "detail"])
        return image
    }

    private func document(_ value: JSONValue) throws(FieldError) -> DocumentPart {
        let media: MediaSource
        if let data = try value.text("file_data") {
            let isURL = data.utf8.prefix(5).elementsEqual("data:".utf8)
            media = try source(url: isURL ? data : "data:application/pdf;base64," + data, "file_data")
        } else if let url = try value.text("file_url") {
            media = try source(url: url, "file_url")
        } else if let id = try value.text("file_id") {
            media = .file(id: id)
        } else {
            throw FieldError("file_data", "is missing")
        }
        var document = DocumentPart(media, title: try value.text("filename"))
        document.extra = source.extraMembers(
            of: value, besides: ["type", "file_data", "file_url", "file_id", "filename"])
        return document
    }

    private func source(url: String, _ name: String) throws(FieldError) -> MediaSource {
        do throws(FieldError) {
            return try MediaText.source(url: url)
        } catch {
            throw error.within(name)
        }
    }

    // MARK: - Reasoning

    private func reasoning(_ item: JSONValue) throws(FieldError) -> ReasoningPart {
        let summary = try texts(of: item, "summary")
        let content = try texts(of: item, "content")
        let isSummary = !summary.isEmpty || content.isEmpty
        var part = ReasoningPart(
            (isSummary ? summary : content).joined(separator: "\n\n"), isSummary: isSummary)
        part.itemID = try item.text("id")
        if let text = try item.text("encrypted_content") {
            // An envelope that was damaged on its way is worth nothing to anybody.
            part.state =
                ReasoningEnvelope.isEnvelope(text)
                ? ReasoningEnvelope.open(text)
                : ReasoningState(.encryptedContent, origin: nil, bytes: Array(text.utf8), itemID: part.itemID)
        }
        part.extra = source.extraMembers(
            of: item, besides: ["type", "id", "summary", "content", "encrypted_content", "status"])
        if summary.count > 1, let value = item.field("summary") {
            part.extra.append(ExtraMember("summary", source.json(value)))
        }
        if !summary.isEmpty || content.count > 1, !content.isEmpty, let value = item.field("content") {
            part.extra.append(ExtraMember("content", source.json(value)))
        }
        return part
    }

    private func texts(of item: JSONValue, _ name: StaticString) throws(FieldError) -> [String] {
        var texts: [String] = []
        try item.readList(name) { (part) throws(FieldError) in texts.append(try part.requiredText("text")) }
        return texts
    }

    // MARK: - Calls and results

    private mutating func appendCall(
        _ item: JSONValue, _ form: CallForm, name fixedName: String? = nil, arguments: String
    ) throws(FieldError) {
        let id = try item.identifier("call_id")
        guard callIDs.insert(id).inserted else { throw FieldError("call_id", "is used by an earlier call") }
        let name: String
        if let fixedName { name = fixedName } else { name = try item.identifier("name") }
        var call = ToolCall(
            id: id, name: name, namespace: try item.text("namespace"), form: form, arguments: arguments,
            itemID: try item.text("id"))
        call.extra = source.extraMembers(
            of: item,
            besides: ["type", "id", "call_id", "name", "namespace", "arguments", "input", "action"])
        call.extra.removeAll { $0.name == "status" && $0.value.text == "\"completed\"" }
        call.extra.removeAll { $0.name == "execution" && $0.value.text == "\"client\"" }
        appendAssistant(.toolCall(call))
    }

    /// OpenAI writes them as a string; some bridges as the object itself.
    private func functionArguments(_ item: JSONValue) throws(FieldError) -> String {
        guard let value = item.field("arguments") else { return "" }
        return value.string ?? source.json(value).text
    }

    private func objectArguments(_ name: StaticString, _ item: JSONValue) throws(FieldError) -> String {
        try source.objectJSON(name, of: item)?.text ?? "{}"
    }

    private mutating func appendResult(_ item: JSONValue, _ form: CallForm) throws(FieldError) {
        // A local shell's output has the id of its call as its own.
        let callID =
            try item.field("call_id") == nil && form == .localShell
            ? item.identifier("id") : item.identifier("call_id")
        var result = ToolResult(callID: callID, form: form, content: try content(of: item, "output"))
        result.itemID = try item.text("id")
        result.extra = source.extraMembers(of: item, besides: ["type", "id", "call_id", "output"])
        append(result)
    }

    private mutating func appendSearchResult(_ item: JSONValue) throws(FieldError) {
        var result = ToolResult(callID: try item.identifier("call_id"), form: .toolSearch, content: [])
        var tools = ResponsesTools(source)
        try item.readList("tools") { (tool) throws(FieldError) in try tools.read(tool) }
        result.loadedTools = tools.tools
        result.itemID = try item.text("id")
        result.extra = source.extraMembers(of: item, besides: ["type", "id", "call_id", "tools"])
        result.extra.removeAll { $0.name == "status" && $0.value.text == "\"completed\"" }
        result.extra.removeAll { $0.name == "execution" && $0.value.text == "\"client\"" }
        append(result)
    }

    private mutating func append(_ result: ToolResult) {
        if turns.last?.role == .user, case .toolResult? = turns.last?.parts.last {
            turns[turns.count - 1].parts.append(.toolResult(result))
        } else {
            turns.append(Turn(.user, [.toolResult(result)]))
        }
    }

    // MARK: - What only Responses has

    /// A summary in place of what stood before it: ccr's own is text again, any other passes to its provider.
    private mutating func readCompaction(_ item: JSONValue, _ index: Int) throws(FieldError) {
        if let sealed = try item.text("encrypted_content"), let text = Compaction.summary(ofItem: sealed) {
            return turns.append(Turn(.user, [.text(TextPart(text))]))
        }
        // Without content it is a mark in the history.
        if item.field("encrypted_content") != nil {
            sealed = FieldError(
                "input[\(index)].encrypted_content",
                "can be read by the provider that made it only; go back to it or start a new conversation")
        }
        appendAssistant(opaque(item, summary: nil))
    }

    /// What was approved and is still to be done, only the provider that asked can do.
    private mutating func readApproval(_ item: JSONValue, _ index: Int) throws(FieldError) {
        guard let type = item.member("type"), let request = try item.text("approval_request_id") else {
            return
        }
        if type.isString("mcp_call") { return approvals.removeAll { $0.request == request } }
        guard type.isString("mcp_approval_response"), try item.flag("approve") == true else { return }
        approvals.append(
            (
                request,
                FieldError(
                    "input[\(index)].approval_request_id",
                    "approves a call that only the provider which asked can make; go back to it or leave the item out"
                )
            ))
    }

    private func refusedApproval(_ item: JSONValue) -> String? {
        guard item.member("approve")?.bool == false else { return nil }
        return (["[the call was not allowed]"] + [item.member("reason")?.string].compactMap { $0 })
            .joined(separator: "\n")
    }

    private mutating func readAdditionalTools(_ item: JSONValue) throws(FieldError) {
        var tools = ResponsesTools(source)
        try item.readList("tools") { (tool) throws(FieldError) in try tools.read(tool) }
        for var tool in tools.tools {
            tool.isInline = true
            inlineTools.append(tool)
        }
        if turns.isEmpty {
            system.append(opaque(item, summary: nil))
        } else {
            append(opaque(item, summary: nil), role: .system)
        }
    }

    private func opaque(_ item: JSONValue, summary: String?) -> Part {
        .opaque(
            OpaquePart(
                .responses, type: item.member("type")?.string ?? "", json: source.json(item), summary: summary
            ))
    }

    private func messageText(_ item: JSONValue) -> String? {
        let parts = item.member("content")?.elements.compactMap { part in
            part.member("text")?.string ?? part.member("encrypted_content")?.string
        }
        return parts.flatMap { $0.isEmpty ? nil : $0.joined(separator: "\n") }
    }

    /// What a model of another dialect should know of what the provider did by itself.
    private func summary(_ item: JSONValue, _ type: String) -> String? {
        switch type {
        case "web_search_call":
            let action = item.member("action")
            let subject = action?.member("query")?.string ?? action?.member("url")?.string
            return subject.map { "[searched the web: \($0)]" } ?? "[searched the web]"
        case "image_generation_call": return "[generated an image]"
        case "code_interpreter_call": return item.member("code")?.string.map { "[ran code]\n\($0)" }
        case "file_search_call": return "[searched files]"
        case "mcp_call":
            let use = ProviderRun.use(
                item.member("name")?.string ?? "a tool", input: item.member("arguments"))
            let error = item.field("error")
            guard let text = error.map(Self.words) ?? item.member("output")?.string else { return use }
            return use + "\n" + ProviderRun.result(isError: error != nil, [text])
        case "mcp_approval_request":
            return ProviderRun.question(
                item.member("name")?.string ?? "a tool", input: item.member("arguments"))
        default: return nil
        }
    }

    /// An error of an MCP server: words, or an object around them.
    private static func words(_ error: JSONValue) -> String {
        error.string ?? error.member("message")?.string ?? error.compactJSON.text
    }

    private mutating func appendAssistant(_ part: Part) { append(part, role: .assistant) }

    private mutating func append(_ part: Part, role: Turn.Role) {
        if role == .assistant, turns.last?.role == .assistant {
            turns[turns.count - 1].parts.append(part)
        } else {
            turns.append(Turn(role, [part]))
        }
    }
}
