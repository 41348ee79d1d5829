// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Routing

private let second: UInt64 = 1_000_000

@Suite("A sliding window of one minute")
struct SlidingWindowTests {
    @Test("never holds more than its limit in any 60 s, whatever the traffic", arguments: [1, 7, 100, 6_000])
    func neverExceeded(limit: Int) {
        var window = SlidingWindow(limit: limit)
        var taken: [(time: UInt64, amount: Int)] = []
        var random = SystemRandomNumberGenerator()
        var now: UInt64 = 5_000_000_123
        // Fifteen minutes of bursts at up to 500 requests a second, and pauses.
        let end = now + 900 * second
        while now < end {
            now += UInt64.random(in: 0..<20) == 0 ? .random(in: 0..<(20 * second)) : .random(in: 0..<4_000)
            let amount = Int.random(in: 1...max(1, limit / 3), using: &random)
            if window.wait(for: amount, at: now) == 0 {
                window.take(amount, at: now)
                taken.append((now, amount))
            }
        }
        var first = 0
        var sum = 0
        for (time, amount) in taken {
            sum += amount
            while taken[first].time + 60 * second <= time {
                sum -= taken[first].amount
                first += 1
            }
            #expect(sum <= limit)
        }
        // And it lets through what it may: all but a second's worth of each minute.
        #expect(taken.reduce(0) { $0 + $1.amount } >= limit * 7)
    }

    @Test("says how long to wait, and is right about it", arguments: [1, 3, 10])
    func wait(amount: Int) throws {
        var window = SlidingWindow(limit: 10)
        for step in 0..<10 { window.take(1, at: 100 * second + UInt64(step) * 2 * second) }
        let now = 119 * second
        let answer = window.wait(for: amount, at: now)
        let wait = try #require(answer)
        #expect(wait > 0 && wait <= 61 * second)
        let early = window.wait(for: amount, at: now + wait - 1)
        #expect(early == 1)
        let punctual = window.wait(for: amount, at: now + wait)
        #expect(punctual == 0)
    }

    @Test("never lets through what is larger than its limit")
    func tooLarge() {
        var window = SlidingWindow(limit: 10)
        #expect(window.wait(for: 11, at: 0) == nil)
        #expect(window.wait(for: 10, at: 0) == 0)
    }

    @Test("forgets everything after a long pause, and takes a clock that stands still")
    func pause() {
        var window = SlidingWindow(limit: 10)
        window.take(10, at: 10 * second)
        #expect(window.used(at: 9 * second) == 10)
        #expect(window.used(at: 70 * second) == 10)
        #expect(window.used(at: 71 * second) == 0)
        window.take(10, at: 71 * second)
        #expect(window.used(at: 1_000_000 * second) == 0)
    }

    @Test("gives back what was not used, as long as it counts")
    func giveBack() {
        var window = SlidingWindow(limit: 10)
        window.take(8, at: 10 * second)
        window.giveBack(5, takenAt: 10 * second)
        #expect(window.used(at: 20 * second) == 3)
        window.take(4, at: 71 * second)
        window.giveBack(3, takenAt: 10 * second)
        #expect(window.used(at: 71 * second) == 4)
    }
}

@Suite("Requests and tokens a minute")
struct MinuteBudgetTests {
    private typealias Admission = MinuteBudget.Admission

    @Test("are taken together or not at all")
    func together() {
        var budget = MinuteBudget(MinuteLimits(requests: 2, tokens: 100))
        #expect(budget.admit(tokens: 60, at: 0) == Admission.admitted)
        #expect(budget.admit(tokens: 60, at: 0) == Admission.wait(usec: 61 * second, .tokens))
        #expect(budget.remaining(at: 0) == (1, 40))
        #expect(budget.admit(tokens: 40, at: 1) == Admission.admitted)
        #expect(budget.admit(tokens: 0, at: 1) == Admission.wait(usec: 61 * second - 1, .requests))
        #expect(budget.admit(tokens: 101, at: 1) == Admission.never)
    }

    @Test(
        "set an answer aside as far as a limit has room for it, and never refuse a request for its answer alone",
        arguments: [
            (nil, 100, 1_100), (100_000, 100, 1_100), (4_000, 100, 1_100), (1_000, 100, 350),
            (1_000, 900, 1_000),
            (1_000, 1_000, 1_000), (1_000, 1_001, 1_001), (3, 1, 1), (3, 3, 3),
        ] as [(Int?, Int, Int)])
    func setAside(limit: Int?, input: Int, amount: Int) {
        let budget = MinuteBudget(MinuteLimits(tokens: limit))
        #expect(budget.amount(TokenDemand(input: input, output: 1_000)) == amount)
    }

    @Test("are corrected when the real usage is known")
    func settle() {
        var budget = MinuteBudget(MinuteLimits(tokens: 100))
        #expect(budget.admit(tokens: 90, at: 0) == Admission.admitted)
        budget.settle(tokens: 90, takenAt: 0, actual: 10, at: 5 * second)
        #expect(budget.remaining(at: 5 * second).tokens == 90)
        budget.settle(tokens: 10, takenAt: 0, actual: 50, at: 30 * second)
        #expect(budget.remaining(at: 30 * second).tokens == 50)
        #expect(budget.remaining(at: 61 * second).tokens == 60)
        #expect(budget.remaining(at: 91 * second).tokens == 100)
    }

    @Test("are given back by a request that never went out")
    func cancel() {
        var budget = MinuteBudget(MinuteLimits(requests: 1, tokens: 100))
        #expect(budget.admit(tokens: 100, at: 0) == Admission.admitted)
        budget.cancel(tokens: 100, takenAt: 0)
        #expect(budget.admit(tokens: 100, at: 1) == Admission.admitted)
    }

    @Test("without limits hold nothing back")
    func unlimited() {
        var budget = MinuteBudget(MinuteLimits())
        for _ in 0..<1_000 { #expect(budget.admit(tokens: 1 << 40, at: 0) == Admission.admitted) }
    }

    @Test("keep their history under other limits and on the way to another front")
    func kept() {
        var budget = MinuteBudget(MinuteLimits(requests: 5, tokens: 100))
        #expect(budget.admit(tokens: 60, at: 0) == Admission.admitted)
        var other = MinuteBudget(MinuteLimits(requests: 1, tokens: 200))
        var onlyTokens = MinuteBudget(MinuteLimits(tokens: 300))
        var memory = [UInt64](repeating: 0, count: MinuteBudget.storedBytes / 8)
        memory.withUnsafeMutableBytes { budget.store(into: $0) }
        memory.withUnsafeBytes { onlyTokens.load(from: $0) }
        #expect(onlyTokens.admit(tokens: 40, at: 0) == Admission.admitted)
        // A front that limits no requests leaves theirs alone.
        memory.withUnsafeMutableBytes { onlyTokens.store(into: $0) }
        memory.withUnsafeBytes { other.load(from: $0) }
        #expect(other.admit(tokens: 1, at: 0) == Admission.wait(usec: 61 * second, .requests))
        #expect(other.remaining(at: 0) == (0, 100))
    }
}
