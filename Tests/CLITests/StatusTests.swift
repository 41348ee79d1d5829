// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Posix
import Testing

@testable import CLI

/// A server that gives one raw answer to each connection, in order, and keeps the requests.
final class ScriptedServer: Sendable {
    let port: UInt16
    private let listener: Int32

    /// - Parameter holdsOpen: the connection stays open behind the answer, until the server goes.
    init(_ answers: [String], holdsOpen: Bool = false) throws {
        let descriptor = try Socket.listen(.tcp(host: "127.0.0.1", port: 0))
        try descriptor.setNonBlocking(false)
        port = try #require(Socket.localPort(descriptor.raw))
        let raw = descriptor.release()
        listener = raw
        Thread.detachNewThread {
            for answer in answers {
                let connection = accept(raw, nil, nil)
                guard connection >= 0 else { return }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                _ = recv(connection, &buffer, buffer.count, 0)
                // One byte at a time: the client must not depend on how an answer is cut.
                for byte in Array(answer.utf8) {
                    _ = withUnsafePointer(to: byte) { send(connection, $0, 1, Int32(MSG_NOSIGNAL)) }
                }
                if !holdsOpen { close(connection) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}

@Suite("ccr status")
struct StatusTests {
    private static let health = """
        {"status":"healthy","version":"0.1.0","processes":[\
        {"role":"front","provider":"","pid":11,"state":"ready","restarts":0,"resident_bytes":5242880,"text":"3 streams"},\
        {"role":"worker","provider":"openai","pid":12,"state":"back_off","restarts":2}]}
        """
    private static let latencies = #"[{"tier":"openai","ewma_seconds":0.25,"sample_count":7}]"#

    private func plain(_ body: String, status: String = "200 OK") -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    private func status(_ server: ScriptedServer, _ more: String...) -> Outcome {
        let config = #"{"Providers": [{"name": "e", "api_base_url": "builtin:echo"}]}"#
        return withExtendedLifetime(server) {
            ccr(
                ["status", "--config", "c.json", "--port", "\(server.port)"] + more, files: ["c.json": config]
            )
        }
    }

    @Test("shows health, processes and latencies")
    func healthy() throws {
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "10;x=y\r\n\(Self.latencies.prefix(16))\r\n"
            + "\(String(Self.latencies.count - 16, radix: 16))\r\n\(Self.latencies.dropFirst(16))\r\n0\r\n\r\n"
        let outcome = status(try ScriptedServer([plain(Self.health), chunked], holdsOpen: true))
        #expect(outcome.status == 0)
        #expect(outcome.complaints == "")
        let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(
            lines == [
                "healthy, version 0.1.0", "", "PROCESS  PROVIDER  PID  STATE     RESTARTS  MEMORY  SAYS",
                "front              11   ready     0         5 MB    3 streams",
                "worker   openai    12   back_off  2                 ", "", "TIER    LATENCY  SAMPLES",
                "openai  250 ms   7", "",
            ])
    }

    @Test("tells each circuit that is not closed, each pause and each ban in a line")
    func policy() throws {
        let health = """
            {"status":"healthy","circuits":[{"provider":"up","model":"m","state":"open","remaining_seconds":12},\
            {"provider":"up","model":"n","state":"half_open","remaining_seconds":0}],\
            "pauses":[{"provider":"up","credential":"two","model":null,"remaining_seconds":600}],\
            "bans":[{"provider":"up","credential":null,"model":"m","origin":"admin","remaining_seconds":null}]}
            """
        let outcome = status(try ScriptedServer([plain(health), plain("[]")]))
        #expect(
            outcome.output == """
                healthy

                circuit open: provider up for model m, 12 s left
                circuit half-open: provider up for model n
                paused: credential two of provider up, 10 min left
                banned by admin: provider up for model m

                """)
    }

    @Test("gives both answers to programs, and null for latencies that are missing")
    func json() throws {
        let both = status(try ScriptedServer([plain(Self.health), plain(Self.latencies)]), "--json")
        #expect(
            both.output == #"{"health":\#(Self.health),"latencies":\#(Self.latencies),"managed_by":null}"#
                + "\n")
        let one = status(try ScriptedServer([plain(Self.health), plain("{}", status: "502 Bad")]), "--json")
        #expect(one.status == 0)
        #expect(one.output == #"{"health":\#(Self.health),"latencies":null,"managed_by":null}"# + "\n")
    }

    @Test("says that nothing listens")
    func down() throws {
        let closed = ccr(["status", "--host", "127.0.0.1", "--port", "\(try unusedPort())"])
        #expect(closed.status == 1)
        #expect(closed.complaints.contains("ccr is down at 127.0.0.1:"))
        #expect(closed.complaints.contains("Connection refused"))
    }

    /// A port that was free a moment ago.
    private func unusedPort() throws -> UInt16 {
        let descriptor = try Socket.listen(.tcp(host: "127.0.0.1", port: 0))
        return try #require(Socket.localPort(descriptor.raw))
    }

    @Test(
        "says that something else answers",
        arguments: [
            ("SSH-2.0-x\r\n\r\n", "what answers is not ccr (invalidHead)"),
            ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "/health answers 503"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "what answers is not ccr ("),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "what answers is not ccr (no status)"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "what answers is not ccr (truncated)"),
            ("", "what answers is not ccr (truncated)"),
        ])
    func somethingElse(answer: String, message: String) throws {
        let outcome = status(try ScriptedServer([answer]))
        #expect(outcome.status == 1)
        #expect(outcome.output.isEmpty)
        #expect(outcome.complaints.contains(message), "\(outcome.complaints)")
    }

    @Test("gives up on a server that is silent")
    func silent() throws {
        let server = try ScriptedServer(["HTTP/1.1 200 OK\r\n"], holdsOpen: true)
        let failure = #expect(throws: HTTPClient.Failure.self) {
            try HTTPClient.ask(
                "/health", at: .tcp(host: "127.0.0.1", port: server.port), key: nil, timeoutMs: 50)
        }
        #expect(failure?.message == "no answer in time")
        withExtendedLifetime(server) {}
    }
}

@Suite("The reader of responses")
struct ResponseTests {
    @Test(
        "needs the whole response, wherever it is cut",
        arguments: [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.0 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ])
    func cuts(text: String) throws {
        let bytes = Array(text.utf8)
        for cut in 0..<bytes.count {
            let part = Array(bytes[..<cut])
            #expect(try HTTPResponse.parse(part, atEnd: false) == nil)
            #expect(throws: HTTPResponse.Fault.truncated) { try HTTPResponse.parse(part, atEnd: true) }
        }
        #expect(
            try HTTPResponse.parse(bytes, atEnd: false)
                == HTTPResponse(status: 200, body: Array("hello".utf8)))
    }

    @Test("reads a body without a length to the end")
    func untilEnd() throws {
        let bytes = Array("HTTP/1.1 404 Not Found\r\n\r\nabc".utf8)
        #expect(try HTTPResponse.parse(bytes, atEnd: false) == nil)
        #expect(
            try HTTPResponse.parse(bytes, atEnd: true) == HTTPResponse(status: 404, body: Array("abc".utf8)))
    }

    @Test(
        "refuses what is no response",
        arguments: [
            "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nnocolon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "\r\n\r\n",
        ])
    func faults(text: String) {
        #expect(throws: HTTPResponse.Fault.invalidHead) {
            try HTTPResponse.parse(Array(text.utf8), atEnd: true)
        }
    }
}
