// SPDX-License-Identifier: Apache-2.0
// Message sockets between own processes: SOCK_SEQPACKET pairs that carry descriptors.
// Source: unix(7), cmsg(3). The largest message with the default buffer is 212,960 bytes (measured, Linux 6.18).

import CLinux
import Glibc

package enum MessageSocket {
    /// The largest message that is sent in one piece; larger payloads travel as a memfd.
    package static let maximumMessageBytes = 196_608
    /// The most descriptors in one message.
    package static let maximumDescriptors = 8

    /// Two connected ends.
    package struct Pair: ~Copyable {
        package let first: FileDescriptor
        package let second: FileDescriptor

        /// Takes the pair apart.
        package consuming func split(_ use: (consuming FileDescriptor, consuming FileDescriptor) -> Void) {
            use(first, second)
        }
    }

    /// Makes a connected, non-blocking, close-on-exec SOCK_SEQPACKET pair.
    package static func pair() throws(Errno) -> Pair {
        var fds: [Int32] = [-1, -1]
        let kind =
            Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &fds) == 0 else { throw Errno("socketpair") }
        // A wider queue keeps bursts of handoffs from blocking; the kernel clamps it to wmem_max.
        var size: Int32 = 1 << 20
        for fd in fds {
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        return Pair(first: FileDescriptor(owning: fds[0]), second: FileDescriptor(owning: fds[1]))
    }

    /// Binds a message socket to a path, replacing a socket that is there, for the owner and the group.
    package static func listen(path: String) throws(Errno) -> FileDescriptor {
        var address = try Socket.unixAddress(path)
        let descriptor = try create(SOCK_NONBLOCK)
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
        guard with(&address, { bind(descriptor.raw, $0, $1) }) == 0 else { throw Errno("bind") }
        guard chmod(path, 0o660) == 0 else { throw Errno("chmod") }
        guard Glibc.listen(descriptor.raw, 64) == 0 else { throw Errno("listen") }
        return descriptor
    }

    /// Connects to a message socket.
    ///
    /// - Parameter blocks: whether the descriptor blocks, and the call too while the listener's queue is full.
    package static func connect(path: String, blocks: Bool = true) throws(Errno) -> FileDescriptor {
        var address = try Socket.unixAddress(path)
        let descriptor = try create(blocks ? nil : SOCK_NONBLOCK)
        guard with(&address, { Glibc.connect(descriptor.raw, $0, $1) }) == 0 else { throw Errno("connect") }
        return descriptor
    }

    private static func create(_ flag: __socket_type?) throws(Errno) -> FileDescriptor {
        let kind = SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue | (flag?.rawValue ?? 0)
        let raw = socket(AF_UNIX, Int32(kind), 0)
        guard raw >= 0 else { throw Errno("socket") }
        return FileDescriptor(owning: raw)
    }

    private static func with(
        _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// The user and group of the process at the other end, as the kernel saw them when it connected (unix(7),
    /// SO_PEERCRED: struct ucred holds pid, uid and gid).
    package static func peer(_ fd: Int32) throws(Errno) -> (user: UInt32, group: UInt32) {
        var credentials: (UInt32, UInt32, UInt32) = (0, 0, 0)
        var size = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 else {
            throw Errno("getsockopt")
        }
        return (credentials.1, credentials.2)
    }

    /// Sends one whole message with descriptors, which stay owned by the caller.
    @inline(__always)
    package static func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, descriptors: [Int32] = [])
        throws(Errno) -> IOResult
    {
        var part = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        let count = descriptors.withUnsafeBufferPointer {
            ccr_send_message(fd, &part, 1, $0.baseAddress, Int32($0.count))
        }
        if count >= 0 { return .bytes(count) }
        // ENOBUFS and ETOOMANYREFS: too many descriptors in flight; they drain as the peer reads.
        if errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS { return .wouldBlock }
        throw Errno("sendmsg")
    }

    /// One received message's size and descriptors; descriptors nobody takes are closed.
    package struct Received: ~Copyable {
        /// The bytes written to the caller's buffer; 0 means the peer closed its end.
        package let count: Int
        private var descriptors: InlineArray<8, Int32>
        private var remaining: Int
        private var next = 0

        fileprivate init(count: Int, descriptors: InlineArray<8, Int32>, descriptorCount: Int) {
            self.count = count
            self.descriptors = descriptors
            self.remaining = descriptorCount
        }

        deinit {
            for index in next..<(next + remaining) { close(descriptors[index]) }
        }

        /// The next descriptor in the order of sending, or nil when all are taken.
        package mutating func takeDescriptor() -> FileDescriptor? {
            guard remaining > 0 else { return nil }
            defer {
                next += 1
                remaining -= 1
            }
            return FileDescriptor(owning: descriptors[next])
        }
    }

    /// Waits until a message can be received or the peer is gone.
    package static func awaitMessage(_ fd: Int32) throws(Errno) {
        var wanted = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        while poll(&wanted, 1, -1) < 0 {
            guard errno == EINTR else { throw Errno("poll") }
        }
    }

    /// Receives one message, or nil when none waits. A message that does not fit is an EMSGSIZE error.
    @inline(__always)
    package static func receive(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(Errno)
        -> Received?
    {
        var descriptors = InlineArray<8, Int32>(repeating: -1)
        var descriptorCount: Int32 = 8
        var truncated = false
        var span = descriptors.mutableSpan
        let count = span.withUnsafeMutableBufferPointer {
            ccr_recv_message(
                fd, buffer.baseAddress, buffer.count, $0.baseAddress, &descriptorCount, &truncated)
        }
        if count < 0 {
            if errno == EAGAIN { return nil }
            throw Errno("recvmsg")
        }
        let received = Received(count: count, descriptors: descriptors, descriptorCount: Int(descriptorCount))
        if truncated { throw Errno("recvmsg", code: EMSGSIZE) }
        return received
    }
}
