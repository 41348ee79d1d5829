// SPDX-License-Identifier: Apache-2.0
// Which way a request goes, and what the two ways do differently on purpose.

import Curl
import EventLoop
import Glibc
import Posix
import Testing

@testable import HTTPClient

@Suite("Two ways to an upstream", .serialized, .timeLimit(.minutes(1))) struct WayTests {
    @Test(
        "What a socket alone cannot do is libcurl's",
        arguments: [
            ("http://127.0.0.1:PORT/v1", "" as String?, true), ("http://127.0.0.1:PORT/a/../v1", "", false),
            ("http://u:p@127.0.0.1:PORT/v1", "", false), ("HTTP://127.0.0.1:PORT/v1", "", false),
            ("http://127.0.0.1:PORT/v1", "http://127.0.0.1:PORT", false),
        ])
    func choice(url: String, proxy: String?, isPlain: Bool) throws {
        let bench = try Bench(.sockets)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok])])
        let request = bench.client.start(
            TransferRequest(
                url: url.replacing("PORT", with: "\(upstream.port)"), headers: [], body: TextBody("{}"),
                connectTimeoutMsec: 5000, proxy: proxy?.replacing("PORT", with: "\(upstream.port)")),
            delegate: bench.recorder)
        #expect((request is PlainTransfer) == isPlain)
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.body == "hello")
    }

    @Test("Neither way uses a connection of the other")
    func connectionsApart() throws {
        let bench = try Bench(.sockets)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok]), .send([ok]), .send([ok]), .send([ok])])
        let targets = ["/v1", "/./v1", "/v1", "/./v1"]
        var ended = 0
        func next() {
            bench.request = bench.client.start(
                Bench.request(upstream.port, targets[ended]), delegate: recorder())
        }
        func recorder() -> Recorder {
            let recorder = Recorder(bench.loop)
            recorder.onEnd = {
                ended += 1
                ended < 4 ? bench.loop.later(next) : bench.loop.exit(0)
            }
            return recorder
        }
        next()
        #expect(try bench.loop.run() == 0)
        #expect(upstream.connectionCount == 2)
    }

    // MARK: - Differences

    @Test(
        "On a socket nothing is added to the fields that were given; libcurl adds what it was not told not to"
    )
    func addedFields() throws {
        func fields(_ way: Way) throws -> [String] {
            let upstream = try Bench(way).run([.send([ok])], headers: ["Expect:"])
            return upstream.requests[0].lowercased().replacing("\r\n", with: "\n").split(separator: "\n")
                .dropFirst()
                .dropLast().map { String($0.prefix { $0 != ":" }) }
        }
        #expect(try fields(.sockets) == ["host", "content-length"])
        #expect(try fields(.libcurl) == ["host", "accept", "content-length", "content-type"])
    }

    @Test(
        "On a socket fields of the framing and of the connection are ccr's alone",
        arguments: [
            "Content-Length: 1", "content-length;", "Transfer-Encoding: chunked", "TRANSFER-ENCODING;",
            "Connection: close", "connection;", "TE: trailers", "te;",
        ])
    func framingFields(line: String) throws {
        let bench = try Bench(.sockets)
        let upstream = try bench.run([.send([ok])], headers: [line, "X-A: b"])
        #expect(
            upstream.requests
                == [
                    "POST /v1/x?q=1 HTTP/1.1\r\nX-A: b\r\nHost: 127.0.0.1:\(upstream.port)\r\nContent-Length: 2\r\n\r\n{}"
                ])
    }

    /// What libcurl understands, and RFC 9112 does not allow.
    static let stricter: [String] = [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5  \r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
    ]

    @Test("On a socket an answer whose end is in doubt is malformed", arguments: stricter)
    func doubtfulAnswers(text: String) throws {
        let bench = try Bench(.sockets)
        _ = try bench.run([.sendAndClose([text])])
        #expect(bench.recorder.failure == .malformed)
    }

    @Test(
        "On a socket a connection whose answer was framed twice, or newer than itself, is not used again",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
        ])
    func doubtfulFraming(head: String) throws {
        let bench = try Bench(.sockets)
        let (upstream, recorders) = try bench.run(
            [.send([head + "5\r\nhello\r\n0\r\n\r\n"]), .send([ok])], inOrder: 2)
        #expect(recorders.map(\.body) == ["hello", "hello"])
        #expect(upstream.connectionCount == 2)
    }

    @Test(
        "A chunk whose frame is broken is malformed on a socket, and a broken connection for libcurl",
        arguments: [(Way.libcurl, TransferFailure.broken), (.sockets, .malformed)],
        ["x\r\n", "1\r\nxy\r\n", "11111111111111111\r\n"])
    func chunks(expected: (way: Way, failure: TransferFailure), chunk: String) throws {
        let bench = try Bench(expected.way)
        _ = try bench.run([
            .sendAndClose(["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk])
        ])
        #expect(bench.recorder.statuses == [200])
        #expect(bench.recorder.failure == expected.failure)
    }

    /// libcurl 7.88 takes them for the answer to the next request; later versions do not.
    @Test("Bytes that come on a waiting socket are nobody's answer", arguments: [false, true])
    func strayBytes(wasPaused: Bool) throws {
        let bench = try Bench(.sockets, unusedConnectionMsec: 60_000)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok]), .send([ok])])
        let second = Recorder(bench.loop)
        if wasPaused {
            bench.recorder.onBody = {
                guard bench.recorder.bodyCalls == 1 else { return .taken }
                bench.afterTurns(2) { bench.request?.resume() }
                return .pause
            }
        }
        bench.recorder.onEnd = {
            let origin = bench.client.plain.origins.values.first
            #expect(origin?.waiting.count == 1)
            upstream.sendMore("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")
            // Until they have come.
            func look() {
                guard origin?.waiting.isEmpty == true else { return bench.after(msec: 1, look) }
                bench.start(Bench.request(upstream.port, body: TextBody("2")), second)
            }
            look()
        }
        bench.start(Bench.request(upstream.port, body: TextBody("1")))
        #expect(try bench.loop.run() == 0)
        #expect(second.body == "hello")
        #expect(upstream.connectionCount == 2)
    }

    @Test("On a socket a connection with bytes behind an answer without a body is not used again")
    func bytesBehindHead() throws {
        let bench = try Bench(.sockets)
        let (upstream, recorders) = try bench.run(
            [.send(["HTTP/1.1 204 X\r\n\r\nstray"]), .send([ok])], inOrder: 2)
        #expect(recorders.map(\.result) == [.complete, .complete])
        #expect(upstream.connectionCount == 2)
    }

    @Test("On a socket a body is let go as soon as it has been sent, even when the answer came first")
    func bodyBehindAnswer() throws {
        let bench = try Bench(.sockets)
        weak var body: TextBody?
        var wasFreed = false
        let upstream = try ScriptedUpstream(
            bench.loop, [.send(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"])])
        upstream.answersEarly = true
        upstream.onRequest = {
            wasFreed = body == nil
            upstream.sendMore("hello")
        }
        func start() {
            let whole = TextBody(.large)
            body = whole
            bench.start(Bench.request(upstream.port, body: whole))
        }
        start()
        #expect(try bench.loop.run() == 0)
        #expect(wasFreed)
        #expect(bench.recorder.body == "hello")
    }

    @Test("On a socket a head that there is no room for goes out in pieces")
    func headInPieces() throws {
        let bench = try Bench(.sockets)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok]), .send([ok])])
        let value = (0..<60_000).map { "\($0)," }.joined()
        let second = Recorder(bench.loop)
        bench.recorder.onEnd = {
            guard let kept = bench.client.plain.origins.values.first?.waiting.first else {
                Issue.record("no connection was kept")
                return bench.loop.exit(1)
            }
            // The kernel makes it a few kilobytes.
            var size: Int32 = 1
            setsockopt(kept.raw, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
            bench.start(
                Bench.request(upstream.port, headers: ["X-Long: " + value], body: TextBody("{\"a\":1}")),
                second)
        }
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(second.result == .complete)
        let expected =
            "POST /v1/x?q=1 HTTP/1.1\r\nX-Long: \(value)\r\nHost: 127.0.0.1:\(upstream.port)\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
        #expect(upstream.requests.last == expected)
        #expect(upstream.connectionCount == 1)
    }

    // MARK: - Connections that wait

    @Test("At most 512 connections wait on sockets, and those that are dropped make room")
    func maximumWaiting() throws {
        let bench = try Bench(.sockets)
        let connections = bench.client.plain
        let origin = PlainOrigin("http://127.0.0.1:9")
        let socket = try Socket.listen(.tcp(host: "127.0.0.1", port: 0))
        func connection() throws -> PlainConnection {
            try PlainConnection(FileDescriptor(duplicating: socket.raw), to: origin, connections)
        }
        for _ in 0..<300 { connections.keep(try connection()) }
        for waiting in origin.waiting.prefix(100) { connections.drop(waiting) }
        // Neither waits any more.
        connections.drop(try connection())
        #expect(origin.waiting.count == 200)
        for _ in 0..<320 { connections.keep(try connection()) }
        #expect(origin.waiting.count == 512)
        origin.closeWaiting(512)
    }

    @Test("Servers that nobody has a connection to are forgotten")
    func origins() throws {
        let bench = try Bench(.sockets)
        let full = try FullListener()
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok])])
        var counts: [Int] = []
        bench.recorder.onEnd = {}
        bench.start(Bench.request(upstream.port))
        var first = bench.request
        var running: (any RunningRequest)?
        let dialling = Recorder(bench.loop)
        for host in 1...20 {
            bench.start(
                TransferRequest(
                    url: "http://127.0.0.\(host):\(full.port)/", headers: [], body: nil,
                    connectTimeoutMsec: 60_000,
                    proxy: ""), dialling)
            if host > 1 { bench.request?.cancel() }
            if host == 1 { running = bench.request }
        }
        bench.request = nil
        func look() {
            let count = bench.client.plain.origins.count
            if counts.last != count { counts.append(count) }
            // Those with a connection that is being made, and with one that waits.
            if count == 2 {
                running?.cancel()
                running = nil
            }
            if bench.recorder.result != nil { first = nil }
            count == 0 ? bench.loop.exit(0) : bench.after(msec: 10, look)
        }
        look()
        #expect(try bench.loop.run() == 0)
        #expect(counts.first == 21 && counts.last == 0)
        #expect(dialling.result == nil)
        #expect(bench.recorder.body == "hello")
        withExtendedLifetime((full, first)) {}
    }

    @Test("A head that comes byte by byte is put together, and one that is too long is refused")
    func longHead() throws {
        let bench = try Bench(.sockets)
        let head =
            "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 4000) + "\r\nContent-Length: 2\r\n\r\nhi"
        let upstream = try ScriptedUpstream(bench.loop, [.send(head.pieces(of: 1)), .send([head])])
        upstream.sendsInTurns = true
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.headLines.map(\.count) == [15, 4003, 17])
        #expect(bench.recorder.body == "hi")
    }
}
