// SPDX-License-Identifier: Apache-2.0
// The two clocks of ccr, in microseconds. Logic takes times as parameters; only processes read clocks.
// Source: clock_gettime(2).

import CLinux

package enum Clock {
    /// CLOCK_MONOTONIC in microseconds: for durations and deadlines; the same in every process of one boot.
    @inline(__always)
    package static func monotonicUsec() -> UInt64 { ccr_monotonic_usec() }

    /// CLOCK_REALTIME in microseconds since 1970.
    @inline(__always)
    package static func realtimeUsec() -> UInt64 { ccr_realtime_usec() }
}
