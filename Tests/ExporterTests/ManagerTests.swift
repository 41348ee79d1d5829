// SPDX-License-Identifier: Apache-2.0
// The process's root on a real loop: a front on one end of a message socket, clients and scrapers on streams.

import EventLoop
import Gateway
import Glibc
import IPC
import Journal
import Posix
import Testing

@testable import Exporter

/// A manager and the front's end of its channel, on one loop.
private final class Bench {
    let loop: EventLoop
    let directory: TemporaryDirectory
    var manager: Manager?
    private var front: MessageChannel?
    private var guardTimer: Timer?

    private(set) var acks: [RecordAck] = []
    private(set) var committed: [HandoffCommitted] = []
    private(set) var done: [HandoffDone] = []
    /// Called after each message; returns true when the test has seen enough.
    var isComplete: (Bench) -> Bool = { _ in true }

    init(directory: TemporaryDirectory) throws {
        self.directory = directory
        loop = try EventLoop()
        manager = try Manager(loop, Journal(role: "exporter", threshold: .error), config(directory)) {
            fatalError($0)
        }
        let pair = try MessageSocket.pair()
        let ends = Bench.shared(pair)
        manager?.attach("front", try ends.0.own())
        front = try MessageChannel(
            loop, try ends.1.own(), onMessage: { [unowned self] bytes, _ in self.receive(bytes) },
            onClose: { [unowned self] in self.loop.exit(2) })
        guardTimer = try Timer(loop) { [unowned self] in self.loop.exit(1) }
        guardTimer?.arm(afterUsec: 10_000_000)
    }

    private static func shared(_ pair: consuming MessageSocket.Pair) -> (SharedDescriptor, SharedDescriptor) {
        var ends: [SharedDescriptor] = []
        pair.split { first, second in ends = [SharedDescriptor(first), SharedDescriptor(second)] }
        return (ends[0], ends[1])
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            case .exporterAck: acks.append(try reader.get())
            case .workerCommitted: committed.append(try reader.get())
            case .workerDone: done.append(try reader.get())
            case let other: Issue.record("unexpected \(other)")
            }
            try reader.end()
        } catch {
            Issue.record(error)
        }
        if isComplete(self) { loop.exit(0) }
    }

    func send(_ kind: MessageKind, _ message: some WireCodable, descriptors: [Int32] = []) {
        var writer = WireWriter()
        MessageHead.begin(kind, in: &writer)
        writer.put(message)
        front?.send(writer.bytes, descriptors: descriptors)
    }

    func closeFront() { front = nil }

    /// 0 when the test saw what it waited for or the manager ended, 1 when time ran out.
    func run() throws -> Int32 { try loop.run() }
}

extension SharedDescriptor {
    /// A descriptor of its own for the same open file.
    fileprivate func own() throws -> FileDescriptor {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 3)
        try #require(copy >= 0)
        return FileDescriptor(owning: copy)
    }
}

/// Two connected, non-blocking stream sockets.
private func streamPair() throws -> (SharedDescriptor, SharedDescriptor) {
    var fds: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    try #require(socketpair(AF_UNIX, kind, 0, &fds) == 0)
    return (
        SharedDescriptor(FileDescriptor(owning: fds[0])), SharedDescriptor(FileDescriptor(owning: fds[1]))
    )
}

/// What waits on a socket, and whether the peer has closed it.
private func drain(_ fd: Int32) -> (text: String, closed: Bool) {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    var total: [UInt8] = []
    while true {
        let count = recv(fd, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return (String(decoding: total, as: UTF8.self), count == 0) }
        total += bytes.prefix(count)
    }
}

// One at a time: the channels of a process share one receive buffer, and a process has one loop.
@Suite(.serialized) struct ManagerTests {
    private let bench: Bench

    init() throws {
        bench = try Bench(directory: try TemporaryDirectory())
    }

    @Test func `records are acknowledged after they are in the database, once for a burst of batches`() throws
    {
        bench.send(.frontRecords, batch([record(1)], front: 9))
        bench.send(.frontRecords, batch([record(2), record(3)], front: 9))
        #expect(try bench.run() == 0)
        #expect(bench.acks.map(\.frontInstance) == [9])
        #expect(bench.acks.map(\.sequence) == [3])
        #expect(try bench.directory.query("SELECT sequence FROM front WHERE instance = 9") == 3)
    }

    @Test func `a query is committed, answered on the client's socket and done, and the socket stays open`()
        throws
    {
        let (client, handedOver) = try streamPair()
        bench.isComplete = { !$0.done.isEmpty }
        bench.send(.frontRecords, batch([record(1)]))
        bench.send(
            .frontQuery, HandoffQuery(tag: 4, requestID: "req_1", path: "/v1/usage", keepAlive: true),
            descriptors: [handedOver.raw])
        #expect(try bench.run() == 0)
        #expect(bench.committed.map(\.tag) == [4])
        #expect(bench.committed.map(\.status) == [200])
        let done = try #require(bench.done.first)
        #expect(done.tag == 4 && done.status == 200 && done.keepAlive)
        #expect(done.outcome == .completed)
        let (text, closed) = drain(client.raw)
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.contains(#"{"total_requests":1,"#))
        #expect(
            done.bodyBytes
                == UInt64(
                    text.utf8.count
                        - (text.firstRange(of: "\r\n\r\n").map {
                            text.utf8.distance(from: text.startIndex, to: $0.upperBound)
                        } ?? 0)))
        #expect(!closed)
    }

    @Test func `a client that is gone ends its query as aborted`() throws {
        var client: SharedDescriptor?
        let handedOver: SharedDescriptor
        (client, handedOver) = try streamPair()
        #expect(client != nil)
        client = nil
        bench.isComplete = { !$0.done.isEmpty }
        bench.send(
            .frontQuery, HandoffQuery(tag: 5, requestID: "req_1", path: "/metrics", keepAlive: true),
            descriptors: [handedOver.raw])
        #expect(try bench.run() == 0)
        #expect(bench.done.map(\.outcome) == [.aborted])
        #expect(bench.done.map(\.keepAlive) == [false])
    }

    @Test func `clients that read slowly get all of their answers, and answers beyond the bound are refused`()
        throws
    {
        let (client, handedOver) = try streamPair()
        var size: Int32 = 4096
        setsockopt(handedOver.raw, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        let asked = ExporterLimits.pendingAnswers + 32
        for tag in 1...UInt64(asked) {
            bench.send(
                .frontQuery, HandoffQuery(tag: tag, requestID: "req_1", path: "/metrics", keepAlive: false),
                descriptors: [handedOver.raw])
        }
        // Nobody reads until the exporter has refused one; then one reader takes what all of them write.
        var received = ""
        let watch = try bench.loop.watch(client.raw, []) { _ in received += drain(client.raw).text }
        bench.isComplete = { bench in
            if bench.done.contains(where: { $0.status == 503 }) { watch.update(.readable) }
            return bench.done.count == asked
        }
        #expect(try bench.run() == 0)
        watch.cancel()
        received += drain(client.raw).text
        let answered = bench.done.filter { $0.status == 200 }
        let refused = bench.done.filter { $0.status == 503 }
        #expect(answered.count >= ExporterLimits.pendingAnswers)
        #expect(!refused.isEmpty)
        #expect(answered.count + refused.count == asked)
        // The socket is full, so that the refusals cannot be written and do not wait either.
        #expect(refused.allSatisfy { $0.outcome == .timedOut && !$0.keepAlive })
        #expect(answered.allSatisfy { $0.outcome == .completed && !$0.keepAlive })
        #expect(answered.contains { $0.backpressureCount > 0 })
        let head = try #require(received.firstRange(of: "\r\n\r\n")).upperBound
        let headBytes = received.utf8.distance(from: received.startIndex, to: head)
        let bodyBytes = try #require(answered.first).bodyBytes
        #expect(received.utf8.count == answered.count * (headBytes + Int(bodyBytes)))
    }

    @Test func `an answer larger than the socket's buffer arrives whole`() throws {
        let (client, handedOver) = try streamPair()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        var endings: [AnswerWriter.Ending] = []
        var received: [UInt8] = []
        let loop = bench.loop
        let writer = AnswerWriter(loop, try handedOver.own(), bytes, deadlineUsec: 100) {
            endings.append($0)
            loop.exit(0)
        }
        writer.start()
        writer.check(nowUsec: 99)
        #expect(endings == [])
        let watch = try loop.watch(client.raw, .readable) { _ in
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(client.raw, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            received += buffer.prefix(max(0, count))
        }
        #expect(try bench.run() == 0)
        watch.cancel()
        var rest = [UInt8](repeating: 0, count: bytes.count)
        while case let count = recv(client.raw, &rest, rest.count, Int32(MSG_DONTWAIT)), count > 0 {
            received += rest.prefix(count)
        }
        #expect(endings == [.complete])
        // Not inside the macro, which would show the difference of megabytes.
        let isWhole = received == bytes
        #expect(isWhole)
        #expect(writer.fullCount > 0)
    }

    @Test func `an answer that nobody reads is given up at its deadline, once`() throws {
        let (client, handedOver) = try streamPair()
        var endings: [AnswerWriter.Ending] = []
        let writer = AnswerWriter(
            bench.loop, try handedOver.own(), [UInt8](repeating: 0, count: 3_000_000), deadlineUsec: 100
        ) { endings.append($0) }
        writer.start()
        writer.check(nowUsec: 100)
        writer.check(nowUsec: 101)
        #expect(endings == [.timedOut])
        withExtendedLifetime(client) {}
    }

    @Test func `a drained exporter commits what its front still sends and ends when the front is gone`()
        throws
    {
        bench.isComplete = { bench in
            bench.manager?.drain()
            bench.send(.frontRecords, batch([record(2)]))
            bench.loop.later { bench.closeFront() }
            return false
        }
        bench.send(.frontRecords, batch([record(1)]))
        #expect(try bench.run() == 0)
        bench.manager?.finish()
        #expect(try bench.directory.query("SELECT sequence FROM front") == 2)
    }

    @Test func `a scraper on a metrics socket is answered and closed, and there is a bound on their number`()
        throws
    {
        let path = "\(bench.directory.path)/metrics.sock"
        try bench.manager?.listen(try Socket.listen(.unix(path: path)))
        var clients: [SharedDescriptor] = []
        for _ in 0..<(ExporterLimits.metricsConnections + 3) {
            let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            clients.append(SharedDescriptor(FileDescriptor(owning: fd)))
            var address = try Socket.unixAddress(path)
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            #expect(connected == 0)
        }
        // The last one waits in the kernel's queue until the first ones have been answered.
        let request = Array("GET /v1/token-drift HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        let last = try #require(clients.last)
        #expect(Glibc.send(last.raw, request, request.count, 0) == request.count)
        var answer = ""
        var areOthersAsking = false
        bench.isComplete = { _ in
            areOthersAsking = true
            for client in clients.dropLast() {
                #expect(Glibc.send(client.raw, request, request.count, 0) == request.count)
            }
            return false
        }
        let watch = try bench.loop.watch(last.raw, .readable) { [bench] _ in
            #expect(areOthersAsking)
            let (text, closed) = drain(last.raw)
            answer += text
            if closed { bench.loop.exit(0) }
        }
        bench.send(.frontRecords, batch([record(1)]))
        #expect(try bench.run() == 0)
        watch.cancel()
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("connection: close\r\n\r\n[]"))
    }

    @Test func `a front that says what cannot be said ends the process`() async {
        await #expect(processExitsWith: .failure) {
            let bench = try Bench(directory: try TemporaryDirectory())
            bench.send(.exporterAck, RecordAck(frontInstance: 1, sequence: 1))
            _ = try bench.run()
        }
    }
}
