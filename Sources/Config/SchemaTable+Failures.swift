// SPDX-License-Identifier: Apache-2.0
// The keys that say in which order candidates are asked and what happens when one fails.
// Source: the configuration of CCR-Rust (tierRetries, topK, routingTemperature, honor_ratelimit_headers), the
// environment of codex-code-router (RATE_LIMIT_…), the configuration of Auto AI Router (fail2ban, rpm, tpm).

extension Schema {
    private static let perMinute = 1...1_000_000_000

    static let failureKeys: [SchemaKey] = [
        SchemaKey(
            "RATE_LIMIT_MAX_TOTAL_WAIT_MS", .integer(0...3_600_000), default: "30000",
            "How long a request may wait in all until somebody can be asked; 0 for as long as it may last. "
                + "The environment variable of this name counts more."),
        SchemaKey(
            "RATE_LIMIT_MAX_SLEEP_MS", .integer(1...3_600_000), default: "60000",
            "The longest single wait; a longer one is not begun. The environment variable counts more."),
        SchemaKey(
            "RATE_LIMIT_INITIAL_BACKOFF_MS", .integer(1...3_600_000), default: "1000",
            "Pause after a 429 that says no time; doubled each time. The environment variable counts more."),
        SchemaKey(
            "RATE_LIMIT_BACKOFF_MULTIPLIER", .number(1...10), default: "2",
            "What doubles it. The environment variable counts more."),
        SchemaKey(
            "Router.prefer", .choice(["order", "latency", "cost"]),
            "Order of the candidates that the request does not name. Default: latency when topK or "
                + "routingTemperature is set, else order."),
        SchemaKey(
            "Router.topK", .integer(1...1000), "With latency: of the drawn order only so many are asked."),
        SchemaKey(
            "Router.routingTemperature", .number(0.001...1000), default: "1.0",
            "With latency: seconds by which candidates may differ before it matters much."),
        SchemaKey(
            "Router.hedge", .boolean, default: "false",
            "Streams whose first event is later than 95 of 100 at that provider are asked for elsewhere as well; the first "
                + "answer counts."),
        SchemaKey(
            "Router.tierRetries", .map(.object),
            "Repetitions by tier_name or name of a provider, before the next candidate is asked. "
                + "Without an entry: one, after the other candidates."),
        SchemaKey(
            "Router.tierRetries.*.max_retries", .integer(0...10), default: "3", spellings: ["maxRetries"],
            "Repetitions at most."),
        SchemaKey(
            "Router.tierRetries.*.base_backoff_ms", .integer(1...60_000), default: "100",
            spellings: ["baseBackoffMs"], "Time before the first one."),
        SchemaKey(
            "Router.tierRetries.*.backoff_multiplier", .number(1...10), default: "2.0",
            spellings: ["backoffMultiplier"], "Growth of that time."),
        SchemaKey(
            "Router.tierRetries.*.max_backoff_ms", .integer(1...60_000), default: "10000",
            spellings: ["maxBackoffMs"], "Longest time before one."),
        SchemaKey(
            "Router.tierRetries.*.stream_first_event_timeout_ms", .integer(1...86_400_000),
            spellings: ["streamFirstEventTimeoutMs"], "As Timeouts.firstEventMs, for this provider."),
        SchemaKey(
            "Router.tierRetries.*.stream_idle_timeout_ms", .integer(1...86_400_000),
            spellings: ["streamIdleTimeoutMs"], "As Timeouts.idleMs, for this provider."),
        SchemaKey(
            "Providers[].weight", .integer(1...1000),
            "Share among providers that list the same model. Default: the first one gets everything."),
        SchemaKey(
            "Providers[].priority", .integer(0...1000), default: "0",
            "Among providers that list the same model, lower ones are asked first."),
        SchemaKey(
            "Providers[].honor_ratelimit_headers", .boolean, default: "true",
            "A key whose answers say that nothing is left is not used until it is filled again."),
        SchemaKey("Providers[].rpm", .integer(perMinute), "Requests in any 60 s with api_key."),
        SchemaKey("Providers[].tpm", .integer(perMinute), "Tokens in any 60 s with api_key."),
        SchemaKey("Providers[].model_limits", .map(.object), "Limits of single models, over all keys."),
        SchemaKey("Providers[].model_limits.*.rpm", .integer(perMinute), "Requests in any 60 s."),
        SchemaKey("Providers[].model_limits.*.tpm", .integer(perMinute), "Tokens in any 60 s."),
        SchemaKey(
            "Providers[].credentials[].rpm", .integer(perMinute), "Requests in any 60 s with this credential."
        ),
        SchemaKey(
            "Providers[].credentials[].tpm", .integer(perMinute), "Tokens in any 60 s with this credential."),
        SchemaKey("fail2ban", .object, "Bans credentials that fail again and again; without it none is."),
        SchemaKey(
            "fail2ban.max_attempts", .integer(1...1000), default: "3", "Failures in a row that lead to a ban."
        ),
        SchemaKey(
            "fail2ban.ban_duration", .text, default: "permanent",
            "“permanent”, or a time such as “90s”, “15m”, “2h”."),
        SchemaKey(
            "fail2ban.error_codes", .list(.integer(100...599)), default: "[429]", "Statuses that count."),
        SchemaKey("fail2ban.error_code_rules", .objects, "Other values for single statuses."),
        SchemaKey("fail2ban.error_code_rules[].code", .integer(100...599), required: true, "The status."),
        SchemaKey(
            "fail2ban.error_code_rules[].max_attempts", .integer(1...1000), "As fail2ban.max_attempts."),
        SchemaKey("fail2ban.error_code_rules[].ban_duration", .text, "As fail2ban.ban_duration."),
    ]
}
