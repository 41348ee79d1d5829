// SPDX-License-Identifier: Apache-2.0
// What the Posix tests share: pipes, and ways to ask the kernel whether a descriptor is still open somewhere.
// Tests run beside each other and numbers are reused at once, so "closed" is asked of a pipe's other end; and children
// of other tests hold copies of everything between fork and exec, so closing is waited for.

import Glibc
import Posix
import Testing

/// A pipe whose reading end tells whether any writing end is still open.
final class Pipe {
    let reader: FileDescriptor
    private var ownWriter: FileDescriptor?

    init() throws {
        var numbers: [Int32] = [-1, -1]
        try #require(pipe(&numbers) == 0)
        for number in numbers { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        reader = FileDescriptor(owning: numbers[0])
        ownWriter = FileDescriptor(owning: numbers[1])
    }

    /// Hands the writing end over.
    func takeWriter() throws -> FileDescriptor {
        guard let writer = ownWriter.take() else { throw Errno("pipe", code: EBADF) }
        return writer
    }

    /// Whether somebody can still write.
    var hasWriter: Bool { !closes(withinMsec: 0) }

    /// Whether the last writing end is closed; the bound is for a broken test only.
    func closes(withinMsec: Int32 = 20_000) -> Bool {
        var entry = pollfd(fd: reader.raw, events: 0, revents: 0)
        poll(&entry, 1, withinMsec)
        return entry.revents & Int16(POLLHUP) != 0
    }

    /// Everything written until the last writing end is closed.
    func readToEnd() -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(reader.raw, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(contentsOf: buffer[..<count])
        }
    }
}

/// Waits until a descriptor is readable; the bound is for a broken test only.
func waitReadable(_ fd: Int32) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 20_000) == 1
}

/// Closes one end of a connection for all who hold copies of it.
func hangUp(_ end: inout SharedDescriptor?) {
    if let end { shutdown(end.raw, Int32(SHUT_RDWR)) }
    end = nil
}

/// A directory that is gone after the test, with the files "socket" and "file" in it.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/ccr-posix-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for name in ["socket", "file"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// The bytes as text.
func text(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Array(bytes), as: UTF8.self)
}
