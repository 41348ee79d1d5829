// SPDX-License-Identifier: Apache-2.0
// Counts what happened in the last minute and says whether more may happen: the window behind every limit per minute.
// In no minute, wherever it begins, is more taken than the limit allows.

/// A limit on the sum of amounts (requests, tokens) in any 60 s.
///
/// The minute is cut into seconds. Each second counts until it is wholly past, so that the window covers 60 to 61 s and
/// errs towards waiting. Its size does not depend on the traffic. Times are microseconds of CLOCK_MONOTONIC, which is
/// one clock for all processes of a machine; a time before the latest one counts as the latest.
package struct SlidingWindow: Equatable, Sendable {
    /// The most that any 60 s may hold, at least 1.
    package private(set) var limit: Int
    /// What each second took; the second `n` stands at `n % slotCount`.
    private var slots: [Int]
    private var total = 0
    /// The latest second that was looked at.
    private var second: UInt64 = 0

    /// Bytes of what `store` writes.
    package static let storedBytes = (1 + slotCount) * 8

    private static let slotCount = 61
    private static let slotUsec: UInt64 = 1_000_000

    package init(limit: Int) {
        self.limit = max(1, limit)
        slots = Array(repeating: 0, count: Self.slotCount)
    }

    /// What the window holds at `now`.
    package mutating func used(at now: UInt64) -> Int {
        advance(to: now)
        return total
    }

    /// How long from `now` until `amount` fits, in microseconds: 0 when it fits now, nil when it never will.
    package mutating func wait(for amount: Int, at now: UInt64) -> UInt64? {
        guard amount <= limit else { return nil }
        advance(to: now)
        var excess = total + amount - limit
        guard excess > 0 else { return 0 }
        for age in (0..<UInt64(Self.slotCount)).reversed() where age <= second {
            let slot = second - age
            excess -= slots[Int(slot % UInt64(Self.slotCount))]
            guard excess <= 0 else { continue }
            let free = (slot + UInt64(Self.slotCount)) * Self.slotUsec
            return free > now ? free - now : 1
        }
        // Only amounts below zero could lead here, and none are kept.
        return 1
    }

    /// Takes `amount` whether it fits or not; ask `wait(for:at:)` first.
    package mutating func take(_ amount: Int, at now: UInt64) {
        advance(to: now)
        let taken = max(0, amount)
        slots[Int(second % UInt64(Self.slotCount))] += taken
        total += taken
    }

    /// Gives back what was taken at `then` and not used; nothing once that second is past the window.
    package mutating func giveBack(_ amount: Int, takenAt then: UInt64) {
        let slot = min(then / Self.slotUsec, second)
        guard second - slot < UInt64(Self.slotCount) else { return }
        let index = Int(slot % UInt64(Self.slotCount))
        let returned = min(max(0, amount), slots[index])
        slots[index] -= returned
        total -= returned
    }

    // MARK: - What fronts share

    /// Writes what was taken, not the limit, into `storedBytes` bytes.
    package func store(into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: second, toByteOffset: 0, as: UInt64.self)
        for index in slots.indices {
            bytes.storeBytes(of: UInt64(slots[index]), toByteOffset: (1 + index) * 8, as: UInt64.self)
        }
    }

    /// Goes on from what another front has taken, under the limit of this one.
    package mutating func load(from bytes: UnsafeRawBufferPointer) {
        second = bytes.load(fromByteOffset: 0, as: UInt64.self)
        for index in slots.indices {
            // A bound that no sum of 61 of them overflows.
            slots[index] = Int(min(bytes.load(fromByteOffset: (1 + index) * 8, as: UInt64.self), 1 << 56))
        }
        total = slots.reduce(0, +)
    }

    private mutating func advance(to now: UInt64) {
        let next = now / Self.slotUsec
        guard next > second else { return }
        if next - second >= UInt64(Self.slotCount) || total == 0 {
            for index in slots.indices { slots[index] = 0 }
            total = 0
        } else {
            for passed in (second + 1)...next {
                let index = Int(passed % UInt64(Self.slotCount))
                total -= slots[index]
                slots[index] = 0
            }
        }
        second = next
    }
}
