// SPDX-License-Identifier: Apache-2.0
// Transfers over real sockets to a scripted upstream on the same event loop.

import Curl
import EventLoop
import Glibc
import Posix
import Testing

@Suite("Transfers", .serialized, .timeLimit(.minutes(1))) final class TransferPoolTests {
    private let loop: EventLoop
    private let pool: TransferPool
    private let recorder: Recorder
    private var bound: Timer?
    private var transfer: Transfer?

    init() throws {
        loop = try EventLoop()
        pool = try TransferPool(loop, unusedConnectionMsec: 1000)
        recorder = Recorder(loop)
        let bound = try Timer(loop) { [loop] in
            Issue.record("the transfer did not end")
            loop.exit(99)
        }
        bound.arm(afterUsec: 20_000_000)
        self.bound = bound
    }

    private func request(
        _ port: UInt16, headers: [String] = ["Expect:"], body: any RequestBody = TextBody("{}")
    ) -> TransferRequest {
        TransferRequest(
            url: "http://127.0.0.1:\(port)/v1/x?q=1", headers: headers.flatMap { Array($0.utf8) + [0] },
            body: body,
            connectTimeoutMsec: 5000, proxy: "")
    }

    /// Runs one request against the replies to its end.
    private func run(
        _ replies: [Reply], headers: [String] = ["Expect:"], body: any RequestBody = TextBody("{}")
    )
        throws -> ScriptedUpstream
    {
        let upstream = try ScriptedUpstream(loop, replies)
        transfer = pool.start(request(upstream.port, headers: headers, body: body), delegate: recorder)
        #expect(try loop.run() == 0)
        return upstream
    }

    private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"

    @Test("A request goes out as it was given, and its answer comes back in order")
    func simple() throws {
        let upstream = try run(
            [.send([ok])],
            headers: ["X-One: 1", "X-Empty;", "Accept:", "Content-Type: application/json", "Expect:"],
            body: TextBody("{\"a\":1}"))
        #expect(recorder.headLines == ["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: b"])
        #expect(recorder.statuses == [200])
        #expect(recorder.body == "hello")
        #expect(recorder.result == .complete)
        let lines = try #require(upstream.requests.first).replacing("\r\n", with: "\n").split(
            separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.first == "POST /v1/x?q=1 HTTP/1.1")
        #expect(lines.last == "{\"a\":1}")
        #expect(
            lines.dropFirst().dropLast(2).map { $0.lowercased() }.sorted() == [
                "content-length: 7", "content-type: application/json", "host: 127.0.0.1:\(upstream.port)",
                "x-empty:",
                "x-one: 1",
            ])
        #expect(pool.activeCount == 0)
    }

    @Test(
        "Interim answers are passed over", arguments: ["100 Continue", "103 Early Hints", "102 Processing"])
    func interim(status: String) throws {
        _ = try run([.send(["HTTP/1.1 \(status)\r\nLink: x\r\n\r\n", "HTTP/1.1 \(status)\r\n\r\n" + ok])])
        #expect(recorder.headLines == ["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: b"])
        #expect(recorder.statuses == [200])
        #expect(recorder.body == "hello")
    }

    @Test("A status is told with the head, whatever it is", arguments: [200, 204, 302, 400, 429, 529])
    func statuses(status: Int) throws {
        _ = try run([.send(["HTTP/1.1 \(status) X\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n"])])
        #expect(recorder.statuses == [status])
        #expect(recorder.body == "")
        #expect(recorder.result == .complete)
    }

    @Test("Chunks lose their frames, and trailers mean nothing")
    func chunked() throws {
        _ = try run([
            .send([
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "2\r\nde\r\n",
                "0\r\nX-Trailer: t\r\n\r\n",
            ])
        ])
        #expect(recorder.body == "abcde")
        #expect(recorder.headLines == ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"])
        #expect(recorder.result == .complete)
    }

    @Test("An answer without a length ends with its connection")
    func untilClose() throws {
        _ = try run([.sendAndClose(["HTTP/1.0 200 OK\r\n\r\n", "all of it"])])
        #expect(recorder.body == "all of it")
        #expect(recorder.result == .complete)
    }

    @Test("A body is read in pieces of any size", arguments: [1, 1000, 1 << 20])
    func pieces(step: Int) throws {
        let text = String(repeating: "0123456789", count: 2000)
        let body = TextBody(text, step: step)
        let upstream = try run([.send([ok])], body: body)
        #expect(upstream.requests.first?.hasSuffix("\r\n\r\n" + text) == true)
        #expect(body.readCount > 0)
        #expect(recorder.result == .complete)
    }

    @Test("A body in one piece is sent without being asked for")
    func contiguous() throws {
        let body = TextBody(String(repeating: "x", count: 50_000))
        let upstream = try run([.send([ok])], body: body)
        #expect(upstream.requests.first?.utf8.count ?? 0 > 50_000)
        #expect(body.readCount == 0)
    }

    @Test("A body that has been sent is let go when the answer begins", arguments: [nil, 100] as [Int?])
    func sentBody(step: Int?) throws {
        weak var body: TextBody?
        var wasFreed = false
        recorder.onHead = { wasFreed = body == nil }
        let upstream = try ScriptedUpstream(loop, [.send([ok])])
        // A scope of its own, so that nobody but the transfer holds the body.
        func start() {
            let text = TextBody(String(repeating: "x", count: 5000), step: step)
            body = text
            transfer = pool.start(request(upstream.port, body: text), delegate: recorder)
        }
        start()
        #expect(body != nil)
        #expect(try loop.run() == 0)
        #expect(wasFreed)
    }

    @Test(
        "A body that the upstream has not taken yet is kept although the answer has begun",
        arguments: [nil, 100_000] as [Int?])
    func earlyAnswer(step: Int?) throws {
        let text = String(repeating: "0123456789abcdef", count: 512 * 1024)
        weak var body: TextBody?
        var wasKept = false
        recorder.onHead = { wasKept = body != nil }
        let upstream = try ScriptedUpstream(
            loop, [.send(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"])])
        upstream.answersEarly = true
        upstream.onRequest = { [unowned upstream] in upstream.sendMore("hello") }
        func start() {
            let whole = TextBody(text, step: step)
            body = whole
            transfer = pool.start(request(upstream.port, body: whole), delegate: recorder)
        }
        start()
        #expect(try loop.run() == 0)
        #expect(wasKept)
        #expect(recorder.body == "hello")
        #expect(upstream.requests.first?.hasSuffix("\r\n\r\n" + text) == true)
        #expect(body == nil)
    }

    @Test(
        "An answer that breaks off is broken",
        arguments: [
            "", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ])
    func broken(text: String) throws {
        _ = try run([.sendAndClose([text])])
        #expect(recorder.failure == .broken)
        #expect(pool.activeCount == 0)
    }

    @Test("What is no HTTP is malformed")
    func malformed() throws {
        _ = try run([.sendAndClose(["SSH-2.0-OpenSSH_9.2p1 Debian\r\n"])])
        #expect(recorder.failure == .malformed)
    }

    @Test("A port where nobody listens is no connection, and the text names no URL")
    func refused() throws {
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
        transfer = pool.start(request(port), delegate: recorder)
        #expect(recorder.result == nil, "reports come from the loop")
        #expect(try loop.run() == 0)
        guard case .failed(let failure, let text) = recorder.result else {
            Issue.record("no failure")
            return
        }
        #expect(failure == .connect)
        #expect(!text.contains("127.0.0.1") && !text.contains("/v1"))
        _ = consume bound
    }

    @Test(
        "A URL that leads nowhere is told by its class",
        arguments: [
            ("http://name.invalid/", TransferFailure.resolve), ("ftp://127.0.0.1/", .malformed),
            ("http://", .malformed),
        ])
    func badURL(url: String, expected: TransferFailure) throws {
        let request = TransferRequest(
            url: url, headers: [], body: TextBody("{}"), connectTimeoutMsec: 5000, proxy: "")
        transfer = pool.start(request, delegate: recorder)
        #expect(try loop.run() == 0)
        #expect(recorder.failure == expected)
    }

    @Test("A client that cannot take more pauses the transfer, and gets the same bytes again")
    func pause() throws {
        var offers = 0
        recorder.onBody = { [unowned self] in
            offers += 1
            guard offers == 1 else { return .taken }
            loop.later { self.loop.later { self.transfer?.resume() } }
            return .pause
        }
        _ = try run([.send([ok])])
        #expect(offers == 2)
        #expect(recorder.body == "hello")
        #expect(recorder.result == .complete)
    }

    @Test("A paused transfer takes no more than a bounded amount from the upstream")
    func pauseBounded() throws {
        let upstream = try ScriptedUpstream(
            loop, [.send(["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc"])])
        var offered = 0
        recorder.onBody = { [unowned self] in
            offered += 1
            if offered == 1 {
                upstream.sendMore("def")
                // Time for the loop to offer more, which it must not.
                after(msec: 5) { [unowned self] in
                    #expect(offered == 1)
                    transfer?.resume()
                    transfer?.resume()
                }
                return .pause
            }
            return .taken
        }
        transfer = pool.start(request(upstream.port), delegate: recorder)
        #expect(try loop.run() == 0)
        #expect(recorder.body == "abcdef")
    }

    private var timers: [Timer] = []

    private func after(msec: UInt64, _ body: @escaping () -> Void) {
        do {
            let timer = try Timer(loop, accuracyUsec: 1, body)
            timer.arm(afterUsec: msec * 1000)
            timers.append(timer)
        } catch {
            Issue.record(error)
        }
    }

    @Test("A delegate may give the rest up")
    func giveUp() throws {
        recorder.onBody = { .giveUp }
        _ = try run([.send([ok])])
        #expect(recorder.failure == .broken)
        #expect(pool.activeCount == 0)
    }

    @Test("A cancelled transfer reports nothing more")
    func cancel() throws {
        let upstream = try ScriptedUpstream(loop, [.send([ok])])
        upstream.onRequest = { [unowned self] in
            transfer?.cancel()
            transfer?.cancel()
            after(msec: 5) { [unowned self] in loop.exit(0) }
        }
        transfer = pool.start(request(upstream.port), delegate: recorder)
        #expect(pool.activeCount == 1)
        #expect(try loop.run() == 0)
        #expect(recorder.result == nil)
        #expect(recorder.statuses.isEmpty)
        #expect(pool.activeCount == 0)
    }

    @Test("Requests one after the other share a connection")
    func reuse() throws {
        let upstream = try ScriptedUpstream(loop, [.send([ok]), .send([ok]), .send([ok])])
        var recorders: [Recorder] = []
        func next() {
            let recorder = Recorder(loop)
            recorder.onEnd = { [unowned self] in recorders.count < 3 ? next() : loop.exit(0) }
            recorders.append(recorder)
            transfer = pool.start(
                request(upstream.port, body: TextBody("\(recorders.count)")), delegate: recorder)
        }
        next()
        #expect(try loop.run() == 0)
        #expect(recorders.map(\.body) == ["hello", "hello", "hello"])
        #expect(upstream.connectionCount == 1)
        #expect(upstream.requests.map { $0.suffix(1) } == ["1", "2", "3"])
    }

    @Test("Requests at the same time have connections of their own and do not mix")
    func parallel() throws {
        let replies = (0..<8).map {
            Reply.send(["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "\($0)", "!"])
        }
        let upstream = try ScriptedUpstream(loop, replies)
        var transfers: [Transfer] = []
        var ended = 0
        let recorders = (0..<8).map { _ in
            let recorder = Recorder(loop)
            recorder.onEnd = { [unowned self] in
                ended += 1
                if ended == 8 { loop.exit(0) }
            }
            return recorder
        }
        for recorder in recorders { transfers.append(pool.start(request(upstream.port), delegate: recorder)) }
        #expect(pool.activeCount == 8)
        #expect(try loop.run() == 0)
        #expect(recorders.map(\.body).sorted() == (0..<8).map { "\($0)!" })
        #expect(upstream.connectionCount == 8)
    }

    @Test(
        "A kept connection that the upstream has closed is noticed, and the request goes over a new one",
        arguments: [nil, 100])
    func staleConnection(step: Int?) throws {
        let upstream = try ScriptedUpstream(loop, [.send([ok]), .send([ok])])
        let second = Recorder(loop)
        recorder.onEnd = { [unowned self] in
            upstream.closeConnections()
            loop.later { [unowned self] in
                transfer = pool.start(
                    request(upstream.port, body: TextBody("again", step: step)), delegate: second)
            }
        }
        transfer = pool.start(request(upstream.port), delegate: recorder)
        #expect(try loop.run() == 0)
        #expect(second.result == .complete)
        #expect(second.body == "hello")
        #expect(upstream.connectionCount == 2)
        #expect(upstream.requests.last?.hasSuffix("again") == true)
    }

    @Test("Connections that nobody uses are closed without another request, and running ones stay")
    func unusedConnections() throws {
        let upstream = try ScriptedUpstream(loop, [.silence, .send([ok]), .send([ok])])
        let running = Recorder(loop)
        let long = pool.start(request(upstream.port), delegate: running)
        var ended = 0
        let recorders = [Recorder(loop), Recorder(loop)]
        for recorder in recorders { recorder.onEnd = { ended += 1 } }
        let short = recorders.map { pool.start(request(upstream.port), delegate: $0) }
        var closed = 0
        upstream.onClose = { [unowned self] in
            #expect(ended == 2)
            closed += 1
            if closed == 2 { loop.exit(0) }
        }
        #expect(try loop.run() == 0)
        #expect(running.result == nil)
        #expect(pool.activeCount == 1)
        #expect(upstream.connectionCount == 3)
        long.cancel()
        withExtendedLifetime(short) {}
    }

    @Test("A transfer's handle that is not needed any more is freed")
    func unusedHandle() throws {
        let upstream = try ScriptedUpstream(loop, [.send([ok])])
        transfer = pool.start(request(upstream.port), delegate: recorder)
        weak let handle = transfer
        recorder.onEnd = { [unowned self] in transfer = nil }
        // Until it is freed, or the bound of all tests.
        func look() { after(msec: 10) { [unowned self] in handle == nil ? loop.exit(0) : look() } }
        look()
        #expect(try loop.run() == 0)
        #expect(upstream.connectionCount == 1)
    }

    @Test("A transfer's handle is used again with nothing left of the request before")
    func handleReuse() throws {
        let upstream = try ScriptedUpstream(
            loop, [.send([ok]), .send(["HTTP/1.1 404 Gone\r\nContent-Length: 2\r\n\r\nno"])])
        let second = Recorder(loop)
        recorder.onEnd = { [unowned self] in
            transfer = pool.start(
                request(
                    upstream.port, headers: ["X-Second: 2", "Expect:"], body: TextBody("second", step: 2)),
                delegate: second)
        }
        transfer = pool.start(request(upstream.port, headers: ["X-First: 1", "Expect:"]), delegate: recorder)
        #expect(try loop.run() == 0)
        #expect(second.statuses == [404])
        #expect(second.body == "no")
        let last = try #require(upstream.requests.last)
        #expect(last.contains("X-Second: 2"))
        #expect(!last.contains("X-First"))
        #expect(last.hasSuffix("\r\n\r\nsecond"))
    }

    @Test("A connection that is given up while it is being made leaves its descriptor's number usable")
    func givenUpWhileConnecting() throws {
        let full = try FullListener()
        let upstream = try ScriptedUpstream(loop, [.send([ok])])
        let waiting = Recorder(loop)
        transfer = pool.start(request(full.port), delegate: waiting)
        let pause = try Timer(loop) { [unowned self] in
            transfer?.cancel()
            // The new connection's socket gets the number of the one that was never connected.
            transfer = pool.start(request(upstream.port), delegate: recorder)
        }
        pause.arm(afterUsec: 30_000)
        #expect(try loop.run() == 0)
        #expect(waiting.result == nil)
        #expect(recorder.body == "hello")
        withExtendedLifetime((pause, full)) {}
    }
}

/// A listener whose queue is full: connections to it are neither made nor refused.
private final class FullListener {
    private let listener: SharedDescriptor
    private var clients: [SharedDescriptor] = []
    let port: UInt16

    init() throws {
        listener = SharedDescriptor(try Socket.listen(.tcp(host: "127.0.0.1", port: 0)))
        try #require(Glibc.listen(listener.raw, 0) == 0)
        port = try #require(Socket.localPort(listener.raw))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        for _ in 0..<4 {
            let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            try #require(fd >= 0)
            clients.append(SharedDescriptor(FileDescriptor(owning: fd)))
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
    }
}
