// SPDX-License-Identifier: Apache-2.0
// The top level of a Gemini generateContent request, read and written. Contents and tools have files of their own.
// Source: Gemini API reference (models.generateContent, GenerationConfig) and google-genai 3.4.0 (types.py), 2026.

package import Gateway
import JSON

/// The codec of Gemini's generateContent requests. Model and streaming are said by the path.
package enum GeminiRequests: RequestCodec {
    private static let known: [StaticString] = [
        "model", "contents", "systemInstruction", "system_instruction", "tools", "toolConfig", "tool_config",
        "generationConfig", "generation_config", "serviceTier", "service_tier",
    ]
    private static let knownConfig: [StaticString] = [
        "maxOutputTokens", "max_output_tokens", "temperature", "topP", "top_p", "topK", "top_k",
        "stopSequences",
        "stop_sequences", "seed", "presencePenalty", "presence_penalty", "frequencyPenalty",
        "frequency_penalty",
        "responseMimeType", "response_mime_type", "responseJsonSchema", "response_json_schema",
    ]

    /// Whether a member of `generationConfig` is part of the canonical form although it is kept as it was written too.
    static func isRead(_ name: String) -> Bool {
        ["thinkingConfig", "thinking_config", "responseSchema", "response_schema"].contains(name)
    }

    package static func decode(_ source: RequestSource) throws(GatewayError) -> CanonicalRequest {
        do throws(FieldError) {
            return try read(source)
        } catch {
            throw error.gatewayError
        }
    }

    private static func read(_ source: RequestSource) throws(FieldError) -> CanonicalRequest {
        guard source.root.isObject else { throw FieldError("", "must be an object") }
        // A count may be asked of a whole request.
        let inner = source.root.spelling("generateContentRequest", "generate_content_request")
        let root = try source.root.object(inner) ?? source.root
        var request = CanonicalRequest(
            dialect: .gemini, model: source.model, streaming: source.streaming ?? false)
        guard let value = root.field("contents") else { throw FieldError("contents", "is missing") }
        var contents = GeminiContents(source)
        do throws(FieldError) {
            try contents.read(value)
        } catch {
            throw error.within("contents")
        }
        request.turns = contents.turns
        let system = root.spelling("systemInstruction", "system_instruction")
        if let value = root.field(system) {
            do throws(FieldError) {
                request.system = try GeminiContents.system(value, source)
            } catch {
                throw error.within("\(system)")
            }
        }
        var tools = GeminiTools(source)
        try root.readList("tools") { (tool) throws(FieldError) in try tools.read(tool) }
        request.tools = tools.tools
        request.extra = source.extraMembers(of: root, besides: known)
        let (choice, config) = try GeminiTools.choice(root, source)
        request.toolChoice = choice
        if let config { request.extra.append(ExtraMember("toolConfig", config)) }
        request.serviceTier = try root.text(root.spelling("serviceTier", "service_tier"))
        let name = root.spelling("generationConfig", "generation_config")
        if let config = try root.object(name) {
            do throws(FieldError) {
                try readConfig(config, source, &request)
            } catch {
                throw error.within("\(name)")
            }
        }
        return request
    }

    private static func readConfig(
        _ config: JSONValue, _ source: RequestSource, _ request: inout CanonicalRequest
    ) throws(FieldError) {
        request.sampling.maxTokens = try config.integer(
            config.spelling("maxOutputTokens", "max_output_tokens"))
        request.sampling.temperature = try config.number("temperature")
        request.sampling.topP = try config.number(config.spelling("topP", "top_p"))
        request.sampling.topK = try config.integer(config.spelling("topK", "top_k"))
        request.sampling.stop = try config.texts(config.spelling("stopSequences", "stop_sequences"))
        request.sampling.seed = try config.integer("seed")
        request.sampling.presencePenalty = try config.number(
            config.spelling("presencePenalty", "presence_penalty"))
        request.sampling.frequencyPenalty = try config.number(
            config.spelling("frequencyPenalty", "frequency_penalty"))
        // Kept whole as well: a client of Gemini's knows what its model takes.
        var extra = source.extraMembers(of: config, besides: knownConfig)
        let type = config.spelling("responseMimeType", "response_mime_type")
        if let mediaType = try config.text(type) {
            let schema = try source.objectJSON(
                config.spelling("responseJsonSchema", "response_json_schema"), of: config)
            let native = try config.object(config.spelling("responseSchema", "response_schema"))
            if mediaType == "application/json" {
                let schema = schema ?? native.map(GeminiSchema.jsonSchema)
                request.outputFormat =
                    schema.map { .jsonSchema(name: nil, schema: $0, strict: nil) } ?? .jsonObject
            } else if let value = config.field(type), mediaType != "text/plain" {
                extra.append(ExtraMember("responseMimeType", source.json(value)))
            }
        }
        try readThinking(config, &request)
        guard !extra.isEmpty else { return }
        var writer = JSONWriter()
        writer.object { $0.members(extra) }
        request.extra.append(ExtraMember("generationConfig", JSONText(writer.bytes)))
    }

    private static func readThinking(
        _ config: JSONValue, _ request: inout CanonicalRequest
    ) throws(FieldError) {
        let name = config.spelling("thinkingConfig", "thinking_config")
        guard let thinking = try config.object(name) else { return }
        do throws(FieldError) {
            switch try thinking.integer(thinking.spelling("thinkingBudget", "thinking_budget")) {
            case nil: break
            case 0?: request.reasoning.mode = .off
            case let budget? where budget < 0: request.reasoning.mode = .adaptive
            case let budget?: request.reasoning.mode = .budget(budget)
            }
            let level = try thinking.text(thinking.spelling("thinkingLevel", "thinking_level"))
            request.reasoning.effort = level.map { $0.lowercased() }
            switch try thinking.flag(thinking.spelling("includeThoughts", "include_thoughts")) {
            case true?: request.reasoning.display = .summarized
            case false?: request.reasoning.display = .omitted
            case nil: break
            }
        } catch {
            throw error.within("\(name)")
        }
    }

    // MARK: - Writing

    package static func encode(
        _ request: CanonicalRequest, for target: RequestTarget, _ notes: inout RequestNotes
    ) throws(GatewayError) -> [UInt8] {
        let isOwn = request.dialect == .gemini
        let model = GeminiModel(target, name: request.model)
        let tools = GeminiToolWriter(request, model, &notes)
        var extra = isOwn ? request.extra : []
        if !isOwn { notes.drop(request.extra) }
        let config = extra.take("generationConfig")
        let toolConfig = extra.take("toolConfig")
        let format = GeminiFormat(request, model, hasFunctions: tools.hasFunctions, isOwn: isOwn)
        notes.losses.add(.schemaKeyword, format.droppedKeywords)
        if format.instruction != nil { notes.losses.add(.outputFormat) }
        countDropped(request, &notes)
        var contents = GeminiContentWriter(request, target, model, tools, notes)
        var writer = JSONWriter(reserving: request.expectedBytes)
        writer.object { writer in
            writer.key("contents")
            contents.writeContents(to: &writer)
            notes = contents.notes
            let system = contents.system + [format.instruction].compactMap { $0 }
            if !system.isEmpty {
                writer.member(
                    "systemInstruction",
                    object: { writer in
                        writer.member(
                            "parts",
                            array: { writer in
                                for text in system { writer.object { $0.member("text", text) } }
                            })
                    })
            }
            tools.write(to: &writer, kept: toolConfig)
            let generation = generationConfig(request, model, format, kept: config, isOwn: isOwn, &notes)
            if generation.count > 2 { writer.member("generationConfig", json: JSONText(generation)) }
            writer.optional("serviceTier", isOwn ? request.serviceTier : serviceTier(request, &notes))
            writer.members(extra)
        }
        return writer.bytes
    }

    private static func generationConfig(
        _ request: CanonicalRequest, _ model: GeminiModel, _ format: GeminiFormat, kept: JSONText?,
        isOwn: Bool,
        _ notes: inout RequestNotes
    ) -> [UInt8] {
        let sampling = request.sampling
        let stop = isOwn ? sampling.stop : Array(sampling.stop.prefix(model.rules.stopCount))
        notes.losses.add(.stopSequence, sampling.stop.count - stop.count)
        var writer = JSONWriter()
        writer.object { writer in
            writer.optional("maxOutputTokens", sampling.maxTokens)
            writer.optional("temperature", sampling.temperature)
            writer.optional("topP", sampling.topP)
            writer.optional("topK", sampling.topK)
            if !stop.isEmpty {
                writer.member("stopSequences", array: { for text in stop { $0.string(text) } })
            }
            writer.optional("seed", sampling.seed)
            writer.optional("presencePenalty", sampling.presencePenalty)
            writer.optional("frequencyPenalty", sampling.frequencyPenalty)
            format.write(to: &writer, keepsSchema: kept?.hasMember("responseSchema") == true)
            if kept?.hasMember("thinkingConfig") != true, kept?.hasMember("thinking_config") != true {
                GeminiThinking(request, model).write(to: &writer)
            }
            if let kept { writer.members(of: kept) }
        }
        return writer.bytes
    }

    private static func serviceTier(_ request: CanonicalRequest, _ notes: inout RequestNotes) -> String? {
        switch request.serviceTier {
        case nil, "auto", "default", "standard_only": return nil
        case let tier? where ["flex", "standard", "priority"].contains(tier): return tier
        default:
            notes.losses.add(parameter: "service_tier")
            return nil
        }
    }

    private static func countDropped(_ request: CanonicalRequest, _ notes: inout RequestNotes) {
        if request.userID != nil { notes.losses.add(parameter: "user_id") }
        if request.metadata != nil { notes.losses.add(parameter: "metadata") }
        if request.verbosity != nil { notes.losses.add(parameter: "verbosity") }
        if request.cacheKey != nil { notes.losses.add(parameter: "prompt_cache_key") }
    }
}

/// How the form of the answer's text is asked for.
struct GeminiFormat {
    private let mediaType: String?
    private let schema: JSONText?
    private let schemaName: StaticString
    /// Keywords that the endpoint does not take.
    private(set) var droppedKeywords = 0
    /// Words in place of a parameter that the model does not take beside functions.
    let instruction: String?

    init(_ request: CanonicalRequest, _ model: GeminiModel, hasFunctions: Bool, isOwn: Bool) {
        let isNarrow = model.rules.schema == .openAPI && !isOwn
        schemaName = isNarrow ? "responseSchema" : "responseJsonSchema"
        guard let format = request.outputFormat else {
            (mediaType, schema, instruction) = (nil, nil, nil)
            return
        }
        let schema: JSONText? = if case .jsonSchema(_, let schema, _) = format { schema } else { nil }
        if hasFunctions, !isOwn, !model.takesFormatWithFunctions {
            mediaType = nil
            self.schema = nil
            instruction = OutputName.instruction(schema)
        } else {
            mediaType = "application/json"
            var dropped = 0
            self.schema = isNarrow ? schema.map { GeminiSchema.cleaned($0, dropped: &dropped) } : schema
            droppedKeywords = dropped
            instruction = nil
        }
    }

    func write(to writer: inout JSONWriter, keepsSchema: Bool) {
        writer.optional("responseMimeType", mediaType)
        if let schema, !keepsSchema { writer.member(schemaName, json: schema) }
    }
}
