// SPDX-License-Identifier: Apache-2.0
// Transformers of claude-code-router's files: each known name does what the manual says.

import Config
import Gateway
import Providers
import Testing

@Suite("Transformers")
struct TransformerTests {
    /// The rules of a model of a provider with these transformers.
    private func rules(_ transformer: String, model: String = "m") throws -> ResolvedModel {
        let provider = try provider(
            #"{"name": "p", "api_base_url": "http://h/v1", "models": ["m"], "transformer": \#(transformer)}"#)
        let rows = TransformerTable.apply(
            provider.transformers, to: ModelTable.rows(kind: provider.kind), kind: provider.kind)
        return ResolvedModel(model, kind: provider.kind, rows: rows)
    }

    @Test("have a row for every name that configurations may use, in the same order")
    func names() {
        #expect(TransformerTable.all.map(\.name) == TransformerUses.names)
        #expect(TransformerUses.names.allSatisfy { $0 == $0.lowercased() })
        #expect(TransformerUses.withoutEffect.keys.allSatisfy { !TransformerUses.names.contains($0) })
    }

    @Test("change the rules of the provider's models, with their options")
    func effects() throws {
        #expect(try rules(#"{"use": ["maxtoken"]}"#).rules.outputCap == 65_536)
        #expect(try rules(#"{"use": [["MaxToken", {"max_tokens": 100}]]}"#).rules.outputCap == 100)
        #expect(try rules(#"{"use": ["maxcompletiontokens"]}"#).rules.maxTokens == .maxCompletionTokens)
        #expect(try rules(#"{"use": ["extrathinktag"]}"#).rules.reasoning == .thinkTags)
        #expect(try rules(#"{"use": ["reasoning"]}"#).rules.thinking == .enableThinking)
        #expect(try rules(#"{"use": ["cleancache"]}"#).rules.removedQuirks == [.cacheControl, .cacheKey])
        let sampling = try rules(
            #"{"use": [["sampling", {"top_p": 0.5}], ["customparams", {"x": {"a": 1}}]]}"#)
        #expect(
            sampling.rules.required == [
                RequiredMember("top_p", "0.5", forced: true), RequiredMember("x", #"{"a":1}"#),
            ])
        #expect(sampling.rules.transformers == ["sampling", "customparams"])
    }

    @Test("of a model stand behind the provider's and are its alone")
    func models() throws {
        let text = #"{"use": ["cleancache"], "m": {"use": [["maxtoken", {"max_tokens": 9}]]}}"#
        let own = try rules(text).rules
        #expect(own.outputCap == 9)
        #expect(own.transformers == ["cleancache", "maxtoken"])
        let other = try rules(text, model: "unknown").rules
        #expect(other.outputCap == nil)
        #expect(other.transformers == ["cleancache"])
        // What is known of the model by its name stays known.
        #expect(try rules(#"{"gpt-5.1": {"use": ["cleancache"]}}"#, model: "gpt-5.1-high").effort == "high")
    }

    @Test(
        "mark the kind of a provider whose host says nothing",
        arguments: [
            ("http://h/v1/chat/completions", "deepseek", "deepseek", [Dialect.chat]),
            ("http://h/v1/messages", "Anthropic", "anthropic-compatible", [.messages]),
            ("http://h/v1beta/models/", "gemini", "gemini-compatible", [.gemini]),
            (
                "https://openrouter.ai/api/v1/chat/completions", "deepseek", "openrouter",
                [.chat, .responses, .messages]
            ),
            ("http://h/v1/chat/completions", "maxtoken", "openai-compatible", [.chat]),
        ])
    func kinds(url: String, name: String, kind: String, dialects: [Dialect]) throws {
        let provider = try provider(
            #"{"name": "p", "api_base_url": "\#(url)", "transformer": {"use": ["\#(name)"]}}"#)
        #expect(provider.kind == kind)
        #expect(ResolvedProvider(provider).profile.dialects == dialects)
    }

    @Test(
        "that nobody knows or that have no effect are told",
        arguments: [
            (
                #"{"use": ["depseek"]}"#,
                "error: Providers[0].transformer.use[0]: “depseek” is no transformer (did you mean “deepseek”"
            ),
            (#"{"m": {"use": ["x"]}}"#, "error: Providers[0].transformer.m.use[0]: “x” is no transformer"),
            (
                #"{"use": "deepseek"}"#,
                "error: Providers[0].transformer.use: is a string, allowed is an array"
            ),
            (#"{"use": [[1]]}"#, "error: Providers[0].transformer.use[0]: allowed is a name"),
            (
                #"{"m": ["deepseek"]}"#,
                "error: Providers[0].transformer.m: allowed is an object with the key “use”"
            ),
            (
                #"{"use": ["ToolUse"]}"#,
                "warning: Providers[0].transformer.use[0]: “ToolUse” has no effect: no tools"
            ),
        ])
    func wrong(transformer: String, message: String) {
        let loaded = load(
            #"{"Providers": [{"name": "p", "api_base_url": "http://h/v1", "transformer": \#(transformer)}]}"#)
        let text = loaded.problems.map(\.description).joined(separator: "\n")
        #expect(text.contains(message), "\(text)")
    }
}
