// SPDX-License-Identifier: Apache-2.0
// Entries of Models: what the operator knows of models, in place of the built-in table's rows.

/// One row; nil and empty: as when nothing is known.
package struct ModelEntry: Equatable, Sendable {
    /// A name, with "*" for any number of characters.
    package var match: String
    /// Kinds of providers the row is about; empty: all.
    package var kinds: [String]
    package var family: String
    /// The provider's name of the model.
    package var name: String?
    /// The dialects in which the model is answered; empty: as the provider's kind has it.
    package var dialects: [String]
    package var efforts: [String]
    package var defaultEffort: String?
    package var effortMap: [String: String]
    package var hasVariants: Bool
    package var budgets: [String: Int]
    package var thresholds: [String: Int]
    package var minimumBudget: Int?
    package var maximumBudget: Int?
    package var canDisableThinking: Bool
    package var contextWindow: Int?
    package var maxInput: Int?
    package var maxOutput: Int?
    /// "thinking" and the keys of Providers[].profile that a model may change.
    package var choices: [String: String]
    package var quirks: [String: Bool]
    package var forbidden: [String]
    package var required: [String: String]
}

extension ModelEntry {
    /// Ways of saying how much to think, of all dialects.
    static let thinkingWords = [
        "none", "effort", "reasoning_object", "thinking_type", "enable_thinking", "budget", "adaptive",
        "thinking_budget", "thinking_level",
    ]
    /// Keys with the words of `ProfileWords.choices`.
    package static let choiceKeys = ["max_tokens", "reasoning", "replay", "tool_choice"]

    /// The entries below the key Models.
    static func list(_ root: ConfigSection, _ problems: inout ConfigProblems) -> [ModelEntry] {
        var entries: [ModelEntry] = []
        for section in root.sections("Models") {
            if let entry = ModelEntry(section, &problems) { entries.append(entry) }
        }
        return entries
    }

    init?(_ section: ConfigSection, _ problems: inout ConfigProblems) {
        guard let (node, path) = section.value("match"), let match = node.text else { return nil }
        if match.isEmpty || match.utf8.count > 256 {
            problems.error(node, path, "allowed are 1 to 256 bytes")
        }
        self.match = match
        kinds = section.texts("kinds") ?? []
        family = section.text("family") ?? ""
        name = section.text("name")
        dialects = section.texts("dialects") ?? []
        efforts = section.texts("efforts") ?? []
        defaultEffort = section.text("default_effort")
        effortMap = ModelEntry.map(section, "reasoning_effort_map") { $0.text }
        hasVariants = section.boolean("variants")
        budgets = ModelEntry.map(section, "budgets") { Scalars.integer($0, in: 0...10_000_000) }
        thresholds = ModelEntry.map(section, "thresholds") { Scalars.integer($0, in: 0...10_000_000) }
        minimumBudget = section.integer("min_budget")
        maximumBudget = section.integer("max_budget")
        canDisableThinking = section.boolean("can_disable_thinking")
        contextWindow = section.integer("context_window")
        maxInput = section.integer("max_input")
        maxOutput = section.integer("max_output")
        choices = [:]
        for key in ["thinking"] + ModelEntry.choiceKeys { choices[key] = section.text(key) }
        quirks = ProfileWords.readQuirks(section.value("quirks"), &problems)
        forbidden = section.texts("forbidden") ?? []
        required = ModelEntry.map(section, "required") { $0.json }
        if let minimumBudget, let maximumBudget, minimumBudget > maximumBudget,
            let (node, path) = section.value("min_budget")
        {
            problems.error(node, path, "is larger than max_budget")
        }
    }

    private static func map<Value>(
        _ section: ConfigSection, _ key: String, _ read: (ConfigNode) -> Value?
    ) -> [String: Value] {
        var values: [String: Value] = [:]
        for member in section.value(key)?.node.uniqueMembers ?? [] { values[member.key] = read(member.node) }
        return values
    }
}

extension ProfileWords {
    /// Reads an object of quirks that are switched on or off.
    static func readQuirks(
        _ value: (node: ConfigNode, path: String)?, _ problems: inout ConfigProblems
    ) -> [String: Bool] {
        var read: [String: Bool] = [:]
        for member in value?.node.uniqueMembers ?? [] {
            guard quirks.contains(member.key) else {
                let hint = Spelling.hint(member.key, in: quirks, limit: 2)
                problems.error(
                    member.node, "\(value?.path ?? "").\(member.key)",
                    "is no quirk\(hint); see docs/providers.md")
                continue
            }
            read[member.key] = Scalars.boolean(member.node)
        }
        return read
    }
}
