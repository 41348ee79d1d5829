// SPDX-License-Identifier: Apache-2.0
// When memory that is kept for the next large body is given back: an agent asks again after each call of a tool, mostly
// within seconds, and fresh pages would cost it more than everything else that is done with the body.

/// Whether something has not been used for a while. Reads no clock when it is used.
package struct Disuse {
    /// How long it is kept.
    package static let limitUsec: UInt64 = 5_000_000

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
        return now - sinceUsec >= Disuse.limitUsec
    }
}
