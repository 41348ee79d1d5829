// SPDX-License-Identifier: Apache-2.0
// Writing to clients: exact chunk frames, order kept when the socket is full, ends noticed.

import EventLoop
import Glibc
import Posix
import Testing

@testable import Worker

@Suite("Client writer", .timeLimit(.minutes(1))) final class ClientWriterTests {
    private let loop: EventLoop
    private var writer: ClientWriter?
    private var client: SharedDescriptor?
    private var drainCount = 0
    private var brokenCount = 0
    private var onDrained: () -> Void = {}
    private var onBroken: () -> Void = {}

    init() throws {
        loop = try EventLoop()
        var numbers: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers) == 0)
        var smallest: Int32 = 1
        setsockopt(numbers[0], SOL_SOCKET, SO_SNDBUF, &smallest, socklen_t(MemoryLayout<Int32>.size))
        client = SharedDescriptor(FileDescriptor(owning: numbers[1]))
        writer = ClientWriter(
            loop, FileDescriptor(owning: numbers[0]),
            onDrained: { [unowned self] in
                self.drainCount += 1
                self.onDrained()
            },
            onBroken: { [unowned self] in
                self.brokenCount += 1
                self.onBroken()
            })
    }

    private func write(_ body: String, head: String = "", chunked: Bool = true, isLast: Bool = false) {
        let body = Array(body.utf8)
        body.withUnsafeBytes {
            writer?.write(head: Array(head.utf8), body: $0, chunked: chunked, isLast: isLast)
        }
    }

    /// What the client has got so far, without waiting.
    private func received() throws -> String {
        let fd = try #require(client).raw
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let result = try buffer.withUnsafeMutableBytes { try Socket.receive(fd, into: $0) }
            guard case .bytes(let count) = result else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    private func hangUp() {
        if let client { shutdown(client.raw, Int32(SHUT_RDWR)) }
        client = nil
    }

    /// Runs until everything is with the client; returns it.
    private func receiveUntilDrained() throws -> String {
        var all = ""
        let watch = try loop.watch(try #require(client).raw, .readable) { [unowned self] _ in
            do {
                all += try received()
            } catch {
                Issue.record(error)
            }
        }
        onDrained = { [unowned self] in loop.exit(0) }
        #expect(try loop.run() == 0)
        watch.cancel()
        return try all + received()
    }

    @Test(
        "A body part is framed as one chunk",
        arguments: [
            ("x", false, "1\r\nx\r\n"), ("0123456789abcdef", false, "10\r\n0123456789abcdef\r\n"),
            ("abc", true, "3\r\nabc\r\n0\r\n\r\n"), ("", true, "0\r\n\r\n"), ("", false, ""),
        ])
    func chunks(body: String, isLast: Bool, expected: String) throws {
        write(body, isLast: isLast)
        #expect(try received() == expected)
    }

    @Test(
        "The size of a chunk is hexadecimal without leading zeros",
        arguments: [9, 10, 15, 16, 255, 256, 4095])
    func sizes(size: Int) throws {
        write(String(repeating: "x", count: size))
        #expect(try received().prefix { $0 != "\r\n" } == String(size, radix: 16))
    }

    @Test("Without chunking the bytes go as they are", arguments: [false, true])
    func plain(isLast: Bool) throws {
        write("abc", head: "head;", chunked: false, isLast: isLast)
        write("", chunked: false, isLast: isLast)
        #expect(try received() == "head;abc")
    }

    @Test("A head stands before the first chunk and is none itself")
    func head() throws {
        write("abc", head: "HTTP/1.1 200 OK\r\n\r\n")
        #expect(try received() == "HTTP/1.1 200 OK\r\n\r\n3\r\nabc\r\n")
    }

    @Test("A head may go alone")
    func headAlone() throws {
        write("", head: "HTTP/1.1 200 OK\r\n\r\n")
        #expect(try received() == "HTTP/1.1 200 OK\r\n\r\n")
    }

    @Test("What a full socket does not take is kept and follows in order", arguments: [1, 3000, 100_000])
    func full(size: Int) throws {
        var expected = ""
        var number = 0
        while writer?.isFull == false {
            let part = "\(number):" + String(repeating: "x", count: size)
            write(part, head: number == 0 ? "head;" : "")
            expected +=
                (number == 0 ? "head;" : "") + String(part.utf8.count, radix: 16) + "\r\n" + part + "\r\n"
            number += 1
            try #require(number < 100_000)
        }
        #expect(writer?.fullCount == 1)
        write("last", isLast: true)
        expected += "4\r\nlast\r\n0\r\n\r\n"
        #expect(try receiveUntilDrained() == expected)
        #expect(drainCount == 1)
        #expect(writer?.isFull == false)
        write("more")
        #expect(try received() == "4\r\nmore\r\n")
        #expect(brokenCount == 0)
    }

    @Test("Accepted bytes are noted with their time, kept ones are not")
    func time() throws {
        let before = Clock.monotonicUsec()
        write("x")
        let first = try #require(writer).lastWriteUsec
        #expect(first >= before)
        while writer?.isFull == false { write(String(repeating: "x", count: 10_000)) }
        let last = try #require(writer).lastWriteUsec
        write("kept")
        #expect(writer?.lastWriteUsec == last)
    }

    @Test("A client that is gone breaks the writer, quietly and for good")
    func broken() throws {
        hangUp()
        write("x")
        #expect(writer?.isBroken == true)
        write("y")
        #expect(brokenCount == 0, "the writer of the bytes asks; nobody is told twice")
        #expect(writer?.isFull == false)
    }

    @Test("A client that leaves while the socket is full is told once, and the writer may be dropped then")
    func brokenWhileFull() throws {
        while writer?.isFull == false { write(String(repeating: "x", count: 10_000)) }
        onBroken = { [unowned self] in
            #expect(writer?.isBroken == true)
            writer = nil
            loop.exit(0)
        }
        hangUp()
        #expect(try loop.run() == 0)
        #expect(brokenCount == 1)
        #expect(drainCount == 0)
    }

    @Test("The writer may be dropped when everything is with the client")
    func droppedInOnDrained() throws {
        while writer?.isFull == false { write(String(repeating: "x", count: 10_000)) }
        onDrained = { [unowned self] in
            writer = nil
            loop.exit(0)
        }
        let watch = try loop.watch(try #require(client).raw, .readable) { [unowned self] _ in
            do {
                _ = try received()
            } catch {
                Issue.record(error)
            }
        }
        #expect(try loop.run() == 0)
        #expect(drainCount == 1)
        watch.cancel()
    }

    @Test("Shutting down ends the stream behind its last byte")
    func shutDown() throws {
        write("bye", chunked: false)
        writer?.shutDown()
        let fd = try #require(client).raw
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(try buffer.withUnsafeMutableBytes { try Socket.receive(fd, into: $0) } == .bytes(3))
        #expect(try buffer.withUnsafeMutableBytes { try Socket.receive(fd, into: $0) } == .end)
    }
}
