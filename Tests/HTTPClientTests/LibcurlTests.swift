// SPDX-License-Identifier: Apache-2.0
// What only libcurl's way has: handles that are used again, and connections that are made for somebody else.

import Curl
import EventLoop
import Posix
import Testing

@testable import HTTPClient

@Suite("libcurl's handles", .serialized, .timeLimit(.minutes(1))) struct LibcurlTests {
    @Test("A transfer's handle that is not needed any more is freed")
    func unusedHandle() throws {
        let bench = try Bench(.libcurl)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok])])
        bench.start(Bench.request(upstream.port))
        weak let handle = bench.request as? Transfer
        try #require(handle != nil)
        bench.recorder.onEnd = { bench.request = nil }
        // Until it is freed, or the bound of all tests.
        func look() { bench.after(msec: 10) { handle == nil ? bench.loop.exit(0) : look() } }
        look()
        #expect(try bench.loop.run() == 0)
        #expect(upstream.connectionCount == 1)
    }

    @Test("A transfer's handle is used again with nothing left of the request before")
    func handleReuse() throws {
        let bench = try Bench(.libcurl)
        let upstream = try ScriptedUpstream(
            bench.loop, [.send([ok]), .send(["HTTP/1.1 404 Gone\r\nContent-Length: 2\r\n\r\nno"])])
        let second = Recorder(bench.loop)
        var first: (any RunningRequest)?
        bench.recorder.onEnd = {
            first = bench.request
            bench.start(
                Bench.request(
                    upstream.port, headers: ["X-Second: 2", "Expect:"], body: TextBody("second", step: 2)),
                second)
        }
        bench.start(Bench.request(upstream.port, headers: ["X-First: 1", "Expect:"]))
        #expect(try bench.loop.run() == 0)
        #expect(first === bench.request)
        #expect(second.statuses == [404])
        #expect(second.body == "no")
        let last = try #require(upstream.requests.last)
        #expect(last.contains("X-Second: 2"))
        #expect(!last.contains("X-First"))
        #expect(last.hasSuffix("\r\n\r\nsecond"))
    }

    @Test(
        "A URL that leads nowhere is told by its class",
        arguments: [
            ("http://name.invalid/", TransferFailure.resolve), ("ftp://127.0.0.1/", .malformed),
            ("http://", .malformed),
        ])
    func badURL(url: String, expected: TransferFailure) throws {
        let bench = try Bench(.libcurl)
        bench.start(
            TransferRequest(
                url: url, headers: [], body: TextBody("{}"), connectTimeoutMsec: 5000, proxy: ""))
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.failure == expected)
    }

    @Test("A dialled connection is a socket of the caller's own, and none that a transfer has left")
    func dial() throws {
        let bench = try Bench(.libcurl)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok])])
        var received = ""
        var dial: Dial?
        bench.recorder.onEnd = {
            dial = bench.client.transfers.dial("http://127.0.0.1:\(upstream.port)", connectTimeoutMsec: 5000)
            {
                switch consume $0 {
                case .connected(let socket):
                    // Whatever libcurl does with its own descriptor now.
                    dial = nil
                    let text = Array("POST /dialled HTTP/1.1\r\n\r\n".utf8)
                    #expect(throws: Never.self) {
                        try text.withUnsafeBytes { _ = try Socket.send(socket.raw, $0) }
                    }
                case .failed(_, let text): Issue.record("\(text)")
                }
            }
            #expect(bench.activeCount == 1)
        }
        upstream.onRequest = { received = upstream.requests.last ?? "" }
        upstream.onClose = { bench.loop.exit(0) }
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(received == "POST /dialled HTTP/1.1\r\n\r\n")
        #expect(upstream.connectionCount == 2)
        #expect(bench.activeCount == 0)
        #expect(dial == nil)
    }
}
