// SPDX-License-Identifier: Apache-2.0
// Every metric the exporter shows; docs/metrics.md lists the same ones, which a test compares.
// A tier is a provider; the tier "none" stands for ccr itself.

import Metrics

/// The metrics in the order of the output. The raw value is the name.
enum Metric: String, CaseIterable {
    case buildInfo = "ccr_build_info"
    case requests = "ccr_requests_total"
    case requestDuration = "ccr_request_duration_seconds"
    case ewmaLatency = "ccr_tier_ewma_latency_seconds"
    case timeToFirstByte = "ccr_ttft_seconds"
    case outputRate = "ccr_output_tokens_per_second"
    case failures = "ccr_failures_total"
    case hedged = "ccr_hedged_requests_total"
    case shadowRequests = "ccr_shadow_requests_total"
    case shadowTokens = "ccr_shadow_tokens_total"
    case shadowCost = "ccr_shadow_cost_usd_total"
    case rateLimitHits = "ccr_rate_limit_hits_total"
    case inputTokens = "ccr_input_tokens_total"
    case outputTokens = "ccr_output_tokens_total"
    case cacheReadTokens = "ccr_cache_read_tokens_total"
    case cacheCreationTokens = "ccr_cache_creation_tokens_total"
    case cost = "ccr_cost_usd_total"
    case losses = "ccr_dropped_total"
    case tokenDrift = "ccr_token_drift_pct"
    case tokenDriftAbsolute = "ccr_token_drift_absolute"
    case tokenDriftAlerts = "ccr_token_drift_alerts_total"
    case frontendRequests = "ccr_frontend_requests_total"
    case frontendDuration = "ccr_frontend_request_duration_seconds"
    case kindRequests = "ccr_kind_requests_total"
    case keyRequests = "ccr_key_requests_total"
    case keyTokens = "ccr_key_tokens_total"
    case keyCost = "ccr_key_cost_usd_total"
    case responses = "ccr_responses_total"
    case outcomes = "ccr_request_outcomes_total"
    case activeRequests = "ccr_active_requests"
    case activeStreams = "ccr_active_streams"
    case peakStreams = "ccr_peak_active_streams"
    case backpressure = "ccr_stream_backpressure_total"
    case rejectedStreams = "ccr_rejected_streams_total"
    case connections = "ccr_front_connections"
    case handoffs = "ccr_front_handoffs_total"
    case droppedRecords = "ccr_front_dropped_records_total"
    case transformerRuns = "ccr_transformer_runs_total"
    case processUp = "ccr_process_up"
    case processRestarts = "ccr_process_restarts_total"
    case processResidentBytes = "ccr_process_resident_bytes"
    case credentialExpiry = "ccr_credential_expiry_seconds"
    case credentialRefreshes = "ccr_credential_refresh_total"
    case credentialState = "ccr_credential_state"
    case credentialRefusals = "ccr_credential_401_total"
    case credentialCooldown = "ccr_credential_cooldown_seconds"
    case retries = "ccr_retries_total"
    case retriesDenied = "ccr_retries_denied_total"
    case retryBudget = "ccr_retry_budget"
    case requestWait = "ccr_request_wait_seconds"
    case circuitState = "ccr_circuit_state"
    case circuitsOpened = "ccr_circuit_opened_total"
    case circuitProbes = "ccr_circuit_probes_total"
    case pauses = "ccr_credential_pauses_total"
    case pauseSeconds = "ccr_credential_pause_seconds"
    case bansOfRules = "ccr_fail2ban_total"
    case bans = "ccr_bans"
    case storeUp = "ccr_usage_store_up"

    /// Upper bounds in seconds; CCR-Rust's up to 60, so that its dashboards read ccr, and two for long turns.
    static let durationBounds = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600]
    static let waitBounds = [0.1, 0.5, 1, 2, 5, 10, 20, 30, 60]
    static let firstByteBounds = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30]
    static let rateBounds = [1.0, 5, 10, 20, 40, 60, 80, 100, 150, 200]

    /// The metric's description.
    var family: MetricFamily {
        switch self {
        case .buildInfo: gauge(["version"], "Always 1; the version of ccr is the label.")
        case .requests: counter(["tier"], "Requests answered by this provider.")
        case .requestDuration:
            histogram(
                Metric.durationBounds, ["tier"], "Seconds from a request's head to the end of its answer.")
        case .ewmaLatency:
            gauge(["tier"], lasting: true, "Moving average of the request duration in seconds, alpha 0.3.")
        case .timeToFirstByte:
            histogram(
                Metric.firstByteBounds, ["tier"],
                "Seconds from a streaming request's head to the first byte of its answer.")
        case .outputRate:
            histogram(
                Metric.rateBounds, ["tier"],
                "Output tokens per second between first and last byte of a stream.")
        case .failures:
            counter(["tier", "reason"], "Failed attempts at this provider and failed answers from it.")
        case .hedged:
            counter(
                ["tier"],
                "Requests cancelled at this provider because another one asked beside it was faster.")
        case .shadowRequests:
            counter(["tier", "outcome"], "Copies of requests whose answers nobody got, by how they ended.")
        case .shadowTokens: counter(["tier"], "Tokens of such copies, input and output.")
        case .shadowCost: counter(["tier"], "US dollars for such copies, by the configured prices.")
        case .rateLimitHits: counter(["tier"], "Answers with status 429 from this provider.")
        case .inputTokens:
            counter(["tier"], "Input tokens that were neither read from nor written to a cache.")
        case .outputTokens: counter(["tier"], "Output tokens, reasoning included.")
        case .cacheReadTokens: counter(["tier"], "Input tokens read from the provider's prompt cache.")
        case .cacheCreationTokens: counter(["tier"], "Input tokens written to the provider's prompt cache.")
        case .cost: counter(["tier"], "US dollars by the configured prices.")
        case .losses:
            counter(["tier", "kind"], "Parts of requests that translation had to leave out, by kind.")
        case .tokenDrift:
            gauge(["tier"], "Per cent by which counted input tokens exceed estimated ones.")
        case .tokenDriftAbsolute: gauge(["tier"], "Counted minus estimated input tokens.")
        case .tokenDriftAlerts:
            counter(
                ["tier", "severity"],
                "Answers whose estimate was off by 10 per cent (warning) or 25 per cent (critical).")
        case .frontendRequests: counter(["frontend"], "Requests by kind of client.")
        case .frontendDuration:
            histogram(Metric.durationBounds, ["frontend"], "Seconds per request by kind of client.")
        case .kindRequests: counter(["kind"], "Requests by what they were for.")
        case .keyRequests: counter(["key"], "Requests by client key.")
        case .keyTokens: counter(["key"], "Tokens by client key, input and output.")
        case .keyCost: counter(["key"], "US dollars by client key, by the configured prices.")
        case .responses: counter(["endpoint", "status"], "Answers by path below /v1 and class of status.")
        case .outcomes: counter(["outcome"], "Requests by how they ended.")
        case .activeRequests: gauge([], "Requests between head and end of the answer.")
        case .activeStreams: gauge([], "Streaming requests between head and end of the answer.")
        case .peakStreams: gauge([], lasting: true, "The most streams at one time.")
        case .backpressure: counter([], "Times a client's socket was full while an answer was written.")
        case .rejectedStreams: counter([], "Requests refused because a limit of ccr was reached.")
        case .connections: gauge([], "Open client connections.")
        case .handoffs: counter([], "Requests handed to workers, each attempt and each copy for itself.")
        case .droppedRecords:
            counter([], "Records of requests lost because the exporter was away for too long.")
        case .transformerRuns: counter(["name"], "Requests that went through this transformer.")
        case .processUp: gauge(["role", "provider"], "Processes of this role that serve.")
        case .processRestarts:
            counter(
                ["role", "provider"], lasting: false, "Restarts after a crash since the supervisor started.")
        case .processResidentBytes:
            gauge(["role", "provider"], "Resident memory of the processes of this role.")
        case .credentialExpiry:
            gauge(["credential", "provider"], "Seconds until the credential's token ends.")
        case .credentialRefreshes:
            counter(
                ["credential", "provider", "outcome"], lasting: false,
                "Attempts to renew the credential's token, by outcome, since the refresher started.")
        case .credentialState:
            gauge(["credential", "provider", "state"], "1 for the state that the credential is in.")
        case .credentialRefusals:
            counter(
                ["credential", "provider"], lasting: false,
                "Tokens of the credential that its provider refused with 401.")
        case .credentialCooldown:
            gauge(
                ["credential", "provider"],
                "Seconds for which the provider wants the credential to be left alone.")
        case .retries:
            counter(
                ["tier", "reason"],
                "Attempts at this provider after another attempt of the request had failed.")
        case .retriesDenied:
            counter(
                ["tier", "reason"], "Failures that were not repeated because the retry budget was spent.")
        case .retryBudget: gauge(["tier"], "Repetitions that the provider's retry budget has left.")
        case .requestWait:
            histogram(
                Metric.waitBounds, [], "Seconds that requests waited inside ccr; only those that did.")
        case .circuitState:
            gauge(["tier", "model"], "0 for a circuit that is closed, 1 for half-open, 2 for open.")
        case .circuitsOpened: counter(["tier"], "Openings of circuits of the provider's models.")
        case .circuitProbes: counter(["tier"], "Requests let through circuits that were not closed.")
        case .pauses:
            counter(["tier", "reason"], "Times a credential of the provider was left alone, by reason.")
        case .pauseSeconds:
            gauge(
                ["credential", "provider", "scope"],
                "Seconds for which front leaves the credential alone, for every model or for one.")
        case .bansOfRules: counter(["tier"], "Bans of the provider's credentials by fail2ban.")
        case .bans: gauge(["tier", "origin"], "Bans in force.")
        case .storeUp: gauge([], "1 when the counts are kept in usage.db, 0 while they are in memory only.")
        }
    }

    private func counter(_ labels: [String], lasting: Bool = true, _ help: String) -> MetricFamily {
        MetricFamily(rawValue, .counter, labels: labels, isLasting: lasting, help: help)
    }

    private func gauge(_ labels: [String], lasting: Bool = false, _ help: String) -> MetricFamily {
        MetricFamily(rawValue, .gauge, labels: labels, isLasting: lasting, help: help)
    }

    private func histogram(_ bounds: [Double], _ labels: [String], _ help: String) -> MetricFamily {
        MetricFamily(rawValue, .histogram(bounds: bounds), labels: labels, isLasting: true, help: help)
    }
}

extension Registry {
    mutating func series(_ metric: Metric, _ labels: [String] = []) -> SeriesID {
        series(metric.rawValue, labels)
    }

    func shown(_ metric: Metric) -> [(labels: [String], id: SeriesID)] { shown(metric.rawValue) }
}
