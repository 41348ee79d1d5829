// SPDX-License-Identifier: Apache-2.0
// Writes a canonical request as a Chat Completions body: its top level. Messages, contents and tools are in the files
// beside it.
// Source: OpenAI API reference (chat completions), 2026.

import Gateway
import JSON

struct ChatRequestWriter {
    let request: CanonicalRequest
    let target: RequestTarget
    var notes: RequestNotes

    /// The client speaks Chat as well: what it wrote goes on as it is where nothing speaks against it.
    var isSameDialect: Bool { request.dialect == .chat }
    var rules: UpstreamRules { target.rules }
    var callIDs: ChatCallIDs

    init(request: CanonicalRequest, target: RequestTarget, notes: RequestNotes) {
        self.request = request
        self.target = target
        self.notes = notes
        callIDs = ChatCallIDs(target.rules.callIDs)
    }

    mutating func body() -> [UInt8] {
        var writer = JSONWriter(reserving: request.expectedBytes)
        let tools = encodableTools()
        writer.object { writer in
            writer.member("model", request.model)
            writer.member("messages", array: { writeMessages(&$0) })
            writeTools(tools, &writer)
            writeSampling(&writer)
            writeStops(&writer)
            if let format = wantedFormat { writeFormat(format, &writer) }
            writeIdentity(&writer)
            writeThinking(&writer)
            writeExtra(&writer)
            if target.streaming {
                writer.member("stream", true)
                if !rules.has(.noStreamOptions) {
                    writer.member("stream_options", object: { $0.member("include_usage", true) })
                }
            }
        }
        return writer.bytes
    }

    // MARK: - Sampling

    private mutating func writeSampling(_ writer: inout JSONWriter) {
        let sampling = request.sampling
        if let wanted = sampling.maxTokens, takes("max_tokens", unless: .noMaxTokens) {
            writer.key(rules.maxTokens.rawValue)
            writer.int(min(wanted, target.model.maxOutput ?? .max))
        }
        if let temperature = sampling.temperature, takes("temperature", unless: .noTemperature) {
            writer.optional("temperature", min(temperature, Double(rules.temperatureMilli) / 1_000))
        }
        if let topP = sampling.topP, takes("top_p", unless: .noTopP) { writer.optional("top_p", topP) }
        if let topK = sampling.topK {
            if rules.has(.topK) { writer.member("top_k", topK) } else { notes.losses.add(parameter: "top_k") }
        }
        if let seed = sampling.seed, takes("seed", unless: .noSeed) {
            writer.member(rules.has(.randomSeed) ? "random_seed" : "seed", seed)
        }
        if let penalty = sampling.presencePenalty, takes("presence_penalty", unless: .noPenalties) {
            writer.optional("presence_penalty", penalty)
        }
        if let penalty = sampling.frequencyPenalty, takes("frequency_penalty", unless: .noPenalties) {
            writer.optional("frequency_penalty", penalty)
        }
    }

    /// Whether the provider takes a parameter that the client set; if not, it is counted.
    mutating func takes(_ name: String, unless quirk: Quirks) -> Bool {
        guard rules.has(quirk) else { return true }
        notes.losses.add(parameter: name)
        return false
    }

    private mutating func writeStops(_ writer: inout JSONWriter) {
        let told = rules.has(.noStop) ? [] : Array(request.sampling.stop.prefix(rules.stopCount))
        notes.untoldStops += request.sampling.stop.dropFirst(told.count)
        guard !told.isEmpty else { return }
        writer.member("stop", array: { writer in for stop in told { writer.string(stop) } })
    }

    // MARK: - Format

    /// The format that the provider can be asked for; what it cannot is said to the model, see `formatInstruction`.
    private var wantedFormat: OutputFormat? {
        if rules.has(.noFormatWithTools), !request.tools.isEmpty { return nil }
        switch (request.outputFormat, rules.output) {
        case (nil, _), (_, .none): return nil
        case (.jsonSchema?, .jsonObject): return .jsonObject
        case (let format?, _): return format
        }
    }

    /// What the model is told of a format that its provider does not enforce.
    var formatInstruction: String? {
        guard let format = request.outputFormat, format != wantedFormat else { return nil }
        switch format {
        case .jsonObject: return "Answer with one JSON object and nothing else."
        case .jsonSchema(_, let schema, _):
            return
                "Answer with one JSON object and nothing else. It must fit this JSON Schema: \(schema.text)"
        }
    }

    private func writeFormat(_ format: OutputFormat, _ writer: inout JSONWriter) {
        writer.member(
            "response_format",
            object: { writer in
                guard case .jsonSchema(let name, let schema, let strict) = format else {
                    return writer.member("type", "json_object")
                }
                writer.member("type", "json_schema")
                writer.member(
                    "json_schema",
                    object: { writer in
                        writer.member(
                            "name", isSameDialect ? name ?? "response" : OutputName.name(name, schema: schema)
                        )
                        writer.member("schema", json: fitted(schema))
                        writer.optional("strict", strict ?? (StrictSchema.accepts(schema) ? true : nil))
                    })
            })
    }

    /// A schema as the provider takes it.
    func fitted(_ schema: JSONText) -> JSONText {
        rules.schema == .jsonSchema ? schema : MetaFreeSchema.schema(schema)
    }

    // MARK: - Who asks

    private mutating func writeIdentity(_ writer: inout JSONWriter) {
        if let verbosity = request.verbosity, takes("verbosity", unless: .noVerbosity) {
            writer.member("verbosity", verbosity)
        }
        if let tier = request.serviceTier, takes("service_tier", unless: .noServiceTier) {
            writeTier(tier, &writer)
        }
        if let user = request.userID, takes("user", unless: .noMetadata) {
            // OpenAI's name for it is the later one; others know the earlier.
            let isLater = isSameDialect || rules.has(.cacheKey)
            if let name = isSameDialect ? user : EndUser.identifier(user) {
                writer.member(isLater ? "safety_identifier" : "user", name)
            } else {
                notes.losses.add(parameter: "user")
            }
        }
        if let key = request.cacheKey {
            if isSameDialect || rules.has(.cacheKey) {
                writer.member("prompt_cache_key", key)
            } else if request.dialect != .messages {
                notes.losses.add(parameter: "prompt_cache_key")
            }
        }
        if let metadata = request.metadata, takes("metadata", unless: .noMetadata) {
            writer.member("metadata", json: metadata)
        }
    }

    private mutating func writeTier(_ tier: String, _ writer: inout JSONWriter) {
        guard request.dialect == .messages else { return writer.member("service_tier", tier) }
        switch tier {
        case "auto": writer.member("service_tier", "auto")
        case "standard_only": writer.member("service_tier", "default")
        default: notes.losses.add(parameter: "service_tier")
        }
    }

    private mutating func writeExtra(_ writer: inout JSONWriter) {
        if isSameDialect {
            writer.members(request.extra)
        } else {
            notes.drop(request.extra)
        }
    }
}
