// SPDX-License-Identifier: Apache-2.0
// Points at which a test lets the process die. They exist in debug builds alone.

import Glibc

enum Faults {
    /// Kills the process when the variable CCR_FAULT names this point.
    @inline(__always)
    static func pass(_ point: StaticString) {
        #if DEBUG
            guard let wanted = getenv("CCR_FAULT"), String(cString: wanted) == "\(point)" else { return }
            // As sudden as SIGKILL, which the sandbox does not let a process send, not even to itself.
            _exit(9)
        #endif
    }
}
