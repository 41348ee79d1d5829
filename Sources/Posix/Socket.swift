// SPDX-License-Identifier: Apache-2.0
// Stream sockets: read, write, listen, accept.
// Source: recv(2), send(2), socket(7), unix(7), tcp(7).

package import CLinux
package import Glibc

/// Where a listening socket is bound.
package enum ListenAddress: Equatable, CustomStringConvertible {
    /// An IPv4 or IPv6 address in numeric form and a port (0 lets the kernel choose).
    case tcp(host: String, port: UInt16)
    /// The path of a Unix socket; an existing socket file there is replaced.
    case unix(path: String)

    /// "127.0.0.1:3456", "[::1]:3456" or the path.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}

package enum Socket {
    /// Reads what is there, at most `buffer.count` bytes.
    @inline(__always)
    package static func receive(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(Errno)
        -> IOResult
    {
        while true {
            let count = recv(fd, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 { return .bytes(count) }
            if count == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: throw Errno("recv")
            }
        }
    }

    /// Writes what the socket takes now; never raises SIGPIPE.
    @inline(__always)
    package static func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> IOResult {
        while true {
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = Glibc.send(fd, bytes.baseAddress, bytes.count, flags)
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: throw Errno("send")
            }
        }
    }

    /// Writes the parts in order as far as the socket takes them now; never raises SIGPIPE.
    @inline(__always)
    package static func send(_ fd: Int32, parts: UnsafeBufferPointer<iovec>) throws(Errno) -> IOResult {
        let count = ccr_send_message(fd, parts.baseAddress, Int32(parts.count), nil, 0)
        if count >= 0 { return .bytes(count) }
        if errno == EAGAIN { return .wouldBlock }
        throw Errno("sendmsg")
    }

    /// Accepts one waiting connection (non-blocking, close-on-exec), or nil when none waits.
    package static func accept(_ listener: Int32) throws(Errno) -> Accepted? {
        var loopback = false
        let fd = ccr_accept4(listener, &loopback)
        if fd >= 0 { return Accepted(descriptor: FileDescriptor(owning: fd), peerIsLoopback: loopback) }
        switch errno {
        // The connection vanished between the kernel's queue and us: accept(2), "Error handling".
        case EAGAIN, ECONNABORTED, EPROTO, ENETDOWN, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH: return nil
        default: throw Errno("accept4")
        }
    }

    /// An accepted connection.
    package struct Accepted: ~Copyable {
        /// The connection, owned by the receiver of this value.
        package let descriptor: FileDescriptor
        /// Whether the peer is on this machine (127.0.0.0/8, ::1 or a Unix socket).
        package let peerIsLoopback: Bool

        /// Hands the descriptor on.
        package consuming func take() -> FileDescriptor { descriptor }
    }

    /// Binds and listens; the socket is non-blocking and close-on-exec.
    package static func listen(_ address: ListenAddress, backlog: Int32 = 4096) throws(Errno)
        -> FileDescriptor
    {
        switch address {
        case .unix(let path):
            return try listenUnix(path, backlog: backlog)
        case .tcp(let host, let port):
            return try listenTCP(host, port, backlog: backlog)
        }
    }

    private static func create(_ family: Int32) throws(Errno) -> FileDescriptor {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let fd = socket(family, kind, 0)
        guard fd >= 0 else { throw Errno("socket") }
        return FileDescriptor(owning: fd)
    }

    private static func listenTCP(_ host: String, _ port: UInt16, backlog: Int32) throws(Errno)
        -> FileDescriptor
    {
        var on: Int32 = 1
        let onSize = socklen_t(MemoryLayout<Int32>.size)
        if host.contains(":") {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else {
                throw Errno("bind", code: EINVAL)
            }
            let fd = try create(AF_INET6)
            setsockopt(fd.raw, SOL_SOCKET, SO_REUSEADDR, &on, onSize)
            try bindAndListen(fd.raw, &address, backlog)
            return fd
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw Errno("bind", code: EINVAL) }
        let fd = try create(AF_INET)
        setsockopt(fd.raw, SOL_SOCKET, SO_REUSEADDR, &on, onSize)
        try bindAndListen(fd.raw, &address, backlog)
        return fd
    }

    private static func listenUnix(_ path: String, backlog: Int32) throws(Errno) -> FileDescriptor {
        var address = try unixAddress(path)
        let fd = try create(AF_UNIX)
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
        try bindAndListen(fd.raw, &address, backlog)
        return fd
    }

    /// The socket address of a path; paths are at most 107 bytes (unix(7)).
    package static func unixAddress(_ path: String) throws(Errno) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw Errno("bind", code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func bindAndListen<Address>(_ fd: Int32, _ address: inout Address, _ backlog: Int32)
        throws(Errno)
    {
        let size = socklen_t(MemoryLayout<Address>.size)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, size) }
        }
        guard bound == 0 else { throw Errno("bind") }
        guard Glibc.listen(fd, backlog) == 0 else { throw Errno("listen") }
    }

    /// The TCP port a socket is bound to, or nil for other families.
    package static func localPort(_ fd: Int32) -> UInt16? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        guard result == 0 else { return nil }
        switch Int32(storage.ss_family) {
        case AF_INET, AF_INET6:
            // sin_port and sin6_port share offset 2 (netinet/in.h).
            return withUnsafeBytes(of: &storage) {
                UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self))
            }
        default: return nil
        }
    }

    /// Sends small writes at once instead of waiting for more (TCP_NODELAY); no effect on Unix sockets.
    package static func disableDelay(_ fd: Int32) {
        _ = ccr_set_nodelay(fd)
    }
}
