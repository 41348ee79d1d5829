// SPDX-License-Identifier: Apache-2.0
// What is known of models, by name. The first row that fits counts; rows of the configuration (Models) stand before all
// of these, and a file of the operator's (ModelsFile) replaces them. `ccr models --table` and the package's models.json
// are written from here.
// Sources: dvcrn/codex-proxy internal/server/transform.go (names, efforts, defaults and windows of the ChatGPT backend),
// read 2026-11-21; API references of Anthropic (extended and adaptive thinking), Google (thinkingConfig) and OpenAI
// (reasoning), 2026. Rows without a window: not known.

package import Config
package import Gateway

package enum ModelTable {
    /// The built-in rows, in the order of matching.
    package static let all: [ModelRules] = chatGPT + openAI + claude + gemini + others

    /// All that a configuration knows: its own entries, then those of its file, without one the built-in rows.
    package static func rows(of configuration: Configuration) -> [ModelRules] {
        let table = configuration.modelTable.map { $0.map { ModelRules($0) } } ?? all
        return configuration.models.map { ModelRules($0) } + table
    }

    /// The rows that can be about models of a kind of provider.
    package static func rows(_ rows: [ModelRules] = all, kind: String) -> [ModelRules] {
        rows.filter { $0.kinds.isEmpty || $0.kinds.contains(kind) }
    }

    // MARK: - Rows

    private static func row(_ pattern: String, _ family: String, _ change: (inout ModelRules) -> Void)
        -> ModelRules
    {
        var rules = ModelRules(pattern)
        rules.family = family
        change(&rules)
        return rules
    }

    /// A model of the ChatGPT backend: whatever name holds `part` is asked for as `name`.
    private static func codex(
        _ pattern: String, _ name: String, _ efforts: [String], default standard: String?, window: Int,
        input: Int,
        output: Int
    ) -> ModelRules {
        row(pattern, name) {
            $0.kinds = ["chatgpt"]
            $0.upstreamName = name
            $0.efforts = efforts
            $0.defaultEffort = standard
            $0.hasVariants = true
            $0.contextWindow = window
            $0.maxInput = input
            $0.maxOutput = output
        }
    }

    private static let toHigh = ["low", "medium", "high"]
    private static let toExtra = ["low", "medium", "high", "xhigh"]
    private static let fromMinimal = ["minimal", "low", "medium", "high"]
    private static let mini = ["medium", "high"]

    /// In the order in which names are recognised there.
    private static let chatGPT: [ModelRules] = [
        codex(
            "gpt-5.5", "gpt-5.5", toExtra, default: "medium", window: 1_050_000, input: 922_000,
            output: 128_000),
        codex(
            "*gpt-5.2-codex*", "gpt-5.2-codex", toExtra, default: "medium", window: 200_000, input: 128_000,
            output: 64_000),
        codex(
            "*gpt-5.3-codex-spark*", "gpt-5.3-codex-spark", toExtra, default: "high", window: 200_000,
            input: 128_000,
            output: 64_000),
        codex(
            "*gpt-5.3-codex*", "gpt-5.3-codex", toExtra, default: "medium", window: 200_000, input: 128_000,
            output: 64_000),
        codex(
            "*gpt-5.4*", "gpt-5.4", toExtra, default: "medium", window: 264_000, input: 128_000,
            output: 64_000),
        codex(
            "*gpt-5.2*", "gpt-5.2", toExtra, default: "medium", window: 264_000, input: 128_000,
            output: 64_000),
        codex(
            "*gpt-5.1-codex-max*", "gpt-5.1-codex-max", toExtra, default: "low", window: 200_000,
            input: 128_000,
            output: 64_000),
        codex(
            "*gpt-5.1-codex-mini*", "gpt-5.1-codex-mini", mini, default: "medium", window: 128_000,
            input: 64_000,
            output: 32_000),
        codex(
            "*gpt-5.1-codex*", "gpt-5.1-codex", toHigh, default: "low", window: 200_000, input: 128_000,
            output: 64_000),
        codex(
            "*gpt-5.1*", "gpt-5.1", toHigh, default: "low", window: 264_000, input: 128_000, output: 64_000),
        codex(
            "*gpt-5-codex-mini*", "gpt-5-codex-mini", mini, default: "medium", window: 128_000, input: 64_000,
            output: 32_000),
        codex(
            "*mini*", "gpt-5.1-codex-mini", mini, default: "medium", window: 128_000, input: 64_000,
            output: 32_000),
        codex(
            "*4o*", "gpt-5.1-codex-mini", mini, default: "medium", window: 128_000, input: 64_000,
            output: 32_000),
        codex(
            "*codex*", "gpt-5-codex", fromMinimal, default: nil, window: 200_000, input: 128_000,
            output: 64_000),
        codex("*", "gpt-5", fromMinimal, default: nil, window: 264_000, input: 128_000, output: 64_000),
    ]

    /// Models of OpenAI wherever they are served. Sampling is fixed while they reason (unconfirmed for effort none).
    private static func reasoner(_ pattern: String, _ family: String, _ efforts: [String], window: Int)
        -> ModelRules
    {
        row(pattern, family) {
            $0.efforts = efforts
            $0.hasVariants = true
            $0.contextWindow = window
            $0.maxOutput = 128_000
            $0.maxTokens = .maxCompletionTokens
            $0.addedQuirks = [.noTemperature, .noTopP, .noPenalties, .noStop]
        }
    }

    private static let openAI: [ModelRules] = [
        row("gpt-5*-chat*", "gpt-5-chat") {
            $0.thinking = ThinkingForm.none
            $0.contextWindow = 128_000
            $0.maxOutput = 16_384
        },
        reasoner(
            "gpt-5.1-codex-max*", "gpt-5.1", ["none", "low", "medium", "high", "xhigh"], window: 400_000),
        reasoner("gpt-5.1*", "gpt-5.1", ["none", "low", "medium", "high"], window: 400_000),
        reasoner("gpt-5.5*", "gpt-5.5", ["none", "low", "medium", "high", "xhigh"], window: 1_050_000),
        reasoner("gpt-5.*", "gpt-5.2", ["none", "low", "medium", "high", "xhigh"], window: 400_000),
        reasoner("gpt-5-codex*", "gpt-5", ["low", "medium", "high"], window: 400_000),
        reasoner("gpt-5*", "gpt-5", fromMinimal, window: 400_000),
        row("gpt-oss*", "gpt-oss") {
            $0.efforts = toHigh
            $0.contextWindow = 131_072
        },
        row("gpt-4.1*", "gpt-4.1") {
            $0.thinking = ThinkingForm.none
            $0.contextWindow = 1_047_576
            $0.maxOutput = 32_768
        },
        row("gpt-4o*", "gpt-4o") {
            $0.thinking = ThinkingForm.none
            $0.contextWindow = 128_000
            $0.maxOutput = 16_384
        },
        row("gpt-*", "gpt") { $0.thinking = ThinkingForm.none },
        row("o1-mini*", "o1") { $0.thinking = ThinkingForm.none },
        reasoner("o1*", "o1", toHigh, window: 200_000), reasoner("o3*", "o3", toHigh, window: 200_000),
        reasoner("o4*", "o4", toHigh, window: 200_000),
    ]

    private static let claudeBudgets = [
        EffortBudget("minimal", 1_024), EffortBudget("low", 4_000), EffortBudget("medium", 10_000),
        EffortBudget("high", 24_000), EffortBudget("xhigh", 32_000), EffortBudget("max", 32_000),
    ]

    private static func claude(_ pattern: String, _ family: String, _ thinking: ThinkingForm, output: Int)
        -> ModelRules
    {
        row(pattern, family) {
            $0.thinking = thinking
            $0.budgets = claudeBudgets
            $0.efforts = thinking == .adaptive ? ["low", "medium", "high", "xhigh", "max"] : []
            $0.contextWindow = 200_000
            $0.maxOutput = output
        }
    }

    private static let claude: [ModelRules] = [
        claude("claude-3-7*", "claude-3.7", .budget, output: 64_000),
        claude("claude-3*", "claude-3", .none, output: 8_192),
        claude("claude-*-4-6*", "claude-4.6", .adaptive, output: 128_000),
        claude("claude-*-4-7*", "claude-4.7", .adaptive, output: 128_000),
        claude("claude-*-4-8*", "claude-4.8", .adaptive, output: 128_000),
        claude("claude-*-4-9*", "claude-4.9", .adaptive, output: 128_000),
        claude("claude-opus-4-1*", "claude-4", .budget, output: 32_000),
        claude("claude-opus-4-2*", "claude-4", .budget, output: 32_000),
        claude("claude-*-4*", "claude-4", .budget, output: 64_000),
        claude("claude*", "claude", .adaptive, output: 128_000),
    ]

    private static func gemini25(_ pattern: String, _ range: ClosedRange<Int>, off canDisable: Bool)
        -> ModelRules
    {
        row(pattern, "gemini-2.5") {
            $0.thinking = .thinkingBudget
            $0.budgetRange = range
            $0.canDisableThinking = canDisable
            $0.budgets = [
                EffortBudget("minimal", 1_024), EffortBudget("low", 1_024), EffortBudget("medium", 8_192),
                EffortBudget("high", 24_576), EffortBudget("xhigh", range.upperBound),
                EffortBudget("max", range.upperBound),
            ]
            $0.contextWindow = 1_048_576
            $0.maxOutput = 65_536
        }
    }

    private static let gemini: [ModelRules] = [
        gemini25("gemini-2.5-pro*", 128...32_768, off: false),
        gemini25("gemini-2.5-flash-lite*", 512...24_576, off: true),
        gemini25("gemini-2.5*", 1...24_576, off: true),
        row("gemini-1*", "gemini-1.5") { $0.thinking = ThinkingForm.none },
        row("gemini-2.0*", "gemini-2.0") {
            $0.thinking = ThinkingForm.none
            $0.contextWindow = 1_048_576
            $0.maxOutput = 8_192
        },
        row("gemini-*", "gemini-3") {
            $0.thinking = .thinkingLevel
            $0.efforts = ["minimal", "low", "medium", "high"]
            $0.canDisableThinking = false
            $0.thresholds = [EffortBudget("low", 2_048), EffortBudget("medium", 8_192)]
            $0.removedQuirks = [.noFormatWithTools]
            $0.addedQuirks = [.callIDs]
            $0.contextWindow = 1_048_576
            $0.maxOutput = 65_536
        },
    ]

    private static let others: [ModelRules] = [
        row("deepseek*", "deepseek") { $0.contextWindow = 131_072 },
        // litellm: reasoning models of Moonshot take no temperature but 1.
        row("kimi-k2-thinking*", "kimi-thinking") {
            $0.addedQuirks = [.noTemperature]
            $0.contextWindow = 262_144
        },
        row("kimi*", "kimi") { $0.contextWindow = 262_144 },
        row("glm-*v*", "glm-vision") { $0.contextWindow = 65_536 },
        row("glm-*", "glm") {
            $0.addedQuirks = [.noImages]
            $0.contextWindow = 200_000
        },
        row("minimax-*", "minimax") { $0.contextWindow = 204_800 },
        // litellm: no penalties and no stop sequences while reasoning; only the small one takes an effort.
        row("grok-3-mini*", "grok-3-mini") {
            $0.efforts = ["low", "high"]
            $0.addedQuirks = [.noPenalties, .noStop]
        },
        row("grok-*", "grok") {
            $0.thinking = ThinkingForm.none
            $0.addedQuirks = [.noPenalties, .noStop]
            $0.contextWindow = 256_000
        },
        // Some thinking models are offered as streams only (unconfirmed).
        row("qwq*", "qwen-thinking") { $0.addedQuirks = [.streamOnly] },
        row("qwen*", "qwen") { $0.contextWindow = 131_072 },
        row("magistral*", "mistral-thinking") { $0.contextWindow = 131_072 },
    ]
}
