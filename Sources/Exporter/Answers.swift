// SPDX-License-Identifier: Apache-2.0
// The paths the exporter answers and the bodies of the answers. The JSON shapes are CCR-Rust's, so that its
// dashboards read ccr: numbers it has and ccr does not measure yet are 0 or an empty list.

import Gateway
import JSON
import Metrics

/// An answer to a GET request.
struct Answer: Equatable {
    let status: Int
    let contentType: String
    let body: [UInt8]

    private static let json = "application/json"

    /// What each path is answered with.
    private static let paths: [(path: String, body: @Sendable (UsageState, inout JSONWriter) -> Void)] = [
        ("/v1/latencies", latencies),
        ("/v1/usage", usage),
        ("/v1/throughput", throughput),
        ("/v1/frontend-metrics", frontendMetrics),
        ("/v1/token-drift", tokenDrift),
        // What a request consists of is known to no process that counts.
        ("/v1/token-audit", { _, writer in writer.array { _ in } }),
    ]

    /// Answers a path without its query.
    init(path: String, state: UsageState) {
        if path == "/metrics" {
            var body: [UInt8] = []
            body.reserveCapacity(16_384)
            TextFormat.render(state.registry, into: &body)
            self.init(status: 200, contentType: TextFormat.contentType, body: body)
            return
        }
        var writer = JSONWriter()
        guard let row = Answer.paths.first(where: { $0.path == path }) else {
            let known = (["/metrics"] + Answer.paths.map(\.path)).joined(separator: ", ")
            self = .error(status: 404, code: "not_found", "no such path; there are \(known)")
            return
        }
        row.body(state, &writer)
        self.init(status: 200, contentType: Answer.json, body: writer.bytes)
    }

    private init(status: Int, contentType: String, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// An error in the shape of OpenAI's, which every client of these paths can show.
    static func error(status: Int, code: String, _ message: String) -> Answer {
        var writer = JSONWriter()
        writer.object {
            $0.member(
                "error",
                object: {
                    $0.member("message", message)
                    $0.member("type", "invalid_request_error")
                    $0.member("code", code)
                })
        }
        return Answer(status: status, contentType: json, body: writer.bytes)
    }

    // MARK: - Bodies

    private static func latencies(_ state: UsageState, _ writer: inout JSONWriter) {
        writer.array { writer in
            for (labels, id) in state.registry.shown(.ewmaLatency) {
                writer.object {
                    $0.member("tier", labels[0])
                    $0.number("ewma_seconds", state.registry.value(id))
                    $0.member("sample_count", Int(state.summary(.requestDuration, labels).count))
                }
            }
        }
    }

    private static func usage(_ state: UsageState, _ writer: inout JSONWriter) {
        writer.object {
            $0.member("total_requests", state.total(.requests))
            $0.member("total_failures", state.total(.failures))
            $0.member("total_input_tokens", state.total(.inputTokens))
            $0.member("total_output_tokens", state.total(.outputTokens))
            $0.number("total_cost_usd", state.dollars(.cost))
            $0.member("active_streams", state.total(.activeStreams))
            $0.member("active_requests", state.total(.activeRequests))
            $0.member("tiers", array: { tiers(state, &$0) })
            $0.member("keys", array: { keys(state, &$0) })
        }
    }

    private static func tokenDrift(_ state: UsageState, _ writer: inout JSONWriter) {
        writer.array { writer in
            for (tier, drift) in state.drifts {
                writer.object {
                    $0.member("tier", tier)
                    $0.member("samples", drift.samples)
                    $0.member("cumulative_local", drift.estimated)
                    $0.member("cumulative_upstream", drift.counted)
                    $0.number("cumulative_drift_pct", drift.percent)
                    $0.member("last_local", drift.lastEstimated)
                    $0.member("last_upstream", drift.lastCounted)
                    $0.number("last_drift_pct", drift.lastPercent)
                }
            }
        }
    }

    private static func tiers(_ state: UsageState, _ writer: inout JSONWriter) {
        let failed = Set(state.registry.shown(.failures).map { $0.labels[0] })
        let answered = Set(state.registry.shown(.requests).map { $0.labels[0] })
        for tier in failed.union(answered).sorted() {
            let duration = state.summary(.requestDuration, [tier])
            writer.object {
                $0.member("tier", tier)
                $0.member("requests", state.total(.requests, tier))
                $0.member("failures", state.total(.failures, tier))
                $0.member("input_tokens", state.total(.inputTokens, tier))
                $0.member("output_tokens", state.total(.outputTokens, tier))
                $0.member("cache_read_tokens", state.total(.cacheReadTokens, tier))
                $0.member("cache_creation_tokens", state.total(.cacheCreationTokens, tier))
                $0.number("cost_usd", state.dollars(.cost, tier))
                $0.number("avg_duration_seconds", mean(duration))
            }
        }
    }

    /// Client keys that have been used, with what they have spent.
    private static func keys(_ state: UsageState, _ writer: inout JSONWriter) {
        let spends = state.spends.all(state.today)
        for (labels, id) in state.registry.shown(.keyRequests) {
            let spend = spends.first { $0.key == labels[0] }
            writer.object {
                $0.member("key", labels[0])
                $0.member("requests", Int(state.registry.value(id)))
                $0.member("tokens", state.total(.keyTokens, labels[0]))
                $0.number("cost_usd", state.dollars(.keyCost, labels[0]))
                $0.number("today_usd", Double(spend?.today ?? 0) / Double(Calendar.nanoPerUSD))
                $0.number("month_usd", Double(spend?.month ?? 0) / Double(Calendar.nanoPerUSD))
            }
        }
    }

    private static func throughput(_ state: UsageState, _ writer: inout JSONWriter) {
        let registry = state.registry
        writer.array { writer in
            for (labels, firstByte) in registry.shown(.timeToFirstByte) {
                let rate = registry.shown(.outputRate).first { $0.labels == labels }?.id
                writer.object {
                    $0.member("tier", labels[0])
                    $0.member("samples", Int(rate.map { registry.summary($0).count } ?? 0))
                    $0.number("avg_ttft_seconds", mean(registry.summary(firstByte)))
                    $0.number("p50_ttft_seconds", registry.quantile(0.5, of: firstByte))
                    $0.number("p90_ttft_seconds", registry.quantile(0.9, of: firstByte))
                    $0.number("p99_ttft_seconds", registry.quantile(0.99, of: firstByte))
                    $0.number("avg_tokens_per_second", rate.map { mean(registry.summary($0)) } ?? 0)
                    $0.number("p50_tokens_per_second", rate.map { registry.quantile(0.5, of: $0) } ?? 0)
                    $0.member("recent", array: { recent(state.recentStreams(labels[0]), &$0) })
                }
            }
        }
    }

    private static func recent(_ samples: [ThroughputSample], _ writer: inout JSONWriter) {
        for sample in samples {
            writer.object {
                $0.number("ttft_seconds", sample.timeToFirstByteSeconds)
                $0.number("tokens_per_second", sample.tokensPerSecond)
                $0.member("output_tokens", sample.outputTokens)
                $0.number("generation_seconds", sample.generationSeconds)
                $0.member("timestamp", Timestamp.iso8601(sample.endedUsec))
            }
        }
    }

    private static func frontendMetrics(_ state: UsageState, _ writer: inout JSONWriter) {
        writer.array { writer in
            for (labels, id) in state.registry.shown(.frontendRequests) {
                writer.object {
                    $0.member("frontend", labels[0])
                    $0.member("requests", Int(state.registry.value(id)))
                    $0.number("avg_latency_ms", mean(state.summary(.frontendDuration, labels)) * 1_000)
                }
            }
        }
    }

    private static func mean(_ summary: (count: Double, sum: Double)) -> Double {
        summary.count > 0 ? summary.sum / summary.count : 0
    }
}

extension UsageState {
    /// The sum of a metric's series, or of those whose first label has this value.
    fileprivate func total(_ metric: Metric, _ tier: String? = nil) -> Int {
        var sum = 0.0
        for (labels, id) in registry.shown(metric) where tier == nil || labels.first == tier {
            sum += registry.value(id)
        }
        return Int(sum)
    }

    /// As `total`, for amounts of money.
    fileprivate func dollars(_ metric: Metric, _ label: String? = nil) -> Double {
        registry.shown(metric).reduce(0) { sum, series in
            label == nil || series.labels.first == label ? sum + registry.value(series.id) : sum
        }
    }

    fileprivate func summary(_ metric: Metric, _ labels: [String]) -> (count: Double, sum: Double) {
        registry.shown(metric).first { $0.labels == labels }.map { registry.summary($0.id) } ?? (0, 0)
    }
}

extension JSONWriter {
    fileprivate mutating func number(_ name: StaticString, _ value: Double) {
        key(name)
        double(value)
    }
}
