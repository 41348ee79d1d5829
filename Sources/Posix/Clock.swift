// SPDX-License-Identifier: Apache-2.0
// The clocks of ccr, in microseconds. Logic takes times as parameters; only processes read clocks.
// Source: clock_gettime(2), proc(5) "/proc/sys/kernel/random/boot_id".

import CLinux
import Glibc

package enum Clock {
    /// CLOCK_MONOTONIC in microseconds: for durations and deadlines; the same in every process of one boot.
    @inline(__always)
    package static func monotonicUsec() -> UInt64 { ccr_monotonic_usec() }

    /// CLOCK_REALTIME in microseconds since 1970.
    @inline(__always)
    package static func realtimeUsec() -> UInt64 { ccr_realtime_usec() }

    /// CLOCK_BOOTTIME in microseconds: as the monotonic clock, and it counts the time that the machine sleeps.
    package static func boottimeUsec() -> UInt64 {
        var time = timespec()
        // Known since Linux 2.6.39, and its arguments are good.
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }

    /// "2026-11-21T08:49:37Z" (RFC 3339) of seconds since 1970.
    package static func utcText(_ seconds: Int) -> String {
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        let two = { (number: Int32) in number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }

    /// Names this boot of the machine; "" when the kernel does not say.
    package static func bootID() -> String {
        (ProcFile.read("/proc/sys/kernel/random/boot_id") ?? "").filter { $0.isHexDigit || $0 == "-" }
    }
}
