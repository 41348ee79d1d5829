// SPDX-License-Identifier: Apache-2.0
// Ownership of descriptors: closed once, by the last owner.

import Glibc
import Posix
import Testing

@Suite("File descriptors") struct FileDescriptorTests {
    @Test("A descriptor is closed when its owner goes")
    func closes() throws {
        let pipe = try Pipe()
        do {
            let writer = try pipe.takeWriter()
            #expect(pipe.hasWriter)
            _ = consume writer
        }
        #expect(pipe.closes())
    }

    @Test("A released descriptor stays open and belongs to the caller")
    func release() throws {
        let pipe = try Pipe()
        let number = try pipe.takeWriter().release()
        #expect(pipe.hasWriter)
        #expect(close(number) == 0)
        #expect(pipe.closes())
    }

    @Test("A duplicate is another number of the same file and does not survive an exec")
    func duplicate() throws {
        let pipe = try Pipe()
        let first = try pipe.takeWriter()
        let second = try first.duplicate()
        let (a, b) = (first.raw, second.raw)
        #expect(a != b)
        #expect(b >= 3)
        #expect(fcntl(b, F_GETFD) & FD_CLOEXEC != 0)
        _ = consume first
        #expect(pipe.hasWriter)
        _ = consume second
        #expect(pipe.closes())
    }

    @Test("The non-blocking flag is switched on and off without touching others")
    func nonBlocking() throws {
        let pipe = try Pipe()
        let writer = try pipe.takeWriter()
        let number = writer.raw
        let before = fcntl(number, F_GETFL)
        try writer.setNonBlocking(true)
        #expect(fcntl(number, F_GETFL) == before | O_NONBLOCK)
        try writer.setNonBlocking(false)
        #expect(fcntl(number, F_GETFL) == before)
    }

    @Test("A shared descriptor lends copies and closes its own with its last reference")
    func shared() throws {
        let pipe = try Pipe()
        var shared: SharedDescriptor? = SharedDescriptor(try pipe.takeWriter())
        let again = shared
        let copy = try #require(shared).take()
        #expect(copy.raw != again?.raw)
        shared = nil
        #expect(withExtendedLifetime(again) { pipe.hasWriter })
        _ = consume again
        #expect(pipe.hasWriter)
        _ = consume copy
        #expect(pipe.closes())
    }

    @Test("An error names the call and what the kernel says")
    func errors() {
        #expect(Errno("connect", code: ECONNREFUSED).description == "connect: Connection refused")
        errno = EMFILE
        #expect(Errno("open") == Errno("open", code: EMFILE))
    }
}
