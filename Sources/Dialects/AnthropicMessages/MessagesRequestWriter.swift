// SPDX-License-Identifier: Apache-2.0
// Writes a canonical request as a Messages body: its top level. Messages, blocks and tools are in the files beside it.
// Source: Anthropic API reference (messages, extended thinking, structured outputs), 2026.

import Gateway
import JSON

struct MessagesRequestWriter {
    let request: CanonicalRequest
    let target: RequestTarget
    var notes: RequestNotes
    var callIDs = CallIDTable()

    /// The client speaks Messages as well: what it wrote goes on as it is where nothing speaks against it.
    var isSameDialect: Bool { request.dialect == .messages }

    /// What a request may answer when its client does not say: Messages demands a number.
    static let defaultMaxTokens = 32_000
    private static let prefixes = ["metadata.", "thinking.", "output_config.", "tool_choice."]
    private static let jsonInstruction = "Answer with one JSON object and nothing else."

    init(request: CanonicalRequest, target: RequestTarget, notes: RequestNotes) {
        self.request = request
        self.target = target
        self.notes = notes
    }

    var rules: UpstreamRules { target.rules }

    /// Up to what the model can, where that is known.
    private var maxTokens: Int {
        let wanted = request.sampling.maxTokens ?? target.model.maxOutput ?? Self.defaultMaxTokens
        return isSameDialect ? wanted : min(wanted, target.model.maxOutput ?? .max)
    }

    mutating func body() -> [UInt8] {
        var writer = JSONWriter(reserving: request.expectedBytes)
        let tools = encodableTools()
        let turns = hinted(orderedTurns())
        let thinking = thinking(turns)
        writer.object { writer in
            writer.member("model", request.model)
            writer.member("messages", array: { writeMessages(turns, &$0) })
            writeSystem(&writer)
            writeTools(tools, &writer)
            writeMetadata(&writer)
            if request.sampling.maxTokens != nil || !isSameDialect { writer.member("max_tokens", maxTokens) }
            write(thinking, &writer)
            writeSampling(isThinking: thinking.isOn, &writer)
            writeOutput(thinking, &writer)
            writeExtra(&writer)
            if target.streaming { writer.member("stream", true) }
        }
        return writer.bytes
    }

    // MARK: - The operator

    private mutating func writeSystem(_ writer: inout JSONWriter) {
        var texts = OperatorNote.texts(request.system, &notes.losses).filter { !$0.content.isEmpty }
        if case .jsonObject? = request.outputFormat {
            notes.losses.add(.outputFormat)
            texts.append(TextPart(Self.jsonInstruction))
        }
        guard !texts.isEmpty else { return }
        if addsHints { texts[texts.count - 1].cacheControl = Self.hint }
        writer.member("system", array: { writer in for text in texts { write(text, &writer) } })
    }

    // MARK: - Parameters

    private mutating func writeMetadata(_ writer: inout JSONWriter) {
        let members = members(under: "metadata.")
        if request.userID != nil || !members.isEmpty, takes("user", unless: .noMetadata) {
            writer.member(
                "metadata",
                object: { writer in
                    writer.optional("user_id", request.userID)
                    writer.members(members)
                })
        }
        guard let tier = request.serviceTier, takes("service_tier", unless: .noServiceTier) else { return }
        switch tier {
        case _ where isSameDialect: writer.member("service_tier", tier)
        case "auto": writer.member("service_tier", "auto")
        case "default": writer.member("service_tier", "standard_only")
        default: notes.losses.add(parameter: "service_tier")
        }
    }

    private mutating func writeSampling(isThinking: Bool, _ writer: inout JSONWriter) {
        let sampling = request.sampling
        if !isSameDialect, isThinking {
            // Thoughts allow no other temperature than their own.
            if sampling.temperature != nil { notes.losses.add(parameter: "temperature") }
            if sampling.topP != nil { notes.losses.add(parameter: "top_p") }
            if sampling.topK != nil { notes.losses.add(parameter: "top_k") }
        } else {
            if let temperature = sampling.temperature, takes("temperature", unless: .noTemperature) {
                writer.optional(
                    "temperature",
                    isSameDialect ? temperature : min(temperature, Self.highestTemperature(rules)))
            }
            if let topP = sampling.topP, takes("top_p", unless: .noTopP) { writer.optional("top_p", topP) }
            // Models that refuse one of the three refuse them all.
            if let topK = sampling.topK, takes("top_k", unless: .noTopP) { writer.member("top_k", topK) }
        }
        // A sequence of white space alone is refused.
        let possible = sampling.stop.filter { isSameDialect || !$0.allSatisfy(\.isWhitespace) }
        let told = rules.has(.noStop) ? [] : possible
        notes.untoldStops += sampling.stop.filter { !told.contains($0) }
        if !told.isEmpty {
            writer.member("stop_sequences", array: { writer in for stop in told { writer.string(stop) } })
        }
        if sampling.seed != nil { notes.losses.add(parameter: "seed") }
        if sampling.presencePenalty != nil { notes.losses.add(parameter: "presence_penalty") }
        if sampling.frequencyPenalty != nil { notes.losses.add(parameter: "frequency_penalty") }
        if request.verbosity != nil { notes.losses.add(parameter: "verbosity") }
        if request.cacheKey != nil, !isSameDialect { notes.losses.add(parameter: "prompt_cache_key") }
        if request.metadata != nil { notes.losses.add(parameter: "metadata") }
    }

    /// Whether the provider takes a parameter that the client set; if not, it is counted.
    private mutating func takes(_ name: String, unless quirk: Quirks) -> Bool {
        guard rules.has(quirk) else { return true }
        notes.losses.add(parameter: name)
        return false
    }

    private static func highestTemperature(_ rules: UpstreamRules) -> Double {
        min(1, Double(rules.temperatureMilli) / 1_000)
    }

    private mutating func writeOutput(_ thinking: MessagesThinking, _ writer: inout JSONWriter) {
        let members = members(under: "output_config.")
        var schema: JSONText?
        if case .jsonSchema(_, let given, _)? = request.outputFormat {
            schema = isSameDialect ? given : ClosedSchema.closed(given, &notes.losses)
        }
        guard thinking.effort != nil || schema != nil || !members.isEmpty else { return }
        writer.member(
            "output_config",
            object: { writer in
                writer.optional("effort", thinking.effort)
                if let schema {
                    writer.member(
                        "format",
                        object: { writer in
                            writer.member("type", "json_schema")
                            writer.member("schema", json: schema)
                        })
                }
                writer.members(members)
            })
    }

    private mutating func writeExtra(_ writer: inout JSONWriter) {
        guard isSameDialect else { return notes.drop(request.extra) }
        // Those with a prefix are written where they were.
        writer.members(request.extra.filter { !Self.prefixes.contains(where: $0.name.hasPrefix) })
    }

    /// Members that the reader took from an object of its own; see `MessagesRequestReader`.
    func members(under prefix: String) -> [ExtraMember] {
        guard isSameDialect else { return [] }
        return request.extra.compactMap { member in
            member.name.hasPrefix(prefix)
                ? ExtraMember(String(member.name.dropFirst(prefix.count)), member.value) : nil
        }
    }

    // MARK: - Thinking

    /// What the provider is told about thinking.
    private func thinking(_ turns: [Turn]) -> MessagesThinking {
        if isSameDialect, !request.effortIsGiven {
            return MessagesThinking(
                mode: request.reasoning.mode, display: request.reasoning.display,
                effort: request.reasoning.effort)
        }
        return MessagesThinking(
            request.wantedReasoning, target, maxTokens: maxTokens, isForced: isForced,
            lacksThoughts: lacksThoughts(turns))
    }

    private var isForced: Bool {
        guard rules.toolChoice != .autoOnly else { return false }
        return switch request.toolChoice {
        case .any, .tool, .subset(_, isRequired: true): true
        case .auto, ToolChoice.none?, .subset(_, isRequired: false), nil: false
        }
    }

    /// The model waits for results of a turn whose thoughts are not there: with thinking, such a turn is refused.
    private func lacksThoughts(_ turns: [Turn]) -> Bool {
        guard let last = turns.lastIndex(where: { $0.role == .assistant }),
            turns[last].parts.contains(where: { if case .toolCall = $0 { true } else { false } })
        else { return false }
        guard case .reasoning(let first)? = turns[last].parts.first, let state = first.state else {
            return true
        }
        return !isReplayable(state)
    }

    /// Whether a state is one that goes into a block of this provider.
    func isReplayable(_ state: ReasoningState) -> Bool {
        guard target.accepts(state, dialect: .messages, of: request) else { return false }
        return state.form == .signature || state.form == .redacted
    }

    private func write(_ thinking: MessagesThinking, _ writer: inout JSONWriter) {
        let members = members(under: "thinking.")
        guard let mode = thinking.mode else { return }
        writer.member(
            "thinking",
            object: { writer in
                switch mode {
                case .off: writer.member("type", "disabled")
                case .adaptive: writer.member("type", "adaptive")
                case .budget(let tokens):
                    writer.member("type", "enabled")
                    writer.member("budget_tokens", tokens)
                }
                writer.optional("display", thinking.display?.rawValue)
                writer.members(members)
            })
    }
}
