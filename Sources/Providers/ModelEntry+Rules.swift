// SPDX-License-Identifier: Apache-2.0
// Turns an entry of Models into a row of the table of models.

package import Config
package import Gateway

extension ModelRules {
    package init(_ entry: ModelEntry) {
        self.init(entry.match)
        kinds = entry.kinds
        family = entry.family
        upstreamName = entry.name
        dialects = Dialect.allCases.filter { entry.dialects.contains($0.name) }
        efforts = entry.efforts
        defaultEffort = entry.defaultEffort
        effortMap = entry.effortMap
        hasVariants = entry.hasVariants
        if !entry.budgets.isEmpty {
            budgets = ModelRules.ascending(entry.budgets)
        }
        if !entry.thresholds.isEmpty { thresholds = ModelRules.ascending(entry.thresholds) }
        let lower = entry.minimumBudget ?? min(budgetRange.lowerBound, entry.maximumBudget ?? Int.max)
        budgetRange = lower...max(lower, entry.maximumBudget ?? budgetRange.upperBound)
        canDisableThinking = entry.canDisableThinking
        contextWindow = entry.contextWindow
        maxInput = entry.maxInput
        maxOutput = entry.maxOutput
        thinking = entry.choices["thinking"].flatMap { ThinkingForm(rawValue: $0) }
        maxTokens = entry.choices["max_tokens"].flatMap { MaxTokensMember(rawValue: $0) }
        reasoning = entry.choices["reasoning"].flatMap { ReasoningMember(rawValue: $0) }
        replay = entry.choices["replay"].flatMap { ReasoningReplay(rawValue: $0) }
        toolChoice = entry.choices["tool_choice"].flatMap { ToolChoiceForm(rawValue: $0) }
        for (name, quirk) in Quirks.names {
            guard let isSet = entry.quirks[name] else { continue }
            if isSet { addedQuirks.insert(quirk) } else { removedQuirks.insert(quirk) }
        }
        forbidden = entry.forbidden
        required = entry.required.sorted { $0.key < $1.key }.map { RequiredMember($0.key, $0.value) }
    }

    private static func ascending(_ budgets: [String: Int]) -> [EffortBudget] {
        budgets.map { EffortBudget($0.key, $0.value) }.sorted {
            let ranks = (EffortScale.rank($0.effort) ?? .max, EffortScale.rank($1.effort) ?? .max)
            return ($0.tokens, ranks.0, $0.effort) < ($1.tokens, ranks.1, $1.effort)
        }
    }
}
