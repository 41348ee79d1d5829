// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Config

@Suite("A configuration")
struct ConfigurationTests {
    @Test("has the documented defaults")
    func defaults() throws {
        let loaded = load(minimal(), environment: ["HOME": "/home/u"])
        #expect(loaded.lines == [])
        let configuration = try #require(loaded.configuration)
        #expect(configuration.listen == ListenSettings(host: "127.0.0.1", port: 3456, socketPath: nil))
        #expect(configuration.clientKeys == [])
        #expect(
            configuration.limits
                == Limits(
                    headBytes: 65_536, bodyBytes: 67_108_864, headerTimeoutMs: 15_000, bodyTimeoutMs: 120_000,
                    idleTimeoutMs: 75_000, connections: 10_000, requestsInFlight: 6_000,
                    queuedRequests: 1_000, queueTimeoutMs: 30_000, decodedRatio: 100))
        let upstream = UpstreamTimeouts(
            connectMs: 10_000, firstEventMs: 300_000, idleMs: 300_000, totalMs: 600_000)
        #expect(
            configuration.timeouts
                == Timeouts(
                    upstream: upstream, keepaliveMs: 15_000, commitHoldMs: 10_000,
                    unusedConnectionMs: 60_000, drainMs: 30_000,
                    watchdogMs: 10_000))
        #expect(configuration.stateDirectory == "/home/u/.local/state/ccr")
        #expect(
            configuration.providers == [
                Provider(
                    name: "p", tierName: "p", baseURL: try BaseURL("https://h.example/v1"), apiKey: nil,
                    credentials: [],
                    models: ["m", "n"], kind: "openai-compatible", dialects: [.chat, .responses],
                    baseURLs: [:],
                    anthropicVersion: "2023-06-01", authHeader: nil, overrides: ProfileOverrides(),
                    transformers: TransformerUses(),
                    extraHeaders: [], workers: 1,
                    proxy: nil,
                    timeouts: upstream, pricing: nil, modelPricing: [:], weight: 0, priority: 0,
                    limit: PerMinute(), modelLimits: [:], honorsRateHeaders: true)
            ])
    }

    @Test("takes every value that it is given")
    func everything() throws {
        let loaded = load(
            """
            {"HOST": "0.0.0.0", "PORT": "4000", "SOCKET": "/run/ccr.sock", "APIKEY": "k0",
             "Clients": [{"name": "a", "key": "k1"}], "API_TIMEOUT_MS": 7, "PROXY_URL": "http://u:p@proxy:1",
             "STATE_DIR": "/s", "Limits": {"headBytes": 4096}, "Timeouts": {"connectMs": 5, "drainMs": 0},
             "Providers": [
               {"name": "a", "api_base_url": "https://h.example/anthropic?k=v", "api_key": "sk", "models": ["x", "y"],
                "auth_header": "authorization-bearer", "anthropic_version": "2026-10-21", "workers": 4,
                "extra_headers": {"X-A": "b"}, "tier_name": "t", "proxy": "socks5h://s:2",
                "dialects": ["messages", "chat"], "timeouts": {"idleMs": 9}},
               {"name": "b", "api_base_url": "https://api.anthropic.com"}],
             "Router": {"default": "a, x", "think": "b,z", "webSearch": "y", "image": "a,x", "tiers": ["b,z", "fast"],
                        "ignoreDirect": true},
             "Presets": {"p1": {"route": "fast", "max_tokens": 10, "temperature": 0.5, "effort": "max"}},
             "Frontend": {"codex": {"modelMappings": {"gpt-5": "a,x", "default": "y"}}},
             "ModelAliases": [{"name": "fast", "target": "a,x"}, {"alias": "slow", "model": "y"}]}
            """)
        #expect(loaded.errors == [])
        let configuration = try #require(loaded.configuration)
        #expect(
            configuration.listen == ListenSettings(host: "0.0.0.0", port: 4_000, socketPath: "/run/ccr.sock"))
        #expect(
            configuration.clientKeys == [
                ClientKey(name: "default", key: Secret("k0")), ClientKey(name: "a", key: Secret("k1")),
            ])
        #expect(configuration.limits.headBytes == 4_096)
        #expect(configuration.timeouts.drainMs == 0)
        #expect(configuration.stateDirectory == "/s")
        let a = configuration.providers[0]
        #expect(a.kind == "anthropic-compatible")
        #expect(a.authHeader == .bearer)
        #expect(a.dialects == [.chat, .messages])
        #expect(a.extraHeaders == [ExtraHeader(name: "X-A", value: Secret("b"))])
        #expect(a.timeouts == UpstreamTimeouts(connectMs: 5, firstEventMs: 300_000, idleMs: 9, totalMs: 7))
        #expect(a.proxy?.expose() == Array("socks5h://s:2".utf8))
        #expect(a.apiKey?.expose() == Array("sk".utf8))
        #expect(a.workers == 4)
        #expect(a.tierName == "t")
        #expect(configuration.providers[1].proxy?.expose() == Array("http://u:p@proxy:1".utf8))
        #expect(configuration.providers[1].kind == "anthropic")
        #expect(configuration.providers[1].authHeader == nil)
        #expect(configuration.router.default == RouteChoice(.pinned(provider: "a", model: "x")))
        #expect(configuration.router.tiers == [.pinned(provider: "b", model: "z"), .named("fast")])
        #expect(configuration.router.kinds.map(\.kind) == [.think, .webSearch, .image])
        #expect(configuration.router.ignoreDirect)
        #expect(
            configuration.presets == [
                Preset(name: "p1", route: .named("fast"), maxTokens: 10, temperature: 0.5, effort: "max")
            ])
        #expect(
            configuration.codexMappings == [
                NamedRoute(name: "gpt-5", target: .pinned(provider: "a", model: "x"))
            ])
        #expect(configuration.codexDefault == .named("y"))
        #expect(configuration.aliases.map(\.name) == ["fast", "slow"])
    }

    @Test("accepts ModelAliases as a map")
    func aliasMap() throws {
        let loaded = load(minimal(#""ModelAliases": {"fast": "p,m", "m": "m"}"#))
        #expect(loaded.lines == [])
        #expect(
            loaded.configuration?.aliases.map(\.target) == [.pinned(provider: "p", model: "m"), .named("m")])
    }

    @Test("shows no secret, however it is printed")
    func secrets() throws {
        let loaded = load(
            minimal(
                #""APIKEY": "s3cret-1", "PROXY_URL": "http://u:s3cret-2@h""#,
                provider: #""api_key": "s3cret-3", "extra_headers": {"X": "s3cret-4"}"#
            ).replacing("https://h.example/v1", with: "https://h.example/v1?key=s3cret-5"))
        let configuration = try #require(loaded.configuration)
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("s3cret"))
        }
    }

    @Test("of classic claude-code-router loads; ignored keys are named")
    func classic() throws {
        let loaded = load(
            """
            {
              "LOG": true, "NON_INTERACTIVE_MODE": false, "API_TIMEOUT_MS": "600000", "APIKEY": "",
              "transformers": [{"path": "x.js", "options": {"a": 1}}],
              "Providers": [
                {"name": "openrouter", "api_base_url": "https://openrouter.ai/api/v1/chat/completions",
                 "api_key": "$OPENROUTER_KEY", "models": ["google/gemini-2.5-pro", "anthropic/claude-sonnet-4"],
                 "transformer": {"use": ["openrouter"], "x": {"use": [["maxtoken", {"max_tokens": 1}]]}}},
                {"name": "anthropic", "api_base_url": "https://relay.example/v1/messages", "api_key": "k",
                 "models": ["claude-opus-4-6"], "transformer": {"use": ["Anthropic"]}},
                {"name": "ollama", "api_base_url": "http://localhost:11434/v1/chat/completions", "api_key": "ollama",
                 "models": ["qwen2.5-coder:latest"]}],
              "Router": {"default": "openrouter,google/gemini-2.5-pro", "background": "ollama,qwen2.5-coder:latest",
                "longContext": "openrouter,google/gemini-2.5-pro", "longContextThreshold": 60000}
            }
            """, environment: ["OPENROUTER_KEY": "sk-or"])
        #expect(
            loaded.lines.map { $0.split(separator: ":", maxSplits: 4)[3...].joined(separator: ":") } == [
                " warning: LOG: has no effect: ccr logs to the journal or stderr",
                " warning: NON_INTERACTIVE_MODE: has no effect: ccr does not start clients",
                " warning: transformers: has no effect: ccr runs no code from the configuration",
            ])
        let providers = try #require(loaded.configuration).providers
        #expect(providers.map(\.kind) == ["openrouter", "anthropic-compatible", "ollama"])
        #expect(providers.map(\.dialects) == [[], [.messages], []])
    }

    @Test("that forces whole answers excepts providers that may stream or say themselves what they do")
    func wholeAnswers() {
        func quirks(_ router: String) -> [Bool?]? {
            load(
                """
                {"Providers": [
                   {"name": "a", "api_base_url": "http://h/v1"},
                   {"name": "b", "api_base_url": "http://h/v1", "allow_streaming": true},
                   {"name": "c", "api_base_url": "http://h/v1", "profile": {"quirks": {"document_only": false}}}],
                 "Router": {\(router)}}
                """
            ).configuration?.providers.map { $0.overrides.quirks["document_only"] }
        }
        #expect(quirks(#""forceNonStreaming": true"#) == [true, nil, false])
        #expect(quirks("") == [nil, nil, false])
    }

    @Test("of CCR-Rust loads without an error")
    func rust() {
        let loaded = load(
            """
            {"Providers": [{"name": "zai", "api_base_url": "https://api.z.ai/api/coding/paas/v4", "api_key": "k",
               "models": ["glm-5"], "pricing": {"inputPerMillionTokens": 0.5, "output_per_million_tokens": 2},
               "model_pricing": {"glm-5": {"input_per_million_tokens": 1}}, "honor_ratelimit_headers": true}],
             "Router": {"default": "zai,glm-5", "tiers": ["zai,glm-5"], "tierRetries": {"zai": {"max_retries": 1}},
               "web_search": {"enabled": true, "search_provider": "zai,glm-5"}, "gpRouting": {"enabled": false}},
             "Presets": {"fast": {"route": "zai,glm-5", "max_tokens": 1000}},
             "Persistence": {"mode": "none"}, "SSE_BUFFER_SIZE": 32, "PORT": 3456, "HOST": "127.0.0.1"}
            """)
        #expect(loaded.errors == [])
        let provider = loaded.configuration?.providers.first
        #expect(provider?.pricing == Pricing(input: 0.5, output: 2))
        #expect(provider?.modelPricing == ["glm-5": Pricing(input: 1, output: 0)])
        #expect(provider?.kind == "zai")
    }

    @Test("with the embedded provider needs no key and no models")
    func echo() throws {
        let loaded = load(#"{"Providers": [{"name": "e", "api_base_url": "builtin:echo"}]}"#)
        let provider = try #require(loaded.configuration?.providers.first)
        #expect(loaded.lines == [])
        #expect(provider.isEcho)
        #expect(provider.models == ["echo", "echo:tools", "echo:think"])
        #expect(provider.dialects == [.chat, .responses, .messages])
    }

    @Test(
        "keeps its state where the surroundings say",
        arguments: [
            (["HOME": "/h"], false, "/h/.local/state/ccr"),
            (["HOME": "/root"], true, "/root/.local/state/ccr"),
            (["HOME": "/root", "INVOCATION_ID": "1"], true, "/var/lib/ccr"), ([:], false, "/var/lib/ccr"),
            (["STATE_DIRECTORY": "/var/lib/x:/y", "HOME": "/h"], false, "/var/lib/x"),
        ])
    func state(environment: [String: String], isRoot: Bool, directory: String) {
        #expect(Surroundings(environment: environment, isRoot: isRoot).stateDirectory == directory)
    }
}
