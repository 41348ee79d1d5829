// SPDX-License-Identifier: Apache-2.0
// Efforts and budgets of a model.

import Gateway
import Testing

@Suite("How much a model thinks")
struct ThinkingTests {
    private func rules(_ efforts: [String], default standard: String? = nil, map: [String: String] = [:])
        -> ModelRules
    {
        var rules = ModelRules("m")
        rules.efforts = efforts
        rules.defaultEffort = standard
        rules.effortMap = map
        return rules
    }

    @Test(
        "An effort that the model does not take becomes its default, or the nearest below",
        arguments: [
            ([], nil, "xhigh", "xhigh"), (["low", "medium", "high"], nil, "xhigh", "high"),
            (["low", "medium", "high"], nil, "minimal", "low"),
            (["low", "medium", "high"], nil, "none", "low"),
            (["none", "low"], nil, "none", "none"), (["low", "medium", "high"], "low", "xhigh", "low"),
            (["medium", "high"], "medium", "low", "medium"),
            (["medium", "high"], "medium", "none", "medium"),
            (["low", "high"], nil, "medium", "low"), (["low", "high"], nil, "strange", "strange"),
        ] as [([String], String?, String, String)])
    func clamp(efforts: [String], standard: String?, wanted: String, expected: String) {
        let effort = rules(efforts, default: standard).effort(for: ReasoningRequest(effort: wanted))
        #expect(effort == expected)
    }

    @Test("What a client does not say is the model's default, or nothing")
    func silent() {
        #expect(rules(["low"]).effort(for: ReasoningRequest()) == nil)
        #expect(rules(["low"]).effort(for: ReasoningRequest(mode: .adaptive)) == nil)
        #expect(rules(["low"], default: "low").effort(for: ReasoningRequest()) == "low")
    }

    @Test("The provider's words replace efforts, its default those that nobody names")
    func map() {
        let rules = rules(["low", "high"], map: ["high": "deep", "minimal": "low", "default": "usual"])
        for (wanted, expected) in [("high", "deep"), ("low", "low"), ("minimal", "low"), ("odd", "usual")] {
            #expect(rules.effort(for: ReasoningRequest(effort: wanted)) == expected)
        }
    }

    @Test(
        "A budget amounts to an effort",
        arguments: [
            (0, "minimal"), (1_023, "minimal"), (1_024, "low"), (2_048, "medium"), (4_096, "high"),
            (99_999, "high"),
        ])
    func thresholds(tokens: Int, effort: String) {
        #expect(ModelRules("m").effort(for: ReasoningRequest(mode: .budget(tokens))) == effort)
    }

    @Test("An effort amounts to a budget within the model's range")
    func budgets() {
        var rules = ModelRules("m")
        rules.budgetRange = 128...20_000
        #expect(rules.budget(for: ReasoningRequest(effort: "low")) == 4_096)
        #expect(rules.budget(for: ReasoningRequest(effort: "max")) == 20_000)
        #expect(rules.budget(for: ReasoningRequest(mode: .budget(1))) == 128)
        #expect(rules.budget(for: ReasoningRequest(mode: .off)) == 0)
        #expect(rules.budget(for: ReasoningRequest(mode: .adaptive)) == nil)
        rules.canDisableThinking = false
        #expect(rules.budget(for: ReasoningRequest(mode: .off)) == 128)
        #expect(rules.budget(for: ReasoningRequest(effort: "none")) == 128)
    }

    @Test(
        "A pattern fits the whole name or its last part",
        arguments: [
            ("gpt-5.1*", "GPT-5.1-codex", true), ("gpt-5.1*", "openai/gpt-5.1", true),
            ("gpt-5.1*", "my-gpt-5.1", false),
            ("*mini*", "gpt-5-mini-x", true), ("*", "", true), ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbY", false),
            ("", "a", false), ("gpt-5", "gpt-5.1", false),
        ])
    func patterns(pattern: String, name: String, fits: Bool) {
        #expect(ModelRules(pattern).fits(name, kind: "openai") == fits)
    }

    @Test("A row is about the kinds that it names")
    func kinds() {
        var rules = ModelRules("*")
        rules.kinds = ["chatgpt"]
        #expect(rules.fits("m", kind: "chatgpt"))
        #expect(!rules.fits("m", kind: "openai"))
    }
}
