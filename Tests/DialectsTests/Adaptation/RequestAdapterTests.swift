// SPDX-License-Identifier: Apache-2.0
// Requests before and after they were fitted to a provider of their own dialect: every byte counts.

import Gateway
import JSON
import Testing

@testable import Dialects

@Suite("Adapting a request")
struct RequestAdapterTests {
    /// The body after a profile's and a model's changes.
    private func adapt(
        _ body: String, _ endpoint: Endpoint, _ profile: ProviderProfile,
        model: ResolvedModel = ResolvedModel(name: "m"), wanted: String = "m"
    ) throws -> String {
        var losses = Losses()
        return try adapt(body, endpoint, profile, model: model, wanted: wanted, &losses)
    }

    private func adapt(
        _ body: String, _ endpoint: Endpoint, _ profile: ProviderProfile,
        model: ResolvedModel = ResolvedModel(name: "m"), wanted: String = "m", _ losses: inout Losses
    ) throws -> String {
        let adapter = RequestAdapter(profile, endpoint: endpoint, wanted: wanted, model: model)
        var bytes = Array(body.utf8)
        let parser = JSONParser()
        let splices = try bytes.withUnsafeBytes { text in
            let root = try parser.parse(text)
            let map = try #require(SourceMap(parser))
            return adapter.splices(root, text: text, map: map, &losses)
        }
        if adapter.isIdle { #expect(splices.isEmpty) }
        for splice in splices.reversed() {
            bytes.replaceSubrange(splice.offset..<(splice.offset + splice.length), with: splice.replacement)
        }
        _ = try parser.parse(bytes)
        for (a, b) in zip(splices, splices.dropFirst()) { #expect(a.offset + a.length <= b.offset) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func adapt(
        _ body: String, _ profile: ProviderProfile, model: ResolvedModel = ResolvedModel(name: "m")
    ) throws -> String {
        try adapt(body, .chatCompletions, profile, model: model)
    }

    private func profile(
        _ dialect: Dialect = .chat, required: [RequiredMember] = [], forbidden: [String] = [],
        quirks: Quirks = [],
        kind: String = "x-compatible", _ change: (inout UpstreamRules) -> Void = { _ in }
    ) -> ProviderProfile {
        var rules = UpstreamRules()
        rules.quirks = quirks
        change(&rules)
        return ProviderProfile(
            kind, [Surface(dialect, required: required, forbidden: forbidden)], rules: rules)
    }

    @Test
    func
        `a request that an encoder wrote by the same rules is read again only for what encoders do not know`()
    {
        func isIdle(_ profile: ProviderProfile, _ model: ResolvedModel = ResolvedModel(name: "m")) -> Bool {
            RequestAdapter(
                profile, endpoint: .chatCompletions, wanted: "alias", model: model, isTranslated: true
            ).isIdle
        }
        var mapped = ModelRules()
        mapped.effortMap = ["high": "max"]
        #expect(
            isIdle(
                profile(quirks: [.noStrict, .noSeed, .noTemperature], kind: "known") {
                    $0.toolChoice = .autoOnly
                }))
        #expect(isIdle(profile(), ResolvedModel(name: "m", rules: mapped)), "an effort is mapped once")
        #expect(!isIdle(profile(forbidden: ["a"])))
        #expect(!isIdle(profile(required: [RequiredMember("a", "1")])))
        var capped = ModelRules()
        capped.outputCap = 10
        #expect(!isIdle(profile(), ResolvedModel(name: "m", rules: capped)))
    }

    @Test func `what is taken out is counted, and what is not there is not`() throws {
        var losses = Losses()
        let profile = profile(forbidden: ["a", "b"], quirks: [.noStrict, .noSeed]) {
            $0.toolChoice = .autoOnly
        }
        _ = try adapt(
            #"{"a":1,"b":null,"seed":7,"tool_choice":"required","tools":[{"type":"function","function":{"name":"f","strict":true}},{"type":"function","function":{"name":"g"}}]}"#,
            .chatCompletions, profile, &losses)
        #expect(losses.parameters == ["a", "seed"])
        #expect(losses[.parameter] == 2 && losses[.member] == 1 && losses[.toolChoice] == 1)
    }

    @Test(
        "Refused members leave with their comma, wherever they stand",
        arguments: [
            (#"{"a":1, "b" : [2,"a"] , "c":3}"#, ["a"], #"{ "b" : [2,"a"] , "c":3}"#),
            (#"{"a":1, "b" : [2,"a"] , "c":3}"#, ["b"], #"{"a":1 , "c":3}"#),
            (#"{"a":1, "b" : [2,"a"] , "c":3}"#, ["c"], #"{"a":1, "b" : [2,"a"] }"#),
            (#"{"a":1, "b" : [2,"a"] , "c":3}"#, ["a", "b"], #"{  "c":3}"#),
            (#"{"a":1, "b" : [2,"a"] , "c":3}"#, ["a", "b", "c"], #"{ }"#),
            (#" {"a":1,"a":{"a":2},"b":"a"} "#, ["a"], #" {"b":"a"} "#),
            (#"{"\u0061":1,"b":2}"#, ["a"], #"{"b":2}"#), (#"{}"#, ["a"], #"{}"#),
        ])
    func forbidden(body: String, names: [String], expected: String) throws {
        let adapted = try adapt(body, profile(forbidden: names))
        #expect(adapted.filter { $0 != " " } == expected.filter { $0 != " " })
        if names.count == 1 { #expect(try adapt(adapted, profile(forbidden: names)) == adapted) }
    }

    @Test("Demanded members are added, or replace the client's when they are forced")
    func required() throws {
        let demands = [
            RequiredMember("store", "false", forced: true), RequiredMember("instructions", #""""#),
        ]
        #expect(
            try adapt(#"{"model":"m"}"#, .responses, profile(.responses, required: demands))
                == #"{"model":"m","store":false,"instructions":""}"#)
        #expect(
            try adapt(
                #"{"store": true , "instructions":"i"}"#, .responses, profile(.responses, required: demands))
                == #"{"store": false , "instructions":"i"}"#)
        #expect(
            try adapt("{}", .responses, profile(.responses, required: demands))
                == #"{"store":false,"instructions":""}"#)
        // What holds no conversation is not given a conversation's members.
        #expect(try adapt("{}", .responsesCompact, profile(.responses, required: demands)) == "{}")
    }

    @Test(
        "A quirk of a parameter leaves it out or renames it",
        arguments: [
            (Quirks.noTemperature, #"{"temperature":1,"x":2}"#, #"{"x":2}"#),
            (.noTopP, #"{"top_p":1,"x":2}"#, #"{"x":2}"#), (.noStop, #"{"stop":["a"],"x":2}"#, #"{"x":2}"#),
            (.noPenalties, #"{"presence_penalty":1,"x":2,"frequency_penalty":1}"#, #"{"x":2}"#),
            (.noStreamOptions, #"{"x":2,"stream_options":{"include_usage":true}}"#, #"{"x":2}"#),
            (.noParallelToolCalls, #"{"parallel_tool_calls":false}"#, #"{}"#),
            (.randomSeed, #"{ "seed" : 3}"#, #"{ "random_seed" : 3}"#),
            (.noSeed, #"{"seed":3}"#, "{}"), (.noMetadata, #"{"user":"u","metadata":{}}"#, "{}"),
            (.noServiceTier, #"{"service_tier":"auto"}"#, "{}"),
            (.noVerbosity, #"{"verbosity":"low"}"#, "{}"),
            (.noMaxTokens, #"{"max_tokens":1,"max_completion_tokens":2}"#, "{}"),
            (
                .noStrict, #"{"tools":[{"type":"function","function":{"strict":true,"name":"f"}},1]}"#,
                #"{"tools":[{"type":"function","function":{"name":"f"}},1]}"#
            ),
        ])
    func quirks(quirk: Quirks, body: String, expected: String) throws {
        #expect(try adapt(body, profile(quirks: quirk)) == expected)
        #expect(try adapt(expected, profile(quirks: quirk)) == expected)
        #expect(try adapt(body, profile()) == body)
    }

    @Test("The limit of an answer has the name that a known provider takes")
    func maxTokens() throws {
        let new = profile(kind: "openai") { $0.maxTokens = .maxCompletionTokens }
        #expect(try adapt(#"{"max_tokens":1}"#, new) == #"{"max_completion_tokens":1}"#)
        #expect(
            try adapt(#"{"max_tokens":1,"max_completion_tokens":2}"#, new) == #"{"max_completion_tokens":2}"#)
        #expect(try adapt(#"{"max_completion_tokens":1}"#, profile(kind: "ollama")) == #"{"max_tokens":1}"#)
        #expect(try adapt(#"{"max_completion_tokens":1}"#, profile()) == #"{"max_completion_tokens":1}"#)
    }

    @Test("A forced tool becomes what the provider can do")
    func toolChoice() throws {
        let auto = profile { $0.toolChoice = .autoOnly }
        let any = profile { $0.toolChoice = .anyWord }
        #expect(try adapt(#"{"tool_choice":"required"}"#, auto) == #"{"tool_choice":"auto"}"#)
        #expect(try adapt(#"{"tool_choice":{"type":"function"}}"#, auto) == #"{"tool_choice":"auto"}"#)
        #expect(try adapt(#"{"tool_choice":"none"}"#, auto) == #"{"tool_choice":"none"}"#)
        #expect(try adapt(#"{"tool_choice":"required"}"#, any) == #"{"tool_choice":"any"}"#)
    }

    @Test("The operator's words get the role that the provider of Responses knows")
    func developer() throws {
        let developer = profile(.responses) { $0.systemRole = .developer }
        #expect(
            try adapt(
                #"{"input":[{"role":"system","content":"system"},{"role":"user"},"x"]}"#, .responses,
                developer)
                == #"{"input":[{"role":"developer","content":"system"},{"role":"user"},"x"]}"#)
        #expect(try adapt(#"{"input":"system"}"#, .responses, developer) == #"{"input":"system"}"#)
    }

    @Test(
        "The effort is what the model takes, and comes from the request before the name of the model",
        arguments: [
            (Endpoint.chatCompletions, #"{"model":"m-high"}"#, #"{"model":"m","reasoning_effort":"high"}"#),
            (
                .chatCompletions, #"{"model":"m-high","reasoning_effort":"low"}"#,
                #"{"model":"m","reasoning_effort":"low"}"#
            ),
            (
                .chatCompletions, #"{"model":"m-high","reasoning_effort":"max"}"#,
                #"{"model":"m","reasoning_effort":"high"}"#
            ),
            (.responses, #"{"model":"m-high"}"#, #"{"model":"m","reasoning":{"effort":"high"}}"#),
            (
                .responses, #"{"model":"m-high","reasoning":{ "summary":"auto"}}"#,
                #"{"model":"m","reasoning":{ "summary":"auto","effort":"high"}}"#
            ),
            (
                .responses, #"{"model":"m-high","reasoning":{"effort":"minimal"}}"#,
                #"{"model":"m","reasoning":{"effort":"low"}}"#
            ),
            (
                .responses, #"{"model":"m-high","reasoning":null}"#,
                #"{"model":"m","reasoning":{"effort":"high"}}"#
            ),
            (
                .messages, #"{"output_config":{"format":1},"model":"m-high"}"#,
                #"{"output_config":{"format":1,"effort":"high"},"model":"m"}"#
            ),
        ])
    func effort(endpoint: Endpoint, body: String, expected: String) throws {
        var rules = ModelRules("m")
        rules.efforts = ["low", "medium", "high"]
        let model = ResolvedModel(name: "m", effort: "high", rules: rules)
        #expect(
            try adapt(body, endpoint, profile(endpoint.dialect), model: model, wanted: "m-high") == expected)
    }

    @Test(
        "An effort is added only to a request that says nothing of how much to think",
        arguments: [
            (Endpoint.chatCompletions, #"{"a":1}"#, #"{"a":1,"reasoning_effort":"low"}"#),
            (.chatCompletions, #"{"reasoning_effort":"high"}"#, #"{"reasoning_effort":"high"}"#),
            (.chatCompletions, #"{"reasoning":{"max_tokens":5}}"#, #"{"reasoning":{"max_tokens":5}}"#),
            (.chatCompletions, #"{"thinking":{"type":"disabled"}}"#, #"{"thinking":{"type":"disabled"}}"#),
            (.chatCompletions, #"{"thinking":null}"#, #"{"thinking":null,"reasoning_effort":"low"}"#),
            (
                .responses, #"{"reasoning":{"summary":"auto"}}"#,
                #"{"reasoning":{"summary":"auto","effort":"low"}}"#
            ),
            (
                .messages, #"{"thinking":{"type":"adaptive"}}"#,
                #"{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}"#
            ),
            (.messages, #"{"thinking":{"type":"disabled"}}"#, #"{"thinking":{"type":"disabled"}}"#),
            (
                .messages, #"{"thinking":{"type":"enabled","budget_tokens":2000}}"#,
                #"{"thinking":{"type":"enabled","budget_tokens":2000}}"#
            ),
            (.countTokens, #"{"a":1}"#, #"{"a":1}"#),
        ])
    func fills(endpoint: Endpoint, body: String, expected: String) throws {
        let model = ResolvedModel(name: "m", effort: "low")
        #expect(try adapt(body, endpoint, profile(endpoint.dialect), model: model) == expected)
    }

    @Test("A default effort is asked for, and a model without thinking is asked for none")
    func effortBounds() throws {
        var rules = ModelRules("m")
        rules.efforts = ["low"]
        rules.defaultEffort = "low"
        #expect(
            try adapt("{}", profile(), model: ResolvedModel(name: "m", rules: rules))
                == #"{"reasoning_effort":"low"}"#)
        var none = ModelRules("m")
        none.thinking = ThinkingForm.none
        let model = ResolvedModel(name: "m", rules: none)
        #expect(try adapt(#"{"reasoning_effort":"low"}"#, profile(), model: model) == "{}")
        #expect(try adapt(#"{"reasoning":{}}"#, .responses, profile(.responses), model: model) == "{}")
    }

    @Test(
        "Output is capped under the name that the provider takes",
        arguments: [
            (Endpoint.chatCompletions, "{}", #"{"max_tokens":10}"#),
            (.chatCompletions, #"{"max_tokens":11}"#, #"{"max_tokens":10}"#),
            (.chatCompletions, #"{"max_tokens":9}"#, #"{"max_tokens":9}"#),
            (.chatCompletions, #"{"max_completion_tokens":11}"#, #"{"max_tokens":10}"#),
            (.responses, #"{"max_output_tokens":11}"#, #"{"max_output_tokens":10}"#),
            (.messages, #"{"max_tokens":11}"#, #"{"max_tokens":10}"#),
        ])
    func cap(endpoint: Endpoint, body: String, expected: String) throws {
        var rules = ModelRules("m")
        rules.outputCap = 10
        let model = ResolvedModel(name: "m", rules: rules)
        #expect(
            try adapt(body, endpoint, profile(endpoint.dialect, kind: "ollama"), model: model) == expected)
    }

    @Test("Without a demand nothing is looked at")
    func idle() {
        let model = ResolvedModel(name: "m")
        for endpoint in [Endpoint.chatCompletions, .responses, .messages] {
            let adapter = RequestAdapter(
                profile(endpoint.dialect), endpoint: endpoint, wanted: "m", model: model)
            #expect(adapter.isIdle)
        }
        let other = RequestAdapter(
            profile(), endpoint: .embeddings, wanted: "m", model: ResolvedModel(name: "n"))
        #expect(!other.isIdle)
    }
}
