// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@testable import Credentials

@Suite("Refresh machine")
struct RefreshMachineTests {
    private static let second: UInt64 = 1000

    /// A credential whose token of `lifetime` seconds was granted at 1,000,000 ms.
    private func granted(lifetime: Int, advisory: Int? = nil, rotates: Bool = false) -> Subject {
        let machine = Subject(timing: .init(advisoryLead: advisory, mandatoryLead: 5, rotates: rotates))
        machine.begin(forced: false, now: 1_000_000)
        machine.granted(lifetime: lifetime, renewAfter: nil, now: 1_000_000, random: 0)
        return machine
    }

    @Test("A1: a token of 100 s is renewed once, 20 to 22 s before its end")
    func lead() {
        for random in [0, 0.5, 0.999] {
            let machine = Subject(timing: .init(advisoryLead: 20, mandatoryLead: 5))
            machine.begin(forced: false, now: 0)
            machine.granted(lifetime: 100, renewAfter: nil, now: 0, random: random)
            #expect(machine.isDue(now: 77_999) == false)
            #expect(machine.isDue(now: 80_000))
            #expect(machine.state == .due && machine.isUsable(now: 80_000))
            machine.begin(forced: false, now: 80_000)
            #expect(!machine.isDue(now: 90_000), "one attempt at a time")
        }
    }

    @Test("A2: a credential without a token is due at once, and one whose token has expired")
    func start() {
        let empty = Subject(timing: .init())
        #expect(empty.isDue(now: 0) && !empty.isUsable(now: 0))
        let expired = Subject(timing: .init())
        expired.load(generation: 3, lifetimeLeft: 0, lifetime: 100, kept: nil, now: 5000, random: 0)
        #expect(expired.isDue(now: 5000) && !expired.isUsable(now: 5000))
    }

    @Test("A8: the server's hint decides when to renew, whatever the life of the token is")
    func hint() {
        let machine = Subject(timing: .init(mandatoryLead: 60))
        machine.begin(forced: false, now: 0)
        machine.granted(lifetime: 1560, renewAfter: 1200, now: 0, random: 0)
        #expect(!machine.isDue(now: 1199 * Self.second))
        #expect(machine.isDue(now: 1200 * Self.second))
    }

    @Test("A9: an answer from a cache counts as success and is asked again after 30 s, not in a loop")
    func ineffective() {
        let machine = granted(lifetime: 100, advisory: 20)
        #expect(machine.isDue(now: 1_090_000))
        machine.begin(forced: false, now: 1_090_000)
        machine.granted(lifetime: 10, renewAfter: nil, now: 1_090_000, random: 0)
        #expect(machine.state == .fresh && machine.failures == 0)
        #expect(!machine.isDue(now: 1_119_999))
        #expect(machine.isDue(now: 1_120_000))
    }

    @Test("A9: tokens of a second are renewed once in each life, not taken for an answer from a cache")
    func shortLives() {
        let machine = granted(lifetime: 1)
        var now: UInt64 = 1_000_000
        for _ in 0..<5 {
            #expect(!machine.isDue(now: now + 700))
            now += 800
            #expect(machine.isDue(now: now))
            machine.begin(forced: false, now: now)
            machine.granted(lifetime: 1, renewAfter: nil, now: now, random: 0)
        }
    }

    @Test("a logout takes the token too, and the next one has a higher number")
    func logout() {
        let machine = granted(lifetime: 100)
        machine.loggedOut(generation: 2)
        #expect(machine.state == .needsLogin && !machine.isUsable(now: 1_000_001))
        machine.renewed(now: 1_000_002)
        machine.begin(forced: false, now: 1_000_002)
        machine.granted(lifetime: 100, renewAfter: nil, now: 1_000_002, random: 0)
        #expect(machine.generation == 3 && machine.isUsable(now: 1_000_003))
    }

    @Test("what is not ccr's to renew is used to its end and looked at again")
    func foreign() {
        let machine = granted(lifetime: 100)
        machine.unchanged(now: 1_050_000)
        #expect(machine.state == .fresh && machine.nextAttemptAt == 1_080_000)
        #expect(machine.useUp(now: 1_050_000))
        #expect(machine.nextAttemptAt == machine.validUntil)
        #expect(!machine.useUp(now: 1_100_000), "there is nothing left of it")
        machine.unchanged(now: 1_100_000)
        #expect(machine.state == .due)
        let empty = Subject(timing: .init())
        empty.unchanged(now: 5)
        #expect(empty.state == .empty && empty.nextAttemptAt == nil)
    }

    @Test("a program is not run again within ten seconds, however short its tokens live")
    func interval() {
        let machine = Subject(timing: .init(minimumIntervalMsec: 10_000))
        machine.begin(forced: false, now: 0)
        machine.granted(lifetime: 5, renewAfter: nil, now: 0, random: 0)
        #expect(!machine.isDue(now: 9_999))
        #expect(machine.isDue(now: 10_000))
    }

    @Test("C1: failures back off up to five minutes, the token is served meanwhile, success forgets them")
    func backOff() throws {
        let machine = granted(lifetime: 3600)
        var now: UInt64 = 1_000_000
        var delays: [UInt64] = []
        for _ in 0..<12 {
            machine.begin(forced: false, now: now)
            machine.failed(.transient("HTTP 503", retryAfter: nil), now: now, random: 0.999_999)
            #expect(machine.state == .backoff && machine.isUsable(now: now))
            delays.append(try #require(machine.nextAttemptAt) - now)
            now = try #require(machine.nextAttemptAt)
        }
        #expect(delays.prefix(3).map { ($0 + 500) / 1000 } == [2, 4, 8])
        #expect(delays.allSatisfy { $0 <= 300_000 } && delays.last.map { $0 > 299_000 } == true)
        machine.begin(forced: false, now: now)
        machine.granted(lifetime: 100, renewAfter: nil, now: now, random: 0)
        #expect(machine.failures == 0 && machine.state == .fresh)
    }

    @Test("C8: Retry-After is a floor under the back-off")
    func retryAfter() {
        let machine = granted(lifetime: 3600)
        machine.begin(forced: false, now: 2_000_000)
        machine.failed(.transient("HTTP 429", retryAfter: 7), now: 2_000_000, random: 0)
        #expect(!machine.isDue(now: 2_006_999))
        #expect(machine.isDue(now: 2_007_000))
    }

    @Test("A7: a failure to connect right after the machine woke up does not lengthen the back-off")
    func resume() {
        let machine = granted(lifetime: 100)
        machine.begin(forced: false, now: 2_000_000)
        machine.failed(.notSent("no route"), afterResume: true, now: 2_000_000, random: 0.5)
        #expect(machine.failures == 0)
        machine.begin(forced: false, now: 2_001_000)
        machine.failed(.notSent("no route"), now: 2_001_000, random: 0.5)
        #expect(machine.failures == 1)
    }

    @Test(
        "C6, C7: a portal waits a minute or more, a firewall five minutes and longer each time, up to an hour"
    )
    func portals() {
        let machine = granted(lifetime: 36_000)
        machine.begin(forced: false, now: 0)
        machine.failed(.protocolError("HTML"), now: 0, random: 0)
        #expect(machine.nextAttemptAt == 60_000)
        let other = granted(lifetime: 36_000)
        var minutes: [UInt64] = []
        for _ in 0..<6 {
            other.begin(forced: false, now: 0)
            other.failed(.wall, now: 0, random: 0)
            minutes.append((other.nextAttemptAt ?? 0) / 60_000)
        }
        #expect(minutes == [5, 10, 20, 40, 60, 60])
    }

    @Test("C12, C13: a dead secret needs a person, and the token is served to its end")
    func permanent() {
        let machine = granted(lifetime: 100)
        machine.begin(forced: false, now: 1_080_000)
        machine.failed(.permanent(.expired), now: 1_080_000, random: 0)
        #expect(machine.state == .needsLogin && machine.reason == "expired" && machine.nextAttemptAt == nil)
        #expect(machine.isUsable(now: 1_099_000) && !machine.isUsable(now: 1_100_000))
        machine.renewed(now: 1_090_000)
        #expect(machine.isDue(now: 1_090_000))
    }

    @Test("C4: a rejected secret whose earlier answer was lost is reported as that")
    func lostRotation() {
        let machine = granted(lifetime: 100, rotates: true)
        machine.begin(forced: false, now: 1_080_000)
        machine.failed(.indeterminate("timeout"), now: 1_080_000, random: 0)
        #expect(machine.state == .indeterminate && machine.nextAttemptAt != nil)
        machine.begin(forced: false, now: 1_081_000)
        machine.failed(.permanent(.reusedByOther), mayBeLost: true, now: 1_081_000, random: 0)
        #expect(machine.reason == "lost_rotation")
    }

    @Test("D4: after a restart with an unknown outcome the token in hand is used up first")
    func hold() {
        let machine = Subject(timing: .init(mandatoryLead: 300, rotates: true))
        machine.load(generation: 1, lifetimeLeft: 3_600_000, lifetime: 3600, kept: nil, now: 0, random: 0)
        machine.foundIndeterminate(hold: true, now: 0)
        #expect(!machine.isDue(now: 3_299_999) && machine.isUsable(now: 3_299_999))
        #expect(machine.isDue(now: 3_300_000))
        machine.foundIndeterminate(hold: false, now: 0)
        #expect(machine.isDue(now: 0))
    }

    @Test("C8: while the server rests, a refused token starts nothing and is told how long")
    func restingServer() {
        let machine = granted(lifetime: 100)
        #expect(machine.rejected(1, restingUntil: 1_027_000, now: 1_020_000) == .wait(7000))
        #expect(machine.state == .fresh, "the token in hand goes on")
        #expect(machine.rejected(1, restingUntil: 1_027_000, now: 1_027_000) == .start)
    }

    @Test("C14: 401 without a reason is asked once more after a minute, then a person is needed")
    func suspectPermanent() {
        let machine = granted(lifetime: 3600)
        machine.begin(forced: false, now: 2_000_000)
        machine.failed(.suspectPermanent, now: 2_000_000, random: 0)
        #expect(machine.state == .backoff && machine.nextAttemptAt == 2_060_000)
        machine.begin(forced: false, now: 2_060_000)
        machine.failed(.suspectPermanent, now: 2_060_000, random: 0)
        #expect(machine.state == .needsLogin && machine.reason == "unknown")
    }

    @Test(
        "C15, C20: wrong settings are tried again after an hour, a refused account after 15 minutes or never")
    func probes() {
        let machine = granted(lifetime: 100)
        machine.begin(forced: false, now: 0)
        machine.failed(.configError("invalid_client"), now: 0, random: 0)
        #expect(machine.state == .configError && machine.nextAttemptAt == 3_600_000)
        machine.failed(.denied("not_signed_up", mayProbe: true), now: 0, random: 0)
        #expect(machine.state == .denied && machine.nextAttemptAt == 900_000 && !machine.isUsable(now: 1))
        machine.failed(.denied("go_http_client", mayProbe: false), now: 0, random: 0)
        #expect(machine.nextAttemptAt == nil)
    }

    // MARK: - Refused tokens

    @Test("B1: the first refusal starts an attempt, all others join it")
    func join() {
        let machine = granted(lifetime: 3600)
        #expect(machine.rejected(1, now: 2_000_000) == .start)
        machine.begin(forced: true, now: 2_000_000)
        for _ in 0..<199 { #expect(machine.rejected(1, now: 2_000_100) == .join) }
        machine.granted(lifetime: 3600, renewAfter: nil, now: 2_000_200, random: 0)
        #expect(machine.rejected(1, now: 2_000_300) == .newer, "B4")
        #expect(machine.rejected(7, now: 2_000_300) == .impossible, "B5")
    }

    @Test("B3: a new token that is refused too leads to no second attempt")
    func denied() {
        let machine = granted(lifetime: 3600)
        #expect(machine.rejected(1, now: 2_000_000) == .start)
        machine.begin(forced: true, now: 2_000_000)
        machine.granted(lifetime: 3600, renewAfter: nil, now: 2_000_200, random: 0)
        #expect(machine.rejected(2, now: 2_000_300) == .hopeless)
        #expect(machine.state == .denied && !machine.isUsable(now: 2_000_300))
        #expect(machine.rejected(2, now: 2_000_400) == .hopeless)
    }

    @Test(
        "B10: during a back-off a thousand refusals bring one attempt more, and answers that say how long to wait"
    )
    func budget() {
        let machine = granted(lifetime: 3600)
        machine.begin(forced: false, now: 2_000_000)
        machine.failed(.transient("HTTP 503", retryAfter: 120), now: 2_000_000, random: 0)
        #expect(machine.rejected(1, now: 2_000_001) == .start)
        machine.begin(forced: true, now: 2_000_001)
        machine.failed(.transient("HTTP 503", retryAfter: 120), now: 2_000_002, random: 0)
        var starts = 0
        for _ in 0..<1000 {
            switch machine.rejected(1, now: 2_010_002) {
            case .wait(let time): #expect(time == 110_000)
            default: starts += 1
            }
        }
        #expect(starts == 0)
    }

    @Test("attempts that fail are bounded within ten minutes, refusals included")
    func attemptBudget() {
        let machine = granted(lifetime: 3600)
        var now: UInt64 = 2_000_000
        for _ in 0..<6 {
            machine.begin(forced: false, now: now)
            machine.failed(.notSent("x"), now: now, random: 0)
            now += 1000
        }
        guard case .wait(let time) = machine.rejected(1, now: now) else {
            Issue.record("not bounded")
            return
        }
        #expect(now + time == 2_600_000)
        #expect(machine.rejected(1, now: 2_600_001) == .start)
    }

    @Test("D8: with a secret that cannot be stored nothing is sent")
    func storage() {
        let machine = granted(lifetime: 100)
        machine.begin(forced: false, now: 1_080_000)
        machine.storageFailed("disk full")
        #expect(!machine.isDue(now: 1_100_000))
        #expect(machine.rejected(1, now: 1_100_000) == .hopeless)
    }
}

/// A machine in a class: what changes a value cannot stand inside an expectation.
@dynamicMemberLookup
private final class Subject {
    private var machine: RefreshMachine

    init(timing: RefreshMachine.Timing) {
        machine = RefreshMachine(timing: timing)
    }

    subscript<Value>(dynamicMember path: KeyPath<RefreshMachine, Value>) -> Value { machine[keyPath: path] }

    func isUsable(now: UInt64) -> Bool { machine.isUsable(now: now) }
    func isDue(now: UInt64) -> Bool { machine.isDue(now: now) }
    func rejected(_ generation: UInt64, restingUntil: UInt64 = 0, now: UInt64) -> RefreshMachine.Rejection {
        machine.rejected(generation, restingUntil: restingUntil, now: now)
    }
    func begin(forced: Bool, now: UInt64) { machine.begin(forced: forced, now: now) }
    func renewed(now: UInt64) { machine.renewed(now: now) }
    func loggedOut(generation: UInt64) { machine.loggedOut(generation: generation) }
    func unchanged(now: UInt64) { machine.unchanged(now: now) }
    func useUp(now: UInt64) -> Bool { machine.useUp(now: now) }
    func storageFailed(_ text: String) { machine.storageFailed(text) }
    func foundIndeterminate(hold: Bool, now: UInt64) { machine.foundIndeterminate(hold: hold, now: now) }
    func granted(lifetime: Int?, renewAfter: Int?, now: UInt64, random: Double) {
        machine.granted(lifetime: lifetime, renewAfter: renewAfter, now: now, random: random)
    }
    func failed(
        _ outcome: TokenOutcome, mayBeLost: Bool = false, afterResume: Bool = false, now: UInt64,
        random: Double
    ) {
        machine.failed(outcome, mayBeLost: mayBeLost, afterResume: afterResume, now: now, random: random)
    }
    func load(
        generation: UInt64, lifetimeLeft: UInt64?, lifetime: Int?, kept: (CredentialState, String)?,
        now: UInt64,
        random: Double
    ) {
        machine.load(
            generation: generation, lifetimeLeft: lifetimeLeft, lifetime: lifetime, kept: kept, now: now,
            random: random)
    }
}
