// SPDX-License-Identifier: Apache-2.0
// What the policy tells of itself: how it is, and what it did for a request.

import Gateway
import Testing

@testable import Routing

@Suite("Reports of the policy")
struct ReportTests {
    private static let second: UInt64 = 1_000_000

    private static let config = PolicyConfig(
        wait: WaitRule(totalMsec: 10_000, longestMsec: 10_000, firstPauseMsec: 1_000, multiplier: 2),
        bans: BanRules(rules: [.init(status: 401, attempts: 1, durationMsec: 60_000)]),
        providers: [
            PolicyProvider(
                name: "a",
                credentials: ["x", "y"].map {
                    PolicyCredential(name: $0, weight: 1, priority: $0 == "x" ? 0 : 1, limit: MinuteLimits())
                }),
            PolicyProvider(name: "b"),
        ])

    private func course(_ providers: [Int], _ model: String = "m") -> Course {
        Course(
            providers.map {
                RouteCandidate(provider: Self.config.providers[$0].name, providerIndex: $0, model: model)
            }, deadlineUsec: 600 * Self.second)
    }

    @Test("nothing to tell is nothing but the budgets")
    func quiet() {
        let report = Policy(Self.config, seed: 1).report(0)
        #expect(report.circuits.isEmpty && report.pauses.isEmpty && report.bans.isEmpty)
        #expect(report.budgets.map(\.provider) == ["a", "b"])
        #expect(report.budgets.map(\.left) == [10, 10])
    }

    @Test(
        "circuits, pauses and bans are told with their ends, and each as an event of the request that it began with"
    )
    func everything() {
        var policy = Policy(Self.config, seed: 1)
        var course = course([0, 1])
        _ = policy.next(&course, 0)
        _ = policy.failed(&course, FailureReport(.authentication, status: 401, retryAfterMsec: 30_000), 0)
        _ = policy.next(&course, 0)
        _ = policy.failed(&course, FailureReport(.rate, status: 429, retryAfterMsec: 20_000), 0)
        _ = policy.next(&course, 0)
        _ = policy.failed(&course, FailureReport(.overload, status: 529, retryAfterMsec: 9_000), 0)
        #expect(
            course.events == [
                PolicyEvent(.paused, "a", .authentication), PolicyEvent(.banned, "a", .authentication),
                PolicyEvent(.retried, "a", .authentication), PolicyEvent(.paused, "a", .rate),
                PolicyEvent(.retried, "b", .rate), PolicyEvent(.circuitOpened, "b", .overload),
            ])
        let report = policy.report(1)
        #expect(
            report.circuits == [.init(provider: "b", model: "m", state: .open, untilUsec: 9 * Self.second)])
        #expect(
            report.pauses == [
                .init(provider: "a", credential: "x", model: "", untilUsec: 30 * Self.second),
                .init(provider: "a", credential: "y", model: "m", untilUsec: 20 * Self.second),
            ])
        #expect(report.bans.map(\.origin) == ["fail2ban"] && report.bans[0].untilUsec == 60 * Self.second)
        let later = policy.report(61 * Self.second)
        #expect(later.pauses.isEmpty && later.bans.isEmpty)
        #expect(later.circuits[0].state(61 * Self.second) == .halfOpen)
    }

    @Test("a probe, a wait and a repetition that the budget denies are events")
    func probes() {
        var policy = Policy(Self.config, seed: 1)
        var first = course([1])
        _ = policy.next(&first, 0)
        _ = policy.failed(&first, FailureReport(.overload, status: 529, retryAfterMsec: 4_000), 0)
        guard case .wait(let until) = policy.next(&first, 0) else {
            Issue.record("it does not wait")
            return
        }
        #expect(first.waited(until - 1) == until - 1)
        _ = policy.next(&first, until)
        #expect(first.waited(until + 5) == until)
        #expect(
            first.events.suffix(2) == [
                PolicyEvent(.probed, "b", .held), PolicyEvent(.retried, "b", .overload),
            ])
        while policy.providers[1].budget.take() {}
        _ = policy.failed(&first, FailureReport(.overload, status: 529), until)
        #expect(first.events.contains(PolicyEvent(.denied, "b", .overload)))
    }

    @Test("metrics have every circuit, the worst of those with one label, and no name that is not a label")
    func labels() {
        var policy = Policy(Self.config, seed: 1)
        for model in ["m", "secret-1", "secret-2"] {
            var course = course([1], model)
            _ = policy.next(&course, 0)
            if model == "secret-2" {
                _ = policy.failed(&course, FailureReport(.overload, status: 529, retryAfterMsec: 4_000), 0)
            } else {
                _ = policy.committed(&course, 0)
            }
        }
        var limited = course([0], "secret-3")
        _ = policy.next(&limited, 0)
        _ = policy.failed(&limited, FailureReport(.rate, status: 429, retryAfterMsec: 4_000), 0)
        let ban = Ban(
            provider: "a", credential: "x", model: "secret-4", origin: .admin, reason: "", sinceUsec: 0,
            untilUsec: nil)
        let isAdded = policy.ban(ban, 0)
        #expect(isAdded)
        let report = policy.metrics(1) { $1 == "m" ? "m" : "other" }
        #expect(
            report.circuits.map { "\($0.provider) \($0.model) \($0.state.name)" } == [
                "b other open", "a other closed", "b m closed",
            ])
        #expect(report.pauses.map(\.model) == ["-"])
        #expect(report.bans.map(\.model) == ["-"])
    }

    @Test("a report is bounded")
    func bound() {
        var policy = Policy(Self.config, seed: 1)
        for number in 0..<Policy.maximumReported + 5 {
            var course = course([1], "m\(number)")
            _ = policy.next(&course, 0)
            _ = policy.failed(&course, FailureReport(.overload, status: 529, retryAfterMsec: 4_000), 0)
            var limited = self.course([0], "m\(number)")
            _ = policy.next(&limited, 0)
            _ = policy.failed(&limited, FailureReport(.rate, status: 429, retryAfterMsec: 4_000), 0)
            let ban = Ban(
                provider: "a", credential: "x", model: "n\(number)", origin: .admin, reason: "", sinceUsec: 0,
                untilUsec: nil)
            let isAdded = policy.ban(ban, 0)
            #expect(isAdded)
        }
        let report = policy.report(1)
        #expect(
            [report.circuits.count, report.pauses.count, report.bans.count]
                == Array(repeating: Policy.maximumReported, count: 3))
        #expect(policy.metrics(1) { $1 }.circuits.count == Policy.maximumReported)
    }
}
