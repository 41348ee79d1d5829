// SPDX-License-Identifier: Apache-2.0
// What is made of an upstream's answer, the same whichever way the request went.

import Curl
import EventLoop
import Testing

@testable import HTTPClient

@Suite("Answers", .serialized, .timeLimit(.minutes(1))) struct AnswerTests {
    @Test("Head and body are reported in order, with the lines as they came", arguments: Way.allCases)
    func simple(way: Way) throws {
        let bench = try Bench(way)
        _ = try bench.run([.send([ok])])
        #expect(bench.recorder.headLines == ["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: b"])
        #expect(bench.recorder.statuses == [200])
        #expect(bench.recorder.body == "hello")
        #expect(bench.recorder.result == .complete)
        #expect(bench.activeCount == 0)
    }

    @Test(
        "Interim answers are passed over", arguments: Way.allCases,
        ["100 Continue", "103 Early Hints", "102 Processing"])
    func interim(way: Way, status: String) throws {
        let bench = try Bench(way)
        _ = try bench.run([
            .send(["HTTP/1.1 \(status)\r\nLink: x\r\n\r\n", "HTTP/1.1 \(status)\r\n\r\n" + ok])
        ])
        #expect(bench.recorder.headLines == ["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: b"])
        #expect(bench.recorder.statuses == [200])
        #expect(bench.recorder.body == "hello")
    }

    @Test(
        "A status is told with the head, whatever it is", arguments: Way.allCases,
        [200, 204, 302, 400, 429, 529])
    func statuses(way: Way, status: Int) throws {
        let bench = try Bench(way)
        _ = try bench.run([.send(["HTTP/1.1 \(status) X\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n"])])
        #expect(bench.recorder.statuses == [status])
        #expect(bench.recorder.body == "")
        #expect(bench.recorder.result == .complete)
    }

    private static let interimAndChunks =
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n"
        + "3\r\nabc\r\n2;x=y\r\nde\r\n00a\r\n0123\r\n5678\r\n0\r\nX-Trailer: t\r\n\r\n"

    @Test(
        "Chunks lose their frames in whatever pieces they come, and trailers mean nothing",
        arguments: Way.allCases, [1, 2, 3, 5, 7, 11, 1000])
    func chunked(way: Way, size: Int) throws {
        let bench = try Bench(way)
        _ = try bench.run([.send(Self.interimAndChunks.pieces(of: size))], sendingInTurns: true)
        #expect(bench.recorder.body == "abcde0123\r\n5678")
        #expect(bench.recorder.headLines == ["HTTP/1.1 200 OK", "transfer-encoding: Chunked"])
        #expect(bench.recorder.result == .complete)
    }

    @Test("An answer with a length comes in whatever pieces", arguments: Way.allCases, [1, 2, 3, 44, 50])
    func lengthInPieces(way: Way, size: Int) throws {
        let bench = try Bench(way)
        let upstream = try bench.run([.send(ok.pieces(of: size))], sendingInTurns: true)
        #expect(bench.recorder.headLines == ["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: b"])
        #expect(bench.recorder.body == "hello")
        #expect(bench.recorder.result == .complete)
        #expect(upstream.requests.count == 1)
    }

    @Test("What has come of a body is passed on before the rest comes", arguments: Way.allCases)
    func stream(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(
            bench.loop, [.send(["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])])
        var told = ""
        bench.recorder.onBody = {
            told = bench.recorder.body
            bench.loop.later { upstream.sendMore(told.isEmpty ? "3\r\ndef\r\n" : "0\r\n\r\n") }
            return .taken
        }
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(told == "abc")
        #expect(bench.recorder.body == "abcdef")
        #expect(bench.recorder.bodyCalls == 2)
    }

    @Test(
        "An answer without a length ends with its connection", arguments: Way.allCases,
        [
            "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        ])
    func untilClose(way: Way, head: String) throws {
        let bench = try Bench(way)
        _ = try bench.run([.sendAndClose([head, "all ", "of it"])], sendingInTurns: true)
        #expect(bench.recorder.body == "all of it")
        #expect(bench.recorder.result == .complete)
    }

    @Test("A line may end with a line feed alone", arguments: Way.allCases)
    func lineFeeds(way: Way) throws {
        let bench = try Bench(way)
        _ = try bench.run([.send(["HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b\n\nhello"])])
        #expect(bench.recorder.headLines == ["HTTP/1.1 200 OK", "Content-Length: 5", "X-A: b"])
        #expect(bench.recorder.body == "hello")
    }

    @Test(
        "An answer of a status that has no body ends with its head", arguments: Way.allCases,
        ["204 No Content\r\nContent-Length: 5", "304 Not Modified\r\nContent-Length: 5", "204 X", "304 X"])
    func withoutBody(way: Way, head: String) throws {
        let bench = try Bench(way)
        _ = try bench.run([.send(["HTTP/1.1 \(head)\r\n\r\n"])])
        #expect(bench.recorder.statuses.count == 1)
        #expect(bench.recorder.bodyCalls == 0)
        #expect(bench.recorder.result == .complete)
    }

    private static let brokenOff = [
        "", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]

    @Test("An answer that ends too early is broken", arguments: Way.allCases, brokenOff)
    func ended(way: Way, text: String) throws {
        let bench = try Bench(way)
        _ = try bench.run([.sendAndClose([text])])
        #expect(bench.recorder.failure == .broken)
        #expect(bench.activeCount == 0)
    }

    @Test(
        "An answer whose connection breaks is broken, even where its end would have ended it",
        arguments: Way.allCases, brokenOff + ["HTTP/1.1 200 OK\r\n\r\nall of"])
    func reset(way: Way, text: String) throws {
        let bench = try Bench(way)
        _ = try bench.run([.sendAndReset([text])], sendingInTurns: true)
        #expect(bench.recorder.failure == .broken)
        #expect(bench.activeCount == 0)
    }

    @Test(
        "What is no HTTP is malformed", arguments: Way.allCases,
        [
            "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 20\r\n\r\n",
            "HTTP/1.1 099 X\r\n\r\n", "\u{16}\u{3}\u{1}", "HTTP/1.x 200 OK\r\n\r\n",
            "HTTP/0.9 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        ])
    func malformed(way: Way, text: String) throws {
        let bench = try Bench(way)
        _ = try bench.run([.sendAndClose([text])])
        #expect(bench.recorder.failure == .malformed)
        #expect(bench.activeCount == 0)
    }

    @Test("A head without an end is not waited for for ever", arguments: Way.allCases)
    func endlessHead(way: Way) throws {
        let bench = try Bench(way)
        let line = "X-Filler: " + String(repeating: "x", count: 990) + "\r\n"
        _ = try bench.run([.send(["HTTP/1.1 200 OK\r\n" + String(repeating: line, count: 400)])])
        #expect(bench.recorder.failure != nil)
        #expect(bench.recorder.statuses.isEmpty)
    }

    // MARK: - Clients that do not take it

    @Test(
        "A client that cannot take more pauses the answer, and gets the same bytes again",
        arguments: Way.allCases)
    func pause(way: Way) throws {
        let bench = try Bench(way)
        var offers: [String] = []
        bench.recorder.onBytes = { offers.append($0) }
        bench.recorder.onBody = {
            guard offers.count == 1 else { return .taken }
            bench.afterTurns(2) { bench.request?.resume() }
            return .pause
        }
        _ = try bench.run([.send([ok])])
        #expect(offers == ["hello", "hello"])
        #expect(bench.recorder.body == "hello")
        #expect(bench.recorder.result == .complete)
    }

    @Test(
        "While it is paused nothing is offered, and what has come meanwhile is not lost",
        arguments: Way.allCases)
    func pauseMeanwhile(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(
            bench.loop, [.send(["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])])
        var offered = 0
        bench.recorder.onBody = {
            offered += 1
            guard offered <= 2 else { return .taken }
            let now = offered
            upstream.sendMore(offered == 1 ? "def" : "ghi")
            // Time for the loop to offer more, which it must not.
            bench.after(msec: 5) {
                #expect(offered == now)
                bench.request?.resume()
                bench.request?.resume()
            }
            return .pause
        }
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.body == "abcdefghi")
        #expect(bench.recorder.result == .complete)
    }

    @Test(
        "An answer may end while it is paused, with its connection or not", arguments: Way.allCases,
        [false, true])
    func pausedEnd(way: Way, closes: Bool) throws {
        let bench = try Bench(way)
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        var offered = 0
        bench.recorder.onBody = {
            offered += 1
            guard offered == 1 else { return .taken }
            bench.afterTurns(3) {
                #expect(bench.recorder.result == nil)
                bench.request?.resume()
            }
            return .pause
        }
        _ = try bench.run([closes ? .sendAndClose([text]) : .send([text])])
        #expect(bench.recorder.body == "abcde")
        #expect(bench.recorder.result == .complete)
    }

    @Test("A paused answer takes no more than a bounded amount from its upstream", arguments: Way.allCases)
    func pauseBounded(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(
            bench.loop, [.send(["HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"])])
        var sent = 0
        bench.recorder.onHead = {
            // Until the client's side takes no more: what is on its way is the kernel's.
            func fill(_ rest: Int) {
                let count = upstream.sendWhatFits(String.large)
                sent += count
                guard rest > 0 else { return bench.loop.exit(0) }
                bench.loop.later { fill(count > 0 || bench.recorder.bodyCalls == 0 ? 20 : rest - 1) }
            }
            bench.loop.later { fill(20) }
        }
        bench.recorder.onBody = { .pause }
        bench.start(Bench.request(upstream.port))
        #expect(try bench.loop.run() == 0)
        #expect(sent > 0 && sent < 48 << 20)
        #expect(bench.recorder.bodyCalls == 1)
        bench.request?.cancel()
    }

    @Test("A delegate may give the rest up", arguments: Way.allCases)
    func giveUp(way: Way) throws {
        let bench = try Bench(way)
        bench.recorder.onBody = { .giveUp }
        _ = try bench.run([.send([ok])])
        #expect(bench.recorder.failure == .broken)
        #expect(bench.recorder.bodyCalls == 1)
        #expect(bench.activeCount == 0)
    }

    @Test("A delegate may give the rest up after a pause", arguments: Way.allCases)
    func giveUpLater(way: Way) throws {
        let bench = try Bench(way)
        bench.recorder.onBody = {
            guard bench.recorder.bodyCalls == 1 else { return .giveUp }
            bench.afterTurns(2) { bench.request?.resume() }
            return .pause
        }
        _ = try bench.run([.send([ok])])
        #expect(bench.recorder.failure == .broken)
        #expect(bench.recorder.bodyCalls == 2)
        #expect(bench.activeCount == 0)
    }
}
