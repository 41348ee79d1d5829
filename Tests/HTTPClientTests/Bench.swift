// SPDX-License-Identifier: Apache-2.0
// What tests of requests need: an event loop with an end, and one of the two ways to an upstream.

import Curl
import EventLoop
import Glibc
import Posix
import Testing

@testable import HTTPClient

/// How a request to a server of plain HTTP goes out. Nobody who starts one can tell which.
enum Way: CaseIterable, Sendable {
    /// A transfer of libcurl's.
    case libcurl
    /// ccr's own HTTP/1.1 on a socket that libcurl has connected.
    case sockets
}

/// One way, on a loop that ends after 20 s at the latest.
final class Bench {
    let way: Way
    let loop: EventLoop
    let client: HTTPClient
    /// Its end ends the loop.
    let recorder: Recorder
    /// The newest request.
    var request: (any RunningRequest)?
    private var timers: [Timer] = []

    init(_ way: Way, unusedConnectionMsec: Int = 1000) throws {
        self.way = way
        loop = try EventLoop()
        client = try HTTPClient(loop, unusedConnectionMsec: unusedConnectionMsec)
        recorder = Recorder(loop)
        after(msec: 20_000) { [loop] in
            Issue.record("the request did not end")
            loop.exit(99)
        }
    }

    /// Requests and dials that libcurl works on.
    var activeCount: Int { client.transfers.activeCount }

    /// Starts a request that tells `recorder`, or somebody else.
    func start(_ request: TransferRequest, _ delegate: (any TransferDelegate)? = nil) {
        let delegate = delegate ?? recorder
        switch way {
        case .libcurl: self.request = client.transfers.start(request, delegate: delegate)
        case .sockets:
            let started = client.start(request, delegate: delegate)
            #expect(started is PlainTransfer)
            self.request = started
        }
    }

    /// Runs one request against the replies to its end.
    func run(
        _ replies: [Reply], headers: [String] = ["Expect:"], body: (any RequestBody)? = TextBody("{}"),
        sendingInTurns: Bool = false
    ) throws -> ScriptedUpstream {
        let upstream = try ScriptedUpstream(loop, replies)
        upstream.sendsInTurns = sendingInTurns
        start(Self.request(upstream.port, headers: headers, body: body))
        #expect(try loop.run() == 0)
        return upstream
    }

    /// Runs the requests against the replies, one after the other, with a turn of the loop between them.
    func run(_ replies: [Reply], inOrder requests: Int) throws -> (ScriptedUpstream, [Recorder]) {
        let upstream = try ScriptedUpstream(loop, replies)
        var recorders: [Recorder] = []
        func next() {
            let recorder = Recorder(loop)
            recorder.onEnd = { [loop] in
                guard recorders.count < requests else { return loop.exit(0) }
                // One turn for what the upstream does behind its answer, one for the client to learn of it.
                loop.later { loop.later { next() } }
            }
            recorders.append(recorder)
            start(Self.request(upstream.port, body: TextBody("\(recorders.count)")), recorder)
        }
        next()
        #expect(try loop.run() == 0)
        return (upstream, recorders)
    }

    static func request(
        _ port: UInt16, _ target: String = "/v1/x?q=1", headers: [String] = ["Expect:"],
        body: (any RequestBody)? = TextBody("{}"), connectTimeoutMsec: Int = 5000,
        usesOwnConnection: Bool = false
    ) -> TransferRequest {
        TransferRequest(
            url: "http://127.0.0.1:\(port)\(target)", headers: headers.flatMap { Array($0.utf8) + [0] },
            body: body, connectTimeoutMsec: connectTimeoutMsec, proxy: "",
            usesOwnConnection: usesOwnConnection)
    }

    func after(msec: UInt64, _ body: @escaping () -> Void) {
        do {
            let timer = try Timer(loop, accuracyUsec: 1, body)
            timer.arm(afterUsec: msec * 1000)
            timers.append(timer)
        } catch {
            Issue.record(error)
        }
    }

    /// Runs `body` after `count` turns of the loop.
    func afterTurns(_ count: Int, _ body: @escaping () -> Void) {
        guard count > 0 else { return body() }
        loop.later { [self] in afterTurns(count - 1, body) }
    }
}

extension String {
    /// The text in pieces of `size` bytes; it must be ASCII.
    func pieces(of size: Int) -> [String] {
        let bytes = Array(utf8)
        return stride(from: 0, to: bytes.count, by: size).map {
            String(decoding: bytes[$0..<min($0 + size, bytes.count)], as: UTF8.self)
        }
    }

    /// More than the sockets between two ends hold.
    static let large = String(repeating: "0123456789abcdef", count: 1 << 20)
}

let ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"

/// A listener whose queue is full: connections to it are neither made nor refused.
final class FullListener {
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
