// SPDX-License-Identifier: Apache-2.0
// What the configuration says about the order of candidates, repetitions, waits and bans.

/// The order of candidates that the request does not name.
package enum CandidatePreference: String, Sendable {
    case order
    case latency
    case cost
}

/// An entry of Router.tierRetries.
package struct TierRetry: Equatable, Sendable {
    package var maximum: Int
    package var baseBackoffMs: Int
    package var multiplier: Double
    package var maximumBackoffMs: Int
    package var firstEventMs: Int?
    package var idleMs: Int?
}

/// When a credential is banned by itself.
package struct BanRule: Equatable, Sendable {
    package var status: Int
    package var attempts: Int
    /// Nil for ever.
    package var durationMs: Int?
}

/// Requests and tokens a minute; nil for no limit.
package struct PerMinute: Equatable, Sendable {
    package var requests: Int?
    package var tokens: Int?
}

package struct FailureSettings: Equatable, Sendable {
    package var prefer: CandidatePreference
    /// 0 for all.
    package var topK: Int
    package var temperature: Double
    package var hedges: Bool
    /// By the name of a provider.
    package var tierRetries: [String: TierRetry]
    package var totalWaitMs: Int
    package var longestWaitMs: Int
    package var initialBackoffMs: Int
    package var backoffMultiplier: Double
    /// At most one for each status.
    package var bans: [BanRule]
}

extension ConfigurationReader {
    mutating func failures(_ providers: inout [Provider], totalMs: Int) -> FailureSettings {
        let router = root.section("Router")
        let isSampled = router.value("topK") != nil || router.value("routingTemperature") != nil
        let prefer =
            router.text("prefer").flatMap { CandidatePreference(rawValue: $0) }
            ?? (isSampled ? .latency : .order)
        let total = fromEnvironment("RATE_LIMIT_MAX_TOTAL_WAIT_MS")
        return FailureSettings(
            prefer: prefer, topK: router.integer("topK") ?? 0,
            temperature: router.number("routingTemperature") ?? 1, hedges: router.boolean("hedge"),
            tierRetries: tierRetries(router, &providers),
            totalWaitMs: total == 0 ? totalMs : total,
            longestWaitMs: fromEnvironment("RATE_LIMIT_MAX_SLEEP_MS"),
            initialBackoffMs: fromEnvironment("RATE_LIMIT_INITIAL_BACKOFF_MS"),
            backoffMultiplier: multiplier(), bans: bans())
    }

    /// The environment variable of a key's name, else the key.
    private mutating func fromEnvironment(_ name: String) -> Int {
        let written = root.integerOrDefault(name)
        guard let text = surroundings.environment[name], !text.isEmpty else { return written }
        guard case .integer(let range)? = Schema.key(name, below: "")?.kind, let value = Int(text),
            range.contains(value)
        else {
            problems.add(
                ConfigProblem(.error, at: nil, key: name, "the environment variable holds no such number"))
            return written
        }
        return value
    }

    private mutating func multiplier() -> Double {
        let name = "RATE_LIMIT_BACKOFF_MULTIPLIER"
        let written = root.number(name) ?? 2
        guard let text = surroundings.environment[name], !text.isEmpty else { return written }
        guard let value = Double(text), (1...10).contains(value) else {
            problems.add(
                ConfigProblem(.error, at: nil, key: name, "the environment variable holds no such number"))
            return written
        }
        return value
    }

    private mutating func tierRetries(
        _ router: ConfigSection, _ providers: inout [Provider]
    ) -> [String: TierRetry] {
        var retries: [String: TierRetry] = [:]
        for (member, section) in router.entries("tierRetries") {
            let places = providers.indices.filter {
                providers[$0].tierName == member.key || providers[$0].name == member.key
            }
            guard !places.isEmpty else {
                problems.warning(member.node, section.path, "names no provider, by its name or tier_name")
                continue
            }
            let retry = TierRetry(
                maximum: section.integerOrDefault("max_retries"),
                baseBackoffMs: section.integerOrDefault("base_backoff_ms"),
                multiplier: section.number("backoff_multiplier") ?? 2,
                maximumBackoffMs: section.integerOrDefault("max_backoff_ms"),
                firstEventMs: section.integer("stream_first_event_timeout_ms"),
                idleMs: section.integer("stream_idle_timeout_ms"))
            for place in places {
                retries[providers[place].name] = retry
                if let value = retry.firstEventMs { providers[place].timeouts.firstEventMs = value }
                if let value = retry.idleMs { providers[place].timeouts.idleMs = value }
            }
        }
        return retries
    }

    // MARK: - Bans

    private mutating func bans() -> [BanRule] {
        guard root.value("fail2ban") != nil else { return [] }
        let section = root.section("fail2ban")
        let attempts = section.integerOrDefault("max_attempts")
        let standard = duration(section)
        var rules: [BanRule] = []
        for rule in section.sections("error_code_rules") {
            guard let code = rule.integer("code"), let place = rule.value("code") else { continue }
            if rules.contains(where: { $0.status == code }) {
                problems.error(place.node, place.path, "another rule is for the status \(code) too")
                continue
            }
            let own = rule.value("ban_duration") == nil ? standard : duration(rule)
            rules.append(
                BanRule(
                    status: code, attempts: rule.integer("max_attempts") ?? attempts, durationMs: own))
        }
        let codes =
            section.value("error_codes")?.node.elements
            .compactMap { Scalars.integer($0, in: 100...599) } ?? [429]
        for code in codes where !rules.contains(where: { $0.status == code }) {
            rules.append(BanRule(status: code, attempts: attempts, durationMs: standard))
        }
        return rules
    }

    /// Milliseconds of `ban_duration`; nil for ever.
    private mutating func duration(_ section: ConfigSection) -> Int? {
        guard let (node, path) = section.value("ban_duration"), let text = node.text, text != "permanent",
            text != "0"
        else { return nil }
        guard let milliseconds = DurationText.milliseconds(text) else {
            problems.error(node, path, "allowed are “permanent” and times such as “90s”, “15m”, “2h”")
            return nil
        }
        return milliseconds
    }
}

/// Lengths of time as people write them.
package enum DurationText {
    /// Milliseconds of "90s", "15m", "2h", "7d", "500ms", at most a year; nil for anything else.
    package static func milliseconds(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), number > 0 else { return nil }
        let units = ["ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let unit = units[String(text.dropFirst(digits.count))] else { return nil }
        let (value, overflows) = number.multipliedReportingOverflow(by: unit)
        return overflows || value > 366 * 86_400_000 ? nil : value
    }
}
