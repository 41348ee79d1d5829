// SPDX-License-Identifier: Apache-2.0
// The clocks of the refresher. In debug builds a test moves them: it writes into the file that CCR_CLOCK names.
// Source: clock_gettime(2).

import Glibc
import Posix

final class KeeperClock {
    /// Names this boot of the machine.
    let bootID: String
    #if DEBUG
        /// Two numbers of 64 bits, in microseconds: what is added to CLOCK_REALTIME and to CLOCK_BOOTTIME.
        private let file: SharedDescriptor?
    #endif

    init() {
        #if DEBUG
            bootID = getenv("CCR_BOOT").map { String(cString: $0) } ?? Clock.bootID()
            let raw = getenv("CCR_CLOCK").map { open($0, O_RDONLY | O_CLOEXEC) } ?? -1
            file = raw < 0 ? nil : SharedDescriptor(FileDescriptor(owning: raw))
        #else
            bootID = Clock.bootID()
        #endif
    }

    /// Somebody moves the clocks, so that they are to be compared often.
    var isMoved: Bool {
        #if DEBUG
            return file != nil
        #else
            return false
        #endif
    }

    /// Microseconds since 1970.
    var wallUsec: UInt64 { Clock.realtimeUsec() &+ moved(0) }

    /// CLOCK_BOOTTIME in microseconds: goes on while the machine sleeps, and nobody sets it.
    var bootUsec: UInt64 { Clock.boottimeUsec() &+ moved(1) }

    private func moved(_ index: Int) -> UInt64 {
        #if DEBUG
            guard let raw = file?.raw else { return 0 }
            var value: Int64 = 0
            return pread(raw, &value, 8, off_t(8 * index)) == 8 ? UInt64(bitPattern: value) : 0
        #else
            return 0
        #endif
    }
}
