// SPDX-License-Identifier: Apache-2.0
// An owned file descriptor: closed exactly once, when its owner goes.
// Source: close(2), fcntl(2).

import CLinux
import Glibc

/// Owns a file descriptor and closes it at the end of its life.
package struct FileDescriptor: ~Copyable {
    /// The descriptor's number; valid as long as the owner lives.
    package let raw: Int32

    /// Takes ownership of `raw`, which must be open and owned by nobody else.
    package init(owning raw: Int32) {
        self.raw = raw
    }

    deinit {
        _ = Glibc.close(raw)
    }

    /// Gives ownership away; the caller closes the returned number.
    package consuming func release() -> Int32 {
        let number = raw
        discard self
        return number
    }

    /// Opens a second, close-on-exec descriptor of the same open file.
    package func duplicate() throws(Errno) -> FileDescriptor { try FileDescriptor(duplicating: raw) }

    /// Opens a second, close-on-exec descriptor of an open file whose descriptor `raw` stays its owner's.
    package init(duplicating raw: Int32) throws(Errno) {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw Errno("fcntl") }
        self.init(owning: copy)
    }

    /// The two ends of a pipe, close-on-exec, the reading one non-blocking.
    package static func pipe() throws(Errno) -> (reading: SharedDescriptor, writing: SharedDescriptor) {
        var raw: [Int32] = [-1, -1]
        guard Glibc.pipe(&raw) == 0 else { throw Errno("pipe") }
        let reading = FileDescriptor(owning: raw[0])
        let writing = FileDescriptor(owning: raw[1])
        for end in raw { try setInheritable(end, false) }
        try reading.setNonBlocking(true)
        return (SharedDescriptor(reading), SharedDescriptor(writing))
    }

    /// Decides whether the descriptor `raw` stays open in a program that this process becomes by execve(2).
    package static func setInheritable(_ raw: Int32, _ on: Bool) throws(Errno) {
        guard ccr_set_inheritable(raw, on) == 0 else { throw Errno("fcntl") }
    }

    /// Sets or clears the non-blocking flag of the open file.
    package func setNonBlocking(_ on: Bool) throws(Errno) {
        let flags = fcntl(raw, F_GETFL)
        guard flags >= 0, fcntl(raw, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) >= 0 else {
            throw Errno("fcntl")
        }
    }
}

/// A descriptor in a class, for arrays and dictionaries, which cannot hold noncopyable values.
package final class SharedDescriptor {
    private let descriptor: FileDescriptor

    /// Takes ownership of the descriptor.
    package init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    /// The descriptor's number; valid as long as this object lives.
    package var raw: Int32 { descriptor.raw }

    /// Sets or clears the non-blocking flag of the open file.
    package func setNonBlocking(_ on: Bool) throws(Errno) { try descriptor.setNonBlocking(on) }

    /// A second descriptor of the same open file, owned by the caller.
    package func take() throws(Errno) -> FileDescriptor { try descriptor.duplicate() }
}
