// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Config

@Suite("Failure settings")
struct FailureSettingsTests {
    private static let providers =
        #""Providers": [{"name": "a", "api_base_url": "https://h.example/v1", "api_key": "k", "tier_name": "t", "models": ["m"], "#
        + #""rpm": 5, "tpm": 6, "weight": 2, "priority": 1, "model_limits": {"m": {"rpm": 7}}, "honor_ratelimit_headers": false}]"#

    private func load(_ text: String, _ environment: [String: String] = [:]) -> LoadedConfiguration {
        ConfigTests.load("{\(Self.providers)\(text.isEmpty ? "" : ", ")\(text)}", environment: environment)
    }

    @Test("have defaults that wait half a minute and ban nobody")
    func defaults() throws {
        let settings = try #require(load("").configuration).failures
        #expect(settings.prefer == .order)
        #expect(settings.totalWaitMs == 30_000 && settings.longestWaitMs == 60_000)
        #expect(settings.initialBackoffMs == 1_000 && settings.backoffMultiplier == 2)
        #expect(settings.tierRetries.isEmpty && settings.bans.isEmpty)
    }

    @Test("of a provider are read")
    func provider() throws {
        let provider = try #require(load("").configuration?.providers.first)
        #expect(provider.limit == PerMinute(requests: 5, tokens: 6))
        #expect(provider.modelLimits == ["m": PerMinute(requests: 7, tokens: nil)])
        #expect(provider.weight == 2 && provider.priority == 1 && !provider.honorsRateHeaders)
    }

    @Test("of a tier are found by the tier's name and change its timeouts")
    func tiers() throws {
        let loaded = load(
            #""Router": {"tierRetries": {"t": {"max_retries": 2, "base_backoff_ms": 5, "stream_first_event_timeout_ms": 9, "#
                + #""stream_idle_timeout_ms": 8}, "nobody": {}}}"#)
        let configuration = try #require(loaded.configuration)
        #expect(
            configuration.failures.tierRetries == [
                "a": TierRetry(
                    maximum: 2, baseBackoffMs: 5, multiplier: 2, maximumBackoffMs: 10_000, firstEventMs: 9,
                    idleMs: 8)
            ])
        #expect(configuration.providers[0].timeouts.firstEventMs == 9)
        #expect(configuration.providers[0].timeouts.idleMs == 8)
        #expect(loaded.lines.count == 1 && loaded.errors.isEmpty)
        #expect(
            loaded.lines[0].hasSuffix(
                "Router.tierRetries.nobody: names no provider, by its name or tier_name"))
    }

    @Test("prefer latency where something is said of its sample")
    func preference() throws {
        for (router, wanted) in [
            (#"{"topK": 2}"#, CandidatePreference.latency), (#"{"routingTemperature": 0.5}"#, .latency),
            (#"{"topK": 2, "prefer": "order"}"#, .order), (#"{"prefer": "cost"}"#, .cost),
        ] {
            #expect(try #require(load("\"Router\": \(router)").configuration).failures.prefer == wanted)
        }
    }

    @Test("take the environment's word for waits")
    func environment() throws {
        let loaded = load(
            #""RATE_LIMIT_MAX_TOTAL_WAIT_MS": 5"#,
            [
                "RATE_LIMIT_MAX_TOTAL_WAIT_MS": "7", "RATE_LIMIT_MAX_SLEEP_MS": "8",
                "RATE_LIMIT_INITIAL_BACKOFF_MS": "9", "RATE_LIMIT_BACKOFF_MULTIPLIER": "3",
            ])
        let settings = try #require(loaded.configuration).failures
        #expect(settings.totalWaitMs == 7 && settings.longestWaitMs == 8)
        #expect(settings.initialBackoffMs == 9 && settings.backoffMultiplier == 3)
        #expect(load("", ["RATE_LIMIT_MAX_SLEEP_MS": "soon"]).errors.count == 1)
    }

    @Test("take a total wait of 0 for one without an end but the request's own")
    func unlimited() throws {
        let loaded = load(#""RATE_LIMIT_MAX_TOTAL_WAIT_MS": 0, "API_TIMEOUT_MS": 123"#)
        #expect(try #require(loaded.configuration).failures.totalWaitMs == 123)
    }

    @Test("make a ban rule of each status")
    func bans() throws {
        let loaded = load(
            #""fail2ban": {"max_attempts": 4, "ban_duration": "5m", "error_codes": [429, 401], "#
                + #""error_code_rules": [{"code": 401, "max_attempts": 1, "ban_duration": "permanent"}]}"#)
        #expect(
            try #require(loaded.configuration).failures.bans == [
                BanRule(status: 401, attempts: 1, durationMs: nil),
                BanRule(status: 429, attempts: 4, durationMs: 300_000),
            ])
        #expect(
            try #require(load(#""fail2ban": {}"#).configuration).failures.bans == [
                BanRule(status: 429, attempts: 3, durationMs: nil)
            ])
    }

    @Test("refuse durations and rules that make no sense")
    func refused() {
        for text in [
            #"{"ban_duration": "later"}"#, #"{"ban_duration": "0s"}"#,
            #"{"error_code_rules": [{"code": 429}, {"code": 429}]}"#,
            #"{"error_code_rules": [{"max_attempts": 1}]}"#,
        ] {
            #expect(load("\"fail2ban\": \(text)").errors.count == 1, "\(text)")
        }
    }
}
