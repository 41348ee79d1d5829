// SPDX-License-Identifier: Apache-2.0
// How connections are made, kept, used again and given up, the same whichever way a request goes.

import Curl
import EventLoop
import Glibc
import Posix
import Testing

@testable import HTTPClient

@Suite("Connections to upstreams", .serialized, .timeLimit(.minutes(1))) struct ConnectionTests {
    // MARK: - Making them

    @Test("A port where nobody listens is no connection, and the text names no URL", arguments: Way.allCases)
    func refused(way: Way) throws {
        let bench = try Bench(way)
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
        let port = try #require(Socket.localPort(bound.raw))
        bench.start(Bench.request(port))
        #expect(bench.recorder.result == nil, "reports come from the loop")
        #expect(try bench.loop.run() == 0)
        guard case .failed(let failure, let text) = bench.recorder.result else {
            Issue.record("no failure")
            return
        }
        #expect(failure == .connect)
        #expect(!text.contains("127.0.0.1") && !text.contains("/v1"))
        #expect(bench.activeCount == 0)
        _ = consume bound
    }

    @Test("An unknown name is told as such", arguments: Way.allCases)
    func unknownHost(way: Way) throws {
        let bench = try Bench(way)
        bench.start(
            TransferRequest(
                url: "http://name.invalid/", headers: [], body: TextBody("{}"), connectTimeoutMsec: 5000,
                proxy: ""))
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.failure == .resolve)
    }

    @Test("A server that does not take the connection is given up in time", arguments: Way.allCases)
    func connectTimeout(way: Way) throws {
        let bench = try Bench(way)
        let full = try FullListener()
        bench.start(Bench.request(full.port, connectTimeoutMsec: 30))
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.failure == .connectTimeout)
        #expect(bench.activeCount == 0)
        withExtendedLifetime(full) {}
    }

    @Test(
        "A connection that is given up while it is being made leaves its descriptor's number usable",
        arguments: Way.allCases)
    func givenUpWhileConnecting(way: Way) throws {
        let bench = try Bench(way)
        let full = try FullListener()
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok])])
        let waiting = Recorder(bench.loop)
        bench.start(Bench.request(full.port), waiting)
        bench.after(msec: 30) {
            bench.request?.cancel()
            // The new connection's socket gets the number of the one that was never connected.
            bench.start(Bench.request(upstream.port))
        }
        #expect(try bench.loop.run() == 0)
        #expect(waiting.result == nil)
        #expect(bench.recorder.body == "hello")
        withExtendedLifetime(full) {}
    }

    // MARK: - Cancelling

    /// Where a request is when it is cancelled.
    enum Phase: CaseIterable, Sendable { case starting, connecting, sending, waiting, inHead, inBody, paused }

    @Test(
        "A cancelled request reports nothing more and lets go of what it held", arguments: Way.allCases,
        Phase.allCases)
    func cancel(way: Way, phase: Phase) throws {
        let bench = try Bench(way)
        let full = try FullListener()
        let upstream = try ScriptedUpstream(bench.loop, [])
        weak var body: TextBody?
        weak var delegate: Recorder?
        var reports = 0
        var closed = false
        upstream.onClose = {
            closed = true
            bench.loop.exit(0)
        }
        func cancel() {
            bench.request?.cancel()
            bench.request?.cancel()
            bench.request?.resume()
            #expect(body == nil)
            bench.request = nil
            #expect(delegate == nil)
            if phase == .starting || phase == .connecting { bench.after(msec: 5) { bench.loop.exit(0) } }
        }
        func start() {
            let text = TextBody(phase == .sending ? .large : "{}", step: phase == .sending ? 1000 : nil)
            let recorder = Recorder(bench.loop)
            body = text
            delegate = recorder
            recorder.onHead = { reports += 1 }
            recorder.onEnd = { reports += 100 }
            recorder.onBody = {
                reports += 1
                bench.loop.later(cancel)
                return phase == .paused ? .pause : .taken
            }
            bench.start(
                Bench.request(phase == .connecting ? full.port : upstream.port, body: text), recorder)
        }
        switch phase {
        case .starting: bench.afterTurns(0, cancel)
        case .connecting: bench.after(msec: 10, cancel)
        case .sending:
            upstream.onBytes = {
                upstream.onBytes = {}
                cancel()
            }
        case .waiting: upstream.onRequest = cancel
        case .inHead:
            upstream.onRequest = {
                upstream.sendMore("HTTP/1.1 200 OK\r\nContent-")
                bench.afterTurns(3, cancel)
            }
        case .inBody, .paused:
            upstream.onRequest = {
                upstream.sendMore("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
            }
        }
        if phase == .starting {
            func startAndCancel() {
                start()
                cancel()
            }
            startAndCancel()
        } else {
            start()
        }
        #expect(try bench.loop.run() == 0)
        #expect(reports == (phase == .inBody || phase == .paused ? 2 : 0))
        #expect(bench.activeCount == 0)
        #expect(closed || phase == .starting || phase == .connecting)
        withExtendedLifetime(full) {}
    }

    // MARK: - Using them again

    @Test(
        "Requests one after the other share a connection, started by the end of the one before",
        arguments: Way.allCases)
    func reuse(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok]), .send([ok]), .send([ok])])
        var recorders: [Recorder] = []
        func next() {
            let recorder = Recorder(bench.loop)
            recorder.onEnd = { recorders.count < 3 ? next() : bench.loop.exit(0) }
            recorders.append(recorder)
            bench.start(Bench.request(upstream.port, body: TextBody("\(recorders.count)")), recorder)
        }
        next()
        #expect(try bench.loop.run() == 0)
        #expect(recorders.map(\.body) == ["hello", "hello", "hello"])
        #expect(upstream.connectionCount == 1)
        #expect(upstream.requests.map { $0.suffix(1) } == ["1", "2", "3"])
    }

    @Test("Requests at the same time have connections of their own and do not mix", arguments: Way.allCases)
    func parallel(way: Way) throws {
        let bench = try Bench(way)
        let replies = (0..<8).map {
            Reply.send(["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "\($0)", "!"])
        }
        let upstream = try ScriptedUpstream(bench.loop, replies)
        upstream.sendsInTurns = true
        var ended = 0
        var requests: [any RunningRequest] = []
        let recorders = (0..<8).map { _ in
            let recorder = Recorder(bench.loop)
            recorder.onEnd = {
                ended += 1
                if ended == 8 { bench.loop.exit(0) }
            }
            return recorder
        }
        for recorder in recorders {
            bench.start(Bench.request(upstream.port), recorder)
            requests.append(try #require(bench.request))
        }
        #expect(bench.activeCount == 8)
        #expect(try bench.loop.run() == 0)
        #expect(recorders.map(\.body).sorted() == (0..<8).map { "\($0)!" })
        #expect(upstream.connectionCount == 8)
        #expect(bench.activeCount == 0)
    }

    static let ends: [(reply: Reply, keeps: Bool)] = [
        (.send([ok]), true),
        (.send(["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]), true),
        (.send(["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"]), true),
        (.send(["HTTP/1.1 204 X\r\n\r\n"]), true),
        (.send(["HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n"]), true),
        (.send(["HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"]), true),
        (.send(["HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n"]), true),
        (.send(["HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"]), false),
        (.send(["HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"]), false),
        (.send(["HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"]), true),
        (.send([ok + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"]), false),
        (.sendAndClose(["HTTP/1.1 200 OK\r\n\r\nhello"]), false),
        (.sendAndClose([ok]), false),
        (.sendAndReset([ok]), false),
    ]

    @Test("A connection is kept where another request may follow", arguments: Way.allCases, ends)
    func keeping(way: Way, end: (reply: Reply, keeps: Bool)) throws {
        let bench = try Bench(way)
        let (upstream, recorders) = try bench.run([end.reply, .send([ok])], inOrder: 2)
        #expect(recorders.map(\.result) == [.complete, .complete])
        #expect(recorders.last?.body == "hello")
        #expect(upstream.connectionCount == (end.keeps ? 1 : 2))
    }

    @Test(
        "A kept connection that the upstream has closed is noticed, and the request goes over a new one",
        arguments: Way.allCases, [nil, 100])
    func staleConnection(way: Way, step: Int?) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok]), .send([ok])])
        let second = Recorder(bench.loop)
        bench.recorder.onEnd = {
            upstream.closeConnections()
            bench.loop.later {
                bench.start(Bench.request(upstream.port, body: TextBody("again", step: step)), second)
            }
        }
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(second.result == .complete)
        #expect(second.body == "hello")
        #expect(upstream.connectionCount == 2)
        #expect(upstream.requests.last?.hasSuffix("again") == true)
    }

    @Test(
        "A kept connection that breaks before a byte of the answer is replaced once, by a new one",
        arguments: Way.allCases, [Reply.sendAndClose([]), .sendAndReset([])])
    func repeated(way: Way, end: Reply) throws {
        let bench = try Bench(way)
        let (upstream, recorders) = try bench.run([.send([ok]), end, .send([ok])], inOrder: 2)
        #expect(recorders.map(\.body) == ["hello", "hello"])
        #expect(upstream.requests.map { $0.suffix(1) } == ["1", "2", "2"])
        #expect(upstream.connectionCount == 2)
    }

    @Test(
        "A request is not repeated on a new connection, nor after a byte of an answer",
        arguments: Way.allCases,
        [
            ([Reply.send([ok]), .sendAndClose([]), .sendAndClose([])], 3),
            ([.send([ok]), .sendAndReset([]), .sendAndReset([])], 3),
            ([.send([ok]), .sendAndClose(["HTTP/1.1 200 OK\r\n"])], 2),
            ([.send([ok]), .sendAndReset(["HTTP/1.1 200 OK\r\n"])], 2),
            ([.send([ok]), .sendAndClose(["HTTP/1.1 100 Continue\r\n\r\n"])], 2),
        ])
    func notRepeated(way: Way, course: (replies: [Reply], requests: Int)) throws {
        let bench = try Bench(way)
        let (upstream, recorders) = try bench.run(course.replies + [.send([ok])], inOrder: 2)
        #expect(recorders.map(\.body) == ["hello", ""])
        #expect(recorders.last?.failure == .broken)
        #expect(upstream.requests.count == course.requests)
    }

    @Test("A large body is sent again from its start", arguments: Way.allCases, [nil, 100_000])
    func repeatedLarge(way: Way, step: Int?) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok]), .sendAndClose([]), .send([ok])])
        let second = Recorder(bench.loop)
        bench.recorder.onEnd = {
            bench.loop.later {
                bench.start(Bench.request(upstream.port, body: TextBody(.large, step: step)), second)
            }
        }
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(second.body == "hello")
        #expect(upstream.requests.count == 3)
        #expect(upstream.requests.last?.hasSuffix("\r\n\r\n" + .large) == true)
    }

    @Test(
        "A connection that a repeated request was not sent over whole is not kept", arguments: Way.allCases)
    func repeatedAndRefused(way: Way) throws {
        let bench = try Bench(way)
        let refusal = "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno"
        let upstream = try ScriptedUpstream(
            bench.loop, [.send([ok]), .sendAndClose([]), .send([refusal]), .send([ok])])
        let second = Recorder(bench.loop)
        let third = Recorder(bench.loop)
        upstream.onRequest = { upstream.answersEarly = upstream.requests.count == 2 }
        bench.recorder.onEnd = {
            bench.loop.later { bench.start(Bench.request(upstream.port, body: TextBody(.large)), second) }
        }
        second.onEnd = { bench.loop.later { bench.start(Bench.request(upstream.port), third) } }
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(second.body == "no")
        #expect(third.body == "hello")
        #expect(upstream.connectionCount == 3)
    }

    @Test(
        "A request that must not be sent twice opens its own connection, and nobody uses it again",
        arguments: Way.allCases)
    func ownConnection(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(
            bench.loop, [.send([ok]), .send([ok]), .sendAndClose([]), .send([ok])])
        let recorders = (0..<3).map { _ in Recorder(bench.loop) }
        func start(_ index: Int) {
            bench.start(Bench.request(upstream.port, usesOwnConnection: index != 1), recorders[index])
        }
        recorders[0].onEnd = { bench.loop.later { start(1) } }
        recorders[1].onEnd = { bench.loop.later { start(2) } }
        start(0)
        #expect(try bench.loop.run() == 0)
        #expect(recorders.map(\.body) == ["hello", "hello", ""])
        #expect(recorders[2].failure == .broken)
        #expect(upstream.requests.count == 3)
        #expect(upstream.connectionCount == 3)
    }

    @Test(
        "Connections that nobody uses are closed without another request and not before, and running ones stay",
        arguments: Way.allCases)
    func unused(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(bench.loop, [.silence, .send([ok]), .send([ok])])
        let running = Recorder(bench.loop)
        bench.start(Bench.request(upstream.port), running)
        let long = bench.request
        let recorders = [Recorder(bench.loop), Recorder(bench.loop)]
        var lastEndUsec: UInt64 = 0
        var ended = 0
        for recorder in recorders {
            recorder.onEnd = {
                ended += 1
                lastEndUsec = Clock.monotonicUsec()
            }
        }
        let short = recorders.map {
            bench.start(Bench.request(upstream.port), $0)
            return bench.request
        }
        var closed = 0
        upstream.onClose = {
            #expect(ended == 2)
            closed += 1
            // libcurl counts in whole seconds.
            #expect(way == .libcurl || Clock.monotonicUsec() >= lastEndUsec + 900_000)
            if closed == 2 { bench.loop.exit(0) }
        }
        #expect(try bench.loop.run() == 0)
        #expect(running.result == nil)
        #expect(upstream.connectionCount == 3)
        long?.cancel()
        withExtendedLifetime(short) {}
    }

    @Test("Delegate and body are let go at the end, however it came", arguments: Way.allCases, [ok, "", "x"])
    func letGo(way: Way, answer: String) throws {
        let bench = try Bench(way)
        weak var body: TextBody?
        weak var delegate: Recorder?
        let upstream = try ScriptedUpstream(bench.loop, [.sendAndClose([answer])])
        func start() {
            let text = TextBody("{}", step: 1)
            let recorder = Recorder(bench.loop)
            body = text
            delegate = recorder
            bench.start(Bench.request(upstream.port, body: text), recorder)
        }
        start()
        #expect(try bench.loop.run() == 0)
        #expect(body == nil)
        #expect(delegate == nil)
    }
}
