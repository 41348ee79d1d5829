// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Exporter

@Suite struct TokenDriftTests {
    private func record(estimated: Int, usage: Usage, outcome: ExchangeOutcome = .completed) -> RequestRecord
    {
        var record = ExporterTests.record(1, outcome: outcome, usage: usage)
        record.estimatedInput = estimated
        return record
    }

    @Test(arguments: [
        (100, 105, nil), (100, 110, TokenDrift.Severity.warning), (100, 80, .warning), (100, 130, .critical),
    ])
    func `an answer is as bad as its estimate is far off`(
        _ estimated: Int, _ counted: Int, _ severity: TokenDrift.Severity?
    ) {
        var drift = TokenDrift()
        #expect(
            drift.add(record(estimated: estimated, usage: Usage(input: counted - 20, cacheRead: 20)))
                == severity)
        #expect(drift.lastPercent == Double(counted - estimated))
    }

    @Test func `sums show the drift of all answers`() {
        var drift = TokenDrift()
        _ = drift.add(record(estimated: 100, usage: Usage(input: 150)))
        _ = drift.add(record(estimated: 300, usage: Usage(input: 250)))
        #expect((drift.samples, drift.estimated, drift.counted) == (2, 400, 400))
        #expect(drift.percent == 0)
    }

    @Test func `answers without an estimate, a count or an end say nothing`() {
        var drift = TokenDrift()
        _ = drift.add(record(estimated: 0, usage: Usage(input: 5)))
        _ = drift.add(record(estimated: 100, usage: Usage(output: 5)))
        _ = drift.add(record(estimated: 100, usage: Usage(input: 5), outcome: .aborted))
        #expect(drift.samples == 0)
    }

    @Test func `losses and drift are shown per provider`() {
        var state = UsageState(ExporterConfig(stateDirectory: "", providers: ["openai"], version: "1"))
        var record = record(estimated: 100, usage: Usage(input: 130))
        record.losses.add(.cacheHint, 3)
        state.apply(batch([record]), nowUsec: 1)
        #expect(state.value(.losses, "openai", "cache_hint") == 3)
        #expect(state.value(.tokenDrift, "openai") == 30)
        #expect(state.value(.tokenDriftAlerts, "openai", "critical") == 1)
        #expect(Answer(path: "/v1/token-drift", state: state).body.count > 40)
    }
}
