// SPDX-License-Identifier: Apache-2.0
// What the counts make of records and gauges.

import Gateway
import Testing

@testable import Exporter

@Suite struct UsageStateTests {
    var state = UsageState(config())

    @Test mutating func `a finished request counts for its provider, client, path and outcome`() {
        state.apply(
            batch([record(1, seconds: 0.5, usage: Usage(input: 10, cacheRead: 20, cacheWrite: 5, output: 7))]
            ),
            nowUsec: 0)
        #expect(state.value(.requests, "openai") == 1)
        #expect(state.value(.requests, "anthropic") == 0)
        #expect(state.summary(.requestDuration, "openai") == [1, 0.5])
        #expect(state.value(.frontendRequests, "codex") == 1)
        #expect(state.summary(.frontendDuration, "codex") == [1, 0.5])
        #expect(state.value(.responses, "/responses", "2xx") == 1)
        #expect(state.value(.outcomes, "completed") == 1)
        #expect(state.value(.inputTokens, "openai") == 10)
        #expect(state.value(.cacheReadTokens, "openai") == 20)
        #expect(state.value(.cacheCreationTokens, "openai") == 5)
        #expect(state.value(.outputTokens, "openai") == 7)
        #expect(state.registry.shown(.failures).isEmpty)
    }

    @Test
    mutating func `a request that another provider was faster for costs what it cost and is no request`() {
        var slower = record(1, usage: Usage(input: 10, output: 7))
        slower.origin = .hedge
        slower.key = "crowd"
        slower.cost = 2_000_000_000
        state.apply(batch([slower]), nowUsec: 0)
        #expect(state.value(.hedged, "openai") == 1)
        #expect(state.value(.requests, "openai") == 0)
        #expect(state.value(.frontendRequests, "codex") == 0)
        #expect(state.registry.shown(.keyRequests).isEmpty)
        #expect(state.value(.inputTokens, "openai") == 10)
        #expect(state.value(.cost, "openai") == 2)
        #expect(state.registry.shown(.failures).isEmpty)
        let daily = state.takeChanges().daily
        #expect(daily.keys.map(\.client) == ["hedge"])
    }

    @Test mutating func `a copy that nobody waits for is counted apart`() {
        var copies = [record(1, usage: Usage(input: 10, output: 7)), record(2, outcome: .upstreamFailed)]
        for index in copies.indices {
            copies[index].origin = .shadow
            copies[index].cost = 1_000_000_000
        }
        state.apply(batch(copies), nowUsec: 0)
        #expect(state.value(.shadowRequests, "openai", "completed") == 1)
        #expect(state.value(.shadowRequests, "openai", "upstream_failed") == 1)
        #expect(state.value(.shadowTokens, "openai") == 17)
        #expect(state.value(.shadowCost, "openai") == 2)
        #expect(state.value(.requests, "openai") == 0)
        #expect(state.value(.inputTokens, "openai") == 0)
        #expect(state.registry.shown(.failures).isEmpty)
        #expect(state.registry.shown(.cost).isEmpty)
        let daily = state.takeChanges().daily
        #expect(daily.map(\.key.client) == ["shadow"])
        #expect(daily.values.map(\.failures) == [1])
    }

    @Test mutating func `values that are not from the configuration share the label other`() {
        state.apply(
            batch([
                record(1, provider: "x", client: "y", endpoint: "/z"), record(2, provider: "w", client: ""),
                record(3, provider: "", endpoint: ""),
            ]), nowUsec: 0)
        #expect(state.value(.requests, "other") == 2)
        #expect(state.value(.requests, "none") == 1)
        #expect(state.value(.frontendRequests, "other") == 2)
        #expect(state.value(.responses, "other", "2xx") == 1)
        #expect(state.value(.responses, "none", "2xx") == 1)
    }

    @Test(
        arguments: [
            (200, .completed, nil, nil), (200, .aborted, nil, nil), (400, .completed, nil, "invalid_request"),
            (401, .completed, nil, "authentication"), (404, .completed, nil, "not_found"),
            (418, .completed, nil, "invalid_request"), (429, .completed, nil, "rate_limited"),
            (500, .completed, nil, "upstream_error"), (503, .completed, nil, "overloaded"),
            (529, .completed, nil, "overloaded"), (504, .completed, nil, "upstream_timeout"),
            (200, .upstreamFailed, nil, "upstream_failed"), (200, .timedOut, nil, "timed_out"),
            (502, .rejected, .upstreamUnreachable, "upstream_unreachable"), (500, .rejected, nil, "rejected"),
        ] as [(Int, ExchangeOutcome, ErrorKind?, String?)])
    func `a failure has the reason that its ending, status or rejection gives`(
        status: Int, outcome: ExchangeOutcome, rejection: ErrorKind?, reason: String?
    ) {
        var state = state
        state.apply(batch([record(1, status: status, outcome: outcome, rejection: rejection)]), nowUsec: 0)
        #expect(state.registry.shown(.failures).map(\.labels) == (reason.map { [["openai", $0]] } ?? []))
        #expect((state.value(.rateLimitHits, "openai") == 1) == (status == 429))
    }

    @Test mutating func `failed attempts count for their own providers and the refusal after them for none`()
    {
        let attempts = [
            FailedAttempt(provider: "openai", reason: .rateLimited),
            FailedAttempt(provider: "gone", reason: .upstreamUnreachable),
        ]
        state.apply(
            batch([
                record(1, provider: "anthropic", failed: attempts),
                record(
                    2, provider: "", status: 429, outcome: .rejected, failed: attempts,
                    rejection: .rateLimited),
                record(3, provider: "", status: 503, outcome: .rejected, rejection: .overloaded),
            ]), nowUsec: 0)
        #expect(
            state.registry.shown(.failures).map(\.labels)
                == [["none", "overloaded"], ["openai", "rate_limited"], ["other", "upstream_unreachable"]])
        #expect(state.value(.failures, "openai", "rate_limited") == 2)
        #expect(state.value(.rateLimitHits, "openai") == 2)
        #expect(state.value(.rejectedStreams) == 1)
        #expect(state.value(.requests, "none") == 2)
    }

    @Test mutating func `what the policy did is counted by provider and reason`() {
        var first = record(1, provider: "anthropic")
        first.waitedUsec = 1_500_000
        first.policyEvents = [
            PolicyEvent(.paused, "openai", .rate), PolicyEvent(.retried, "anthropic", .rate),
            PolicyEvent(.probed, "anthropic", .held), PolicyEvent(.banned, "openai", .rate),
        ]
        var second = record(2, provider: "openai", status: 500)
        second.policyEvents = [
            PolicyEvent(.circuitOpened, "openai", .server), PolicyEvent(.denied, "openai", .server),
            PolicyEvent(.retried, "gone", .server),
        ]
        state.apply(batch([first, second, record(3)]), nowUsec: 0)
        #expect(state.value(.pauses, "openai", "rate") == 1)
        #expect(state.value(.retries, "anthropic", "rate") == 1)
        #expect(state.value(.retries, "other", "server") == 1)
        #expect(state.value(.retriesDenied, "openai", "server") == 1)
        #expect(state.value(.circuitsOpened, "openai") == 1)
        #expect(state.value(.circuitProbes, "anthropic") == 1)
        #expect(state.value(.bansOfRules, "openai") == 1)
        #expect(state.summary(.requestWait) == [1, 1.5], "who did not wait is not in it")
    }

    @Test
    mutating func `the policy is shown as it is now, of two fronts the worse, of a front that left nothing`()
    {
        var report = PolicyReport()
        report.circuits = [
            .init(provider: "openai", model: "m", state: .open, untilUsec: 5),
            .init(provider: "openai", model: "n", state: .closed, untilUsec: 0),
        ]
        report.pauses = [
            .init(provider: "openai", credential: "c", model: "-", untilUsec: 2_000_000),
            .init(provider: "openai", credential: "c", model: "-", untilUsec: 4_000_000),
            .init(provider: "openai", credential: "c", model: "", untilUsec: 1_000_000),
        ]
        report.bans = [
            .init(provider: "openai", credential: "c", model: "", origin: "admin", untilUsec: nil),
            .init(provider: "openai", credential: "d", model: "", origin: "admin", untilUsec: 3),
            .init(provider: "openai", credential: "e", model: "", origin: "fail2ban", untilUsec: nil),
        ]
        report.budgets = [.init(provider: "openai", left: 2.5)]
        for front in [1, 2] as [UInt64] { state.apply(batch([], front: front), nowUsec: 0) }
        state.policyChanged(report, of: 1)
        report.circuits[1].state = .open
        report.circuits[1].untilUsec = 9_000_000
        report.pauses = []
        state.policyChanged(report, of: 2)
        state.policyChanged(report, of: 3)
        state.showPolicy(now: 1)
        #expect(state.value(.circuitState, "openai", "m") == 2)
        #expect(state.value(.circuitState, "openai", "n") == 2)
        #expect(state.value(.pauseSeconds, "c", "openai", "model") == 3.999999)
        #expect(state.value(.pauseSeconds, "c", "openai", "all") == 0.999999)
        #expect(state.value(.bans, "openai", "admin") == 2)
        #expect(state.value(.bans, "openai", "fail2ban") == 1)
        #expect(state.value(.retryBudget, "openai") == 2.5)
        state.showPolicy(now: 3_000_000)
        #expect(state.value(.circuitState, "openai", "m") == 1, "its time is over")
        #expect(state.value(.bans, "openai", "admin") == 1)
        #expect(state.registry.shown(.pauseSeconds).map(\.labels) == [["c", "openai", "model"]])
        state.frontLeft(2)
        state.showPolicy(now: 3_000_000)
        #expect(state.value(.circuitState, "openai", "n") == 0)
        state.frontLeft(1)
        state.showPolicy(now: 3_000_000)
        for metric in [Metric.circuitState, .pauseSeconds, .bans, .retryBudget] {
            #expect(state.registry.shown(metric).isEmpty)
        }
    }

    @Test mutating func `only completed answers have a duration`() {
        state.apply(
            batch([
                record(1, seconds: 1), record(2, outcome: .aborted, seconds: 100), record(3, seconds: 2),
            ]), nowUsec: 0)
        #expect(state.summary(.requestDuration, "openai") == [2, 3])
        #expect(state.value(.ewmaLatency, "openai") == 1 + 0.3 * (2 - 1))
    }

    @Test mutating func `a stream has a time to first byte and a rate, other answers have not`() {
        let usage = Usage(output: 50)
        state.apply(
            batch([
                record(1, seconds: 3, firstByte: 0.5, streaming: true, usage: usage),
                record(2, seconds: 3, firstByte: 0.5, streaming: false, usage: usage),
                record(3, seconds: 3, firstByte: 0, streaming: true, usage: usage),
                record(4, seconds: 3, firstByte: 3, streaming: true, usage: usage),
                record(5, seconds: 3, firstByte: 1, streaming: true),
            ]), nowUsec: 0)
        #expect(state.summary(.timeToFirstByte, "openai") == [3, 4.5])
        #expect(state.summary(.outputRate, "openai") == [1, 20])
        #expect(
            state.recentStreams("openai") == [
                ThroughputSample(
                    timeToFirstByteSeconds: 0.5, tokensPerSecond: 20, outputTokens: 50,
                    generationSeconds: 2.5,
                    endedUsec: startOfDay + 3_000_000)
            ])
    }

    @Test mutating func `only the latest streams are kept, oldest first`() {
        for sequence in 1...UInt64(ExporterLimits.recentSamples + 2) {
            state.apply(
                batch([
                    record(
                        sequence, seconds: 2, firstByte: 1, streaming: true,
                        usage: Usage(output: Int(sequence)))
                ]), nowUsec: 0)
        }
        let outputs = state.recentStreams("openai").map(\.outputTokens)
        #expect(outputs == Array(3...(ExporterLimits.recentSamples + 2)))
    }

    @Test mutating func `token counts that cannot be are bounded`() {
        state.apply(batch([record(1, usage: Usage(input: -5, output: Int.max))]), nowUsec: 0)
        #expect(state.value(.inputTokens, "openai") == 0)
        #expect(state.value(.outputTokens, "openai") == Double(1 << 40))
        #expect(state.takeChanges().daily.values.map(\.output) == [1 << 40])
    }

    @Test mutating func `a record is counted once per front instance, whatever is sent again`() {
        let both = batch([record(1), record(2)])
        #expect([state.apply(both, nowUsec: 0), state.apply(both, nowUsec: 0)] == [2, 0])
        let longer = state.apply(batch([record(2), record(3)]), nowUsec: 0)
        #expect(longer == 1)
        let other = state.apply(batch([record(1)], front: 2), nowUsec: 0)
        #expect(other == 1)
        #expect(state.value(.requests, "openai") == 4)
    }

    @Test mutating func `the counters of several front instances add up and survive their restart`() {
        state.apply(batch([], front: 1, gauges: FrontGauges(handoffs: 5, droppedRecords: 1)), nowUsec: 0)
        state.apply(batch([], front: 1, gauges: FrontGauges(handoffs: 7, droppedRecords: 1)), nowUsec: 0)
        state.apply(batch([], front: 2, gauges: FrontGauges(handoffs: 2)), nowUsec: 0)
        #expect(state.value(.handoffs) == 9)
        #expect(state.value(.droppedRecords) == 1)
    }

    @Test mutating func `gauges are those of the connected fronts, the peak stays`() {
        let busy = FrontGauges(connections: 3, activeRequests: 2, activeStreams: 1, peakStreams: 4)
        state.apply(batch([], front: 1, gauges: busy), nowUsec: 0)
        state.apply(batch([], front: 2, gauges: busy), nowUsec: 0)
        #expect(state.value(.connections) == 6)
        state.frontLeft(1)
        #expect(state.value(.connections) == 3)
        #expect(state.value(.activeRequests) == 2)
        #expect(state.value(.activeStreams) == 1)
        #expect(state.value(.peakStreams) == 4)
        state.frontLeft(2)
        #expect(state.value(.activeStreams) == 0)
        #expect(state.value(.peakStreams) == 4)
    }

    @Test mutating func `processes of one role and provider are added up, those that are gone are not shown`()
    {
        func worker(_ provider: String, _ state: ProcessStatus.State, _ bytes: UInt64) -> ProcessStatus {
            ProcessStatus(
                role: "worker", provider: provider, pid: 1, state: state, restarts: 2, residentBytes: bytes,
                startedUsec: 0, text: "")
        }
        state.processesChanged([
            worker("openai", .ready, 10), worker("openai", .backOff, 5), worker("gone", .draining, 1),
        ])
        #expect(state.value(.processUp, "worker", "openai") == 1)
        #expect(state.value(.processUp, "worker", "gone") == 1)
        #expect(state.value(.processRestarts, "worker", "openai") == 4)
        #expect(state.value(.processResidentBytes, "worker", "openai") == 15)
        state.processesChanged([worker("openai", .starting, 3)])
        #expect(state.value(.processUp, "worker", "openai") == 0)
        #expect(state.value(.processUp, "worker", "gone") == nil)
        #expect(state.value(.processResidentBytes, "worker", "openai") == 3)
    }

    @Test mutating func `the daily table tells day, provider, model, path and client apart`() {
        state.apply(
            batch([
                record(1, usage: Usage(input: 1, cacheRead: 2, cacheWrite: 3, output: 4, reasoning: 5)),
                record(2, status: 500, usage: Usage(input: 10)), record(3, model: "m2"),
                record(4, startedUsec: startOfDay - 1),
            ]), nowUsec: 0)
        let daily = state.takeChanges().daily
        let day = Int(startOfDay / 86_400_000_000)
        func key(_ day: Int, _ model: String) -> DailyKey {
            DailyKey(day: day, provider: "openai", model: model, endpoint: "/responses", client: "codex")
        }
        #expect(daily.count == 3)
        #expect(
            daily[key(day, "m1")]
                == DailyCounts(
                    requests: 2, failures: 1, input: 11, cacheRead: 2, cacheWrite: 3, output: 4, reasoning: 5)
        )
        #expect(daily[key(day, "m2")]?.requests == 1)
        #expect(daily[key(day - 1, "m1")]?.requests == 1)
    }

    @Test mutating func `models beyond the bound of a day count as other, and the next day begins anew`() {
        let limit = UInt64(ExporterLimits.modelsPerDay)
        for sequence in 1...(limit + 5) {
            state.apply(batch([record(sequence, model: "m\(sequence)")]), nowUsec: 0)
        }
        state.apply(
            batch([record(limit + 6, model: "late", startedUsec: startOfDay + 86_400_000_000)]), nowUsec: 0)
        let daily = state.takeChanges().daily
        #expect(daily.count == ExporterLimits.modelsPerDay + 2)
        #expect(daily.first { $0.key.model == "other" }?.value.requests == 5)
        #expect(daily.contains { $0.key.model == "late" })
    }

    @Test mutating func `nothing has changed before the first record, and nothing after changes were taken`()
    {
        let first = state.takeChanges().isEmpty
        state.apply(batch([record(1)]), nowUsec: 0)
        let second = state.takeChanges().isEmpty
        state.apply(batch([record(1)], gauges: FrontGauges(connections: 3)), nowUsec: 0)
        let third = state.takeChanges().isEmpty
        #expect([first, second, third] == [true, false, true])
    }

    @Test mutating func `changes that are given back come again whole`() {
        state.apply(batch([record(1)]), nowUsec: 0)
        let lost = state.takeChanges()
        state.giveBack(lost)
        state.apply(batch([record(2)]), nowUsec: 0)
        let changes = state.takeChanges()
        #expect(changes.fronts.map(\.sequence) == [2])
        #expect(changes.daily.values.map(\.requests) == [2])
        #expect(changes.series.first { $0.name == "ccr_requests_total" }?.cells == [2])
        #expect(changes.series.count == lost.series.count)
    }

    @Test mutating func `a front instance is forgotten a day after it was last seen, a connected one never`()
    {
        let day = ExporterLimits.frontMemoryUsec
        state.apply(batch([record(1)], front: 1), nowUsec: 1_000)
        state.apply(batch([record(1)], front: 2), nowUsec: 1_000)
        state.frontLeft(1)
        _ = state.takeChanges()
        state.maintain(nowUsec: 1_000 + day)
        var changes = state.takeChanges()
        #expect(changes.forgottenFronts == [])
        #expect(changes.fronts.map(\.seenUsec) == [1_000 + day])
        state.maintain(nowUsec: 1_001 + day)
        changes = state.takeChanges()
        #expect(changes.forgottenFronts == [1])
        let again = state.apply(batch([record(1)], front: 2), nowUsec: 1_001 + day)
        #expect(again == 0)
    }

    @Test mutating func `every batch with records is acknowledged once, duplicates too`() {
        state.apply(batch([record(1), record(2)]), nowUsec: 0)
        let first = state.takeAcks().map(\.sequence)
        let none = state.takeAcks().map(\.sequence)
        state.apply(batch([record(1)]), nowUsec: 0)
        let again = state.takeAcks().map(\.sequence)
        state.apply(batch([]), nowUsec: 0)
        let empty = state.takeAcks().map(\.sequence)
        #expect([first, none, again, empty] == [[2], [], [2], []])
    }
}

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (startOfDay, "2026-11-21T00:00:00.000Z"),
            (951_782_399_999_999, "2000-02-28T23:59:59.999Z"),
            (951_868_799_000_000, "2000-02-29T23:59:59.000Z"),
            (1_735_689_599_001_999, "2024-12-31T23:59:59.001Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
        ] as [(UInt64, String)])
    func `a time is written in UTC with milliseconds`(usec: UInt64, text: String) {
        #expect(Timestamp.iso8601(usec) == text)
    }
}
