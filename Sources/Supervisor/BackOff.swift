// SPDX-License-Identifier: Apache-2.0
// How long to wait before a crashed process is started again.

/// Exponential back-off per process: 50, 100, 200 … 10,000 ms, from the start again after 30 s of uptime.
package struct BackOff: Equatable {
    package static let firstMsec = 50
    package static let lastMsec = 10_000
    package static let resetAfterUsec: UInt64 = 30_000_000

    private var nextMsec = BackOff.firstMsec

    package init() {}

    /// The process ended after `uptimeUsec`; returns the milliseconds to wait.
    package mutating func ended(uptimeUsec: UInt64) -> Int {
        if uptimeUsec >= BackOff.resetAfterUsec { nextMsec = BackOff.firstMsec }
        defer { nextMsec = min(nextMsec * 2, BackOff.lastMsec) }
        return nextMsec
    }
}
