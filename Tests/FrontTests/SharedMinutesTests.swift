// SPDX-License-Identifier: Apache-2.0
// Fronts that count limits per minute together, on a clock of the test's own.

import Gateway
import Glibc
import Posix
import Runtime
import Testing

@testable import Front
@testable import Routing

private let second: UInt64 = 1_000_000

/// A front as far as limits go: its policy, and what it shares.
private struct Counter {
    var policy: Policy
    let shared: SharedMinutes

    static let candidate = RouteCandidate(provider: "p", providerIndex: 0, model: "m")

    static func config(_ requests: Int, _ tokens: Int) -> PolicyConfig {
        let credential = PolicyCredential(
            name: "k", weight: 1, priority: 0, limit: MinuteLimits(requests: requests, tokens: tokens))
        var provider = PolicyProvider(name: "p", credentials: [credential])
        provider.modelLimits = ["m": MinuteLimits(requests: requests)]
        let wait = WaitRule(totalMsec: 1, longestMsec: 1, firstPauseMsec: 1, multiplier: 1)
        return PolicyConfig(wait: wait, providers: [provider])
    }

    init(_ memory: SharedMemory, requests: Int, tokens: Int) throws {
        let policy = Policy(Self.config(requests, tokens), seed: 1)
        self.policy = policy
        shared = try #require(MinuteMemory(memory).flatMap { SharedMinutes(policy.minutes, in: $0) })
    }

    /// Whether a request of so many tokens may go on; its answer costs `actual`.
    mutating func ask(_ tokens: Int, actual: Int, _ now: UInt64) -> Bool {
        var course = Course([Self.candidate], tokens: tokens, deadlineUsec: .max)
        shared.begin(&policy.minutes)
        defer { shared.end(&policy.minutes) }
        guard case .ask = policy.next(&course, now) else { return false }
        _ = policy.committed(&course, now)
        _ = policy.finished(&course, isWhole: true, tokens: actual, now)
        return true
    }
}

@Suite("Limits per minute of all fronts together")
struct SharedMinutesTests {
    @Test(
        "are used up and never exceeded in any 60 s, whichever fronts come and go",
        arguments: [1, 600, 6_000])
    func simulated(limit: Int) throws {
        let memory = try #require(PolicyMemory.make())
        var fronts = [try Counter(memory, requests: limit, tokens: limit * 100)]
        var taken: [UInt64] = []
        // Not at the beginning of a second.
        var now: UInt64 = 7_000_000_123
        let start = now
        // Four minutes at 500 requests a second.
        for number in 0..<120_000 {
            now += 2_000
            // Two at work for a second, as after a reload; one that is killed, and the next begins with nothing.
            switch number % 3_500 {
            case 1_000: fronts.append(try Counter(memory, requests: limit, tokens: limit * 100))
            case 1_500: fronts.removeFirst()
            case 3_000: fronts = [try Counter(memory, requests: limit, tokens: limit * 100)]
            default: break
            }
            if fronts[number % fronts.count].ask(100, actual: 100, now) { taken.append(now) }
        }
        for (first, next) in zip(taken, taken.dropFirst(limit)) { #expect(next - first >= 60 * second) }
        // The first minute is used up, and each following one, which is at most a second longer.
        #expect(taken.prefix { $0 < start + 60 * second }.count == min(limit, 30_000))
        #expect(taken.count >= limit * 3)
    }

    @Test("are bounded in tokens as the provider counts them")
    func tokens() throws {
        let memory = try #require(PolicyMemory.make())
        var fronts = [Counter]()
        for _ in 0..<2 { fronts.append(try Counter(memory, requests: 1_000, tokens: 10_000)) }
        var used: [(time: UInt64, tokens: Int)] = []
        for number in 0..<100_000 {
            let now = second + UInt64(number) * 2_000
            let actual = [300, 20, 900, 450][number % 4]
            if fronts[number % 2].ask(1_000, actual: actual, now) { used.append((now, actual)) }
        }
        var (first, sum, most) = (0, 0, 0)
        for (time, tokens) in used {
            sum += tokens
            while used[first].time + 60 * second <= time {
                sum -= used[first].tokens
                first += 1
            }
            most = max(most, sum)
        }
        #expect(most <= 10_000)
        #expect(most > 9_000, "what is left is less than one request sets aside")
    }

    @Test(
        "are free again for every front when one of them has used less, or sent nothing",
        arguments: [true, false])
    func givenBack(wasSent: Bool) throws {
        let memory = try #require(PolicyMemory.make())
        var one = try Counter(memory, requests: 10, tokens: 1_000)
        var other = try Counter(memory, requests: 10, tokens: 1_000)
        var course = Course([Counter.candidate], tokens: 1_000, deadlineUsec: .max)
        func share(_ body: (inout Policy) -> Void) {
            one.shared.begin(&one.policy.minutes)
            body(&one.policy)
            one.shared.end(&one.policy.minutes)
        }
        share { _ = $0.next(&course, second) }
        let before = other.ask(900, actual: 0, second)
        share { policy in
            guard wasSent else { return policy.unsent(&course, second) }
            _ = policy.committed(&course, second)
            _ = policy.finished(&course, isWhole: true, tokens: 100, second)
        }
        let after = other.ask(900, actual: 0, second)
        #expect(!before && after)
    }

    @Test("are free again when their holder has died in the middle")
    func deadHolder() throws {
        let memory = try #require(PolicyMemory.make())
        let address = try #require(PolicyMemory.lock(in: memory))
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { place in
                if let place { SharedLock(at: place).lock() }
                return nil
            }, address)
        pthread_join(thread, nil)
        var front = try Counter(memory, requests: 1, tokens: 1_000)
        let asked = [front.ask(1, actual: 1, second), front.ask(1, actual: 1, second)]
        #expect(asked == [true, false])
    }

    @Test("of another version of the supervisor are counted by each front alone")
    func otherMemory() throws {
        let memory = try SharedMemory(name: "old", capacity: PolicyMemory.snapshotBytes)
        #expect(MinuteMemory(memory) == nil)
    }

    @Test("go on for those that find no room")
    func noRoom() throws {
        let memory = try #require(PolicyMemory.make())
        let rows = try #require(MinuteMemory(memory))
        let names = (0..<2_000).map { "client,\($0)" }
        let made = names.filter { rows.row(of: $0) != nil }.count
        #expect((1_000..<2_000).contains(made))
        var front = try Counter(memory, requests: 1, tokens: 1_000)
        let asked = [front.ask(1, actual: 1, second), front.ask(1, actual: 1, second)]
        #expect(asked == [true, false])
    }
}
