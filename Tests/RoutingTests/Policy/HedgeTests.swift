// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Routing

@Suite("Second requests")
struct HedgeTests {
    private static let second: UInt64 = 1_000_000

    private func config(
        _ providers: [[String]] = [[""], [""]], hedges: Bool = true
    ) -> PolicyConfig {
        PolicyConfig(
            hedges: hedges,
            providers: providers.enumerated().map { index, names in
                PolicyProvider(
                    name: "p\(index)",
                    credentials: names.map {
                        PolicyCredential(name: $0, weight: 1, priority: 0, limit: MinuteLimits())
                    })
            })
    }

    private func course(_ config: PolicyConfig, isStream: Bool = true) -> Course {
        Course(
            config.providers.enumerated().map {
                RouteCandidate(provider: $1.name, providerIndex: $0, model: "m")
            }, isStream: isStream, deadlineUsec: 600 * Self.second)
    }

    private func ask(_ policy: inout Policy, _ course: inout Course, _ now: UInt64 = 0) -> Grant? {
        guard case .ask(let grant) = policy.next(&course, now) else { return nil }
        return grant
    }

    /// A policy that has seen so many streams of the first provider, of 100 ms each.
    private func policy(_ config: PolicyConfig, streams: Int = Latency.enoughStreams) -> Policy {
        var policy = Policy(config, seed: 1)
        for _ in 0..<streams {
            var course = course(config)
            _ = ask(&policy, &course)
            _ = policy.committed(&course, Self.second / 10)
            _ = policy.finished(&course, isWhole: true, tokens: 0, Self.second)
        }
        return policy
    }

    @Test("are not sent before 50 ms, however fast the provider is")
    func shortest() {
        var policy = Policy(config(), seed: 1)
        for _ in 0..<Latency.enoughStreams {
            var course = course(policy.config)
            _ = ask(&policy, &course)
            _ = policy.committed(&course, 1_000)
            _ = policy.finished(&course, isWhole: true, tokens: 0, 1_000)
        }
        var course = course(policy.config)
        #expect(ask(&policy, &course)?.hedgeAfterMsec == 50)
    }

    @Test("leave a provider to the next probe when the one under way was too slow")
    func slowProbe() {
        let config = config()
        var policy = policy(config)
        var overloaded = course(config)
        _ = ask(&policy, &overloaded, Self.second)
        _ = policy.failed(&overloaded, FailureReport(.overload, retryAfterMsec: 1_000), Self.second)
        var slow = course(config)
        #expect(ask(&policy, &slow, 3 * Self.second)?.candidate.provider == "p0")
        #expect(policy.hedge(&slow, 3 * Self.second)?.candidate.provider == "p1")
        slow.swapAttempts()
        policy.outrun(&slow, 3 * Self.second)
        var next = course(config)
        #expect(ask(&policy, &next, 3 * Self.second)?.candidate.provider == "p0")
    }

    @Test("are for streams of configurations that want them, once enough is known and somebody else is there")
    func conditions() {
        func delay(_ config: PolicyConfig, streams: Int = Latency.enoughStreams, isStream: Bool = true)
            -> UInt32?
        {
            var policy = policy(config, streams: streams)
            var course = course(config, isStream: isStream)
            return ask(&policy, &course)?.hedgeAfterMsec
        }
        #expect(delay(config()) == 100)
        #expect(delay(config([["x", "y"]])) == 100)
        #expect(delay(config(hedges: false)) == 0)
        #expect(delay(config(), streams: Latency.enoughStreams - 1) == 0)
        #expect(delay(config(), isStream: false) == 0)
        #expect(delay(config([[""]])) == 0)
    }

    @Test("go to another candidate first, and there is only one of them")
    func once() {
        let config = config([["x", "y"], [""]])
        var policy = policy(config)
        var course = course(config)
        _ = ask(&policy, &course)
        let second = policy.hedge(&course, Self.second)
        #expect(second?.candidate.provider == "p1")
        #expect(second?.terms.always == FailureSet(FailureClass.allCases))
        #expect(second?.hedgeAfterMsec == 0)
        #expect(course.candidate?.provider == "p0")
        #expect(policy.hedge(&course, Self.second) == nil)
        _ = policy.failed(&course, FailureReport(.server, status: 500), Self.second)
        #expect(course.candidate?.provider == "p1")
        #expect(policy.hedge(&course, Self.second) == nil)
        #expect(policy.counters.hedges == 1)
    }

    @Test("go to another credential when there is no other candidate, never to the same one")
    func credential() {
        let config = config([["x", "y"]])
        var policy = policy(config)
        for _ in 0..<4 {
            var course = course(config)
            let first = ask(&policy, &course)
            let second = policy.hedge(&course, Self.second)
            #expect(first != nil && second != nil && first?.credential != second?.credential)
            policy.outrun(&course, Self.second)
            policy.abandoned(&course, Self.second)
        }
        #expect(policy.lanes.allSatisfy { $0.inFlight == 0 })
    }

    @Test("are paid for by the provider that is late, until nothing is left")
    func budget() {
        let config = config()
        var policy = policy(config)
        var count = 0
        for _ in 0..<100 {
            var course = course(config)
            _ = ask(&policy, &course)
            guard policy.hedge(&course, Self.second) != nil else { continue }
            count += 1
        }
        // Ten are saved, each request pays in a tenth.
        #expect((19...21).contains(count))
    }

    @Test("are no probes of a provider that is not well")
    func circuit() {
        let config = config()
        var policy = policy(config)
        var failing = Course(
            [RouteCandidate(provider: "p1", providerIndex: 1, model: "m")], deadlineUsec: 600 * Self.second)
        _ = ask(&policy, &failing)
        _ = policy.failed(&failing, FailureReport(.overload, retryAfterMsec: 1_000), 0)
        var course = course(config)
        #expect(ask(&policy, &course, 2 * Self.second)?.hedgeAfterMsec == 0)
        #expect(policy.hedge(&course, 3 * Self.second) == nil)
        #expect(course.candidate?.provider == "p0")
    }

    @Test("the slower one counts neither as a failure nor as fast")
    func loser() {
        let config = config()
        var policy = policy(config)
        var course = course(config)
        _ = ask(&policy, &course)
        _ = policy.hedge(&course, Self.second)
        course.swapAttempts()
        policy.outrun(&course, 2 * Self.second)
        _ = policy.committed(&course, 2 * Self.second)
        let late = policy.lanes.first { $0.key == .init(provider: 0, model: "m") }
        #expect(late?.inFlight == 0)
        #expect(late?.circuit.isFresh == true)
        // It would have taken two seconds at least.
        #expect(late?.latency.percentile95 == Double(Float(0.1)))
        #expect((late?.latency.average ?? 0) > 0.6)
        #expect(policy.counters.failures.isEmpty)
        _ = policy.finished(&course, isWhole: true, tokens: 3, 3 * Self.second)
        #expect(policy.lanes.allSatisfy { $0.inFlight == 0 })
    }
}

@Suite("Copies of requests")
struct ShadowTests {
    private let candidate = RouteCandidate(provider: "p", providerIndex: 0, model: "m")

    private func policy(requests: Int? = nil, ofModel: Int? = nil) -> Policy {
        let credential = PolicyCredential(
            name: "", weight: 1, priority: 0, limit: MinuteLimits(requests: requests))
        var provider = PolicyProvider(name: "p", credentials: [credential])
        if let ofModel { provider.modelLimits = ["m": MinuteLimits(requests: ofModel)] }
        return Policy(PolicyConfig(providers: [provider]), seed: 1)
    }

    @Test("pay nothing into the budget of repetitions, and are not made when it is spent")
    func budget() {
        var policy = policy()
        _ = policy.providers[0].budget.take()
        let left = policy.providers[0].budget.left
        #expect(policy.shadow(candidate, TokenDemand(input: 1, output: 0), 0) != nil)
        #expect(policy.providers[0].budget.left == left)
        while policy.providers[0].budget.take() {}
        #expect(policy.shadow(candidate, TokenDemand(input: 1, output: 0), 0) == nil)
    }

    @Test("take no more than half of a limit, and give back what they do not take", arguments: [true, false])
    func limits(ofModel: Bool) {
        var policy = ofModel ? policy(ofModel: 10) : policy(requests: 10)
        let copies = (0..<20).compactMap { _ in policy.shadow(candidate, TokenDemand(input: 1, output: 0), 0)
        }
        #expect(copies.count == 5)
        // The other half is there for those who wait for an answer.
        for _ in 0..<5 {
            var course = Course([candidate], tokens: 1, deadlineUsec: 1_000_000)
            guard case .ask = policy.next(&course, 0) else {
                Issue.record("nothing is left")
                return
            }
        }
        #expect(policy.lanes.map(\.inFlight) == [10])
    }

    @Test("are not asked of who is not well, and are no probes")
    func circuit() {
        var policy = policy()
        var course = Course([candidate], deadlineUsec: 100_000_000)
        _ = policy.next(&course, 0)
        _ = policy.failed(&course, FailureReport(.overload, retryAfterMsec: 1_000), 0)
        #expect(policy.shadow(candidate, TokenDemand(input: 1, output: 0), 5_000_000) == nil)
        var limited = self.policy()
        var refused = Course([candidate], deadlineUsec: 100_000_000)
        _ = limited.next(&refused, 0)
        _ = limited.failed(&refused, FailureReport(.rate, status: 429, retryAfterMsec: 1_000), 0)
        #expect(limited.shadow(candidate, TokenDemand(input: 1, output: 0), 5_000_000) == nil)
        #expect(limited.lanes.map(\.inFlight) == [0])
    }
}
