// SPDX-License-Identifier: Apache-2.0
// What the event loop's tests share.

import EventLoop
import Glibc
import Posix
import Testing

extension EventLoop {
    /// Runs until `exit`. The timer bounds a test that is broken; it never fires in one that is not.
    @discardableResult
    func runForTest() throws -> Int32 {
        let bound = try Timer(self) {
            Issue.record("the loop was not ended")
            self.exit(99)
        }
        bound.arm(afterUsec: 20_000_000)
        return try withExtendedLifetime(bound) { try run() }
    }
}

/// Closes one end of a connection for all who hold copies of it, such as a child that has not started its program yet.
func hangUp(_ end: inout SharedDescriptor?) {
    if let end { shutdown(end.raw, Int32(SHUT_RDWR)) }
    end = nil
}

/// A connected pair of stream sockets.
final class Pair {
    var a: SharedDescriptor?
    var b: SharedDescriptor?

    init() throws {
        var numbers: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers) == 0)
        a = SharedDescriptor(FileDescriptor(owning: numbers[0]))
        b = SharedDescriptor(FileDescriptor(owning: numbers[1]))
    }

    /// Makes the first end readable.
    func poke() { _ = write(b?.raw ?? -1, "x", 1) }

    /// Takes one byte from the first end.
    func drain() {
        var byte: UInt8 = 0
        _ = read(a?.raw ?? -1, &byte, 1)
    }

    var fd: Int32 { a?.raw ?? -1 }
}
