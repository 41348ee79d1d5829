// SPDX-License-Identifier: Apache-2.0
// What of the memory of large bodies is kept for the next one, and for how long: an agent asks again after each call of a
// tool, mostly within seconds, and fresh pages would cost it more than everything else that is done with the body.

package enum BodyMemory {
    /// Pieces that are kept: of a front's own, of its files for each provider, of their mappings in a worker.
    package static let maximumCount = 8
    /// The largest piece that is kept, in bytes.
    package static let maximumBytes = 8 << 20
    /// How long one is kept that nobody uses.
    package static let unusedUsec: UInt64 = 5_000_000
}

/// Whether something has not been used for `BodyMemory.unusedUsec`. Reads no clock when it is used.
package struct Disuse {
    private var wasUsed = false
    private var sinceUsec: UInt64 = 0

    package init() {}

    package mutating func used() { wasUsed = true }

    /// To be asked again and again: a use counts from the next question on.
    ///
    /// - Parameter now: CLOCK_MONOTONIC, microseconds.
    package mutating func isLong(_ now: UInt64) -> Bool {
        if wasUsed {
            wasUsed = false
            sinceUsec = now
        }
        return now - sinceUsec >= BodyMemory.unusedUsec
    }
}
