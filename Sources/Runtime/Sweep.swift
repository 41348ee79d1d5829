// SPDX-License-Identifier: Apache-2.0
// A periodic look at everything that can run out of time. One timer for all of it costs a request nothing; with
// nothing to look after it does not run at all.

package import EventLoop
package import Posix

package final class Sweep {
    private var timer: Timer?
    private var isArmed = false
    private let intervalUsec: UInt64
    private let body: (UInt64) -> Bool

    /// Calls `body` with CLOCK_MONOTONIC microseconds every `intervalMsec` while it returns true.
    package init(_ loop: EventLoop, intervalMsec: Int, _ body: @escaping (UInt64) -> Bool) throws(Errno) {
        intervalUsec = UInt64(intervalMsec) * 1000
        self.body = body
        timer = try Timer(loop, accuracyUsec: intervalUsec / 4) { [unowned self] in self.fire() }
    }

    /// Something needs looking after: starts the sweep if it rests.
    package func wake() {
        guard !isArmed else { return }
        isArmed = true
        timer?.arm(afterUsec: intervalUsec)
    }

    private func fire() {
        isArmed = false
        if body(Clock.monotonicUsec()) { wake() }
    }
}
