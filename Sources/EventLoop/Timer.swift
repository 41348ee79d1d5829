// SPDX-License-Identifier: Apache-2.0
// Timers and signals on the event loop.
// Source: sd_event_add_time(3), sd_event_add_signal(3).

import CSystemd
import Glibc
package import Posix

/// A timer that fires once each time it is armed.
package final class Timer {
    private var source: OpaquePointer?
    private unowned let loop: EventLoop
    private let handler: () -> Void

    /// An unarmed timer on `loop`, which must outlive it.
    package init(_ loop: EventLoop, accuracyUsec: UInt64 = 1_000, _ handler: @escaping () -> Void)
        throws(Errno)
    {
        self.loop = loop
        self.handler = handler
        let result = sd_event_add_time(
            loop.event, &source, CLOCK_MONOTONIC, UInt64.max, accuracyUsec,
            { _, _, context in
                (owner(context) as Timer).handler()
                return 0
            }, Unmanaged.passUnretained(self).toOpaque())
        guard result >= 0 else { throw Errno("sd_event_add_time", code: -result) }
        sd_event_source_set_enabled(source, Int32(SD_EVENT_OFF))
    }

    deinit {
        sd_event_source_disable_unref(source)
    }

    /// Fires once, `usec` microseconds from now; replaces an earlier setting.
    package func arm(afterUsec usec: UInt64) {
        arm(atUsec: Clock.monotonicUsec() + usec)
    }

    /// Fires once at this CLOCK_MONOTONIC time; replaces an earlier setting.
    package func arm(atUsec usec: UInt64) {
        sd_event_source_set_time(source, usec)
        sd_event_source_set_enabled(source, Int32(SD_EVENT_ONESHOT))
        loop.sourcesChanged()
    }

    /// Forgets the setting.
    package func disarm() {
        sd_event_source_set_enabled(source, Int32(SD_EVENT_OFF))
    }
}

/// Calls a handler for each arrival of a signal, which is blocked from interrupting anything else.
package final class SignalWatch {
    private var source: OpaquePointer?
    private let handler: () -> Void

    /// Watches `number` (for example SIGTERM) on `loop`, which must outlive it.
    package init(_ loop: EventLoop, _ number: Int32, _ handler: @escaping () -> Void) throws(Errno) {
        self.handler = handler
        let result = sd_event_add_signal(
            loop.event, &source, number | Int32(SD_EVENT_SIGNAL_PROCMASK),
            { _, _, context in
                (owner(context) as SignalWatch).handler()
                return 0
            }, Unmanaged.passUnretained(self).toOpaque())
        guard result >= 0 else { throw Errno("sd_event_add_signal", code: -result) }
        loop.sourcesChanged()
    }

    deinit {
        sd_event_source_disable_unref(source)
    }
}
