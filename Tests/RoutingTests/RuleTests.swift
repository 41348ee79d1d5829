// SPDX-License-Identifier: Apache-2.0
import Gateway
import IPC
import Testing

@testable import Config
@testable import Routing

private func request(
    _ model: String? = "big", _ client: ClientKind = .other,
    _ change: (inout RoutingRequest) -> Void = { _ in }
) -> RoutingRequest {
    var request = RoutingRequest(model: model, endpoint: .chatCompletions, client: client)
    change(&request)
    return request
}

private func first(_ table: RouteTable, _ request: RoutingRequest) throws -> String {
    let decision = try table.resolve(request)
    return "\(decision.candidates[0].pin) by \(decision.reason)"
}

@Suite("Routes of kinds of requests")
struct KindRouteTests {
    private static let members = """
        "Router": {"default": "echo,echo", "tiers": [], "background": "chatty,small", "subagent": "chatty,big",
          "longContext": "resp,gpt-5.5", "longContextThreshold": 100, "think": "claude,claude-opus-4-6"},
        "Frontend": {"codex": {"background": "echo,codex-titles", "default": "resp,shared"},
          "claudeCode": {"longContext": "echo,long", "longContextThreshold": 1000}},
        "ModelAliases": {"fast": "chatty,small"}
        """

    @Test(
        "go before names, behind pins, and by client",
        arguments: [
            (.titleFormat, 1, .claudeCode, "big", "chatty,small by Router.background"),
            (.titleFormat, 1, .claudeCode, "fast", "chatty,small by Router.background"),
            (.titleFormat, 1, .claudeCode, "echo,x", "echo,x by pin"),
            (.titleThread, 1, .codex, "big", "echo,codex-titles by Frontend.codex.background"),
            // A sign of another client means nothing.
            (.titleThread, 1, .claudeCode, "big", "chatty,big by model big"),
            ([], 101, .other, "big", "resp,gpt-5.5 by Router.longContext"),
            ([], 100, .other, "big", "chatty,big by model big"),
            ([], 101, .claudeCode, "big", "chatty,big by model big"),
            ([], 1001, .claudeCode, "big", "echo,long by Frontend.claudeCode.longContext"),
            // What it is for goes before how long it is, and that before how hard it thinks.
            ([.agentHeader, .extraEffort], 5000, .claudeCode, "big", "chatty,big by Router.subagent"),
            ([.extraEffort], 5000, .claudeCode, "big", "echo,long by Frontend.claudeCode.longContext"),
            ([.extraEffort], 1, .claudeCode, "big", "claude,claude-opus-4-6 by Router.think"),
            // Without a route of its own, a kind is routed as what else it is.
            ([.compactionTurn], 101, .codex, "big", "resp,gpt-5.5 by Router.longContext"),
            ([.compactionTurn], 1, .codex, "big", "chatty,big by model big"),
            ([], 1, .codex, "unknown", "resp,shared by Frontend.codex.default"),
            ([], 1, .other, "unknown", "echo,echo by Router.default"),
        ] as [(RequestSigns, Int, ClientKind, String, String)])
    func order(signs: RequestSigns, tokens: Int, client: ClientKind, model: String, expected: String) throws {
        let table = try table(with: Self.members)
        let asked = request(model, client) {
            $0.traits.signs = signs
            $0.traits.tokens = tokens
        }
        #expect(try first(table, asked) == expected)
        #expect(try table.explain(asked).result.get() == table.resolve(asked))
    }

    @Test("follow the model that a prompt names for a subagent")
    func tagged() throws {
        let table = try table(with: Self.members)
        let asked = { (model: String) in
            request("big", .claudeCode) {
                $0.traits.taggedModel = model
                $0.traits.signs = .agentTag
            }
        }
        #expect(try first(table, asked("echo,x")) == "echo,x by CCR-SUBAGENT-MODEL")
        #expect(try first(table, asked("fast")) == "chatty,small by CCR-SUBAGENT-MODEL")
        #expect(throws: GatewayError.self) { try table.resolve(asked("nobody")) }
    }
}

@Suite("Rules of the operator")
struct RuleTests {
    private func rules(_ text: String) throws -> RouteTable {
        try table(
            with: """
                "Router": {"default": "echo,echo", "tiers": [], "background": "chatty,small"},
                "APIKEY": "k", "Clients": [{"name": "ci", "key": "c"}], "Rules": [\(text)]
                """)
    }

    /// A rule with this match, and requests that fit and that do not.
    private static let cases: [(match: String, fits: RoutingRequest, other: RoutingRequest)] = [
        (#""client": "codex""#, request("big", .codex), request()),
        (#""model": "b*g""#, request(), request("bigger")),
        (#""kind": "main""#, request(), request { $0.traits.signs = .image }),
        (#""kind": "image""#, request { $0.traits.signs = .image }, request()),
        (#""key": "ci""#, request { $0.key = "ci" }, request { $0.key = "default" }),
        (#""min_tokens": 5"#, request { $0.traits.tokens = 5 }, request { $0.traits.tokens = 4 }),
        (#""max_tokens": 5"#, request { $0.traits.tokens = 5 }, request { $0.traits.tokens = 6 }),
        (#""has_image": false"#, request(), request { $0.traits.signs = .image }),
        (#""path": "/v1/messages""#, request { $0.endpoint = .messages }, request()),
        (
            #""headers": {"X-Team": "a*"}"#, request { $0.traits.headerProbes = 1 },
            request { $0.traits.headerProbes = 2 }
        ),
        (#""tools": ["Bash"]"#, request { $0.traits.toolProbes = 1 }, request()),
    ]

    @Test("demand what they say, and explain what was missing", arguments: cases.indices)
    func match(index: Int) throws {
        let (match, fits, other) = Self.cases[index]
        let table = try rules(#"{"name": "n", "match": {\#(match)}, "route": "chatty,small"}"#)
        #expect(try first(table, fits) == "chatty,small by Rules[0] “n”")
        #expect(try first(table, other) != "chatty,small by Rules[0] “n”")
        #expect(table.explain(fits).steps.contains { $0.hasPrefix("Rules[0] “n”: matches: ") })
        #expect(table.explain(other).steps.contains { $0.hasPrefix("Rules[0] “n”: no, ") })
    }

    @Test("see the header fields and tools that they name")
    func probes() throws {
        let table = try rules(
            #"{"match": {"headers": {"X-Team": "a*"}, "tools": ["Bash", "Edit"]}, "route": "chatty,small"}"#)
        let all = try traits(
            #"{"tools":[{"name":"Edit"},{"type":"function","function":{"name":"Bash"}}]}"#, .chatCompletions,
            .other,
            headers: [("x-team", "abc")], probes: table.probes
        ).traits
        #expect(try first(table, request { $0.traits = all }) == "chatty,small by Rules[0]")
        for (body, team) in [
            (#"{"tools":[{"name":"Edit"}]}"#, "abc"), (#"{"tools":[{"name":"Edit"},{"name":"Bash"}]}"#, "b"),
        ] {
            let less = try traits(
                body, .chatCompletions, .other, headers: [("x-team", team)], probes: table.probes)
            #expect(try first(table, request { $0.traits = less.traits }) == "chatty,big by model big")
        }
    }

    @Test("add parameters without a route, and the first one with a route decides, before pins")
    func order() throws {
        let table = try rules(
            """
            {"match": {"client": "other"}, "set": {"max_tokens": 7, "effort": "low"}},
            {"match": {"model": "echo,*"}, "route": "chatty,small",
              "set": {"max_tokens": 9, "temperature": 1, "reasoning_effort": "high"}},
            {"route": "chatty,big", "set": {"temperature": 2}}
            """)
        let decision = try table.resolve(request("echo,x"))
        #expect(decision.candidates[0].pin == "chatty,small")
        #expect(decision.overrides == ParameterOverrides(maxTokens: 7, temperature: 1, effort: "low"))
        #expect(
            table.explain(request("echo,x")).steps.contains(
                "unless the request says how much to think, effort is set to low"))
        let other = try table.resolve(request("big", .codex))
        #expect(other.candidates[0].pin == "chatty,big")
        #expect(other.overrides == ParameterOverrides(temperature: 2))
    }

    @Test("are explained with what a client's key may use")
    func key() throws {
        var client = ClientKey(name: "ci", hash: [])
        func explained(_ models: [String], _ model: String) throws -> RouteExplanation {
            client.models = models
            let table = try table(with: #""Router": {"default": "echo,echo", "tiers": ["chatty,small"]}"#)
            return table.explain(request(model)).restricted(
                to: ClientRule(client, digest: []), model: model)
        }
        #expect(try explained([], "big").result.get().candidates.count == 2)
        #expect(try explained(["big"], "big").result.get().candidates.count == 2, "what it names it may use")
        let less = try explained(["small"], "big")
        #expect(try less.result.get().candidates.map(\.pin) == ["chatty,small"])
        #expect(less.steps.last == "skipped: the key of “ci” is not for “big” at chatty")
        #expect(throws: GatewayError.self) { try explained(["other"], "big").result.get() }
    }

    @Test("are told in printable ASCII to who asks for the way of a request")
    func note() throws {
        let table = try rules(#"{"name": "büro", "route": "chatty,small"}"#)
        let decision = try table.resolve(request())
        #expect(decision.note(on: decision.candidates[0]) == "main; Rules[0] \"b?ro\"; chatty,small")
    }

    @Test("take every effort that can be told apart")
    func efforts() {
        #expect(Schema.efforts == EffortScale.all)
    }

    @Test("leave presets of the path alone")
    func preset() throws {
        let table = try table(
            with: #""Presets": {"p": {"route": "chatty,small"}}, "Rules": [{"route": "chatty,big"}]"#)
        #expect(try first(table, request { $0.preset = "p" }) == "chatty,small by preset p")
    }
}

@Suite("Shares of a route")
struct ShareTests {
    @Test("are kept over many sessions, and each session stays where it is")
    func shares() throws {
        let table = try table(
            with: #""Router": {"default": {"split": {"chatty,small": 95, "chatty,big": 5, "echo,echo": 0}}}"#)
        var counts: [String: Int] = [:]
        for session in 1...20_000 as ClosedRange<UInt64> {
            let asked = request(nil) { $0.traits.session = session }
            let model = try table.resolve(asked).candidates[0].model
            #expect(try table.resolve(asked).candidates[0].model == model)
            counts[model, default: 0] += 1
        }
        #expect(counts["echo"] == nil)
        #expect((800...1_200).contains(try #require(counts["big"])))
    }

    @Test("go by the request when it names no session")
    func spread() throws {
        let table = try table(
            with: #""Rules": [{"split": {"chatty,small": 1, "chatty,big": 1}}]"#)
        let models = try (1...50 as ClosedRange<UInt64>).map { spread in
            try table.resolve(request(nil) { $0.spread = spread }).candidates[0].model
        }
        #expect(Set(models) == ["small", "big"])
    }
}

@Suite("What models can take")
struct CapabilityTests {
    private static let members = """
        "Router": {"default": "echo,echo", "tiers": ["chatty,small", "chatty,big"]},
        "Models": [{"match": "small", "context_window": 1000}, {"match": "big", "context_window": 8000,
          "quirks": {"no_images": true}}, {"match": "echo", "context_window": 100}]
        """

    private func candidates(_ tokens: Int, _ signs: RequestSigns = []) throws -> [String] {
        try table(with: Self.members).resolve(
            request("small") {
                $0.traits.tokens = tokens
                $0.traits.signs = signs
            }
        ).candidates.map(\.model)
    }

    @Test("keeps requests from models that they are too long for, with a margin for the estimate")
    func length() throws {
        #expect(try candidates(100) == ["small", "big"])
        #expect(try candidates(1_200) == ["small", "big"])
        #expect(try candidates(1_300) == ["big"])
    }

    @Test("tells the client in its words when no model is left")
    func tooLong() throws {
        let error = #expect(throws: GatewayError.self) { try candidates(20_000) }
        #expect(error?.kind == .contextTooLong)
        #expect(error?.message == "prompt is too long: 20000 tokens > 8000 maximum")
    }

    @Test("asks models last that would lose an image")
    func images() throws {
        let table = try table(with: Self.members)
        let asked = request("big") {
            $0.traits.tokens = 10
            $0.traits.signs = .image
        }
        #expect(try table.resolve(asked).candidates.map(\.model) == ["small", "big"])
    }

    @Test("copies the share of requests that a route names, and only those that fit")
    func shadows() throws {
        let table = try table(
            """
            {"Providers": [
              {"name": "a", "api_base_url": "http://127.0.0.1/v1", "models": ["m", "n"]},
              {"name": "b", "api_base_url": "http://127.0.0.1/v1", "models": ["c"]}],
             "Models": [{"match": "c", "context_window": 1000, "quirks": {"no_images": true}}],
             "Router": {"default": {"route": "a,m", "shadow": {"target": "b,c", "percent": 20}},
                        "think": "a,n"},
             "Rules": [{"match": {"model": "r"}, "route": "a,n", "shadow": {"target": "b,c", "percent": 100}}]}
            """)
        func shadow(
            _ model: String, spread: UInt64 = 0, tokens: Int = 10, signs: RequestSigns = [],
            session: UInt64 = 0
        ) throws -> String? {
            var traits = RequestTraits()
            traits.tokens = tokens
            traits.signs = signs
            traits.session = session
            return try table.resolve(
                RoutingRequest(
                    model: model, endpoint: .chatCompletions, client: .other, traits: traits, spread: spread)
            ).shadow?.candidate.pin
        }
        #expect(try shadow("r") == "b,c")
        #expect(try shadow("a,m") == nil)
        #expect(try shadow("r", tokens: 5_000) == nil)
        #expect(try shadow("r", signs: .image) == nil)
        let copies = try (0..<2_000).filter { try shadow("nobody", spread: UInt64($0)) != nil }
        #expect((320...480).contains(copies.count))
        // Of one conversation as well.
        let own = try (0..<2_000).filter { try shadow("nobody", spread: UInt64($0), session: 7) != nil }
        #expect((320...480).contains(own.count))
        // The table reaches front whole.
        var writer = WireWriter()
        writer.put(table)
        let again = try writer.bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            return try reader.get(RouteTable.self)
        }
        #expect(again == table)
    }
}
