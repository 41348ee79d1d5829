// SPDX-License-Identifier: Apache-2.0
// What only one of several processes can have: an eventfd whose count of 1 one read(2) takes, in one step of the kernel.
// Source: eventfd(2).

import CLinux
import Glibc

/// The right to answer a client that several processes could answer.
package final class CommitToken {
    private let descriptor: FileDescriptor

    /// One that nobody has taken.
    package init() throws(Errno) {
        let raw = ccr_eventfd()
        guard raw >= 0 else { throw Errno("eventfd") }
        descriptor = FileDescriptor(owning: raw)
    }

    /// One that another process made.
    package init(adopting descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    /// The descriptor's number; valid as long as this object lives.
    package var raw: Int32 { descriptor.raw }

    /// Takes it. False when another process has it, and whenever that is not known.
    package func take() -> Bool {
        var count: UInt64 = 0
        var result: Int
        repeat { result = read(descriptor.raw, &count, 8) } while result < 0 && errno == EINTR
        return result == 8
    }

    /// Takes it away from a process that has ended without using it.
    package func restore() {
        _ = take()
        var count: UInt64 = 1
        var result: Int
        // A count of 0 becomes 1 without waiting.
        repeat { result = write(descriptor.raw, &count, 8) } while result < 0 && errno == EINTR
    }
}
