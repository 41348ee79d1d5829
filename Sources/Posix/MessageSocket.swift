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
