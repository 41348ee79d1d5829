// SPDX-License-Identifier: Apache-2.0
// Telling the service manager, systemd or ccr's supervisor, how this process is.
// Source: sd_notify(3).

import CSystemd

package enum Notifier {
    /// Start-up is complete; `status` is shown by the manager.
    package static func ready(status: String) { send("READY=1\nSTATUS=\(status)") }

    /// A line for people, shown by the manager.
    package static func status(_ text: String) { send("STATUS=\(text)") }

    /// The process has begun to end.
    package static func stopping() { send("STOPPING=1\nSTATUS=draining") }

    /// The same; the end may take this long, whatever the manager would wait by itself.
    package static func stopping(withinUsec usec: UInt64) {
        send("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=\(usec)")
    }

    /// A reload has begun; `monotonicUsec` is CLOCK_MONOTONIC. Ends with `ready`.
    package static func reloading(monotonicUsec: UInt64) {
        send("RELOADING=1\nMONOTONIC_USEC=\(monotonicUsec)")
    }

    /// Without a manager (NOTIFY_SOCKET unset) this does nothing.
    private static func send(_ text: String) {
        // A manager that cannot be reached must not stop the service; sd_notify itself is best effort.
        _ = sd_notify(0, text)
    }
}
