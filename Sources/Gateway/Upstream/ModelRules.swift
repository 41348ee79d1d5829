// SPDX-License-Identifier: Apache-2.0
// What is known of one model: its window, how it thinks, what it refuses. Rows of a table, found by name.
// Source: API references of the vendors, 2026; the table of efforts of dvcrn/codex-proxy (internal/server, 2026).

import Bytes
package import IPC

/// The efforts that dialects know, in ascending order. Providers may have others.
package enum EffortScale {
    package static let all = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

    /// The place among `all`, or nil.
    package static func rank(_ effort: String) -> Int? { all.firstIndex(of: effort) }
}

/// How much a model thinks at one effort.
package struct EffortBudget: Equatable, Sendable {
    package var effort: String
    package var tokens: Int

    package init(_ effort: String, _ tokens: Int) {
        self.effort = effort
        self.tokens = tokens
    }
}

/// The rules of the models whose names fit a pattern.
package struct ModelRules: Equatable, Sendable {
    /// "*" stands for any number of characters; compared without regard to case with the whole name and with what
    /// follows its last "/".
    package var pattern: String
    /// Kinds of providers the row is about; empty: all.
    package var kinds: [String] = []
    /// "gpt-5.1", "claude-4", "gemini-2.5": models with the same behaviour. "" when nothing is known.
    package var family = ""
    /// The provider's name of all models that fit, where it is not the client's.
    package var upstreamName: String?

    /// The efforts it takes, ascending. Empty: not known, anything passes.
    package var efforts: [String] = []
    /// Stands for efforts that the model does not take, and is asked for when the client says nothing.
    package var defaultEffort: String?
    /// The provider's words for efforts; "default" is the one for all that are neither here nor in `efforts`.
    package var effortMap: [String: String] = [:]
    /// "NAME-EFFORT" is accepted as a model's name and listed beside it.
    package var hasVariants = false

    /// Tokens of thinking by effort, ascending.
    package var budgets = ModelRules.usualBudgets
    /// What a budget may be.
    package var budgetRange = 1_024...32_768
    /// Thinking can be switched off.
    package var canDisableThinking = true
    /// Budgets up to these count as the effort, ascending; larger ones as "high".
    package var thresholds = ModelRules.usualThresholds

    /// Tokens of input and output together; nil when not known.
    package var contextWindow: Int?
    package var maxInput: Int?
    package var maxOutput: Int?

    /// Replaces the provider's, where set.
    package var thinking: ThinkingForm?
    package var maxTokens: MaxTokensMember?
    package var reasoning: ReasoningMember?
    package var replay: ReasoningReplay?
    package var toolChoice: ToolChoiceForm?
    package var addedQuirks: Quirks = []
    package var removedQuirks: Quirks = []
    /// Members of the top level that are refused, in any dialect.
    package var forbidden: [String] = []
    /// Members that requests must have, in any dialect.
    package var required: [RequiredMember] = []
    /// Output tokens that are asked for at most, and when the client sets no limit.
    package var outputCap: Int?
    /// The dialects in which the model is answered; empty: as the provider's profile says.
    package var dialects: [Dialect] = []
    /// Names of the transformers that made these rules, for their count.
    package var transformers: [String] = []

    package static let usualBudgets = [
        EffortBudget("minimal", 1_024), EffortBudget("low", 4_096), EffortBudget("medium", 10_240),
        EffortBudget("high", 24_576), EffortBudget("xhigh", 32_768), EffortBudget("max", 32_768),
    ]
    package static let usualThresholds = [
        EffortBudget("minimal", 1_023), EffortBudget("low", 2_047), EffortBudget("medium", 4_095),
    ]

    package init(_ pattern: String = "*") {
        self.pattern = pattern
    }

    /// The provider's peculiarities as they are for this model.
    package func applied(to quirks: Quirks) -> Quirks {
        quirks.union(addedQuirks).subtracting(removedQuirks)
    }

    /// The provider's rules as they are for this model.
    package func applied(to rules: UpstreamRules) -> UpstreamRules {
        var rules = rules
        rules.quirks = applied(to: rules.quirks)
        if let maxTokens { rules.maxTokens = maxTokens }
        if let reasoning { rules.reasoning = reasoning }
        if let replay { rules.replay = replay }
        if let toolChoice { rules.toolChoice = toolChoice }
        switch thinking {
        case nil: break
        case .some(.none):
            rules.chatThinking = .none
            rules.responsesThinking = .none
            rules.messagesThinking = .none
            rules.geminiThinking = .none
        case .effort?, .reasoningObject?, .thinkingType?, .enableThinking?:
            rules.chatThinking = thinking ?? .none
        case .budget?, .adaptive?: rules.messagesThinking = thinking ?? .none
        case .thinkingBudget?, .thinkingLevel?: rules.geminiThinking = thinking ?? .none
        }
        return rules
    }

    /// Whether the row is about a model of a provider of this kind.
    package func fits(_ model: String, kind: String) -> Bool {
        guard kinds.isEmpty || kinds.contains(kind) else { return false }
        let name = Array(model.lowercased().utf8)
        let pattern = Array(self.pattern.lowercased().utf8)
        return name.withUnsafeBytes { name in
            if Glob.matches(pattern, name) { return true }
            guard let slash = name.lastIndex(of: UInt8(ascii: "/")) else { return false }
            return Glob.matches(pattern, name.slice((slash + 1)..<name.count))
        }
    }
}

extension ModelRules: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(pattern)
        writer.put(list: kinds) { $0.put($1) }
        writer.put(family)
        writer.put(upstreamName) { $0.put($1) }
        writer.put(list: efforts) { $0.put($1) }
        writer.put(defaultEffort) { $0.put($1) }
        writer.put(list: effortMap.sorted { $0.key < $1.key }) { writer, entry in
            writer.put(entry.key)
            writer.put(entry.value)
        }
        writer.put(hasVariants)
        for list in [budgets, thresholds] {
            writer.put(list: list) { writer, entry in
                writer.put(entry.effort)
                writer.put(Int64(entry.tokens))
            }
        }
        writer.put(Int64(budgetRange.lowerBound))
        writer.put(Int64(budgetRange.upperBound))
        writer.put(canDisableThinking)
        for number in [contextWindow, maxInput, maxOutput] { writer.put(number) { $0.put(Int64($1)) } }
        for name in [
            thinking?.rawValue, maxTokens?.rawValue, reasoning?.rawValue, replay?.rawValue,
            toolChoice?.rawValue,
        ] {
            writer.put(name) { $0.put($1) }
        }
        writer.put(addedQuirks)
        writer.put(removedQuirks)
        writer.put(list: forbidden) { $0.put($1) }
        writer.put(list: required) { $0.put($1) }
        writer.put(outputCap) { $0.put(Int64($1)) }
        writer.put(list: transformers) { $0.put($1) }
        writer.put(list: dialects) { $0.put($1.rawValue) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        pattern = try reader.getString()
        kinds = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        family = try reader.getString()
        upstreamName = try reader.getOptional { (reader) throws(WireError) in try reader.getString() }
        efforts = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        defaultEffort = try reader.getOptional { (reader) throws(WireError) in try reader.getString() }
        let map = try reader.getList { (reader) throws(WireError) in
            (try reader.getString(), try reader.getString())
        }
        for (name, value) in map { effortMap[name] = value }
        hasVariants = try reader.getBool()
        budgets = try ModelRules.budgets(&reader)
        thresholds = try ModelRules.budgets(&reader)
        let lower = Int(try reader.get(Int64.self))
        let upper = Int(try reader.get(Int64.self))
        guard lower <= upper else { throw .invalidValue("budget") }
        budgetRange = lower...upper
        canDisableThinking = try reader.getBool()
        contextWindow = try ModelRules.number(&reader)
        maxInput = try ModelRules.number(&reader)
        maxOutput = try ModelRules.number(&reader)
        thinking = try reader.getOptional { (reader) throws(WireError) in try reader.getNamed() }
        maxTokens = try reader.getOptional { (reader) throws(WireError) in try reader.getNamed() }
        reasoning = try reader.getOptional { (reader) throws(WireError) in try reader.getNamed() }
        replay = try reader.getOptional { (reader) throws(WireError) in try reader.getNamed() }
        toolChoice = try reader.getOptional { (reader) throws(WireError) in try reader.getNamed() }
        addedQuirks = try reader.get()
        removedQuirks = try reader.get()
        forbidden = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        required = try reader.getList { (reader) throws(WireError) in try reader.get() }
        outputCap = try ModelRules.number(&reader)
        transformers = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        dialects = try reader.getList { (reader) throws(WireError) in try reader.getCase(Dialect.self) }
    }

    private static func budgets(_ reader: inout WireReader) throws(WireError) -> [EffortBudget] {
        try reader.getList { (reader) throws(WireError) in
            EffortBudget(try reader.getString(), Int(try reader.get(Int64.self)))
        }
    }

    private static func number(_ reader: inout WireReader) throws(WireError) -> Int? {
        try reader.getOptional { (reader) throws(WireError) in Int(try reader.get(Int64.self)) }
    }
}
