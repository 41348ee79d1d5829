// SPDX-License-Identifier: Apache-2.0
// Stream sockets: listening, accepting, and what a read or write comes to.

import CLinux
import Glibc
import Posix
import Testing

@Suite("Stream sockets") struct SocketTests {
    /// Connects to a listener on 127.0.0.1 or ::1.
    private func connect(port: UInt16, v6: Bool = false) throws -> FileDescriptor {
        let fd = FileDescriptor(
            owning: socket(v6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var result: Int32
        if v6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = in6addr_loopback
            result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(fd.raw, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
            result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(fd.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        try #require(result == 0)
        return fd
    }

    /// A connected pair of stream sockets.
    private func pair() throws -> (a: SharedDescriptor, b: SharedDescriptor) {
        var numbers: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers) == 0)
        return (
            SharedDescriptor(FileDescriptor(owning: numbers[0])),
            SharedDescriptor(FileDescriptor(owning: numbers[1]))
        )
    }

    private func receive(_ fd: Int32) throws -> (IOResult, String) {
        var buffer = [UInt8](repeating: 0, count: 64)
        let result = try buffer.withUnsafeMutableBytes { try Socket.receive(fd, into: $0) }
        guard case .bytes(let count) = result else { return (result, "") }
        return (result, text(buffer[..<count]))
    }

    private func send(_ fd: Int32, _ text: String) throws -> IOResult {
        try Array(text.utf8).withUnsafeBytes { try Socket.send(fd, $0) }
    }

    @Test(
        "An address is written as people write it",
        arguments: [
            (ListenAddress.tcp(host: "127.0.0.1", port: 3456), "127.0.0.1:3456"),
            (.tcp(host: "::1", port: 80), "[::1]:80"), (.tcp(host: "::", port: 0), "[::]:0"),
            (.unix(path: "/run/ccr/admin.sock"), "/run/ccr/admin.sock"),
        ])
    func addresses(address: ListenAddress, expected: String) {
        #expect(address.description == expected)
    }

    @Test("A connection from this machine is accepted as loopback", arguments: ["127.0.0.1", "::1"])
    func accept(host: String) throws {
        let listener = try Socket.listen(.tcp(host: host, port: 0))
        let number = listener.raw
        #expect(fcntl(number, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        let none = try Socket.accept(number) == nil
        #expect(none, "nobody has connected yet")
        let client = try connect(port: #require(Socket.localPort(number)), v6: host == "::1")
        #expect(waitReadable(number))
        guard let accepted = try Socket.accept(number) else {
            Issue.record("nothing was accepted")
            return
        }
        let isLoopback = accepted.peerIsLoopback
        #expect(isLoopback)
        let server = accepted.take()
        let raw = server.raw
        #expect(fcntl(raw, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(raw, F_GETFD) & FD_CLOEXEC != 0)
        Socket.disableDelay(raw)
        var delay: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &delay, &size)
        #expect(delay != 0)
        _ = consume client
    }

    @Test("A Unix socket replaces the socket file that was left, and its peers are local")
    func unix() throws {
        let directory = try ScratchDirectory()
        let path = directory.path + "/socket"
        let abandoned = try Socket.listen(.unix(path: path))
        _ = consume abandoned
        let listener = try Socket.listen(.unix(path: path))
        let client = FileDescriptor(owning: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        var address = try Socket.unixAddress(path)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(client.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(connected == 0)
        guard let accepted = try Socket.accept(listener.raw) else {
            Issue.record("nothing was accepted")
            return
        }
        let isLoopback = accepted.peerIsLoopback
        #expect(isLoopback)
        let port = Socket.localPort(listener.raw)
        #expect(port == nil)
    }

    @Test("A file that is no socket is not replaced")
    func unixOverFile() throws {
        let directory = try ScratchDirectory()
        let path = directory.path + "/file"
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: Errno("bind", code: EADDRINUSE)) { try Socket.listen(.unix(path: path)).release() }
        #expect(access(path, F_OK) == 0)
    }

    @Test(
        "An address that cannot be used is refused with the reason",
        arguments: [
            (ListenAddress.tcp(host: "localhost", port: 0), EINVAL), (.tcp(host: "1.2.3", port: 0), EINVAL),
            (.tcp(host: "::zz", port: 0), EINVAL),
            (.unix(path: String(repeating: "x", count: 108)), ENAMETOOLONG),
            (.unix(path: "/nowhere/at/all"), ENOENT),
        ])
    func refused(address: ListenAddress, code: Int32) {
        #expect(throws: Errno("bind", code: code)) { try Socket.listen(address).release() }
    }

    @Test("A Unix path may fill its field but for the ending zero")
    func longestPath() throws {
        let path = String(repeating: "x", count: 107)
        let address = try Socket.unixAddress(path)
        let kept = withUnsafeBytes(of: address.sun_path) { Array($0) }
        #expect(kept == Array(path.utf8) + [0])
    }

    @Test("A port that is taken is refused")
    func taken() throws {
        let listener = try Socket.listen(.tcp(host: "127.0.0.1", port: 0))
        let port = try #require(Socket.localPort(listener.raw))
        #expect(throws: Errno.self) { try Socket.listen(.tcp(host: "127.0.0.1", port: port)).release() }
        _ = consume listener
    }

    @Test("Reading tells bytes, nothing yet, and the end apart")
    func reading() throws {
        var (a, b): (SharedDescriptor?, SharedDescriptor) = try pair()
        #expect(try receive(b.raw) == (.wouldBlock, ""))
        #expect(try send(#require(a).raw, "hello") == .bytes(5))
        #expect(try receive(b.raw) == (.bytes(5), "hello"))
        hangUp(&a)
        #expect(try receive(b.raw) == (.end, ""))
    }

    @Test("Writing to a full socket would block, to a closed one is an error and no signal")
    func writing() throws {
        var (a, b): (SharedDescriptor, SharedDescriptor?) = try pair()
        let piece = String(repeating: "x", count: 65_536)
        var last = IOResult.bytes(1)
        for _ in 0..<1000 where last != .wouldBlock { last = try send(a.raw, piece) }
        #expect(last == .wouldBlock)
        #expect(withExtendedLifetime(b) { true })
        hangUp(&b)
        #expect(throws: Errno("send", code: EPIPE)) { try send(a.raw, "x") }
    }

    @Test("Several parts go out as one stream in order")
    func parts() throws {
        let (a, b) = try pair()
        let pieces = ["HTTP/1.1 200 OK\r\n", "", "\r\n", "body"].map { Array($0.utf8) }
        var vectors: [iovec] = []
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                let copy = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
                copy.copyMemory(from: bytes.baseAddress ?? UnsafeRawPointer(copy), byteCount: bytes.count)
                vectors.append(iovec(iov_base: copy, iov_len: bytes.count))
            }
        }
        defer { for vector in vectors { vector.iov_base?.deallocate() } }
        #expect(try vectors.withUnsafeBufferPointer { try Socket.send(a.raw, parts: $0) } == .bytes(23))
        #expect(try receive(b.raw).1 == "HTTP/1.1 200 OK\r\n\r\nbody")
    }
}

@Suite("What /proc tells") struct ProcFileTests {
    @Test("The holder of a port is found by name and pid")
    func holder() throws {
        let listener = try Socket.listen(.tcp(host: "127.0.0.1", port: 0))
        let port = try #require(Socket.localPort(listener.raw))
        let holder = try #require(PortHolder.find(port: port))
        #expect(holder.hasSuffix(" (pid \(getpid()))"))
        #expect(!holder.hasPrefix(" "))
        _ = consume listener
    }

    @Test("A port that nobody listens on has no holder")
    func nobody() throws {
        // Bound and not listening: the kernel gives the port to nobody else meanwhile.
        let bound = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(bound.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
        #expect(PortHolder.find(port: try #require(Socket.localPort(bound.raw))) == nil)
        _ = consume bound
    }

    @Test("A running process has resident memory, a process that is not there has none")
    func memory() {
        #expect(ProcessMemory.residentBytes(pid: getpid()) > 1 << 20)
        #expect(ProcessMemory.residentBytes(pid: Int32.max) == 0)
    }

    @Test("Both clocks go forwards in microseconds")
    func clocks() {
        let first = Clock.monotonicUsec()
        #expect(Clock.monotonicUsec() >= first)
        // After 2020 and before 2200.
        #expect((1_577_836_800_000_000...7_258_118_400_000_000).contains(Clock.realtimeUsec()))
    }
}
