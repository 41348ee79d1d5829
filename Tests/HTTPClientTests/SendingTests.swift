// SPDX-License-Identifier: Apache-2.0
// What an upstream gets to see of a request, the same whichever way it goes.

import Curl
import EventLoop
import Testing

@testable import HTTPClient

@Suite("Requests", .serialized, .timeLimit(.minutes(1))) struct SendingTests {
    /// The request line, and the field lines in order and in lower case.
    private func head(_ request: String?) -> (line: String, fields: [String]) {
        let head = request?.firstRange(of: "\r\n\r\n").map { request?[..<$0.lowerBound] ?? "" } ?? ""
        let lines = head.replacing("\r\n", with: "\n").split(separator: "\n").map(String.init)
        return (lines.first ?? "", lines.dropFirst().map { $0.lowercased() }.sorted())
    }

    @Test("A request goes out as it was given", arguments: Way.allCases)
    func simple(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try bench.run(
            [.send([ok])],
            headers: ["X-One: 1", "X-Empty;", "Accept:", "Content-Type: application/json", "Expect:"],
            body: TextBody("{\"a\":1}"))
        let (line, fields) = head(upstream.requests.first)
        #expect(line == "POST /v1/x?q=1 HTTP/1.1")
        #expect(
            fields == [
                "content-length: 7", "content-type: application/json", "host: 127.0.0.1:\(upstream.port)",
                "x-empty:", "x-one: 1",
            ])
        #expect(upstream.requests.first?.hasSuffix("\r\n\r\n{\"a\":1}") == true)
    }

    @Test(
        "A field is written as the notation says", arguments: Way.allCases,
        [
            (["X-A: b", "X-A: c"], ["x-a: b", "x-a: c"]), (["X-A:b"], ["x-a:b"]), (["X-A: b:"], ["x-a: b:"]),
            (["X-A: b;"], ["x-a: b;"]), (["X-A;"], ["x-a:"]), (["X-A:"], []), (["X-A:  \t"], []),
            (["X-A: :"], ["x-a: :"]), (["Authorization: Bearer x"], ["authorization: bearer x"]),
        ] as [([String], [String])])
    func notation(way: Way, lines: (given: [String], written: [String])) throws {
        let bench = try Bench(way)
        let upstream = try bench.run(
            [.send([ok])], headers: lines.given + ["Accept:", "Content-Type:", "Expect:"])
        let own = ["content-length: 2", "host: 127.0.0.1:\(upstream.port)"]
        #expect(head(upstream.requests.first).fields == (own + lines.written).sorted())
    }

    @Test(
        "The operator's Host goes out in place of the URL's, once", arguments: Way.allCases,
        [["Host: a.example"], ["host: a.example", "Host: b.example"], ["HOST:a.example"]])
    func host(way: Way, lines: [String]) throws {
        let bench = try Bench(way)
        let upstream = try bench.run([.send([ok])], headers: lines + ["Accept:", "Content-Type:", "Expect:"])
        let hosts = head(upstream.requests.first).fields.filter { $0.hasPrefix("host") }
        #expect(hosts.map { $0.replacing(" ", with: "") } == ["host:a.example"])
    }

    @Test("A request without a body asks with GET", arguments: Way.allCases)
    func get(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try bench.run([.send([ok])], headers: ["Accept: text/plain"], body: nil)
        let (line, fields) = head(upstream.requests.first)
        #expect(line == "GET /v1/x?q=1 HTTP/1.1")
        #expect(fields == ["accept: text/plain", "host: 127.0.0.1:\(upstream.port)"])
        #expect(bench.recorder.body == "hello")
    }

    @Test("A body may be empty", arguments: Way.allCases, [nil, 10] as [Int?])
    func emptyBody(way: Way, step: Int?) throws {
        let bench = try Bench(way)
        let upstream = try bench.run([.send([ok])], body: TextBody("", step: step))
        let (line, fields) = head(upstream.requests.first)
        #expect(line.hasPrefix("POST "))
        #expect(fields.contains("content-length: 0"))
        #expect(bench.recorder.result == .complete)
    }

    @Test(
        "A URL means the same server and the same target", arguments: Way.allCases,
        [
            ("", "/"), ("/", "/"), ("?q=1", "/?q=1"), ("/a?q=1", "/a?q=1"), ("/a/b%2Fc", "/a/b%2Fc"),
            ("/a//b", "/a//b"), ("/a?b?c", "/a?b?c"), ("/a:b@c", "/a:b@c"),
            ("/models/x:generate?alt=sse", "/models/x:generate?alt=sse"),
            ("/a|b{c}\"<>^`\\", "/a|b{c}\"<>^`\\"), ("/~a!$&'()*+,;=", "/~a!$&'()*+,;="), ("/a?", "/a?"),
            ("/a.b", "/a.b"),
            ("/?/", "/?/"),
        ])
    func targets(way: Way, target: (given: String, sent: String)) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok])])
        bench.start(Bench.request(upstream.port, target.given))
        #expect(try bench.loop.run() == 0)
        let (line, fields) = head(upstream.requests.first)
        #expect(line == "POST \(target.sent) HTTP/1.1")
        #expect(fields.contains("host: 127.0.0.1:\(upstream.port)"))
    }

    @Test("A body may lie in pieces of any size", arguments: Way.allCases, [1, 7, 1000, 1 << 20])
    func pieces(way: Way, step: Int) throws {
        let bench = try Bench(way)
        let text = String(repeating: "0123456789", count: 2000)
        let body = TextBody(text, step: step)
        let upstream = try bench.run([.send([ok])], body: body)
        #expect(upstream.requests.first?.hasSuffix("\r\n\r\n" + text) == true)
        #expect(bench.recorder.result == .complete)
    }

    @Test("Bytes of a body are read from any place, over the borders of pieces", arguments: [1, 3, 10, 11])
    func reading(step: Int) {
        let text = Array("0123456789".utf8)
        let body = TextBody("0123456789", step: step)
        #expect((body.contiguous != nil) == (step >= 10))
        for offset in 0...10 {
            for room in 0...11 {
                var buffer = [UInt8](repeating: 0x2A, count: room)
                let count = buffer.withUnsafeMutableBytes { body.read(from: offset, into: $0) }
                #expect(buffer[..<count].elementsEqual(text[offset...].prefix(room)))
                #expect(buffer[count...].allSatisfy { $0 == 0x2A })
            }
        }
    }

    @Test(
        "A body larger than the sockets' room goes out whole", arguments: Way.allCases,
        [nil, 100_000, 1 << 20] as [Int?])
    func large(way: Way, step: Int?) throws {
        let bench = try Bench(way)
        let upstream = try bench.run([.send([ok])], body: TextBody(.large, step: step))
        #expect(upstream.requests.first?.hasSuffix("\r\n\r\n" + .large) == true)
        #expect(bench.recorder.result == .complete)
    }

    @Test("A head larger than the sockets' room goes out whole", arguments: Way.allCases)
    func largeHead(way: Way) throws {
        let bench = try Bench(way)
        // libcurl takes a head of a megabyte at most.
        let lines = (0..<15).map { "X-\($0): " + String(repeating: "\($0)", count: 30_000) }
        let upstream = try bench.run([.send([ok])], headers: lines + ["Expect:"], body: TextBody("{\"a\":1}"))
        let (_, fields) = head(upstream.requests.first)
        #expect(lines.allSatisfy { fields.contains($0.lowercased()) })
        #expect(upstream.requests.first?.hasSuffix("\r\n\r\n{\"a\":1}") == true)
    }

    @Test(
        "A body that has been sent is let go when the answer begins", arguments: Way.allCases,
        [nil, 100] as [Int?])
    func sentBody(way: Way, step: Int?) throws {
        let bench = try Bench(way)
        weak var body: TextBody?
        var wasFreed = false
        bench.recorder.onHead = { wasFreed = body == nil }
        let upstream = try ScriptedUpstream(bench.loop, [.send([ok])])
        // A scope of its own, so that nobody but the request holds the body.
        func start() {
            let text = TextBody(String(repeating: "x", count: 5000), step: step)
            body = text
            bench.start(Bench.request(upstream.port, body: text))
        }
        start()
        #expect(body != nil)
        #expect(try bench.loop.run() == 0)
        #expect(wasFreed)
    }

    @Test(
        "A body that the upstream has not taken yet is kept although the answer has begun",
        arguments: Way.allCases, [nil, 100_000] as [Int?])
    func earlyAnswer(way: Way, step: Int?) throws {
        let bench = try Bench(way)
        weak var body: TextBody?
        var wasKept = false
        bench.recorder.onHead = { wasKept = body != nil }
        let upstream = try ScriptedUpstream(
            bench.loop, [.send(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"])])
        upstream.answersEarly = true
        upstream.onRequest = { [unowned upstream] in upstream.sendMore("hello") }
        func start() {
            let whole = TextBody(.large, step: step)
            body = whole
            bench.start(Bench.request(upstream.port, body: whole))
        }
        start()
        #expect(try bench.loop.run() == 0)
        #expect(wasKept)
        #expect(bench.recorder.body == "hello")
        #expect(upstream.requests.first?.hasSuffix("\r\n\r\n" + .large) == true)
        #expect(body == nil)
    }

    @Test(
        "A refusal that comes while the body is being sent is told, and ends sending and connection",
        arguments: Way.allCases, [413, 307])
    func earlyRefusal(way: Way, status: Int) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(
            bench.loop, [.send(["HTTP/1.1 \(status) No\r\nContent-Length: 2\r\n\r\nn"]), .send([ok])])
        upstream.answersEarly = true
        var pieces = 0
        upstream.onBytes = { pieces += 1 }
        bench.recorder.onHead = {
            // The rest of the answer comes when nothing more of the request does.
            func look(_ before: Int) {
                guard pieces > before else { return upstream.sendMore("o") }
                bench.after(msec: 10) { [pieces] in look(pieces) }
            }
            look(-1)
        }
        let second = Recorder(bench.loop)
        bench.recorder.onEnd = {
            bench.loop.later { bench.start(Bench.request(upstream.port, body: TextBody("second")), second) }
        }
        bench.start(Bench.request(upstream.port, body: TextBody(.large)))
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.statuses == [status])
        #expect(bench.recorder.body == "no")
        #expect(bench.recorder.result == .complete)
        #expect(second.body == "hello")
        #expect(upstream.connectionCount == 2)
        #expect(upstream.requests.count == 1)
    }

    @Test(
        "An upstream that goes away while the body is being sent has broken off", arguments: Way.allCases,
        [Reply.sendAndClose([]), .sendAndReset([])])
    func brokenWhileSending(way: Way, reply: Reply) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(bench.loop, [reply])
        upstream.answersEarly = true
        bench.start(Bench.request(upstream.port, body: TextBody(.large)))
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.failure == .broken)
        #expect(upstream.connectionCount == 1)
        #expect(bench.activeCount == 0)
    }

    @Test(
        "An answer until the end of its connection that breaks while the body is being sent is not complete",
        arguments: Way.allCases)
    func brokenAnswerWhileSending(way: Way) throws {
        let bench = try Bench(way)
        let upstream = try ScriptedUpstream(bench.loop, [.sendAndReset(["HTTP/1.1 200 OK\r\n\r\nall of"])])
        upstream.answersEarly = true
        bench.start(Bench.request(upstream.port, body: TextBody(.large)))
        #expect(try bench.loop.run() == 0)
        #expect(bench.recorder.failure == .broken)
    }
}
