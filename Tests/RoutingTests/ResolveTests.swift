// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Routing

@Suite("Routing")
struct ResolveTests {
    /// Candidates as "provider/model", or the error as "status: message".
    private func outcome(
        _ table: RouteTable, _ model: String?, _ endpoint: Endpoint = .chatCompletions,
        _ client: ClientKind = .other,
        preset: String? = nil
    ) -> [String] {
        do {
            let decision = try table.resolve(
                RoutingRequest(model: model, endpoint: endpoint, client: client, preset: preset))
            return decision.candidates.map { "\($0.provider)/\($0.model)" }
        } catch {
            return ["\(error.kind.status): \(error.message)"]
        }
    }

    private static let everything = """
        "Router": {"default": "echo,echo", "think": "chatty,big", "background": "chatty,small"},
        "ModelAliases": {"fast": "chatty,small", "faster": "fast", "gpt-5.5": "echo,mapped"},
        "Frontend": {"codex": {"modelMappings": {"big": "resp,gpt-5.5", "default": "echo,codex", "fast": "small"}}},
        "Presets": {"p": {"route": "faster", "max_tokens": 5, "temperature": 0.1}, "small": {"route": "echo,x"}}
        """

    @Test(
        "follows the rules in their order",
        arguments: [
            (nil, .chatCompletions, .other, ["echo/echo", "chatty/small", "chatty/big"]),
            ("", .chatCompletions, .other, ["echo/echo", "chatty/small", "chatty/big"]),
            ("unknown", .chatCompletions, .other, ["echo/echo", "chatty/small", "chatty/big"]),
            ("big", .chatCompletions, .other, ["chatty/big", "echo/echo", "chatty/small"]),
            (
                "chatty,other", .chatCompletions, .other,
                ["chatty/other", "echo/echo", "chatty/small", "chatty/big"]
            ),
            (
                "CHATTY, other", .chatCompletions, .other,
                ["chatty/other", "echo/echo", "chatty/small", "chatty/big"]
            ),
            ("faster", .chatCompletions, .other, ["chatty/small", "echo/echo", "chatty/big"]),
            // An alias comes before the model of that name, and before Codex's mapping.
            (
                "gpt-5.5", .chatCompletions, .other,
                ["echo/mapped", "echo/echo", "chatty/small", "chatty/big"]
            ),
            ("fast", .chatCompletions, .codex, ["chatty/small", "echo/echo", "chatty/big"]),
            // A mapping comes before the model of that name, for Codex alone.
            ("big", .responses, .codex, ["resp/gpt-5.5", "echo/echo", "chatty/small", "chatty/big"]),
            ("big", .chatCompletions, .claudeCode, ["chatty/big", "echo/echo", "chatty/small"]),
            // Codex's default comes after listed models and before Router.default.
            ("unknown", .responses, .codex, ["echo/codex", "echo/echo", "chatty/small", "chatty/big"]),
            (nil, .responses, .codex, ["echo/codex", "echo/echo", "chatty/small", "chatty/big"]),
            (
                "echo:tools", .embeddings, .codex,
                ["echo/echo:tools", "echo/echo", "chatty/small", "chatty/big"]
            ),
            // A preset by its name counts after a model of that name.
            ("p", .chatCompletions, .other, ["chatty/small", "echo/echo", "chatty/big"]),
            ("small", .chatCompletions, .other, ["chatty/small", "echo/echo", "chatty/big"]),
        ] as [(String?, Endpoint, ClientKind, [String])])
    func rules(model: String?, endpoint: Endpoint, client: ClientKind, candidates: [String]) throws {
        #expect(outcome(try table(with: Self.everything), model, endpoint, client) == candidates)
    }

    @Test(
        "asks first who speaks the endpoint's dialect, then the others of the model",
        arguments: [
            (.chatCompletions, ["chatty/shared", "resp/shared", "claude/shared", "echo/echo"]),
            (.embeddings, ["chatty/shared", "echo/echo"]),
            (.responses, ["resp/shared", "chatty/shared", "claude/shared", "echo/echo"]),
            (.responsesCompact, ["resp/shared", "echo/echo"]),
            (.messages, ["claude/shared", "chatty/shared", "resp/shared", "echo/echo"]),
            (.countTokens, ["claude/shared", "chatty/shared", "resp/shared", "echo/echo"]),
        ] as [(Endpoint, [String])])
    func dialects(endpoint: Endpoint, candidates: [String]) throws {
        let table = try table(with: #""Router": {"default": "echo,echo"}"#)
        #expect(outcome(table, "shared", endpoint) == candidates)
    }

    @Test(
        "asks a provider of another dialect where requests can be translated or estimated",
        arguments: [Endpoint.responses, .messages, .countTokens, .generateContent, .streamGenerateContent])
    func translated(endpoint: Endpoint) throws {
        let table = try table(with: #""Router": {"default": "echo,echo"}"#)
        #expect(outcome(table, "big", endpoint) == ["chatty/big", "echo/echo"])
    }

    @Test("passes over a first choice of another dialect where nothing can be translated")
    func skipped() throws {
        let table = try table(with: #""Router": {"default": "echo,echo"}"#)
        #expect(outcome(table, "claude-opus-4-6", .embeddings) == ["echo/echo"])
    }

    @Test("says which dialects the provider speaks when none is left")
    func mismatch() throws {
        let table = try table(with: #""Router": {"default": "claude,claude-opus-4-6"}"#)
        #expect(
            outcome(table, "big", .responsesCompact) == [
                "400: /v1/responses/compact needs a provider that speaks responses: “chatty” speaks chat, not responses"
            ])
    }

    @Test("takes Router.tiers for what follows the first, each candidate once")
    func tiers() throws {
        let table = try table(
            with: """
                "Router": {"default": "echo,echo", "think": "chatty,big",
                  "tiers": ["chatty,small", "echo,echo", "claude,claude-opus-4-6", "small"]}
                """)
        #expect(outcome(table, nil) == ["echo/echo", "chatty/small", "claude/claude-opus-4-6"])
        #expect(
            outcome(table, "big") == ["chatty/big", "chatty/small", "echo/echo", "claude/claude-opus-4-6"])
        #expect(outcome(table, nil, .embeddings) == ["echo/echo", "chatty/small"])
    }

    @Test("has one candidate when Router.tiers is empty")
    func noTiers() throws {
        let table = try table(with: #""Router": {"default": "echo,echo", "tiers": []}"#)
        #expect(outcome(table, "big") == ["chatty/big"])
    }

    @Test(
        "answers 404 with near names when nothing routes",
        arguments: [
            ("smal", "404: no provider answers the model “smal” (did you mean “small”?)"),
            (
                "claude-opus-4.6",
                "404: no provider answers the model “claude-opus-4.6” (did you mean “claude-opus-4-6”?)"
            ),
            (
                "zzzzzzzz",
                "404: no provider answers the model “zzzzzzzz” (known are “fast”, “small”, “big”, “shared”, “gpt-5.5”, …)"
            ),
            ("chaty,big", "404: “chaty,big” names no configured provider (did you mean “chatty”?)"),
            ("chatty,", "404: “chatty,” names no model behind the comma"),
            (nil, "404: the request names no model and Router.default is not set"),
        ])
    func nothing(model: String?, message: String) throws {
        let table = try table(with: #""ModelAliases": {"fast": "big"}"#)
        #expect(outcome(table, model) == [message])
    }

    @Test("gives the preset's parameters along")
    func presets() throws {
        let table = try table(with: Self.everything)
        let decision = try table.resolve(
            RoutingRequest(model: "big", endpoint: .chatCompletions, client: .other, preset: "p"))
        #expect(decision.candidates.first?.model == "small")
        #expect(decision.overrides == ParameterOverrides(maxTokens: 5, temperature: 0.1))
        #expect(
            try table.resolve(RoutingRequest(model: "big", endpoint: .chatCompletions, client: .other))
                .overrides.isEmpty)
        #expect(outcome(table, "big", preset: "q") == ["404: there is no preset “q” (did you mean “p”?)"])
    }

    @Test("drops the provider of a pin when Router.ignoreDirect says so")
    func ignoreDirect() throws {
        let table = try table(with: #""Router": {"default": "echo,echo", "ignoreDirect": true}"#)
        #expect(outcome(table, "claude,big") == ["chatty/big", "echo/echo"])
        #expect(outcome(table, "claude,unknown") == ["echo/echo"])
    }

    @Test("numbers providers as the configuration does")
    func numbers() throws {
        let decision = try table(with: "").resolve(
            RoutingRequest(model: "gpt-5.5", endpoint: .responses, client: .other))
        #expect(decision.candidates == [RouteCandidate(provider: "resp", providerIndex: 1, model: "gpt-5.5")])
    }

    @Test("explains every step, with the same outcome")
    func explain() throws {
        let table = try table(with: Self.everything)
        let explanation = table.explain(RoutingRequest(model: "big", endpoint: .responses, client: .codex))
        #expect(
            explanation.steps == [
                "Frontend.codex.modelMappings maps “big”: model “gpt-5.5” at resp",
                "fallback from Router: “echo” at echo",
                "fallback from Router: “small” at chatty",
                "“chatty” speaks chat; responses is translated",
                "fallback from Router: “big” at chatty",
                "“chatty” speaks chat; responses is translated",
            ])
        #expect(
            try explanation.result.get()
                == table.resolve(RoutingRequest(model: "big", endpoint: .responses, client: .codex)))
        let preset = table.explain(
            RoutingRequest(model: nil, endpoint: .chatCompletions, client: .other, preset: "p"))
        #expect(
            preset.steps.prefix(3) == [
                "the path names the preset “p”: model “small” at chatty",
                "unless the request does, max_tokens is set to 5",
                "unless the request does, temperature is set to 0.1",
            ])
        let unknown = table.explain(RoutingRequest(model: "nope", endpoint: .chatCompletions, client: .other))
        #expect(
            unknown.steps.prefix(2) == [
                "“nope” is no alias, no model of a provider and no preset",
                "Router.default decides: model “echo” at echo",
            ])
    }
}

@Suite("The kind of a client")
struct ClientKindTests {
    @Test(
        "is told from its headers",
        arguments: [
            ("codex_cli_rs/0.163.0 (Debian 12)", false, .codex), ("Codex/1", true, .codex),
            ("claude-cli/2.1.329 (external, cli)", false, .claudeCode),
            ("claude-code/2.1", false, .claudeCode),
            ("Anthropic/Python 1.2", true, .claudeCode), ("OpenAI/Python 2", false, .other),
            ("", false, .other),
            ("", true, .claudeCode), ("code", false, .other), ("xxcode codeX", false, .codex),
        ] as [(String, Bool, ClientKind)])
    func detect(userAgent: String, hasAnthropicHeader: Bool, kind: ClientKind) {
        let bytes = Array(userAgent.utf8)
        let found = bytes.withUnsafeBytes {
            ClientKind.detect(userAgent: $0, hasAnthropicHeader: hasAnthropicHeader)
        }
        #expect(found == kind)
    }
}
