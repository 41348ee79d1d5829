// SPDX-License-Identifier: Apache-2.0
// What one attempt means for the next ones, of its request and of others.

import Gateway
import Testing

@testable import Routing

@Suite("What an attempt leaves behind")
struct AftermathTests {
    private static let second: UInt64 = 1_000_000

    private func config(
        _ credentials: [PolicyCredential] = [.unnamed], providers: Int = 1, retry: RetryRule = .standard,
        wait: WaitRule = .standard
    ) -> PolicyConfig {
        PolicyConfig(
            wait: wait,
            providers: (0..<providers).map {
                PolicyProvider(name: "p\($0)", credentials: credentials, retry: retry)
            })
    }

    private func course(_ policy: Policy, tokens: Int = 0) -> Course {
        Course(
            policy.config.providers.enumerated().map {
                RouteCandidate(provider: $1.name, providerIndex: $0, model: "m")
            }, tokens: tokens, deadlineUsec: 10_000 * Self.second)
    }

    private func ask(_ policy: inout Policy, _ course: inout Course, _ now: UInt64) -> Grant? {
        guard case .ask(let grant) = policy.next(&course, now) else { return nil }
        return grant
    }

    /// A request that is answered; what the policy noticed at its beginning.
    private func answer(_ policy: inout Policy, _ now: UInt64) -> [PolicyNotice] {
        var course = course(policy)
        _ = policy.next(&course, now)
        let notices = policy.committed(&course, now)
        _ = policy.finished(&course, isWhole: true, tokens: 0, now)
        return notices
    }

    @Test(
        "a credential pauses longer with each refusal in a row, and as at first after an answer",
        arguments: [
            (FailureClass.rate, [0.75...1.25, 1.5...2.5, 3...5]),
            (.forbidden, [48...60, 96...120, 192...240]),
        ])
    func pauses(failure: FailureClass, expected: [ClosedRange<Double>]) {
        var policy = Policy(config(), seed: 1)
        var now: UInt64 = 0
        func pause() -> Double {
            var course = course(policy)
            _ = policy.next(&course, now)
            for case .credentialPaused(_, _, _, let usec) in policy.failed(
                &course, FailureReport(failure), now)
            {
                now += usec
                return Double(usec) / 1e6
            }
            return 0
        }
        for range in expected {
            let seconds = pause()
            #expect(range.contains(seconds))
        }
        _ = answer(&policy, now)
        let seconds = pause()
        #expect(expected[0].contains(seconds))
    }

    @Test("a refused credential is one like the others after three answers")
    func wellAgain() {
        var policy = Policy(config(), seed: 1)
        var refused = course(policy)
        _ = policy.next(&refused, 0)
        _ = policy.failed(&refused, FailureReport(.authentication, status: 401), 0)
        var states: [Breaker.State] = []
        for _ in 0..<4 {
            states.append(policy.providers[0].credentials[0].gate.state)
            _ = answer(&policy, 60 * Self.second)
        }
        #expect(states == [.open, .halfOpen, .halfOpen, .closed])
    }

    @Test("answers that all break off open the circuit, and whole ones close it, which both is told")
    func brokenOff() {
        var policy = Policy(config(), seed: 1)
        // Each of them has begun well, which counts as well.
        let last = Breaker.historyLength / 2
        for count in 1...last {
            var course = course(policy)
            _ = policy.next(&course, 0)
            _ = policy.committed(&course, 0)
            let notices = policy.finished(&course, isWhole: false, tokens: 0, 0)
            #expect(course.events == (count == last ? [PolicyEvent(.circuitOpened, "p0", .network)] : []))
            #expect(notices.count == (count == last ? 1 : 0))
        }
        let closing = (0..<3).map { _ in answer(&policy, 2 * Self.second) }
        #expect(closing == [[], [], [.circuitClosed(provider: 0, model: "m")]])
    }

    @Test("an answer gives back the tokens it did not cost, and those that nobody counted stay taken")
    func tokens() {
        let limit = MinuteLimits(tokens: 1_000)
        for (cost, isRoom) in [(100, true), (0, false)] {
            var policy = Policy(
                config([PolicyCredential(name: "", weight: 1, priority: 0, limit: limit)]), seed: 1)
            var first = course(policy, tokens: 600)
            _ = policy.next(&first, 0)
            _ = policy.committed(&first, 0)
            _ = policy.finished(&first, isWhole: true, tokens: cost, 0)
            var second = course(policy, tokens: 600)
            #expect((ask(&policy, &second, 0) != nil) == isRoom)
        }
    }

    @Test("a model's own limit holds whichever credential asks")
    func modelLimit() {
        var config = config(
            ["x", "y"].map { PolicyCredential(name: $0, weight: 1, priority: 0, limit: MinuteLimits()) })
        config.providers[0].modelLimits = ["m": MinuteLimits(requests: 1)]
        var policy = Policy(config, seed: 1)
        var (first, second) = (course(policy), course(policy))
        #expect(ask(&policy, &first, 0) != nil)
        #expect(ask(&policy, &second, 0) == nil)
    }

    @Test("a probe whose client leaves makes room for the next one")
    func abandonedProbe() {
        var policy = Policy(config(), seed: 1)
        var overloaded = course(policy)
        _ = policy.next(&overloaded, 0)
        _ = policy.failed(&overloaded, FailureReport(.overload, status: 503, retryAfterMsec: 1_000), 0)
        var (first, second, third) = (course(policy), course(policy), course(policy))
        #expect(ask(&policy, &first, Self.second) != nil)
        #expect(ask(&policy, &second, Self.second) == nil)
        policy.abandoned(&first, Self.second)
        #expect(ask(&policy, &third, Self.second) != nil)
    }

    @Test("what never went out is taken from no limit, and goes to somebody else")
    func unsent() {
        let limit = MinuteLimits(requests: 1)
        var policy = Policy(
            config([PolicyCredential(name: "", weight: 1, priority: 0, limit: limit)], providers: 2), seed: 1)
        var (first, second) = (course(policy), course(policy))
        #expect(ask(&policy, &first, 0)?.candidate.provider == "p0")
        policy.unsent(&first, 0)
        #expect(ask(&policy, &first, 0)?.candidate.provider == "p1")
        #expect(ask(&policy, &second, 0)?.candidate.provider == "p0")
    }

    @Test(
        "a provider's headers say when it has nothing left, if they are to be believed",
        arguments: [true, false])
    func exhausted(honorsHeaders: Bool) {
        var config = config()
        config.providers[0].honorsHeaders = honorsHeaders
        var policy = Policy(config, seed: 1)
        var (first, second) = (course(policy), course(policy))
        _ = policy.next(&first, 0)
        _ = policy.committed(&first, 0)
        let notices = policy.exhausted(&first, forMsec: 5_000, 0)
        #expect(notices.isEmpty == !honorsHeaders)
        #expect((ask(&policy, &second, 1) == nil) == honorsHeaders)
    }

    @Test("an answer forgets the failures that would have led to a ban")
    func forgiven() {
        var config = config()
        config.bans = BanRules(rules: [.init(status: 500, attempts: 2, durationMsec: 0)])
        var policy = Policy(config, seed: 1)
        for _ in 0..<2 {
            var failing = course(policy)
            _ = policy.next(&failing, 0)
            _ = policy.failed(&failing, FailureReport(.server, status: 500), 0)
            _ = answer(&policy, 0)
        }
        #expect(policy.bans.isEmpty)
    }

    // MARK: - The request itself

    @Test(
        "repetitions of an eager provider come before other providers, others after them",
        arguments: [true, false])
    func eager(isEager: Bool) {
        var retry = RetryRule.standard
        retry.isEager = isEager
        var policy = Policy(config(providers: 2, retry: retry), seed: 1)
        var course = course(policy)
        _ = policy.next(&course, 0)
        _ = policy.failed(&course, FailureReport(.server, status: 500), 0)
        if case .wait(let until) = policy.next(&course, 0) {
            #expect(isEager)
            #expect(ask(&policy, &course, until)?.candidate.provider == "p0")
        } else {
            #expect(!isEager && course.candidate?.provider == "p1")
        }
    }

    @Test(
        "a second try without a parameter, or after a worker ended, is made once and out of no budget",
        arguments: [FailureReport(.parameter, status: 400, parameter: "p"), FailureReport(.worker)])
    func free(report: FailureReport) {
        var policy = Policy(config(), seed: 1)
        while policy.providers[0].budget.take() {}
        var course = course(policy)
        _ = policy.next(&course, 0)
        _ = policy.failed(&course, report, 0)
        let again = ask(&policy, &course, 0)
        #expect(again?.dropped == (report.class == .parameter ? ["p"] : []))
        _ = policy.failed(&course, report, 0)
        #expect(policy.next(&course, Self.second) == .fail(retryAfterMsec: nil))
    }

    @Test("a repetition is taken out of the provider's budget")
    func budget() {
        var policy = Policy(config(), seed: 1)
        var course = course(policy)
        _ = policy.next(&course, 0)
        _ = policy.failed(&course, FailureReport(.server, status: 500), 0)
        #expect(ask(&policy, &course, Self.second) != nil)
        #expect(policy.providers[0].budget.left == RetryBudget.most - 1)
    }

    @Test("a failure that opens the circuit is not repeated")
    func opening() {
        var policy = Policy(config(), seed: 1)
        for count in 1...Breaker.consecutiveLimit {
            var course = course(policy)
            _ = policy.next(&course, 0)
            _ = policy.failed(&course, FailureReport(.server, status: 500), 0)
            guard count == Breaker.consecutiveLimit else { continue }
            #expect(policy.next(&course, 0) == .fail(retryAfterMsec: nil))
        }
    }

    @Test("a provider that says that trying again is in vain is not waited for")
    func vain() {
        for mayRepeat in [true, false] {
            var policy = Policy(config(), seed: 1)
            var course = course(policy)
            _ = policy.next(&course, 0)
            let report = FailureReport(.rate, status: 429, retryAfterMsec: 1_000, mayRepeat: mayRepeat)
            _ = policy.failed(&course, report, 0)
            if case .wait = policy.next(&course, 0) { #expect(mayRepeat) } else { #expect(!mayRepeat) }
        }
    }

    @Test(
        "a refused key is asked when nobody else is there, whatever time the provider named; a used-up one is not"
    )
    func lastResort() {
        for failure in [FailureClass.authentication, .quota] {
            var policy = Policy(config(), seed: 1)
            var (first, second) = (course(policy), course(policy))
            _ = policy.next(&first, 0)
            _ = policy.failed(&first, FailureReport(failure, retryAfterMsec: 900_000), 0)
            #expect((ask(&policy, &second, 1) != nil) == (failure == .authentication))
        }
    }

    @Test("a refusal shows that the provider is alive")
    func alive() {
        var policy = Policy(config(), seed: 1)
        var overloaded = course(policy)
        _ = policy.next(&overloaded, 0)
        _ = policy.failed(&overloaded, FailureReport(.overload, status: 503, retryAfterMsec: 1_000), 0)
        for _ in 0..<Breaker.successesToClose {
            var refused = course(policy)
            _ = policy.next(&refused, Self.second)
            _ = policy.failed(&refused, FailureReport(.client, status: 400), Self.second)
        }
        #expect(policy.lanes[0].circuit.state == .closed)
    }

    // MARK: - Waits

    @Test("all waits together are bounded, and so is each of them")
    func waits() {
        let rule = WaitRule(totalMsec: 5_000, longestMsec: 3_000, firstPauseMsec: 1_000, multiplier: 2)
        func waits(of msec: Int) -> Int {
            var policy = Policy(config(wait: rule), seed: 1)
            var course = course(policy)
            var (now, count) = (UInt64(0), 0)
            while ask(&policy, &course, now) != nil {
                _ = policy.failed(&course, FailureReport(.rate, status: 429, retryAfterMsec: msec), now)
                guard case .wait(let until) = policy.next(&course, now) else { break }
                now = until
                count += 1
            }
            return count
        }
        #expect(waits(of: 2_000) == 2)
        #expect(waits(of: 4_000) == 0)
    }

    @Test("those that wait for the same time do not come back together")
    func spread() {
        var policy = Policy(config(), seed: 1)
        var first = course(policy)
        _ = policy.next(&first, 0)
        _ = policy.failed(&first, FailureReport(.rate, status: 429, retryAfterMsec: 10_000), 0)
        let times = (0..<20).compactMap { _ -> UInt64? in
            var course = course(policy)
            guard case .wait(let until) = policy.next(&course, 0) else { return nil }
            return until
        }
        #expect(Set(times).count == 20)
        #expect(times.allSatisfy { (10 * Self.second...10 * Self.second + 500_000).contains($0) })
    }

    @Test("credentials are used by weight")
    func weights() {
        var policy = Policy(
            config(
                [("x", 3), ("y", 1)].map {
                    PolicyCredential(name: $0, weight: $1, priority: 0, limit: MinuteLimits())
                }),
            seed: 1)
        var used: [String: Int] = [:]
        for _ in 0..<40 {
            var course = course(policy)
            used[ask(&policy, &course, 0)?.credentialName ?? "", default: 0] += 1
        }
        #expect(used == ["x": 30, "y": 10])
    }
}
