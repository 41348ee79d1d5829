// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Routing

/// Scripted providers that break in the ways in which providers break.
@Suite("Policy, simulated")
struct SimulatorTests {
    private static func well(_: UInt64, _: Grant, _: Int, _: inout RandomSource) -> Reply { .answer(100) }

    /// Answers except in the given seconds.
    private static func down(_ spans: [Range<Double>], _ failure: Reply = .failure(.network, 1, status: 0))
        -> Simulator.Script
    {
        { now, _, _, _ in
            spans.contains { $0.contains(Double(now) / 1e6) } ? failure : .answer(100)
        }
    }

    private func providers(_ count: Int, credentials: Int = 1) -> [PolicyProvider] {
        (0..<count).map { index in
            PolicyProvider(
                name: "p\(index)",
                credentials: credentials == 1
                    ? [.unnamed]
                    : (0..<credentials).map {
                        PolicyCredential(name: "k\($0)", weight: 1, priority: 0, limit: MinuteLimits())
                    })
        }
    }

    /// Every request ends once and nobody asks for one that is answered.
    private func check(_ simulator: Simulator) {
        #expect(simulator.requests.allSatisfy { $0.endings == 1 })
        #expect(simulator.requests.allSatisfy { !$0.askedAfterCommit })
    }

    @Test(
        "keeps every request when one of three providers is down",
        arguments: [
            Reply.failure(.network, 1, status: 0), Reply.failure(.server, 20),
            Reply.failure(.timeout, 2_000, status: 0), Reply.failure(.overload, 5, status: 529),
            Reply.failure(.overload, 5, status: 503, retryAfterMsec: 4_000),
        ])
    func outage(failure: Reply) {
        var simulator = Simulator(
            PolicyConfig(providers: providers(3)),
            scripts: [Self.down([10..<40], failure), Self.well, Self.well])
        simulator.run(perSecond: 50, seconds: 80)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(simulator.callsPerRequest(10, 40) <= 1.2)
        // Before the circuit opens a request loses one failure, afterwards nothing.
        #expect(simulator.arrived(10, 14).percentile(1) <= 2 * failure.afterMsec + 101)
        let later = simulator.arrived(14, 40)
        #expect(later.percentile(0.9) <= 105)
        // The provider is back at work soon after it is well.
        #expect(simulator.arrived(70, 80).allSatisfy { $0.answeredBy == 0 })
    }

    @Test("does not multiply traffic when everything is down, and recovers at once")
    func totalOutage() {
        var simulator = Simulator(
            PolicyConfig(providers: providers(3)),
            scripts: Array(repeating: Self.down([10..<70]), count: 3))
        simulator.run(perSecond: 50, seconds: 120)
        check(simulator)
        #expect(simulator.callsPerRequest(10, 70) <= 1.2)
        #expect(simulator.successRate(10, 60) < 0.1)
        #expect(simulator.successRate(75, 120) == 1)
        #expect(simulator.arrived(100, 120).allSatisfy { $0.calls == 1 && $0.answeredBy == 0 })
    }

    @Test("repeats within its budget at a provider that is the only one")
    func alone() {
        var simulator = Simulator(
            PolicyConfig(providers: providers(1)),
            scripts: [
                { now, _, _, random in
                    now > 60_000_000
                        ? .failure(.server, 10)
                        : random.fraction() < 0.02 ? .failure(.server, 10) : .answer(100)
                }
            ])
        simulator.run(perSecond: 50, seconds: 120)
        check(simulator)
        // One failure in fifty is repeated and seen by nobody; an outage is not multiplied.
        #expect(simulator.successRate(0, 60) > 0.998)
        #expect(simulator.callsPerRequest(60, 120) <= 1.2)
    }

    @Test("answers everything through a brown-out")
    func brownOut() {
        var simulator = Simulator(
            PolicyConfig(providers: providers(2)),
            scripts: [
                { now, _, _, random in
                    (10..<60).contains(now / 1_000_000) && random.fraction() < 0.5
                        ? .failure(.server, 50) : .answer(100)
                }, Self.well,
            ])
        simulator.run(perSecond: 50, seconds: 100)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(simulator.callsPerRequest(10, 60) <= 1.2)
        #expect(simulator.requests.percentile(1) <= 151, "one failure and an answer")
        #expect(simulator.arrived(90, 100).allSatisfy { $0.answeredBy == 0 })
    }

    @Test("waits rate limits out instead of telling them")
    func rateWaves() {
        /// Takes ten requests a second, then says for how long it takes none.
        var taken: [UInt64: Int] = [:]
        var refused = 0
        var simulator = Simulator(
            PolicyConfig(providers: providers(1)),
            scripts: [
                { now, _, _, _ in
                    let second = now / 1_000_000
                    taken[second, default: 0] += 1
                    guard taken[second] ?? 0 > 10 else { return .answer(50) }
                    refused += 1
                    let left = Int(1_000 - now / 1_000 % 1_000)
                    return .failure(.rate, 1, status: 429, retryAfterMsec: left)
                }
            ])
        // Waves of thirty in a second, then nothing for four.
        let arrivals = (0..<360).map { number -> Double in
            let (wave, place) = number.quotientAndRemainder(dividingBy: 30)
            return Double(wave) * 5 + Double(place) / 30
        }
        simulator.run(at: arrivals)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(simulator.callsPerRequest(0, 60) <= 1.2)
        #expect(refused >= 24)
        // Three seconds are what a wave takes.
        #expect(simulator.requests.allSatisfy { $0.tookMsec < 3_000 })
    }

    @Test("asks nobody while a single provider wants to be left alone, and answers when it is over")
    func onePause() {
        var simulator = Simulator(
            PolicyConfig(providers: providers(1)),
            scripts: [
                { now, _, _, _ in
                    now < 5_000_000
                        ? .failure(
                            .rate, 1, status: 429, retryAfterMsec: Int((5_000_000 - now + 999) / 1000))
                        : .answer(50)
                }
            ])
        simulator.run(perSecond: 20, seconds: 10)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(simulator.calls.filter { $0.time < 5_000_000 }.count == 1)
        #expect(simulator.requests.allSatisfy { $0.tookMsec < 12_000 })
    }

    @Test("leaves one bad key of five alone")
    func badKey() {
        var simulator = Simulator(
            PolicyConfig(providers: providers(1, credentials: 5)),
            scripts: [
                { _, grant, _, _ in
                    grant.credential == 2 ? .failure(.authentication, 5, status: 401) : .answer(100)
                }
            ])
        simulator.run(perSecond: 50, seconds: 120)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(simulator.callsPerRequest(0, 120) < 1.01)
        #expect(simulator.requests.percentile(1) <= 106, "one refusal and an answer")
        let used = Dictionary(grouping: simulator.calls, by: \.credential).mapValues(\.count)
        #expect((used[2] ?? 0) < 20)
        for good in [0, 1, 3, 4] { #expect((used[good] ?? 0) > 1_300) }
    }

    @Test("goes on with the other keys when one is used up, until it is filled again")
    func quota() {
        var simulator = Simulator(
            PolicyConfig(providers: providers(1, credentials: 3)),
            scripts: [
                { now, grant, _, _ in
                    grant.credential == 0 && now < 100_000_000
                        ? .failure(
                            .quota, 5, status: 429, retryAfterMsec: Int((100_000_000 - now) / 1000))
                        : .answer(100)
                }
            ])
        simulator.run(perSecond: 20, seconds: 160)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(simulator.calls.filter { $0.credential == 0 && $0.time < 100_000_000 }.count == 1)
        #expect(simulator.calls.filter { $0.credential == 0 && $0.time > 130_000_000 }.count > 150)
    }

    @Test("never asks a credential or a model more often in any minute than its limit allows")
    func minutes() {
        var provider = PolicyProvider(
            name: "p",
            credentials: [30, 60].enumerated().map {
                PolicyCredential(
                    name: "k\($0)", weight: 1, priority: 0, limit: MinuteLimits(requests: $1, tokens: 50_000))
            })
        provider.modelLimits = ["m": MinuteLimits(requests: 80)]
        var simulator = Simulator(
            PolicyConfig(providers: [provider]), scripts: [Self.well])
        simulator.tokens = 1_000
        simulator.run(perSecond: 5, seconds: 200)
        check(simulator)
        func most(_ times: [UInt64]) -> Int {
            times.indices.map { first in
                times[first...].prefix { $0 < times[first] + 60_000_000 }.count
            }.max() ?? 0
        }
        #expect(most(simulator.calls.map(\.time)) <= 80)
        #expect(most(simulator.calls.filter { $0.credential == 0 }.map(\.time)) <= 30)
        #expect(most(simulator.calls.filter { $0.credential == 1 }.map(\.time)) <= 50)
        // And no less than nearly that: 80 in each of the minutes that a request may wait for.
        #expect(simulator.calls.count > 250)
    }

    @Test("does not overrun a provider that starts slowly")
    func slowStart() {
        var refused = 0
        var simulator = Simulator(
            PolicyConfig(providers: providers(2)),
            scripts: [
                { now, _, active, _ in
                    guard now > 20_000_000 else { return .failure(.network, 1, status: 0) }
                    // It takes one request more at a time with every second.
                    let capacity = Int((now - 20_000_000) / 1_000_000) + 1
                    if active > capacity {
                        refused += 1
                        return .failure(.overload, 2, status: 503)
                    }
                    return .answer(100)
                }, Self.well,
            ])
        simulator.run(perSecond: 50, seconds: 90)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(refused < 50)
        #expect(simulator.requests.percentile(1) <= 103, "one failure and an answer")
        #expect(simulator.arrived(80, 90).allSatisfy { $0.answeredBy == 0 })
    }

    @Test("stays calm while a provider flaps")
    func flapping() {
        let spans = stride(from: 10.0, to: 110, by: 10).map { $0..<($0 + 5) }
        var simulator = Simulator(
            PolicyConfig(providers: providers(2)), scripts: [Self.down(spans), Self.well])
        simulator.run(perSecond: 50, seconds: 160)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(simulator.callsPerRequest(10, 110) <= 1.2)
        #expect(simulator.requests.percentile(1) <= 102, "one failure and an answer")
        #expect(simulator.arrived(135, 160).allSatisfy { $0.answeredBy == 0 })
    }

    @Test("prefers the faster provider, and notices when that changes")
    func latency() {
        var simulator = Simulator(
            PolicyConfig(preference: .latency, temperature: 0.1, providers: providers(2)),
            scripts: [
                { now, _, _, _ in .answer(now < 60_000_000 ? 1_000 : 100) },
                { now, _, _, _ in .answer(now < 60_000_000 ? 100 : 1_000) },
            ])
        simulator.isOrdered = true
        simulator.run(perSecond: 20, seconds: 160)
        check(simulator)
        let before = simulator.arrived(20, 60)
        #expect(before.filter { $0.answeredBy == 1 }.count * 10 > before.count * 9)
        let after = simulator.arrived(100, 160)
        #expect(after.filter { $0.answeredBy == 0 }.count * 10 > after.count * 9)
    }

    /// Answers soon, but now and then after five seconds.
    private static func tail(_ now: UInt64, _: Grant, _: Int, _ random: inout RandomSource) -> Reply {
        .answer(random.fraction() < 0.03 && now > 10_000_000 ? 5_000 : 80 + 40 * random.fraction())
    }

    @Test(
        "cuts the tail of a provider that is late now and then, by a second request",
        arguments: [false, true])
    func tail(hedges: Bool) {
        var simulator = Simulator(
            PolicyConfig(hedges: hedges, providers: providers(2)), scripts: [Self.tail, Self.well])
        simulator.isStream = true
        simulator.run(perSecond: 20, seconds: 120)
        check(simulator)
        #expect(simulator.successRate() == 1)
        let late = simulator.arrived(10, 120)
        #expect(late.percentile(0.98) < 400 || !hedges)
        #expect(late.percentile(0.98) >= 5_000 || hedges)
        #expect(simulator.policy.counters.hedges > 40 || !hedges)
        #expect(simulator.policy.counters.hedges == 0 || hedges)
        // Those of the usual time are hedged too, at the 95th percentile, but not many more.
        #expect(simulator.callsPerRequest(10, 120) < 1.11)
        #expect(simulator.policy.lanes.allSatisfy { $0.inFlight == 0 })
    }

    @Test("does not multiply traffic by second requests when a provider hangs")
    func hangs() {
        var simulator = Simulator(
            PolicyConfig(hedges: true, providers: providers(2, credentials: 2)),
            scripts: [
                { now, _, _, _ in .answer((10_000_000..<50_000_000).contains(now) ? 20_000 : 100) },
                Self.well,
            ])
        simulator.isStream = true
        simulator.run(perSecond: 50, seconds: 80)
        check(simulator)
        #expect(simulator.successRate() == 1)
        #expect(simulator.callsPerRequest(10, 50) <= 1.12)
        #expect(simulator.policy.counters.hedges > 100)
        #expect(simulator.requests.allSatisfy { $0.calls <= 2 })
    }

    /// Random providers, random failures: whatever happens, nothing is lost, answered twice or asked after its commit.
    @Test("loses no request, answers none twice and asks for none after its commit", arguments: 0..<24)
    func property(seed: Int) {
        var random = RandomSource(seed: UInt64(seed) &* 977 &+ 3)
        let count = 1 + Int(random.uint64() % 4)
        let classes = FailureClass.allCases.filter { $0 != .held }
        let scripts = (0..<count).map { _ -> Simulator.Script in
            let rate = random.fraction()
            let failure = classes[Int(random.uint64() % UInt64(classes.count))]
            let period = 1 + random.uint64() % 30
            return { now, _, _, random in
                guard now / 1_000_000 / period % 2 == 0, random.fraction() < rate else {
                    return .answer(1 + 400 * random.fraction())
                }
                let chosen =
                    random.fraction() < 0.5 ? failure : classes[Int(random.uint64() % UInt64(classes.count))]
                return Reply(
                    afterMsec: 1 + 300 * random.fraction(),
                    failure: FailureReport(
                        chosen, status: random.fraction() < 0.5 ? 0 : 500,
                        retryAfterMsec: random.fraction() < 0.3 ? Int(random.uint64() % 40_000) : nil,
                        parameter: "p", mayRepeat: random.fraction() < 0.9))
            }
        }
        var simulator = Simulator(
            PolicyConfig(
                preference: Preference.allCases[seed % 3], hedges: seed % 2 == 1,
                providers: providers(count, credentials: 1 + seed % 4)),
            seed: UInt64(seed), scripts: scripts)
        simulator.isStream = true
        simulator.run(perSecond: 20, seconds: 60, budgetSeconds: 100)
        check(simulator)
        // One attempt is longer than a wait only by its own time.
        #expect(simulator.requests.allSatisfy { $0.tookMsec < 45_000 })
        #expect(simulator.requests.allSatisfy { $0.calls <= 40 })
        // Nothing is left under way.
        #expect(simulator.policy.lanes.allSatisfy { $0.inFlight == 0 })
    }
}
