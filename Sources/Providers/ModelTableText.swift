// SPDX-License-Identifier: Apache-2.0
// Rows of the table of models as a file: what `ccr models --table` prints, a package installs and ModelsFile reads. A row
// says only what is not usual.

package import Gateway
package import JSON

package enum ModelTableText {
    /// An object with the key Models, one row to a line.
    package static func json(_ rows: [ModelRules]) -> String {
        let lines = rows.map { row in
            var writer = JSONWriter()
            write(row, &writer)
            return "    " + String(decoding: writer.bytes, as: UTF8.self)
        }
        return "{\n  \"Models\": [\n" + lines.joined(separator: ",\n") + "\n  ]\n}\n"
    }

    private static func write(_ row: ModelRules, _ writer: inout JSONWriter) {
        let usual = ModelRules()
        writer.object { writer in
            writer.member("match", row.pattern)
            texts("kinds", row.kinds, &writer)
            if !row.family.isEmpty { writer.member("family", row.family) }
            if let name = row.upstreamName { writer.member("name", name) }
            texts("dialects", row.dialects.map(\.name), &writer)
            texts("efforts", row.efforts, &writer)
            if let effort = row.defaultEffort { writer.member("default_effort", effort) }
            if !row.effortMap.isEmpty {
                writer.member(
                    "reasoning_effort_map",
                    object: { writer in
                        for (effort, word) in row.effortMap.sorted(by: { $0.key < $1.key }) {
                            writer.key(effort)
                            writer.string(word)
                        }
                    })
            }
            if row.hasVariants { writer.member("variants", true) }
            budgets("budgets", row.budgets, usual.budgets, &writer)
            budgets("thresholds", row.thresholds, usual.thresholds, &writer)
            number("min_budget", row.budgetRange.lowerBound, usual.budgetRange.lowerBound, &writer)
            number("max_budget", row.budgetRange.upperBound, usual.budgetRange.upperBound, &writer)
            if !row.canDisableThinking { writer.member("can_disable_thinking", false) }
            number("context_window", row.contextWindow, nil, &writer)
            number("max_input", row.maxInput, nil, &writer)
            number("max_output", row.maxOutput, nil, &writer)
            for (key, word) in [
                ("thinking", row.thinking?.rawValue), ("max_tokens", row.maxTokens?.rawValue),
                ("reasoning", row.reasoning?.rawValue), ("replay", row.replay?.rawValue),
                ("tool_choice", row.toolChoice?.rawValue),
            ] {
                guard let word else { continue }
                writer.key(key)
                writer.string(word)
            }
            quirks(row, &writer)
            texts("forbidden", row.forbidden, &writer)
            if !row.required.isEmpty { required(row.required, &writer) }
        }
    }

    /// The members that a request must have, as profiles and models name them.
    package static func required(_ members: [RequiredMember], _ writer: inout JSONWriter) {
        writer.member(
            "required",
            object: { writer in
                for member in members {
                    writer.key(member.name)
                    writer.raw(member.json.utf8)
                }
            })
    }

    private static func texts(_ key: StaticString, _ texts: [String], _ writer: inout JSONWriter) {
        guard !texts.isEmpty else { return }
        writer.member(key, array: { writer in for text in texts { writer.string(text) } })
    }

    private static func number(
        _ key: StaticString, _ number: Int?, _ usual: Int?, _ writer: inout JSONWriter
    ) {
        if let number, number != usual { writer.member(key, number) }
    }

    private static func budgets(
        _ key: StaticString, _ budgets: [EffortBudget], _ usual: [EffortBudget], _ writer: inout JSONWriter
    ) {
        guard budgets != usual else { return }
        writer.member(
            key,
            object: { writer in
                for budget in budgets {
                    writer.key(budget.effort)
                    writer.int(budget.tokens)
                }
            })
    }

    private static func quirks(_ row: ModelRules, _ writer: inout JSONWriter) {
        guard !row.addedQuirks.isEmpty || !row.removedQuirks.isEmpty else { return }
        writer.member(
            "quirks",
            object: { writer in
                for name in row.addedQuirks.names {
                    writer.key(name)
                    writer.bool(true)
                }
                for name in row.removedQuirks.names {
                    writer.key(name)
                    writer.bool(false)
                }
            })
    }
}
