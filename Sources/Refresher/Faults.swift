// SPDX-License-Identifier: Apache-2.0
// Points at which a test hurts the process. They exist in debug builds alone: CCR_FAULT names one point, "POINT" to die
// there or "POINT:stop" to be stopped there until somebody sends SIGCONT.

import Glibc

enum Faults {
    /// Dies or stops here when it is this point's turn.
    @inline(__always)
    static func pass(_ point: StaticString) {
        #if DEBUG
            guard let wanted = wanted else { return }
            // As sudden as SIGKILL, which the sandbox does not let a process send, not even to itself.
            if wanted == "\(point)" { _exit(9) }
            if wanted == "\(point):stop" { raise(SIGSTOP) }
        #endif
    }

    /// Several refreshers use one vault, as they never do.
    static var ignoresLock: Bool {
        #if DEBUG
            return wanted == "no_lock"
        #else
            return false
        #endif
    }

    /// The time that a request to a token endpoint may take, in place of the usual one.
    static var exchangeUsec: UInt64? {
        #if DEBUG
            return getenv("CCR_EXCHANGE_MS").flatMap { UInt64(String(cString: $0)) }.map { $0 * 1000 }
        #else
            return nil
        #endif
    }

    #if DEBUG
        private static var wanted: String? { getenv("CCR_FAULT").map { String(cString: $0) } }
    #endif
}
