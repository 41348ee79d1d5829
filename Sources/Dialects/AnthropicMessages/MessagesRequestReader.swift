// SPDX-License-Identifier: Apache-2.0
// Reads a Messages request into the canonical form: its top level and its messages.
// Source: Anthropic API reference (messages), anthropic-python 2.11 (message_create_params), 2026.

import Gateway
import JSON

struct MessagesRequestReader {
    let source: RequestSource
    private let blocks: MessagesBlockReader

    init(source: RequestSource) {
        self.source = source
        blocks = MessagesBlockReader(source: source)
    }

    private static let known: [StaticString] = [
        "model", "messages", "system", "tools", "tool_choice", "max_tokens", "thinking", "output_config",
        "output_format", "metadata", "temperature", "top_p", "top_k", "stop_sequences", "stream",
        "service_tier",
    ]

    func request() throws(FieldError) -> CanonicalRequest {
        let root = source.root
        guard root.isObject else { throw FieldError("", "must be an object") }
        let streams = try root.flag("stream") ?? false
        var request = CanonicalRequest(
            dialect: .messages, model: source.model, streaming: source.streaming ?? streams)
        do throws(FieldError) {
            request.system = try system(root)
        } catch {
            throw error.within("system")
        }
        guard root.field("messages") != nil else { throw FieldError("messages", "is missing") }
        try root.readList("messages") { (message) throws(FieldError) in
            request.turns.append(try turn(message))
        }
        try root.readList("tools") { (tool) throws(FieldError) in
            request.tools.append(try MessagesToolReader(source: source).tool(tool))
        }
        let choice = try root.object("tool_choice")
        do throws(FieldError) {
            try readToolChoice(choice, &request)
        } catch {
            throw error.within("tool_choice")
        }
        let thinking = try root.object("thinking")
        do throws(FieldError) {
            try readThinking(thinking, &request)
        } catch {
            throw error.within("thinking")
        }
        try readOutput(root, &request)
        if let metadata = try root.object("metadata") {
            do throws(FieldError) {
                request.userID = try metadata.text("user_id")
            } catch {
                throw error.within("metadata")
            }
            request.cacheKey = request.userID.flatMap(EndUser.session)
            request.extra += members(of: metadata, under: "metadata.", besides: ["user_id"])
        }
        request.sampling.maxTokens = try root.integer("max_tokens")
        request.sampling.temperature = try root.number("temperature")
        request.sampling.topP = try root.number("top_p")
        request.sampling.topK = try root.integer("top_k")
        request.sampling.stop = try root.texts("stop_sequences")
        request.serviceTier = try root.text("service_tier")
        request.extra += source.extraMembers(of: root, besides: Self.known)
        if root.field("compaction") != nil {
            // An answer in place of the compaction would be taken for the conversation.
            request.foreignRefusal =
                FieldError(
                    "compaction",
                    "is done by Anthropic only, and this provider is another; ask it for a summary instead"
                ).gatewayError
        }
        return request
    }

    /// Members of an object that is taken apart, under a name that says where they belong.
    private func members(of object: JSONValue, under prefix: String, besides known: [StaticString])
        -> [ExtraMember]
    {
        source.extraMembers(of: object, besides: known).map { ExtraMember(prefix + $0.name, $0.value) }
    }

    // MARK: - Messages

    private func system(_ root: JSONValue) throws(FieldError) -> [Part] {
        guard let system = root.field("system") else { return [] }
        if let text = source.string(system) { return [.text(TextPart(text))] }
        guard system.isArray else { throw FieldError("", "must be a string or an array") }
        var parts: [Part] = []
        try system.readElements { (block) throws(FieldError) in
            guard block.member("type")?.isString("text") == true else {
                throw FieldError("type", "must be \"text\"")
            }
            parts.append(.text(try blocks.text(block)))
        }
        return parts
    }

    private func turn(_ message: JSONValue) throws(FieldError) -> Turn {
        guard message.isObject else { throw FieldError("", "must be an object") }
        let name = try message.requiredText("role")
        let role: Turn.Role
        switch name {
        case "user": role = .user
        case "assistant": role = .assistant
        case "system": role = .system
        default: throw FieldError("role", "must be \"user\", \"assistant\" or \"system\"")
        }
        var turn = Turn(role, [])
        do throws(FieldError) {
            turn.parts = try blocks.content(message.field("content"))
        } catch {
            throw error.within("content")
        }
        turn.extra = source.extraMembers(of: message, besides: ["role", "content", "output_config"])
        if let config = try message.object("output_config") {
            do throws(FieldError) {
                turn.effort = try config.text("effort")
            } catch {
                throw error.within("output_config")
            }
            // Whole when it says more than the effort.
            if turn.effort == nil || config.count > 1 {
                turn.extra.append(ExtraMember("output_config", source.json(config)))
            }
        }
        return turn
    }

    // MARK: - Parameters

    private func readToolChoice(
        _ choice: JSONValue?, _ request: inout CanonicalRequest
    ) throws(FieldError) {
        guard let choice else { return }
        switch try choice.requiredText("type") {
        case "auto": request.toolChoice = .auto
        case "any": request.toolChoice = .any
        case "none": request.toolChoice = ToolChoice.none
        case "tool": request.toolChoice = .tool(ToolName(try choice.identifier("name")))
        default: throw FieldError("type", "must be \"auto\", \"any\", \"tool\" or \"none\"")
        }
        request.allowsParallelCalls = try choice.flag("disable_parallel_tool_use").map { !$0 }
        request.extra += members(
            of: choice, under: "tool_choice.", besides: ["type", "name", "disable_parallel_tool_use"])
    }

    private func readThinking(
        _ thinking: JSONValue?, _ request: inout CanonicalRequest
    ) throws(FieldError) {
        guard let thinking else { return }
        switch try thinking.requiredText("type") {
        case "enabled":
            guard let budget = try thinking.integer("budget_tokens") else {
                throw FieldError("budget_tokens", "is missing")
            }
            request.reasoning.mode = .budget(budget)
        case "adaptive": request.reasoning.mode = .adaptive
        case "disabled": request.reasoning.mode = .off
        default: throw FieldError("type", "must be \"enabled\", \"adaptive\" or \"disabled\"")
        }
        var known: [StaticString] = ["type", "budget_tokens"]
        if let display = try thinking.text("display").flatMap(ReasoningRequest.Display.init) {
            request.reasoning.display = display
            known.append("display")
        }
        request.extra += members(of: thinking, under: "thinking.", besides: known)
    }

    private func readOutput(_ root: JSONValue, _ request: inout CanonicalRequest) throws(FieldError) {
        if let config = try root.object("output_config") {
            do throws(FieldError) {
                request.reasoning.effort = try config.text("effort")
                request.outputFormat = try format(config, "format")
            } catch {
                throw error.within("output_config")
            }
            request.extra += members(of: config, under: "output_config.", besides: ["effort", "format"])
        }
        // The name it had before output_config.
        if let format = try format(root, "output_format") { request.outputFormat = format }
    }

    private func format(_ holder: JSONValue, _ name: StaticString) throws(FieldError) -> OutputFormat? {
        guard let format = try holder.object(name) else { return nil }
        do throws(FieldError) {
            guard format.member("type")?.isString("json_schema") == true else {
                throw FieldError("type", "must be \"json_schema\"")
            }
            guard let schema = try source.objectJSON("schema", of: format) else {
                throw FieldError("schema", "is missing")
            }
            return .jsonSchema(name: try format.text("name"), schema: schema, strict: nil)
        } catch {
            throw error.within("\(name)")
        }
    }
}
