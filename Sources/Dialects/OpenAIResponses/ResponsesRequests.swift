// SPDX-License-Identifier: Apache-2.0
// The top level of a Responses request, read and written. Input items and tools have files of their own.
// Source: OpenAI API reference (responses/create) and openai-python 3.52 (types/responses), 2026-08; request bodies of
// codex-cli 0.163.0.

package import Gateway
import JSON

/// The codec of OpenAI Responses requests.
package enum ResponsesRequests: RequestCodec {
    /// Members of the top level that the canonical form has a place for.
    private static let known: [StaticString] = [
        "model", "stream", "instructions", "input", "tools", "tool_choice", "parallel_tool_calls",
        "reasoning",
        "text", "temperature", "top_p", "max_output_tokens", "metadata", "service_tier", "prompt_cache_key",
        "safety_identifier", "store", "include",
    ]
    /// What every request asks for unless its client said otherwise: nothing is kept, so thoughts must come along.
    private static let encryptedReasoning = "reasoning.encrypted_content"

    package static func decode(_ source: RequestSource) throws(GatewayError) -> CanonicalRequest {
        do throws(FieldError) {
            return try read(source)
        } catch {
            throw error.gatewayError
        }
    }

    private static func read(_ source: RequestSource) throws(FieldError) -> CanonicalRequest {
        let root = source.root
        guard root.isObject else { throw FieldError("", "must be an object") }
        for name in ["previous_response_id", "conversation"] as [StaticString] where root.field(name) != nil {
            throw FieldError(
                "\(name)",
                "needs a stored conversation, which this provider does not have; send the whole input")
        }
        let streaming = try root.flag("stream") ?? false
        var request = CanonicalRequest(
            dialect: .responses, model: source.model, streaming: source.streaming ?? streaming)
        guard let input = root.field("input") else { throw FieldError("input", "is missing") }
        var items = ResponsesInput(source)
        do throws(FieldError) {
            try items.read(input)
        } catch {
            throw error.within("input")
        }
        request.system = items.system
        if let instructions = try root.text("instructions"), !instructions.isEmpty {
            request.system.insert(.text(TextPart(instructions)), at: 0)
        }
        request.turns = items.turns
        request.compacts = items.compacts
        request.foreignRefusal = items.foreignRefusal
        var tools = ResponsesTools(source)
        try root.readList("tools") { (tool) throws(FieldError) in try tools.read(tool) }
        request.tools = tools.tools + items.inlineTools
        request.toolChoice = try ResponsesTools.choice(root)
        request.allowsParallelCalls = try root.flag("parallel_tool_calls")
        request.extra = source.extraMembers(of: root, besides: known)
        if let choice = root.field("tool_choice"), ResponsesTools.namesServers(choice) {
            request.extra.append(ExtraMember("tool_choice", source.json(choice)))
        }
        try readReasoning(source, &request)
        try readText(source, &request)
        try readStorage(source, &request)
        request.sampling.maxTokens = try root.integer("max_output_tokens")
        request.sampling.temperature = try root.number("temperature")
        request.sampling.topP = try root.number("top_p")
        request.serviceTier = try root.text("service_tier")
        request.cacheKey = try root.text("prompt_cache_key")
        request.userID = try root.text("safety_identifier")
        request.metadata = try source.objectJSON("metadata", of: root)
        return request
    }

    private static func readReasoning(
        _ source: RequestSource, _ request: inout CanonicalRequest
    ) throws(FieldError) {
        guard let reasoning = try source.root.object("reasoning") else { return }
        do throws(FieldError) {
            request.reasoning.effort = try reasoning.text("effort")
            request.reasoning.summary = try reasoning.text("summary")
        } catch {
            throw error.within("reasoning")
        }
        if request.reasoning.effort == "none" { request.reasoning.mode = .off }
        if let summary = request.reasoning.summary, summary != "none" {
            request.reasoning.display = .summarized
        }
        keep(source.extraMembers(of: reasoning, besides: ["effort", "summary"]), as: "reasoning", &request)
    }

    private static func readText(
        _ source: RequestSource, _ request: inout CanonicalRequest
    ) throws(FieldError) {
        guard let text = try source.root.object("text") else { return }
        var known: [StaticString] = ["verbosity"]
        do throws(FieldError) {
            request.verbosity = try text.text("verbosity")
            if let format = try text.object("format") {
                do throws(FieldError) {
                    if try readFormat(format, source, &request) { known.append("format") }
                } catch {
                    throw error.within("format")
                }
            }
        } catch {
            throw error.within("text")
        }
        keep(source.extraMembers(of: text, besides: known), as: "text", &request)
    }

    /// - Returns: whether nothing of the format is lost in the canonical form.
    private static func readFormat(
        _ format: JSONValue, _ source: RequestSource, _ request: inout CanonicalRequest
    ) throws(FieldError) -> Bool {
        let type = try format.identifier("type")
        switch type {
        case "text": return true
        case "json_object":
            request.outputFormat = .jsonObject
            return true
        case "json_schema":
            guard let schema = try source.objectJSON("schema", of: format) else {
                throw FieldError("schema", "is missing")
            }
            request.outputFormat = .jsonSchema(
                name: try format.text("name"), schema: schema, strict: try format.flag("strict"))
            return source.extraMembers(of: format, besides: ["type", "schema", "name", "strict"]).isEmpty
        default: return false
        }
    }

    private static func readStorage(
        _ source: RequestSource, _ request: inout CanonicalRequest
    ) throws(FieldError) {
        if let store = source.root.field("store"), try source.root.flag("store") == true {
            request.extra.append(ExtraMember("store", source.json(store)))
        }
        let include = try source.root.texts("include")
        if let value = source.root.field("include"), include != [encryptedReasoning], !include.isEmpty {
            request.extra.append(ExtraMember("include", source.json(value)))
        }
    }

    private static func keep(_ members: [ExtraMember], as name: String, _ request: inout CanonicalRequest) {
        guard !members.isEmpty else { return }
        var writer = JSONWriter()
        writer.object { $0.members(members) }
        request.extra.removeAll { $0.name == name }
        request.extra.append(ExtraMember(name, JSONText(writer.bytes)))
    }

    package static func encode(
        _ request: CanonicalRequest, for target: RequestTarget, _ notes: inout RequestNotes
    ) throws(GatewayError) -> [UInt8] {
        let isOwn = request.dialect == .responses
        let rules = target.rules
        let tools = ResponsesToolWriter(request, rules, &notes)
        var extra = isOwn ? request.extra : []
        if !isOwn { notes.drop(request.extra) }
        let reasoning = extra.take("reasoning")
        let text = extra.take("text")
        let store = rules.has(.storeFalse) ? nil : extra.take("store")
        let include = extra.take("include")
        let choice = extra.take("tool_choice")
        countDropped(request, rules, &notes)
        let sampling = request.sampling
        let temperature = sampling.temperature.map { min($0, Double(rules.temperatureMilli) / 1_000) }
        let format = ResponsesFormat(request, rules, hasTools: !tools.isEmpty, &notes)
        var items = ResponsesItemWriter(request, target, tools, notes)
        var writer = JSONWriter(reserving: request.expectedBytes)
        writer.object { writer in
            writer.member("model", request.model)
            writer.member("stream", target.streaming)
            writer.key("input")
            items.writeInput(to: &writer)
            let words = [items.instructions, format.instruction].compactMap { $0 }
            let needsWords = !words.isEmpty || rules.has(.needsInstructions)
            writer.optional("instructions", needsWords ? words.joined(separator: "\n\n") : nil)
            tools.write(to: &writer, choice: choice)
            if !tools.isEmpty, !rules.has(.noParallelToolCalls) {
                writer.optional("parallel_tool_calls", request.allowsParallelCalls)
            }
            if rules.chatThinking != .none { writeReasoning(request, target, kept: reasoning, to: &writer) }
            writer.member("store", json: store ?? JSONText("false"))
            if let include {
                writer.member("include", json: include)
            } else if !rules.has(.noEncryptedReasoning) {
                writer.member("include", array: { $0.string(encryptedReasoning) })
            }
            if isOwn || rules.has(.cacheKey) {
                writer.optional(
                    "prompt_cache_key", request.cacheKey ?? request.userID.flatMap(EndUser.session))
            }
            format.write(request, kept: text, rules, to: &writer)
            if !rules.has(.noMaxTokens) { writer.optional("max_output_tokens", sampling.maxTokens) }
            if !rules.has(.noTemperature) { writer.optional("temperature", temperature) }
            if !rules.has(.noTopP) { writer.optional("top_p", sampling.topP) }
            if rules.has(.topK) { writer.optional("top_k", sampling.topK) }
            if !rules.has(.noServiceTier) { writer.optional("service_tier", serviceTier(request)) }
            if !rules.has(.noMetadata) {
                writer.optional("safety_identifier", request.userID.flatMap { EndUser.identifier($0) })
                if let metadata = request.metadata { writer.member("metadata", json: metadata) }
            }
            writer.members(extra)
        }
        notes = items.notes
        return writer.bytes
    }

    /// Stop sequences are no loss: the answer is cut at them.
    private static func countDropped(
        _ request: CanonicalRequest, _ rules: UpstreamRules, _ notes: inout RequestNotes
    ) {
        let sampling = request.sampling
        let hasUser = request.userID != nil
        let isNamed = request.userID.flatMap { EndUser.identifier($0) } != nil
        let dropped: [(name: String, isDropped: Bool)] = [
            ("user_id", hasUser && (!isNamed || rules.has(.noMetadata))),
            ("metadata", request.metadata != nil && rules.has(.noMetadata)),
            ("top_k", sampling.topK != nil && !rules.has(.topK)), ("seed", sampling.seed != nil),
            ("presence_penalty", sampling.presencePenalty != nil),
            ("frequency_penalty", sampling.frequencyPenalty != nil),
            ("temperature", sampling.temperature != nil && rules.has(.noTemperature)),
            ("top_p", sampling.topP != nil && rules.has(.noTopP)),
            ("max_tokens", sampling.maxTokens != nil && rules.has(.noMaxTokens)),
            ("verbosity", request.verbosity != nil && rules.has(.noVerbosity)),
            ("service_tier", request.serviceTier != nil && rules.has(.noServiceTier)),
            ("reasoning", request.wantedReasoning.effort != nil && rules.chatThinking == .none),
        ]
        for parameter in dropped where parameter.isDropped { notes.losses.add(parameter: parameter.name) }
    }

    /// Messages' tiers have other meanings.
    private static func serviceTier(_ request: CanonicalRequest) -> String? {
        switch request.serviceTier {
        case "standard_only": "default"
        case "standard": "default"
        default: request.serviceTier
        }
    }

    private static func writeReasoning(
        _ request: CanonicalRequest, _ target: RequestTarget, kept: JSONText?, to writer: inout JSONWriter
    ) {
        let effort = target.model.effort(for: request.wantedReasoning)
        let summary = request.reasoning.summary ?? summary(request.reasoning)
        guard effort != nil || summary != nil || kept != nil else { return }
        writer.member(
            "reasoning",
            object: { writer in
                writer.optional("effort", effort)
                writer.optional("summary", summary)
                if let kept { writer.members(of: kept) }
            })
    }

    /// A client that switched thinking on wants to see it unless it says that it does not.
    private static func summary(_ reasoning: ReasoningRequest) -> String? {
        switch (reasoning.mode, reasoning.display) {
        case (.off, _), (_, .omitted): nil
        case (_, .summarized), (_, .updates), (.adaptive, _), (.budget, _): "auto"
        case (nil, nil): nil
        }
    }
}
