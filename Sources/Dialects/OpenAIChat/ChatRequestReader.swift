// SPDX-License-Identifier: Apache-2.0
// Reads a Chat Completions request into the canonical form: its top level. Messages and tools are in the files beside it.
// Source: OpenAI API reference (chat completions), openai-python 3.52 (completion_create_params); OpenRouter (reasoning),
// DeepSeek, GLM and Kimi (thinking), Qwen (enable_thinking, thinking_budget), 2026.

import Gateway
import JSON

struct ChatRequestReader {
    let source: RequestSource

    private static let known: [StaticString] = [
        "model", "messages", "tools", "functions", "tool_choice", "function_call", "parallel_tool_calls",
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "seed",
        "presence_penalty", "frequency_penalty", "stream", "stream_options", "response_format",
        "reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget", "verbosity",
        "service_tier", "safety_identifier", "user", "prompt_cache_key", "metadata", "n",
    ]

    func request() throws(FieldError) -> CanonicalRequest {
        let root = source.root
        guard root.isObject else { throw FieldError("", "must be an object") }
        let streams = try root.flag("stream") ?? false
        var request = CanonicalRequest(
            dialect: .chat, model: source.model, streaming: source.streaming ?? streams)
        if let n = try root.integer("n"), n != 1 { throw FieldError("n", "must be 1") }
        if let options = try root.object("stream_options") {
            do throws(FieldError) {
                request.wantsStreamUsage = try options.flag("include_usage") ?? false
            } catch {
                throw error.within("stream_options")
            }
        }
        try readMessages(root, &request)
        try readTools(root, &request)
        try readFormat(root, &request)
        try readReasoning(root, &request)
        let earlierMaximum = try root.integer("max_tokens")
        request.sampling.maxTokens = try root.integer("max_completion_tokens")
        if request.sampling.maxTokens == nil { request.sampling.maxTokens = earlierMaximum }
        request.sampling.temperature = try root.number("temperature")
        request.sampling.topP = try root.number("top_p")
        request.sampling.topK = try root.integer("top_k")
        request.sampling.stop = try stops(root)
        request.sampling.seed = try root.integer("seed")
        request.sampling.presencePenalty = try root.number("presence_penalty")
        request.sampling.frequencyPenalty = try root.number("frequency_penalty")
        request.verbosity = try root.text("verbosity")
        request.serviceTier = try root.text("service_tier")
        let user = try root.text("user")
        request.userID = try root.text("safety_identifier")
        if request.userID == nil { request.userID = user }
        request.cacheKey = try root.text("prompt_cache_key")
        request.metadata = try source.objectJSON("metadata", of: root)
        request.extra += source.extraMembers(of: root, besides: Self.known)
        return request
    }

    private func readMessages(_ root: JSONValue, _ request: inout CanonicalRequest) throws(FieldError) {
        guard root.field("messages") != nil else { throw FieldError("messages", "is missing") }
        var messages = ChatMessageReader(source: source)
        try root.readList("messages") { (message) throws(FieldError) in try messages.read(message) }
        request.system = messages.system
        request.turns = messages.turns
    }

    private func stops(_ root: JSONValue) throws(FieldError) -> [String] {
        guard let value = root.field("stop") else { return [] }
        if let text = value.string { return [text] }
        guard value.isArray else { throw FieldError("stop", "must be a string or an array") }
        return try root.texts("stop")
    }

    // MARK: - Parameters

    private func readFormat(_ root: JSONValue, _ request: inout CanonicalRequest) throws(FieldError) {
        guard let format = try root.object("response_format") else { return }
        do throws(FieldError) {
            switch try format.requiredText("type") {
            case "text": break
            case "json_object": request.outputFormat = .jsonObject
            case "json_schema":
                guard let described = try format.object("json_schema") else {
                    throw FieldError("json_schema", "is missing")
                }
                do throws(FieldError) {
                    request.outputFormat = .jsonSchema(
                        name: try described.text("name"),
                        schema: try source.objectJSON("schema", of: described)
                            ?? JSONText(#"{"type":"object"}"#),
                        strict: try described.flag("strict"))
                } catch {
                    throw error.within("json_schema")
                }
            default: throw FieldError("type", "must be \"text\", \"json_object\" or \"json_schema\"")
            }
        } catch {
            throw error.within("response_format")
        }
    }

    /// The effort, and what others than OpenAI have for it. The later ones say more.
    private func readReasoning(_ root: JSONValue, _ request: inout CanonicalRequest) throws(FieldError) {
        request.reasoning.effort = try root.text("reasoning_effort")
        if request.reasoning.effort == "none" { request.reasoning.mode = .off }
        if let isOn = try root.flag("enable_thinking") { request.reasoning.mode = isOn ? .adaptive : .off }
        if let budget = try root.integer("thinking_budget"), request.reasoning.mode != .off {
            request.reasoning.mode = .budget(budget)
        }
        if let thinking = try root.object("thinking") {
            do throws(FieldError) {
                switch try thinking.text("type") {
                case "disabled": request.reasoning.mode = .off
                default:
                    request.reasoning.mode =
                        try thinking.integer("budget_tokens").map { .budget($0) } ?? .adaptive
                }
            } catch {
                throw error.within("thinking")
            }
        }
        guard let reasoning = try root.object("reasoning") else { return }
        do throws(FieldError) {
            if let effort = try reasoning.text("effort") { request.reasoning.effort = effort }
            if request.reasoning.effort == "none" { request.reasoning.mode = .off }
            if let budget = try reasoning.integer("max_tokens") { request.reasoning.mode = .budget(budget) }
            if try reasoning.flag("enabled") == false { request.reasoning.mode = .off }
            if try reasoning.flag("exclude") == true { request.reasoning.display = .omitted }
        } catch {
            throw error.within("reasoning")
        }
    }
}
