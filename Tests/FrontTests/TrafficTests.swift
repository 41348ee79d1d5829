// SPDX-License-Identifier: Apache-2.0
// The line about a front's traffic.

import Gateway
import Testing

@testable import Front

@Suite("Traffic") struct TrafficTests {
    private func record(
        _ provider: String, _ outcome: ExchangeOutcome = .completed, after failed: [String] = []
    ) -> RequestRecord {
        RequestRecord(
            sequence: 0, requestID: "", startedUsec: 0, durationUsec: 0, firstByteUsec: 0, client: "",
            endpoint: "", provider: provider, model: "", status: 200, outcome: outcome, streaming: false,
            usage: Usage(), backpressureCount: 0,
            failedAttempts: failed.map { FailedAttempt(provider: $0, reason: .overloaded) }, rejection: nil)
    }

    @Test("Nothing is said of nothing")
    func idle() {
        var traffic = Traffic()
        #expect(traffic.line(streams: 0) == nil)
    }

    @Test(
        "Streams that run and requests per second are shown",
        arguments: [
            (0, 1, "0 streams, 0.2 requests/s"), (1, 0, "1 stream, 0.0 requests/s"),
            (12, 17, "12 streams, 3.4 requests/s"),
        ])
    func rate(streams: Int, requests: Int, line: String) {
        var traffic = Traffic()
        for _ in 0..<requests { traffic.count(record("a")) }
        #expect(traffic.line(streams: streams) == line)
        #expect(traffic.line(streams: 0) == nil, "requests count for one interval")
    }

    @Test(
        "The worst provider is the one with the largest share of failures, those of other candidates included"
    )
    func worst() {
        var traffic = Traffic()
        for _ in 0..<9 { traffic.count(record("large")) }
        traffic.count(record("large", .upstreamFailed))
        traffic.count(record("large", .aborted))
        traffic.count(record("good", after: ["small"]))
        traffic.count(record("small", .timedOut))
        traffic.count(record("small"))
        #expect(
            traffic.line(streams: 0) == "0 streams, 2.8 requests/s, worst provider small: 2 of 3 failed")
    }

    @Test("Refusals of ccr are no failure of a provider")
    func rejected() {
        var traffic = Traffic()
        traffic.count(record("a", .rejected))
        traffic.count(record("", .rejected))
        #expect(traffic.line(streams: 0) == "0 streams, 0.4 requests/s")
    }

    @Test("A failure is forgotten after one minute at the latest, and not before half of it")
    func forgetting() {
        var traffic = Traffic()
        traffic.count(record("a", .upstreamFailed))
        var lines = 0
        while traffic.line(streams: 0) != nil, lines < 100 { lines += 1 }
        #expect((6...12).contains(lines), "\(lines) lines")
    }
}
