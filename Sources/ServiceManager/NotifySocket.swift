// SPDX-License-Identifier: Apache-2.0
// The receiving side of sd_notify: the socket on which the supervisor's children report.
// Source: sd_notify(3), unix(7) "SCM_CREDENTIALS".

import CLinux
import Glibc
package import Posix

/// One received notification.
package struct Notification: Equatable {
    /// The sender, attested by the kernel.
    package let pid: Int32
    /// KEY=value lines in order.
    package let assignments: [(key: String, value: String)]

    /// The value of the last assignment of `key`.
    package subscript(key: String) -> String? {
        assignments.last { $0.key == key }?.value
    }

    package static func == (a: Notification, b: Notification) -> Bool {
        a.pid == b.pid && a.assignments.elementsEqual(b.assignments, by: ==)
    }

    /// Reads the text of one datagram; lines without "=" are ignored, as systemd does.
    package init(pid: Int32, text: String) {
        self.pid = pid
        self.assignments = text.split(separator: "\n").compactMap { line in
            guard let equals = line.firstIndex(of: "=") else { return nil }
            return (String(line[..<equals]), String(line[line.index(after: equals)...]))
        }
    }
}

/// A datagram socket that children find in NOTIFY_SOCKET.
package final class NotifySocket {
    private let descriptor: FileDescriptor
    /// The value of NOTIFY_SOCKET: an abstract address, "@…".
    package let address: String

    /// Longest accepted notification in bytes.
    private static let maximumBytes = 4096

    /// Binds an abstract address made of `unique`, which nobody else on the machine may use.
    package init(unique: String) throws(Errno) {
        let fd = socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard fd >= 0 else { throw Errno("socket") }
        descriptor = FileDescriptor(owning: fd)
        address = "@ccr/\(unique)"
        var on: Int32 = 1
        guard setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw Errno("setsockopt")
        }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        // Abstract addresses start with a zero byte in place of the "@".
        let bytes = [0] + Array("ccr/\(unique)".utf8)
        guard bytes.count <= MemoryLayout.size(ofValue: name.sun_path) else {
            throw Errno("bind", code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let bound = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, size) }
        }
        guard bound == 0 else { throw Errno("bind") }
    }

    /// Takes over a socket that was bound before this process became another program.
    package init(adopting descriptor: consuming FileDescriptor, address: String) {
        self.descriptor = descriptor
        self.address = address
    }

    /// The descriptor to watch for readability.
    package var raw: Int32 { descriptor.raw }

    /// Takes the next notification, or nil when none waits. Text that is no UTF-8 counts as empty.
    package func receive() throws(Errno) -> Notification? {
        var buffer = [UInt8](repeating: 0, count: NotifySocket.maximumBytes)
        var pid: Int32 = 0
        let count = buffer.withUnsafeMutableBytes {
            ccr_recv_credentials(descriptor.raw, $0.baseAddress, $0.count, &pid)
        }
        if count < 0 {
            if errno == EAGAIN { return nil }
            throw Errno("recvmsg")
        }
        return Notification(pid: pid, text: String(validating: buffer[..<count], as: UTF8.self) ?? "")
    }
}
