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

    private static let maximumStops = 4

    init(request: CanonicalRequest, target: RequestTarget, notes: RequestNotes) {
        self.request = request
        self.target = target
        self.notes = notes
    }

    mutating func body() -> [UInt8] {
        // Most of a body is its conversation, which is about as long in either dialect.
        var writer = JSONWriter()
        let tools = encodableTools()
        writer.object { writer in
            writer.member("model", request.model)
            writer.member("messages", array: { writeMessages(&$0) })
            writeTools(tools, &writer)
            writeParameters(&writer)
            writeReasoning(&writer)
            writeExtra(&writer)
            if target.streaming {
                writer.member("stream", true)
                writer.member("stream_options", object: { $0.member("include_usage", true) })
            }
        }
        return writer.bytes
    }

    private mutating func writeParameters(_ writer: inout JSONWriter) {
        let sampling = request.sampling
        writer.optional("max_completion_tokens", sampling.maxTokens)
        writer.optional("temperature", sampling.temperature)
        writer.optional("top_p", sampling.topP)
        if sampling.topK != nil { notes.losses.add(parameter: "top_k") }
        writer.optional("seed", sampling.seed)
        writer.optional("presence_penalty", sampling.presencePenalty)
        writer.optional("frequency_penalty", sampling.frequencyPenalty)
        if !sampling.stop.isEmpty {
            let told = sampling.stop.prefix(Self.maximumStops)
            writer.member("stop", array: { writer in for stop in told { writer.string(stop) } })
            notes.untoldStops += sampling.stop.dropFirst(Self.maximumStops)
        }
        writeFormat(&writer)
        writer.optional("verbosity", request.verbosity)
        if let tier = request.serviceTier { writeTier(tier, &writer) }
        if let user = request.userID {
            if let name = isSameDialect ? user : EndUser.identifier(user) {
                writer.member("safety_identifier", name)
            } else {
                notes.losses.add(parameter: "user_id")
            }
        }
        writer.optional("prompt_cache_key", request.cacheKey)
        if let metadata = request.metadata { writer.member("metadata", json: metadata) }
    }

    private mutating func writeTier(_ tier: String, _ writer: inout JSONWriter) {
        guard request.dialect == .messages else { return writer.member("service_tier", tier) }
        switch tier {
        case "auto": writer.member("service_tier", "auto")
        case "standard_only": writer.member("service_tier", "default")
        default: notes.losses.add(parameter: "service_tier")
        }
    }

    private mutating func writeFormat(_ writer: inout JSONWriter) {
        switch request.outputFormat {
        case nil: break
        case .jsonObject:
            writer.member("response_format", object: { $0.member("type", "json_object") })
        case .jsonSchema(let name, let schema, let strict):
            let strict = strict ?? (StrictSchema.accepts(schema) ? true : nil)
            writer.member(
                "response_format",
                object: { writer in
                    writer.member("type", "json_schema")
                    writer.member(
                        "json_schema",
                        object: { writer in
                            writer.member("name", name ?? "response")
                            writer.member("schema", json: schema)
                            writer.optional("strict", strict)
                        })
                })
        }
    }

    private mutating func writeReasoning(_ writer: inout JSONWriter) {
        guard let effort = Effort.wanted(request) else { return }
        writer.member("reasoning_effort", effort)
    }

    private mutating func writeExtra(_ writer: inout JSONWriter) {
        if isSameDialect {
            writer.members(request.extra)
        } else {
            for member in request.extra { notes.losses.add(parameter: member.name) }
        }
    }
}
