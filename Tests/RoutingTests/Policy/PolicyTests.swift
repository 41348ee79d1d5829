// SPDX-License-Identifier: Apache-2.0
import Gateway
import IPC
import Testing

@testable import Routing

@Suite("Policy")
struct PolicyTests {
    private static let second: UInt64 = 1_000_000

    private func provider(_ name: String, _ credentials: [String] = [""], weight: Int = 0, priority: Int = 0)
        -> PolicyProvider
    {
        PolicyProvider(
            name: name,
            credentials: credentials.map {
                PolicyCredential(
                    name: $0, weight: 1, priority: 0, limit: MinuteLimits(requests: $0 == "limited" ? 3 : nil)
                )
            }, weight: weight, priority: priority)
    }

    private func candidates(_ config: PolicyConfig, _ model: String = "m") -> [RouteCandidate] {
        config.providers.enumerated().map {
            RouteCandidate(provider: $1.name, providerIndex: $0, model: model)
        }
    }

    private func course(_ config: PolicyConfig, session: UInt64 = 0) -> Course {
        Course(candidates(config), session: session, deadlineUsec: 600 * Self.second)
    }

    /// Asks and says who was asked.
    private func ask(_ policy: inout Policy, _ course: inout Course, _ now: UInt64 = 0) -> Grant? {
        guard case .ask(let grant) = policy.next(&course, now) else { return nil }
        return grant
    }

    @Test("goes on after a restart with what the front before it knew")
    func snapshot() throws {
        let config = PolicyConfig(providers: [provider("a", ["x", "limited"]), provider("b")])
        var policy = Policy(config, seed: 1)
        var first = course(config)
        _ = ask(&policy, &first)
        _ = policy.failed(&first, FailureReport(.quota), 0)
        for _ in 0..<3 {
            var other = course(config)
            let grant = ask(&policy, &other)
            #expect(grant?.credentialName == "limited")
            _ = policy.committed(&other, 1)
            _ = policy.finished(&other, isWhole: true, tokens: 1, 2)
        }
        _ = policy.next(&first, 3)
        _ = policy.failed(&first, FailureReport(.overload, retryAfterMsec: 9_000), 4)
        let ban = Ban(
            provider: "b", credential: "", model: "other", origin: .admin, reason: "r", sinceUsec: 1,
            untilUsec: nil)
        let isAdded = policy.ban(ban, 5)
        #expect(isAdded)

        // Another configuration, in another order.
        let changed = PolicyConfig(
            providers: [provider("b"), provider("new"), provider("a", ["limited", "x"])])
        var restored = Policy(changed, seed: 2)
        try restored.restore(policy.snapshot().bytes)
        // Fronts share what limits per minute allow, by name.
        for (place, holder) in restored.minutes.holders.enumerated() {
            let before = try #require(policy.minutes.holders.firstIndex(of: holder))
            restored.minutes[place] = policy.minutes[before]
        }
        var next = course(changed)
        // b is overloaded, both credentials of a are spent.
        #expect(ask(&restored, &next, 6)?.candidate.provider == "new")
        #expect(restored.bans.all(6) == [ban])
        var alone = Course(
            [RouteCandidate(provider: "a", providerIndex: 2, model: "m")], deadlineUsec: 600 * Self.second)
        // The spent one is asked for its words, the limited one not at all.
        #expect(ask(&restored, &alone, 7)?.credentialName == "x")
        // Times to the first event, and how often a credential was refused in a row.
        let before = policy.lane(RouteCandidate(provider: "a", providerIndex: 0, model: "m"))
        let after = try #require(restored.lane(RouteCandidate(provider: "a", providerIndex: 2, model: "m")))
        #expect(after.latency == before?.latency && after.latency.samples == 3)
        #expect(restored.providers[2].credentials.map(\.strikes) == [0, 1])
    }

    @Test(
        "never lets a client wait for longer than it stands without a byte, whatever the configuration says",
        arguments: [
            (ClientKind.claudeCode, 230, true), (.claudeCode, 250, false), (.other, 500, true),
            (.other, 550, false), (.codex, 3_000, true), (.codex, 3_700, false),
        ])
    func patience(client: ClientKind, seconds: Int, waits: Bool) {
        var config = PolicyConfig(providers: [provider("a")])
        config.wait = WaitRule(
            totalMsec: 3_600_000, longestMsec: 3_600_000, firstPauseMsec: 1_000, multiplier: 2)
        var policy = Policy(config, seed: 1)
        var course = Course(
            candidates(config), deadlineUsec: client.waitsUntil(startedUsec: 0, totalMsec: 3_600_000))
        _ = ask(&policy, &course)
        _ = policy.failed(
            &course, FailureReport(.rate, status: 429, retryAfterMsec: seconds * 1_000), Self.second)
        switch policy.next(&course, Self.second) {
        case .wait: #expect(waits)
        case .fail: #expect(!waits)
        case .ask: Issue.record("asked while it pauses")
        }
        // A shorter life of requests counts more.
        #expect(client.waitsUntil(startedUsec: 5, totalMsec: 1_000) == 1_000_005)
    }

    @Test("knows who could be asked in place of a candidate: whoever is well, not banned and has not failed")
    func others() {
        let config = PolicyConfig(providers: ["a", "b", "c", "d"].map { provider($0) })
        var policy = Policy(config, seed: 1)
        // The credential of d has to be left alone.
        var other = Course([candidates(config)[3]], deadlineUsec: 600 * Self.second)
        _ = ask(&policy, &other)
        _ = policy.failed(&other, FailureReport(.quota, retryAfterMsec: 60_000), 0)
        var course = course(config)
        #expect(ask(&policy, &course, 1)?.candidate.provider == "a")
        #expect(policy.others(course, 1).map(\.provider) == ["b", "c"])
        let isAdded = policy.ban(
            Ban(
                provider: "c", credential: "", model: "m", origin: .admin, reason: "r", sinceUsec: 1,
                untilUsec: nil), 1)
        #expect(isAdded)
        #expect(policy.others(course, 2).map(\.provider) == ["b"])
        _ = policy.failed(&course, FailureReport(.server), 2)
        #expect(ask(&policy, &course, 2)?.candidate.provider == "b")
        #expect(policy.others(course, 2).isEmpty)
    }

    /// A policy that was asked for `count` models, of which the last one is overloaded and the one before it is still asked.
    private func wide(_ count: Int) -> Policy {
        let config = PolicyConfig(providers: [provider("a")])
        var policy = Policy(config, seed: 1)
        for number in 0..<count {
            var course = Course(candidates(config, "model-\(number)"), deadlineUsec: 600 * Self.second)
            _ = ask(&policy, &course)
            if number == count - 1 {
                _ = policy.failed(&course, FailureReport(.overload, retryAfterMsec: 9_000), 1)
            } else if number < count - 2 {
                _ = policy.committed(&course, 1)
                _ = policy.finished(&course, isWhole: true, tokens: 1, 2)
            }
        }
        return policy
    }

    @Test("leaves out of a snapshot what says least when there is no room for all, and says so")
    func room() throws {
        let policy = wide(50)
        let whole = policy.snapshot()
        #expect(whole.leftOut == 0)
        #expect(policy.snapshot(room: whole.bytes.count) == whole)
        let cut = policy.snapshot(room: whole.bytes.count / 4)
        #expect(cut.bytes.count <= whole.bytes.count / 4)
        #expect((35..<50).contains(cut.leftOut))
        var restored = Policy(policy.config, seed: 2)
        try restored.restore(cut.bytes)
        #expect(restored.lanes.count == 50 - cut.leftOut)
        #expect(restored.report(2).circuits.map(\.model) == ["model-49"])
        #expect(policy.snapshot(room: 0).leftOut == 50)
    }

    @Test("serves within a small limit of tokens, and knows a request that fits into no minute")
    func smallLimit() {
        var small = provider("a")
        small.credentials[0].limit = MinuteLimits(tokens: 1_000)
        var policy = Policy(PolicyConfig(providers: [small]), seed: 1)
        func course(_ tokens: Int) -> Course {
            Course(candidates(policy.config), tokens: tokens, output: 1_000, deadlineUsec: .max)
        }
        var served = [course(100), course(100), course(100)]
        let asked = served.indices.map { ask(&policy, &served[$0]) != nil }
        #expect(asked == [true, true, false])
        _ = policy.committed(&served[0], 1)
        // 350 were taken, 150 were used.
        _ = policy.finished(&served[0], isWhole: true, tokens: 150, 2)
        #expect(ask(&policy, &served[2], 2) != nil)
        let exceeds = [1_000, 1_001].map { policy.exceedsLimits(course($0), 3) }
        #expect(exceeds == [false, true])
    }

    @Test("refuses bytes that are no snapshot, and stays as it was")
    func damaged() throws {
        let config = PolicyConfig(providers: [provider("a")])
        var policy = Policy(config, seed: 1)
        let bytes = policy.snapshot().bytes
        for count in 0..<bytes.count {
            #expect(throws: WireError.self) { try policy.restore(Array(bytes[..<count])) }
        }
    }

    @Test("keeps a session where it was answered, until that place fails")
    func sessions() {
        var config = PolicyConfig(providers: [provider("a", ["x", "y"]), provider("b", ["z"])])
        config.preference = .latency
        var policy = Policy(config, seed: 1)
        var first = course(config, session: 7)
        let place = ask(&policy, &first)
        _ = policy.committed(&first, 1)
        _ = policy.finished(&first, isWhole: true, tokens: 0, 2)
        for _ in 0..<20 {
            let order = policy.order(candidates(config), leading: 1, isNamed: false, session: 7, 3)
            var next = Course(order, session: 7, deadlineUsec: 600 * Self.second)
            let grant = ask(&policy, &next, 3)
            #expect(grant?.candidate == place?.candidate && grant?.credential == place?.credential)
            policy.abandoned(&next, 3)
        }
        var failing = course(config, session: 7)
        _ = ask(&policy, &failing, 4)
        _ = policy.failed(&failing, FailureReport(.server, status: 500), 4)
        #expect(policy.affinity.place(of: 7, 5) == nil)
    }

    @Test("spreads requests by weight among providers of one model, lower priorities first")
    func weights() {
        let config = PolicyConfig(providers: [
            provider("late", weight: 5, priority: 1), provider("a", weight: 3), provider("b", weight: 1),
        ])
        var policy = Policy(config, seed: 1)
        var asked: [String: Int] = [:]
        for _ in 0..<40 {
            let order = policy.order(candidates(config), leading: 3, isNamed: true, session: 0, 0)
            var next = Course(order, deadlineUsec: 600 * Self.second)
            asked[ask(&policy, &next)?.candidate.provider ?? "", default: 0] += 1
        }
        #expect(asked == ["a": 30, "b": 10])
    }

    @Test("asks the cheaper provider first, and one without a price last")
    func cost() {
        var config = PolicyConfig(
            preference: .cost, providers: [provider("dear"), provider("unknown"), provider("cheap")])
        config.providers[0].price = 5
        config.providers[2].price = 1
        config.providers[2].modelPrices = ["special": 9]
        var policy = Policy(config, seed: 1)
        func order(_ model: String) -> [String] {
            policy.order(candidates(config, model), leading: 1, isNamed: false, session: 0, 0).map(\.provider)
        }
        #expect(order("m") == ["cheap", "dear", "unknown"])
        #expect(order("special") == ["dear", "cheap", "unknown"])
        // What the request names stays in front.
        let named = policy.order(candidates(config), leading: 1, isNamed: true, session: 0, 0).map(\.provider)
        #expect(named == ["dear", "cheap", "unknown"])
    }

    @Test("takes a session back to where it was answered, but not to a fallback before what the order names")
    func sessionsInOrder() {
        for (preference, expected) in [(Preference.order, ["a", "b", "c"]), (.cost, ["c", "a", "b"])] {
            let config = PolicyConfig(
                preference: preference, providers: ["a", "b", "c"].map { provider($0) })
            var policy = Policy(config, seed: 1)
            policy.affinity.answered(7, by: Affinity.Place(provider: 2, model: "m", credential: 0), 0)
            let order = policy.order(candidates(config), leading: 1, isNamed: false, session: 7, 1)
            #expect(order.map(\.provider) == expected)
        }
    }

    @Test("keeps pauses over a restart, and how often a credential was refused in a row")
    func pausesOverRestart() throws {
        let config = PolicyConfig(providers: [provider("a")])
        var policy = Policy(config, seed: 1)
        var limited = course(config)
        _ = ask(&policy, &limited)
        _ = policy.failed(&limited, FailureReport(.rate, status: 429, retryAfterMsec: 5_000), 0)
        var restored = Policy(config, seed: 2)
        try restored.restore(policy.snapshot().bytes)
        #expect(restored.report(1).pauses == policy.report(1).pauses)
        #expect(restored.report(1).pauses.count == 1)
        #expect(restored.lanes[0].strikes == [1])
    }

    @Test("shortens a drawn order to topK")
    func topK() {
        let config = PolicyConfig(
            preference: .latency, topK: 2, providers: ["a", "b", "c", "d"].map { provider($0) })
        var policy = Policy(config, seed: 1)
        #expect(policy.order(candidates(config), leading: 1, isNamed: false, session: 0, 0).count == 2)
        #expect(policy.order(candidates(config), leading: 1, isNamed: true, session: 0, 0).count == 3)
        var sorted = config
        sorted.preference = .cost
        policy = Policy(sorted, seed: 1)
        #expect(policy.order(candidates(config), leading: 1, isNamed: false, session: 0, 0).count == 4)
    }

    @Test("bans a credential after so many failures with a status, for as long as the rule says")
    func fail2ban() {
        var config = PolicyConfig(providers: [provider("a", ["x", "y"])])
        config.bans = BanRules(rules: [.init(status: 500, attempts: 2, durationMsec: 10_000)])
        var policy = Policy(config, seed: 1)
        var notices: [PolicyNotice] = []
        for _ in 0..<4 {
            var next = course(config)
            _ = ask(&policy, &next)
            notices += policy.failed(&next, FailureReport(.server, status: 500), 0)
        }
        let banned = notices.compactMap { notice -> String? in
            if case .banned(let ban) = notice { ban.credential } else { nil }
        }
        #expect(Set(banned) == ["x", "y"])
        var next = course(config)
        #expect(policy.next(&next, 1) == .fail(retryAfterMsec: nil))
        #expect(ask(&policy, &next, 10 * Self.second) != nil)
    }

    @Test("a success forgets the failures that would have led to a ban")
    func forgiven() {
        var bans = BanList()
        let rules = BanRules(rules: [.init(status: 401, attempts: 2, durationMsec: 0)])
        func fail() -> Ban? {
            bans.failed(provider: "p", credential: "c", model: "m", status: 401, rules, 0)
        }
        #expect(fail() == nil)
        bans.succeeded(provider: "p", credential: "c", model: "m")
        #expect(fail() == nil)
        let ban = fail()
        #expect(ban?.untilUsec == nil && ban?.reason == "2 times status 401")
        #expect(bans.covers(provider: "p", credential: "c", model: "m", 1 << 62))
        #expect(!bans.covers(provider: "p", credential: "c", model: "n", 0))
        #expect(bans.all(1) == [ban])
    }

    @Test("asks a used-up credential for its words, but not before the time that its provider named")
    func quota() throws {
        for (told, isAsked) in [(nil, true), (7_000_000, false)] as [(Int?, Bool)] {
            let config = PolicyConfig(providers: [provider("a")])
            var policy = Policy(config, seed: 1)
            var first = course(config)
            _ = ask(&policy, &first)
            _ = policy.failed(&first, FailureReport(.quota, status: 429, retryAfterMsec: told), 1)
            var next = course(config)
            switch policy.next(&next, 2) {
            case .ask: #expect(isAsked)
            case .fail(let retryAfterMsec): #expect(!isAsked && retryAfterMsec == 7_000_000)
            case .wait: Issue.record("nobody waits for hours")
            }
            #expect(ask(&policy, &next, 7_000_000_000 * 2) != nil)
        }
    }

    @Test("tells a worker to give back what can still be tried, and nothing else")
    func terms() {
        let config = PolicyConfig(providers: [provider("a", ["x", "y"]), provider("b")])
        var policy = Policy(config, seed: 1)
        var next = course(config)
        let first = ask(&policy, &next)?.terms
        for failure in [FailureClass.rate, .quota, .authentication, .server, .network, .missing, .context] {
            #expect(first?.cover(FailureReport(failure)) == true, "\(failure)")
        }
        #expect(first?.cover(FailureReport(.client)) == false)

        let alone = PolicyConfig(
            wait: WaitRule(totalMsec: 5_000, longestMsec: 60_000, firstPauseMsec: 1_000, multiplier: 2),
            providers: [provider("a")])
        policy = Policy(alone, seed: 1)
        next = course(alone)
        let only = ask(&policy, &next)?.terms
        #expect(only?.cover(FailureReport(.rate, retryAfterMsec: 4_000)) == true)
        #expect(only?.cover(FailureReport(.rate, retryAfterMsec: 6_000)) == false)
        #expect(only?.cover(FailureReport(.rate, mayRepeat: false)) == false)
        #expect(only?.cover(FailureReport(.quota)) == false)
        #expect(only?.cover(FailureReport(.server)) == true, "one repetition is left")
        _ = policy.failed(&next, FailureReport(.server, status: 500), 0)
        let repeated = ask(&policy, &next, Self.second)?.terms
        #expect(repeated?.cover(FailureReport(.server)) == false)
    }

    @Test("knows when somebody can be asked again although its only key was refused before")
    func refusedAndOverloaded() {
        let config = PolicyConfig(providers: [provider("a")])
        var policy = Policy(config, seed: 1)
        var first = course(config)
        _ = ask(&policy, &first)
        _ = policy.failed(&first, FailureReport(.authentication, status: 401), 0)
        var second = course(config)
        let last = ask(&policy, &second, 1)
        #expect(last?.terms == ReturnTerms.none, "nothing is left to try")
        _ = policy.failed(&second, FailureReport(.overload, status: 503, retryAfterMsec: 90_000), 2)
        var third = course(config)
        #expect(policy.next(&third, 3) == .fail(retryAfterMsec: 90_000))
        #expect(policy.isOverloaded(third, 3))
    }

    @Test(
        "forgets models that nobody uses when clients make up more names than it keeps, and none that is in use"
    )
    func names() {
        let config = PolicyConfig(providers: [provider("a")])
        var policy = Policy(config, seed: 1)
        func ask(_ model: String, _ report: FailureReport? = nil) -> Course {
            var course = Course(candidates(config, model), deadlineUsec: 600 * Self.second)
            _ = policy.next(&course, 0)
            if let report { _ = policy.failed(&course, report, 0) }
            return course
        }
        var held = ask("held")
        _ = ask("down", FailureReport(.overload, status: 503, retryAfterMsec: 60_000))
        for number in 0..<2 * Policy.maximumLanes {
            var course = ask("m\(number)")
            _ = policy.committed(&course, 1)
            _ = policy.finished(&course, isWhole: true, tokens: 0, 2)
        }
        #expect(policy.lanes.count == Policy.maximumLanes && policy.places.count == Policy.maximumLanes)
        #expect(policy.circuit(candidates(config, "down")[0]).state == .open)
        // None says nothing any more: what is in use stays all the same.
        for number in 0..<2 * Policy.maximumLanes { _ = ask("n\(number)", FailureReport(.timeout)) }
        #expect(policy.lanes.count == Policy.maximumLanes)
        #expect(policy.circuit(candidates(config, "down")[0]).state == .closed)
        #expect(policy.lanes.filter { $0.inFlight > 0 }.map(\.key.model) == ["held"])
        _ = policy.committed(&held, 3)
        _ = policy.finished(&held, isWhole: true, tokens: 0, 4)
        #expect(policy.lanes.allSatisfy { $0.inFlight == 0 })
    }

    @Test("leaves to the worker what it has no time to try again, and what would open the circuit")
    func impatient() {
        func terms(waiting totalMsec: Int, failures: Int = 0) -> ReturnTerms? {
            let config = PolicyConfig(
                wait: WaitRule(
                    totalMsec: totalMsec, longestMsec: 60_000, firstPauseMsec: 1_000, multiplier: 2),
                providers: [provider("a")])
            var policy = Policy(config, seed: 1)
            for _ in 0..<failures {
                var other = course(config)
                _ = ask(&policy, &other)
                _ = policy.failed(&other, FailureReport(.server, status: 500), 0)
            }
            var next = course(config)
            return ask(&policy, &next)?.terms
        }
        let covered = { (terms: ReturnTerms?) in
            [FailureReport(.rate), FailureReport(.rate, retryAfterMsec: 10), FailureReport(.server)].map {
                terms?.cover($0)
            }
        }
        #expect(covered(terms(waiting: 1)) == [false, false, false])
        #expect(covered(terms(waiting: 500)) == [false, true, true])
        #expect(covered(terms(waiting: 3_000)) == [true, true, true])
        #expect(covered(terms(waiting: 3_000, failures: 4)) == [true, true, false])
    }
}

@Suite("Breaker")
struct BreakerTests {
    @Test("opens after failures in a row, lets one probe through, then two, then closes")
    func course() {
        var breaker = Breaker()
        for count in 1...Breaker.consecutiveLimit {
            let opened = breaker.failed(probe: false, 0, random: 0)
            #expect(opened == (count == Breaker.consecutiveLimit))
        }
        #expect(!breaker.admits(700_000))
        #expect(breaker.admits(800_000))
        let probe = breaker.begin(800_000)
        #expect(probe && !breaker.admits(800_000))
        breaker.succeeded(probe: true)
        #expect(breaker.admits(800_000))
        let second = breaker.begin(800_000)
        let third = breaker.begin(800_000)
        #expect(second && third && !breaker.admits(800_000))
        breaker.succeeded(probe: true)
        breaker.succeeded(probe: true)
        #expect(breaker.state == .closed)
    }

    @Test("stays open longer with each probe that fails, up to a quarter of a minute")
    func growth() {
        var breaker = Breaker()
        var now: UInt64 = 0
        var holds: [UInt64] = []
        for _ in 0..<5 { breaker.failed(probe: false, now, random: 0.999) }
        for _ in 0..<6 {
            holds.append((breaker.openUntil - now + 500_000) / 1_000_000)
            now = breaker.openUntil
            let probe = breaker.begin(now)
            breaker.failed(probe: probe, now, random: 0.999)
        }
        #expect(holds == [1, 2, 4, 8, 15, 15])
    }

    @Test("opens on half of the latest outcomes, and not on what began before")
    func brownOut() {
        var breaker = Breaker()
        var count = 0
        while breaker.state == .closed, count < 100 {
            count += 1
            if count % 2 == 0 {
                breaker.failed(probe: false, 0, random: 0)
            } else {
                breaker.succeeded(probe: false)
            }
        }
        #expect(count == 20)
        breaker.succeeded(probe: false)
        #expect(breaker.state == .open)
    }

    @Test("what was asked before it opened makes it no shorter and no less firm, only longer")
    func overlapping() {
        var breaker = Breaker()
        breaker.open(0, until: 5_000, firm: true, random: 0)
        breaker.open(1, until: 3_000, firm: false, random: 0)
        #expect(breaker.openUntil == 5_000 && breaker.isFirm && breaker.openings == 1)
        breaker.open(2, until: 9_000, firm: false, random: 0)
        #expect(breaker.openUntil == 9_000 && breaker.isFirm)
    }

    @Test("a restored one waits for no probe of whoever stored it")
    func restored() throws {
        var breaker = Breaker()
        breaker.open(0, until: 5, firm: true, random: 0)
        _ = breaker.begin(5)
        #expect(!breaker.admits(5))
        var writer = WireWriter()
        writer.put(breaker)
        let again = try writer.bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            return try reader.get(Breaker.self)
        }
        #expect(again.admits(5) && again.state == .open)
    }

    @Test("a probe that shows nothing makes room for another")
    func released() {
        var breaker = Breaker()
        breaker.open(0, until: 5, firm: true, random: 0)
        let probe = breaker.begin(5)
        #expect(!breaker.admits(5))
        breaker.released(probe: probe)
        #expect(breaker.admits(5))
    }
}

@Suite("Back-off")
struct BackOffTests {
    @Test("grows with each repetition and with the provider's slowness, is spread by half, and has an end")
    func growth() {
        let rule = RetryRule(
            maximum: 9, firstBackOffMsec: 100, multiplier: 2, longestBackOffMsec: 1_000, isEager: false)
        func msec(_ number: Int, _ seconds: Double = 0, random: Double = 1) -> UInt64 {
            rule.backOffUsec(number, averageSeconds: seconds, random: random) / 1_000
        }
        #expect((0..<6).map { msec($0) } == [100, 200, 400, 800, 1_000, 1_000])
        #expect(msec(1, random: 0) == 100)
        #expect([0.1, 2, 60].map { msec(1, $0) } == [100, 400, 600])
    }
}

@Suite("Latency")
struct LatencyTests {
    @Test("is a moving average; a failure counts as twice as slow")
    func average() {
        var latency = Latency()
        latency.succeeded(seconds: 1, isStream: true)
        #expect(latency.average == 1)
        latency.succeeded(seconds: 2, isStream: true)
        #expect(abs(latency.average - 1.3) < 1e-9)
        latency.failed()
        #expect(abs(latency.average - 1.69) < 1e-9)
    }

    @Test("draws the faster the likelier, and those without samples first")
    func order() {
        var (fast, slow) = (Latency(), Latency())
        for _ in 0..<3 {
            fast.succeeded(seconds: 0.1, isStream: true)
            slow.succeeded(seconds: 0.8, isStream: true)
        }
        var random = RandomSource(seed: 1)
        let draws = (0..<2_000).map { _ in
            Latency.order([slow, Latency(), fast], temperature: 1) { random.fraction() }
        }
        #expect(draws.allSatisfy { $0[0] == 1 && $0.count == 3 })
        let share = Double(draws.filter { $0[1] == 2 }.count) / 2_000
        // 1 / (1 + e^-0.7) is 0.668.
        #expect(abs(share - 0.668) < 0.04)
    }

    @Test("e to a negative power is exact enough", arguments: [0, -0.001, -0.7, -3, -39] as [Double])
    func exponential(x: Double) {
        let exact = [0: 1, -0.001: 0.9990004998, -0.7: 0.4965853038, -3: 0.0497870684, -39: 1.1548224e-17][x]
        #expect(abs(Double.exponential(x) / (exact ?? 0) - 1) < 1e-3)
    }
}
