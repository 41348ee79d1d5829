// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Routing

@Suite("Waiting in line by client key")
struct FairQueueTests {
    @Test("serves the lines in turn, whatever their length, and each in its order")
    func turns() {
        var queue = FairQueue<String>(keys: 3, capacity: 10)
        for element in ["a1", "a2", "a3", "a4"] { _ = queue.append(element, key: 0, deadline: 9) }
        for element in ["b1", "b2"] { _ = queue.append(element, key: 1, deadline: 9) }
        var order: [String] = []
        while let next = queue.next(where: { _ in true }) { order.append(next.element) }
        #expect(order == ["a1", "b1", "a2", "b2", "a3", "a4"])
    }

    @Test("gives no turns for the time in which nobody waited")
    func noCredit() {
        var queue = FairQueue<String>(keys: 2, capacity: 10)
        for turn in 1...5 {
            _ = queue.append("a\(turn)", key: 0, deadline: 9)
            let next = queue.next(where: { _ in true })
            #expect(next?.element == "a\(turn)")
        }
        for turn in 6...8 { _ = queue.append("a\(turn)", key: 0, deadline: 9) }
        for turn in 1...3 { _ = queue.append("b\(turn)", key: 1, deadline: 9) }
        var order: [String] = []
        while let next = queue.next(where: { _ in true }) { order.append(next.element) }
        #expect(order.prefix(4).filter { $0.hasPrefix("b") }.count == 2)
    }

    @Test("passes over a key that may not go on, and over nobody else")
    func blocked() {
        var queue = FairQueue<String>(keys: 2, capacity: 10)
        _ = queue.append("a", key: 0, deadline: 9)
        _ = queue.append("b", key: 1, deadline: 9)
        let first = queue.next(where: { $0 == 1 })
        #expect(first?.element == "b")
        let none = queue.next(where: { $0 == 1 })
        #expect(none == nil)
    }

    @Test("gives who comes back the next turn of its key, and none of another key")
    func comesBack() {
        var gate = AdmissionGate<String>(total: 1, limits: [nil, nil], queued: 2)
        let first = gate.enter("a", key: 0, deadline: 9)
        let others = [("b", 1), ("c", 0), ("d", 0)].map { gate.enter($0, key: $1, deadline: 9) }
        #expect(first == .goesOn)
        #expect(others == [.waits, .waits, .waits])
        // It waits for something else meanwhile.
        gate.leave(0)
        let served = gate.next()
        #expect(served == "c")
        let goesOn = gate.enterAgain("a", key: 0, deadline: 9)
        #expect(!goesOn)
        gate.leave(0)
        var order: [String] = []
        while let next = gate.next() {
            order.append(next)
            gate.leave(next == "b" ? 1 : 0)
        }
        #expect(order == ["b", "a", "d"])
        let again = gate.enterAgain("a", key: 0, deadline: 9)
        #expect(again)
        let after = gate.enter("e", key: 0, deadline: 9)
        #expect(after == .waits)
    }

    @Test("is bounded by key, and lets nobody wait for ever")
    func bounds() {
        var queue = FairQueue<Int>(keys: 2, capacity: 2)
        let full = [1, 2, 3].map { queue.append($0, key: 0, deadline: UInt64($0)) }
        #expect(full == [true, true, false])
        let other = queue.append(4, key: 1, deadline: 100)
        #expect(other)
        let early = queue.expire(0)
        #expect(early.isEmpty)
        let late = queue.expire(2)
        #expect(late == [1, 2])
        let left = queue.remove(where: { $0 == 4 })
        #expect(left == 4)
        #expect(queue.count == 0)
    }
}

@Suite("Turns at providers")
struct AdmissionGateTests {
    /// What goes on in a virtual second: each key's backlog is kept full, and requests take a random time.
    private func completions(flood: Int, trickle: Int, seed: UInt64) -> [Int] {
        var gate = AdmissionGate<Int>(total: 8, limits: [nil, nil, nil], queued: 1_000)
        var random = SplitMix(state: seed)
        /// Running requests by the time of their end.
        var running: [(end: UInt64, key: Int)] = []
        var completed = [0, 0]
        var now: UInt64 = 0
        func begin(_ key: Int) { running.append((now + 1_000 + random.next() % 100_000, key)) }
        func arrive(_ key: Int, _ count: Int) {
            for _ in 0..<count where gate.enter(key, key: key, deadline: .max) == .goesOn { begin(key) }
        }
        arrive(0, flood)
        arrive(1, trickle)
        while completed[0] + completed[1] < 4_000 {
            guard let index = running.indices.min(by: { running[$0].end < running[$1].end }) else { break }
            let (end, key) = running.remove(at: index)
            now = end
            completed[key] += 1
            gate.leave(key)
            // Each keeps sending as it did.
            arrive(key, 1)
            while let next = gate.next() { begin(next) }
        }
        return completed
    }

    @Test("are shared between two keys within 5 %, however much one of them sends", arguments: [1, 2, 3, 4])
    func fairness(seed: UInt64) {
        let completed = completions(flood: 900, trickle: 20, seed: seed)
        let share = Double(completed[1]) / Double(completed[0] + completed[1])
        #expect(abs(share - 0.5) < 0.025, "\(completed)")
    }

    @Test("are half taken when half of them are, or somebody waits")
    func half() {
        var gate = AdmissionGate<String>(total: 4, limits: [nil], queued: 2)
        var states: [Bool] = []
        for name in ["a", "b"] {
            states.append(gate.isHalfFull)
            _ = gate.enter(name, key: 0, deadline: 5)
        }
        #expect(states == [false, false] && gate.isHalfFull)
        var bounded = AdmissionGate<String>(total: nil, limits: [1], queued: 2)
        _ = bounded.enter("a", key: 0, deadline: 5)
        #expect(!bounded.isHalfFull)
        _ = bounded.enter("b", key: 0, deadline: 5)
        #expect(bounded.isHalfFull)
    }

    @Test("of a key are no more than its own bound for who comes back either")
    func comesBack() {
        var gate = AdmissionGate<String>(total: nil, limits: [1], queued: 2)
        let first = gate.enter("a", key: 0, deadline: 5)
        gate.leave(0)
        let second = gate.enter("b", key: 0, deadline: 5)
        #expect([first, second] == [.goesOn, .goesOn])
        let goesOn = gate.enterAgain("a", key: 0, deadline: 5)
        #expect(!goesOn)
        gate.leave(0)
        let next = gate.next()
        #expect(next == "a")
    }

    @Test("are never more than the bounds, and nobody overtakes those of its own key")
    func bounds() {
        var gate = AdmissionGate<String>(total: 3, limits: [1, nil], queued: 2)
        let entries = [("a", 0), ("b", 0), ("c", 1), ("d", 1), ("e", 1), ("f", 1), ("g", 1)].map {
            gate.enter($0.0, key: $0.1, deadline: 5)
        }
        #expect(entries == [.goesOn, .waits, .goesOn, .goesOn, .waits, .waits, .isFull])
        var next = gate.next()
        #expect(next == nil)
        gate.leave(1)
        next = gate.next()
        #expect(next == "e", "a's key has no room")
        gate.leave(0)
        next = gate.next()
        #expect(next == "b")
        let overtaking = gate.enter("h", key: 1, deadline: 9)
        #expect(overtaking == .waits)
        let expired = gate.expire(5)
        #expect(expired == ["f"])
    }
}

/// A generator whose numbers follow from its seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return SessionHash.mixed(state)
    }
}
