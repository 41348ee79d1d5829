// SPDX-License-Identifier: Apache-2.0
// The table of models: names, efforts and defaults as the ChatGPT backend has them, and what the operator may change.

import Config
import Gateway
import Providers
import Testing

@Suite("Models")
struct ModelTableTests {
    private func resolve(_ name: String, _ kind: String = "chatgpt") -> ResolvedModel {
        ResolvedModel(name, kind: kind, rows: ModelTable.rows(kind: kind))
    }

    @Test(
        "of the ChatGPT backend are recognised by parts of their names",
        arguments: [
            ("gpt-5", "gpt-5", nil), ("gpt-5-high", "gpt-5", "high"), ("gpt-5-minimal", "gpt-5", "minimal"),
            ("gpt-5.1-high", "gpt-5.1", "high"), ("GPT-5.1-Codex-Max-xhigh", "gpt-5.1-codex-max", "xhigh"),
            ("gpt-5.1-codex-mini-high", "gpt-5.1-codex-mini", "high"),
            ("gpt-5.2-codex", "gpt-5.2-codex", nil),
            ("gpt-5.3-codex-spark-low", "gpt-5.3-codex-spark", "low"), ("gpt-5.4", "gpt-5.4", nil),
            ("gpt-5.5", "gpt-5.5", nil), ("gpt-4o", "gpt-5.1-codex-mini", nil),
            ("gpt-5-mini", "gpt-5.1-codex-mini", nil),
            ("codex-latest", "gpt-5-codex", nil), ("o3", "gpt-5", nil), ("claude-opus", "gpt-5", nil),
        ] as [(String, String, String?)])
    func chatGPT(name: String, model: String, effort: String?) {
        let resolved = resolve(name)
        #expect(resolved.name == model)
        #expect(resolved.effort == effort)
    }

    @Test(
        "of the ChatGPT backend clamp efforts and have defaults",
        arguments: [
            ("gpt-5.1", "minimal", "low"), ("gpt-5.1", "xhigh", "low"), ("gpt-5.1", "none", "low"),
            ("gpt-5.1", nil, "low"), ("gpt-5.2", "minimal", "medium"), ("gpt-5.2", "xhigh", "xhigh"),
            ("gpt-5.1-codex-mini", "low", "medium"), ("gpt-5.3-codex-spark", nil, "high"),
            ("gpt-5", nil, nil),
            ("gpt-5", "minimal", "minimal"), ("gpt-5-codex", "xhigh", "high"),
        ] as [(String, String?, String?)])
    func efforts(model: String, wanted: String?, expected: String?) {
        #expect(resolve(model).rules.effort(for: ReasoningRequest(effort: wanted)) == expected)
    }

    @Test("elsewhere keep their names, and take an effort behind the name only if they know it")
    func elsewhere() {
        #expect(resolve("gpt-5.1-high", "openai").name == "gpt-5.1")
        #expect(resolve("gpt-5.1-high", "openai").effort == "high")
        #expect(resolve("gpt-5.1-max", "openai").name == "gpt-5.1-max")
        #expect(resolve("gpt-4o", "openai").name == "gpt-4o")
        #expect(resolve("claude-opus-4-7-high", "anthropic").effort == nil)
        #expect(resolve("unknown", "openai") == ResolvedModel(name: "unknown"))
    }

    @Test(
        "have a family and a way to think",
        arguments: [
            ("claude-3-5-sonnet-20241022", "claude-3", "none"),
            ("claude-3-7-sonnet-latest", "claude-3.7", "budget"),
            ("claude-sonnet-4-20250514", "claude-4", "budget"), ("claude-opus-4-6", "claude-4.6", "adaptive"),
            ("claude-sonnet-5", "claude", "adaptive"), ("gemini-2.5-pro", "gemini-2.5", "thinking_budget"),
            ("models/gemini-3-pro-preview", "gemini-3", "thinking_level"), ("gpt-4o-mini", "gpt-4o", "none"),
        ])
    func families(name: String, family: String, thinking: String) {
        let rules = resolve(name, "openrouter").rules
        #expect(rules.family == family)
        #expect(rules.thinking?.rawValue == thinking)
    }

    @Test("are consistent in themselves")
    func consistent() {
        for rules in ModelTable.all {
            let ranks = rules.efforts.compactMap(EffortScale.rank)
            #expect(ranks == ranks.sorted() && ranks.count == rules.efforts.count, "\(rules.pattern)")
            if let standard = rules.defaultEffort {
                #expect(rules.efforts.contains(standard), "\(rules.pattern)")
            }
            #expect(rules.budgets.map(\.tokens) == rules.budgets.map(\.tokens).sorted(), "\(rules.pattern)")
            #expect(rules.kinds.allSatisfy(ProviderKind.names.contains))
            #expect(!rules.family.isEmpty)
        }
    }

    @Test("of the operator stand before the built-in ones")
    func own() throws {
        let loaded = load(
            #"""
            {"Providers": [{"name": "p", "api_base_url": "https://api.openai.com", "models": ["gpt-5.1", "local"]}],
             "Models": [
               {"match": "gpt-5.1", "efforts": ["low"], "variants": true, "context_window": 9},
               {"match": "local*", "name": "real", "reasoning_effort_map": {"high": "deep", "default": "usual"},
                "budgets": {"high": 100, "low": 10}, "min_budget": 5, "max_budget": 50, "thinking": "enable_thinking",
                "max_tokens": "max_completion_tokens", "quirks": {"no_stop": true, "top_k": false},
                "forbidden": ["x"], "required": {"y": [1]}, "can_disable_thinking": false}]}
            """#)
        #expect(loaded.problems.map(\.description) == [])
        let rows = try ModelTable.rows(ModelTable.rows(of: #require(loaded.configuration)), kind: "openai")
        #expect(ResolvedModel.variants("gpt-5.1", kind: "openai", rows: rows) == ["gpt-5.1-low"])
        #expect(ResolvedModel("gpt-5.1", kind: "openai", rows: rows).rules.contextWindow == 9)
        #expect(ResolvedModel("gpt-5.2", kind: "openai", rows: rows).rules.family == "gpt-5.2")
        let local = ResolvedModel("local-1", kind: "openai", rows: rows)
        #expect(local.name == "real")
        #expect(local.rules.effort(for: ReasoningRequest(effort: "high")) == "deep")
        #expect(local.rules.budget(for: ReasoningRequest(effort: "high")) == 50)
        #expect(local.rules.budget(for: ReasoningRequest(mode: .off)) == 5)
        let rules = local.rules.applied(to: UpstreamRules())
        #expect(rules.chatThinking == .enableThinking)
        #expect(rules.maxTokens == .maxCompletionTokens)
        #expect(rules.has(.noStop))
        #expect(local.rules.required == [RequiredMember("y", "[1]")])
    }

    private func loadTable(_ file: String?, _ own: String = "[]") -> LoadedConfiguration {
        load(
            """
            {"Providers": [{"name": "p", "api_base_url": "https://api.openai.com"}],
             "ModelsFile": "models.json", "Models": \(own)}
            """, file.map { ["/etc/models.json": $0] } ?? [:])
    }

    @Test("that are built in say the same when they come from the file that is made of them")
    func roundTrip() throws {
        let loaded = loadTable(ModelTableText.json(ModelTable.all))
        #expect(loaded.problems.map(\.description) == [])
        #expect(try ModelTable.rows(of: #require(loaded.configuration)) == ModelTable.all)
    }

    @Test("of a file replace the built-in ones, and stand behind those of the configuration")
    func replaced() throws {
        let loaded = loadTable(
            #"""
            {"Models": [{"match": "gpt-5.1*", "name": "gpt-5.1", "efforts": ["low", "medium"],
              "default_effort": "medium", "thresholds": {"low": 9, "medium": 99}, "variants": true}]}
            """#, #"[{"match": "own", "family": "own"}]"#)
        #expect(loaded.problems.map(\.description) == [])
        let rows = try ModelTable.rows(of: #require(loaded.configuration))
        #expect(rows.map(\.pattern) == ["own", "gpt-5.1*"])
        #expect(
            ResolvedModel.variants("gpt-5.1", kind: "openai", rows: rows)
                == ["gpt-5.1-low", "gpt-5.1-medium"])
        let clamped = ResolvedModel("gpt-5.1-high", kind: "openai", rows: rows)
        #expect(clamped.rules.effort(for: ReasoningRequest(effort: clamped.effort)) == "medium")
        #expect(clamped.rules.thresholds == [EffortBudget("low", 9), EffortBudget("medium", 99)])
        #expect(ResolvedModel("gpt-5.2", kind: "openai", rows: rows).rules == ModelRules())
    }

    @Test(
        "of a file that is wrong are refused, with file, line and key",
        arguments: [
            (nil, "/etc/models.json:1:1: error: there is no such file"),
            (
                #"{"Models": [{"match": "a"}], "Router": {}}"#,
                "/etc/models.json:1:1: error: allowed is an object with the key Models and no other"
            ),
            (
                "{\"Models\": [\n{\"efforts\": 1}]}",
                "/etc/models.json:2:1: error: Models[0]: the key “match” is missing (a string)"
            ),
            (
                #"{"Models": [{"match": "a", "quirks": {"no_stopp": true}}]}"#,
                "/etc/models.json:1:51: error: Models[0].quirks.no_stopp: is no quirk (did you mean “no_stop” or “no_top_p”?); see docs/providers.md"
            ),
        ] as [(String?, String)])
    func wrongFile(text: String?, problem: String) {
        let loaded = loadTable(text)
        #expect(loaded.configuration == nil)
        #expect(loaded.problems.map(\.description).contains(problem), "\(loaded.problems)")
    }
}
