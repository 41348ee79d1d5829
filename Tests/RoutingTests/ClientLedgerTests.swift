// SPDX-License-Identifier: Apache-2.0
import Gateway
import IPC
import Testing

@testable import Config
@testable import Routing

private let second: UInt64 = 1_000_000
/// 2026-11-30 12:00:00 UTC.
private let lastOfNovember: UInt64 = 1_796_040_000 * 1_000_000
private let dollar = Calendar.nanoPerUSD

private func ledger(_ change: (inout ClientKey) -> Void) -> ClientLedger {
    var key = ClientKey(name: "ci", hash: [])
    change(&key)
    return ClientLedger([ClientRule(key, digest: [UInt8](repeating: 1, count: 32))])
}

@Suite("What client keys may use")
struct ClientLedgerTests {
    private func outcome(
        _ ledger: inout ClientLedger, tokens: Int = 1, output: Int = 0, now: UInt64 = 0,
        realtime: UInt64 = lastOfNovember
    ) -> String {
        do {
            _ = try ledger.admit(0, input: tokens, output: output, now: now, realtime: realtime)
            return "ok"
        } catch {
            return "\(error.kind.status) \(error.retryAfter.map(String.init) ?? ""): \(error.message)"
        }
    }

    @Test("is bounded by the minute, with the time after which to come again")
    func minute() {
        var ledger = ledger {
            $0.requestsPerMinute = 2
            $0.tokensPerMinute = 100
        }
        let outcomes = [90, 20, 10, 1].map { outcome(&ledger, tokens: $0) }
        #expect(
            outcomes == [
                "ok", "429 61: the key of “ci” has used its tokens of this minute", "ok",
                "429 61: the key of “ci” has used its requests of this minute",
            ])
        let large = outcome(&ledger, tokens: 101, now: 100 * second)
        #expect(large.hasPrefix("413 :"))
    }

    @Test("sets the usual answer aside until it is known")
    func answers() {
        var ledger = ledger { $0.tokensPerMinute = 2_500 }
        let outcomes = (0..<4).map { _ in String(outcome(&ledger, tokens: 100, output: 1_000).prefix(3)) }
        #expect(outcomes == ["ok", "ok", "ok", "429"], "a quarter of the limit each")
    }

    @Test("sets aside what a small limit has")
    func smallLimit() {
        var ledger = ledger { $0.tokensPerMinute = 500 }
        #expect(outcome(&ledger, tokens: 100, output: 1_000) == "ok")
        let left = ledger.minutes[0].remaining(at: 0)
        #expect(left.tokens == 275, "a quarter of it is for the answer")
    }

    @Test("is given back when nothing was asked, and corrected when it was")
    func settle() throws {
        var ledger = ledger { $0.tokensPerMinute = 100 }
        var hold = try ledger.admit(0, input: 100, output: 0, now: 0, realtime: lastOfNovember)
        ledger.settle(hold, tokens: nil, wasAsked: false, now: 1)
        hold = try ledger.admit(0, input: 100, output: 0, now: 1, realtime: lastOfNovember)
        ledger.settle(hold, tokens: 30, wasAsked: true, now: 2)
        hold = try ledger.admit(0, input: 70, output: 0, now: 2, realtime: lastOfNovember)
        // What nobody has counted stays as it was estimated.
        ledger.settle(hold, tokens: nil, wasAsked: true, now: 3)
        #expect(outcome(&ledger, now: 3).hasPrefix("429"))
    }

    @Test("is bounded by a budget of the day and of the month, in UTC")
    func budget() {
        var ledger = ledger {
            $0.dailyUSD = 1
            $0.monthlyUSD = 3
        }
        let day = Calendar.day(lastOfNovember)
        ledger.stored([KeySpend(key: "ci", day: day, today: dollar / 2, month: 2 * dollar)], pending: [:])
        #expect(outcome(&ledger) == "ok")
        ledger.add(cost: dollar / 2, key: "ci")
        #expect(outcome(&ledger) == "402 : the daily budget of “ci” is spent (1.00 USD)")
        // The exporter knows it now.
        ledger.stored([KeySpend(key: "ci", day: day, today: dollar, month: 5 * dollar / 2)], pending: [:])
        #expect(outcome(&ledger).hasPrefix("402 : the daily"))
        ledger.stored([KeySpend(key: "ci", day: day, today: 3 * dollar / 4, month: dollar)], pending: [:])
        #expect(outcome(&ledger) == "ok", "it is not counted twice")
        ledger.stored([KeySpend(key: "ci", day: day, today: dollar, month: 5 * dollar / 2)], pending: [:])
        let nextDay = lastOfNovember + 86_400 * second
        #expect(outcome(&ledger, realtime: nextDay) == "ok", "a new day and a new month")
        ledger.stored([KeySpend(key: "ci", day: day, today: 0, month: 3 * dollar)], pending: ["other": 1])
        #expect(outcome(&ledger) == "402 : the monthly budget of “ci” is spent (3.00 USD)")
        #expect(outcome(&ledger, realtime: nextDay) == "ok")
    }

    @Test("has spent of its month what the exporter does not know yet as well")
    func unknownToTheExporter() {
        var ledger = ledger { $0.monthlyUSD = 3 }
        let day = Calendar.day(lastOfNovember)
        ledger.stored([KeySpend(key: "ci", day: day, today: 0, month: 2 * dollar)], pending: [:])
        ledger.add(cost: dollar - 1, key: "ci")
        #expect(outcome(&ledger) == "ok")
        ledger.add(cost: 1, key: "ci")
        #expect(outcome(&ledger) == "402 : the monthly budget of “ci” is spent (3.00 USD)")
    }

    @Test("is bounded to models, by the client's name, the provider's name or both")
    func models() throws {
        var key = ClientKey(name: "ci")
        key.models = ["fast", "gpt-*", "echo,*"]
        let rule = ClientRule(key, digest: [])
        let candidates = [
            RouteCandidate(provider: "p", providerIndex: 0, model: "gpt-5"),
            RouteCandidate(provider: "echo", providerIndex: 1, model: "x"),
            RouteCandidate(provider: "p", providerIndex: 0, model: "opus"),
        ]
        #expect(try rule.allowed(candidates, model: "fast").count == 3)
        #expect(try rule.allowed(candidates, model: "slow").map(\.model) == ["gpt-5", "x"])
        #expect(try rule.allowed(candidates, model: nil).map(\.model) == ["gpt-5", "x"])
        #expect(throws: GatewayError.self) { try rule.allowed([candidates[2]], model: "opus") }
    }

    @Test("ends with the key's last day, and comes back from the wire as it was")
    func wire() throws {
        var key = ClientKey(name: "ci")
        key.models = ["a*"]
        (key.requestsPerMinute, key.tokensPerMinute, key.concurrency) = (1, 2, 3)
        (key.dailyUSD, key.monthlyUSD) = (0.5, 1.25)
        key.expires = Int(lastOfNovember / second)
        let rule = ClientRule(key, digest: [UInt8](repeating: 7, count: 32))
        #expect(rule.hasExpired(lastOfNovember))
        #expect(!rule.hasExpired(lastOfNovember - 1))
        var writer = WireWriter()
        writer.put(rule)
        let bytes = writer.bytes
        let copy = try bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let copy: ClientRule = try reader.get()
            try reader.end()
            return copy
        }
        #expect(copy == rule)
    }
}

@Suite("Prices")
struct PriceTests {
    @Test("count each class of tokens, and cached ones as input where no other price is known")
    func cost() {
        let price = Price(Pricing(input: 3, output: 15))
        let usage = Usage(input: 1_000, cacheRead: 100, cacheWrite: 10, output: 200)
        #expect(price.cost(of: usage) == 3_330_000 + 3_000_000)
        let cached = Price(Pricing(input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75))
        #expect(cached.cost(of: usage) == 6_067_500)
        #expect(Price(Pricing(input: 0.0001, output: 0)).cost(of: Usage(input: 1)) == 1)
        #expect(price.cost(of: Usage(input: -5)) == 0)
        #expect(price.cost(of: Usage(input: .max)) == 1_000_000_000_000_000)
    }
}

@Suite("Days and months")
struct CalendarTests {
    @Test(
        "begin where the calendar says, in UTC",
        arguments: [
            (0, 0), (30, 0), (31, 31), (11_016, 10_988), (11_017, 11_017), (20_787, 20_758), (20_788, 20_788),
        ])
    func month(day: Int, start: Int) {
        #expect(Calendar.monthStart(of: day) == start)
    }
}
