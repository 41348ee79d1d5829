// SPDX-License-Identifier: Apache-2.0
// When a process has had many things at once and has few now, its heap is full of holes; this says when to give their
// pages back. Waiting until it has none would be for ever: some client is always there.

package struct HeapPeak {
    private var peak = 0

    package init() {}

    /// There are `count` now.
    package mutating func note(_ count: Int) {
        peak = max(peak, count)
    }

    /// Whether half of the most since the last time are gone. The answer true starts over from `count`.
    package mutating func hasHalved(_ count: Int) -> Bool {
        guard peak > 0, count <= peak / 2 else { return false }
        peak = count
        return true
    }
}
