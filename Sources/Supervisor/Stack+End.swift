// SPDX-License-Identifier: Apache-2.0
// The end of the stack: front first, then workers, then the exporter and the refresher, within a time.

import EventLoop
import Gateway
import Glibc
import Journal
import Posix
import Runtime
import ServiceManager

extension Stack {
    /// Drains: no new connection, running requests finish, then everything ends. Asked twice, it ends at once.
    func end() {
        guard !isEnding else { return killAll() }
        isEnding = true
        let milliseconds = options.drainMsec ?? current?.drainMsec ?? 30_000
        journal.log(.notice, .draining, "draining for at most \(milliseconds / 1000) s")
        // The manager's own patience may be shorter than the drain.
        Notifier.stopping(withinUsec: UInt64(milliseconds) * 1000 + 5_000_000)
        drainTimer?.arm(afterUsec: UInt64(milliseconds) * 1000)
        // Refused connections let clients wait and retry; accepted and dropped ones would look like failures.
        listeners.closeOwn()
        check = nil
        startQueue = []
        if let failed = next {
            next = nil
            draining.append(failed)
        }
        if let current { draining.append(current) }
        current = nil
        for generation in draining { generation.front.drain() }
        retireGenerations()
        continueEnding()
    }

    func continueEnding() {
        guard draining.isEmpty else { return }
        let last = [exporter, refresher, oldRefresher].compactMap { $0 }.filter(\.isRunning)
        for child in last { child.drain() }
        if last.isEmpty { finish() }
    }

    func killAll() {
        let running = children.filter(\.isRunning)
        if !running.isEmpty {
            let names = running.map(\.spec.name).joined(separator: ", ")
            journal.log(.warning, .draining, "the time to drain is over; ending \(names)")
        }
        for child in running { child.kill() }
        finish()
    }

    func finish() {
        journal.log(.notice, .stopped, "stopped")
        loop.exit(exitCode)
    }
}
