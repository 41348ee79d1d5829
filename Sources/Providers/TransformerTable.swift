// SPDX-License-Identifier: Apache-2.0
// What the transformers of claude-code-router and CCR-Rust are here: changes of the rules of a provider's models. Most
// of what they did follows from the profile of a kind, or happens in every translation.
// Source: see Config/TransformerUses.swift.

package import Config
package import Gateway

package enum TransformerTable {
    package struct Row: Sendable {
        package let name: String
        /// One line for the manual.
        package let help: String
        let change: @Sendable (inout ModelRules, [String: String]) -> Void

        init(
            _ name: String, _ help: String,
            _ change: @escaping @Sendable (inout ModelRules, [String: String]) -> Void = { _, _ in }
        ) {
            self.name = name
            self.help = help
            self.change = change
        }
    }

    /// In the order of `TransformerUses.names`.
    package static let all: [Row] = [
        Row("anthropic", "The provider speaks Messages, as protocol anthropic."),
        Row("openai", "Nothing more: what a provider speaks follows from its kind and dialects."),
        Row("openai-responses", "Nothing more: what a provider speaks follows from its kind and dialects."),
        Row("gemini", "The provider speaks Gemini, as protocol gemini."),
        Row("vertex-gemini", "Kind vertex."), Row("vertex-claude", "Kind vertex."),
        Row("vertex-openai", "Kind vertex."),
        Row("anthropic-to-openai", "Nothing more: dialects are translated where they differ."),
        Row("openai-to-anthropic", "Nothing more: dialects are translated where they differ."),
        Row("identity", "Nothing."), Row("deepseek", "Kind deepseek, where the host does not say otherwise."),
        Row("openrouter", "Kind openrouter, where the host does not say otherwise."),
        Row("groq", "Kind groq, where the host does not say otherwise."),
        Row("cerebras", "Kind cerebras, where the host does not say otherwise."),
        Row("vercel", "Thoughts in `reasoning`, asked for by `reasoning`.") { rules, _ in
            rules.reasoning = .reasoning
            rules.thinking = .reasoningObject
        },
        Row("minimax", "Kind minimax, where the host does not say otherwise."),
        Row("glm", "Kind zai, where the host does not say otherwise."),
        Row("kimi", "Kind moonshot, where the host does not say otherwise."),
        Row("maxtoken", "`max_tokens` of its options is the most output that is asked for (65536).") {
            rules, options in
            rules.outputCap = options["max_tokens"].flatMap { Int($0) } ?? 65_536
        },
        Row("maxcompletiontokens", "`max_tokens` is sent as `max_completion_tokens`.") { rules, _ in
            rules.maxTokens = .maxCompletionTokens
        },
        Row("sampling", "Its options replace the client's members of the same names.") { rules, options in
            set(options, forced: true, in: &rules)
        },
        Row("customparams", "Its options are added to requests that do not have them.") { rules, options in
            set(options, forced: false, in: &rules)
        },
        Row("reasoning", "Thinking is switched by `enable_thinking`, thoughts are in `reasoning_content`.") {
            rules, options in
            rules.thinking = .enableThinking
            rules.reasoning = .reasoningContent
            if options["enable"] == "false" { set(["enable_thinking": "false"], forced: true, in: &rules) }
        },
        Row("extrathinktag", "Thoughts stand in `<think>` inside of the text.") { rules, _ in
            rules.reasoning = .thinkTags
        },
        Row("thinktag", "Thoughts stand in `<think>` inside of the text.") { rules, _ in
            rules.reasoning = .thinkTags
        },
        Row("cleancache", "Hints for a prompt cache are left out.") { rules, _ in
            rules.removedQuirks.insert([.cacheControl, .cacheKey])
        },
        Row("streamoptions", "Usage is asked for in streams.") { rules, _ in
            rules.removedQuirks.insert(.noStreamOptions)
        },
        Row("enhancetool", "Nothing more: arguments of tools are repaired in every translation."),
    ]

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    private static func set(_ members: [String: String], forced isForced: Bool, in rules: inout ModelRules) {
        for (name, json) in members.sorted(by: { $0.key < $1.key }) {
            rules.required.removeAll { $0.name == name }
            rules.required.append(RequiredMember(name, json, forced: isForced))
        }
    }

    /// The rows of a provider's models with its transformers applied, in the order of matching.
    package static func apply(_ uses: TransformerUses, to rows: [ModelRules], kind: String) -> [ModelRules] {
        guard !uses.common.isEmpty || !uses.models.isEmpty else { return rows }
        let single = uses.models.sorted { $0.key < $1.key }.map { model, own in
            var rules = rows.first { $0.fits(model, kind: kind) } ?? ModelRules()
            rules.pattern = model
            apply(uses.common + own, to: &rules)
            return rules
        }
        let others = (rows + [ModelRules()]).map { row in
            var rules = row
            apply(uses.common, to: &rules)
            return rules
        }
        return single + others
    }

    private static func apply(_ uses: [TransformerUse], to rules: inout ModelRules) {
        for use in uses {
            byName[use.name]?.change(&rules, use.options)
            if !rules.transformers.contains(use.name) { rules.transformers.append(use.name) }
        }
    }
}
