// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Exporter

private func paid(_ sequence: UInt64, _ cost: Int, key: String = "ci", day: UInt64 = 0) -> RequestRecord {
    var paid = record(sequence, startedUsec: startOfDay + day * 86_400_000_000)
    paid.key = key
    paid.kind = "background"
    paid.cost = cost
    return paid
}

@Suite("What client keys have spent")
struct SpendTests {
    private let config = ExporterConfig(
        stateDirectory: "", providers: ["openai"], keys: ["ci", "me"], kinds: ["main", "background"],
        version: "1")
    private let today = Calendar.day(startOfDay)

    @Test("is told to the front with the acknowledgement, by day and month")
    func acknowledged() {
        var state = UsageState(config)
        state.apply(batch([paid(1, 5), paid(2, 7), paid(3, 1, key: "stranger")]), nowUsec: startOfDay)
        let acks = state.takeAcks()
        #expect(
            acks == [
                RecordAck(
                    frontInstance: 1, sequence: 3,
                    spends: [
                        KeySpend(key: "ci", day: today, today: 12, month: 12),
                        KeySpend(key: "other", day: today, today: 1, month: 1),
                    ])
            ])
        state.apply(batch([paid(4, 3, day: 1)]), nowUsec: startOfDay + 86_400_000_000)
        let next = state.takeAcks()
        #expect(next.first?.spends == [KeySpend(key: "ci", day: today + 1, today: 3, month: 15)])
        let nothing = state.takeAcks()
        #expect(nothing == [])
    }

    @Test("reaches every front, and one that is new at once")
    func fronts() {
        var state = UsageState(config)
        state.apply(batch([paid(1, 5)], front: 1), nowUsec: startOfDay)
        _ = state.takeAcks()
        state.apply(batch([], front: 2), nowUsec: startOfDay)
        let acks = state.takeAcks()
        #expect(acks.map(\.frontInstance) == [2])
        #expect(acks.first?.spends.map(\.today) == [5])
        state.apply(batch([paid(2, 5)], front: 1), nowUsec: startOfDay)
        let both = state.takeAcks()
        #expect(both.map(\.frontInstance).sorted() == [1, 2])
        #expect(both.allSatisfy { $0.spends.map(\.today) == [10] })
    }

    @Test("is in usage.db and known again after a restart")
    func stored() throws {
        let directory = try TemporaryDirectory()
        let config = ExporterConfig(
            stateDirectory: directory.path, providers: ["openai"], keys: ["ci"], version: "1")
        let keeper = UsageKeeper(config, monotonicUsec: 0) { _, _ in }
        keeper.receive(batch([paid(1, 5), paid(2, 6, day: 1)]), nowUsec: startOfDay)
        _ = keeper.flush(monotonicUsec: 1)
        keeper.receive(batch([paid(3, 4)]), nowUsec: startOfDay)
        _ = keeper.flush(monotonicUsec: 2)
        keeper.close()
        #expect(try directory.query("SELECT sum(nano_usd) FROM spend WHERE key = 'ci'") == 15)
        let again = UsageKeeper(config, monotonicUsec: 0) { _, _ in }
        again.receive(batch([], front: 9), nowUsec: startOfDay + 86_400_000_000)
        let acks = again.flush(monotonicUsec: 3)
        #expect(acks.first?.spends == [KeySpend(key: "ci", day: today + 1, today: 6, month: 15)])
        again.close()
    }

    @Test("is shown in metrics and usage")
    func shown() {
        var state = UsageState(config)
        state.apply(batch([paid(1, 500_000_000), paid(2, 0)]), nowUsec: startOfDay)
        #expect(state.value(.cost, "openai") == 0.5)
        #expect(state.value(.keyCost, "ci") == 0.5)
        #expect(state.value(.keyRequests, "ci") == 2)
        #expect(state.value(.kindRequests, "background") == 2)
        let body = String(decoding: Answer(path: "/v1/usage", state: state).body, as: UTF8.self)
        #expect(body.contains(#""total_cost_usd":0.5,"#))
        #expect(
            body.contains(
                #""keys":[{"key":"ci","requests":2,"tokens":0,"cost_usd":0.5,"today_usd":0.5,"month_usd":0.5}]"#
            ))
    }
}
