// SPDX-License-Identifier: Apache-2.0
import HTTP1
import Testing

@Suite("Response heads")
struct ResponseHeadTests {
    static func text(_ body: (inout [UInt8]) -> Void) -> String {
        var out: [UInt8] = []
        body(&out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test("consist of status line, headers and framing")
    func whole() {
        let text = Self.text { out in
            ResponseHead.begin(status: 200, into: &out)
            ResponseHead.header("content-type", "text/event-stream", into: &out)
            ResponseHead.header("x-request-id", "req_\(7)", into: &out)
            ResponseHead.end(framing: .chunked, keepAlive: true, isHTTP11: true, into: &out)
        }
        #expect(
            text == """
                HTTP/1.1 200 OK\r
                content-type: text/event-stream\r
                x-request-id: req_7\r
                transfer-encoding: chunked\r
                \r

                """)
    }

    @Test(
        "have a reason where the status has one",
        arguments: [
            (200, "200 OK"), (404, "404 Not Found"), (431, "431 Request Header Fields Too Large"),
            (529, "529 "), (999, "999 "), (99, "500 Internal Server Error"),
            (1000, "500 Internal Server Error"),
            (-1, "500 Internal Server Error"),
        ])
    func statusLines(status: Int, expected: String) {
        #expect(Self.text { ResponseHead.begin(status: status, into: &$0) } == "HTTP/1.1 \(expected)\r\n")
    }

    static let ends: [(ResponseHead.Framing, Bool, Bool, String)] = [
        (.none, true, true, "\r\n"),
        (.length(0), true, true, "content-length: 0\r\n\r\n"),
        (.length(1234), false, true, "content-length: 1234\r\nconnection: close\r\n\r\n"),
        (.length(5), true, false, "content-length: 5\r\nconnection: keep-alive\r\n\r\n"),
        (.untilClose, false, false, "connection: close\r\n\r\n"),
        (.chunked, false, true, "transfer-encoding: chunked\r\nconnection: close\r\n\r\n"),
    ]

    @Test("end with their framing", arguments: ends)
    func framing(framing: ResponseHead.Framing, keepAlive: Bool, isHTTP11: Bool, expected: String) {
        let text = Self.text {
            ResponseHead.end(framing: framing, keepAlive: keepAlive, isHTTP11: isHTTP11, into: &$0)
        }
        #expect(text == expected)
    }

    @Test(
        "leave out values that would start another line",
        arguments: ["a\r\nb: c", "a\nb", "a\rb", "a\0", "\u{7f}"])
    func injection(value: String) {
        var out: [UInt8] = []
        #expect(!ResponseHead.header("x-name", value, into: &out))
        #expect(out.isEmpty)
    }

    @Test(
        "pass on a provider's headers but for those of the connection",
        arguments: [
            ("x-ratelimit-remaining", "5", true), ("Set-Cookie", "a=b; c", true), ("x", "", true),
            ("x", "caf\u{e9}\t", true),
            ("Content-Length", "5", false), ("TRANSFER-ENCODING", "chunked", false),
            ("Connection", "x", false),
            ("keep-alive", "x", false), ("upgrade", "x", false), ("trailer", "x", false), ("te", "x", false),
            ("proxy-connection", "x", false), ("", "x", false), ("a b", "x", false), ("a:", "x", false),
            ("a\r\nb", "x", false), ("x", "a\r\nb", false),
        ])
    func passing(name: String, value: String, isWritten: Bool) {
        var out: [UInt8] = []
        let result = Array(name.utf8).withUnsafeBytes { name in
            Array(value.utf8).withUnsafeBytes { ResponseHead.header(name, $0, into: &out) }
        }
        #expect(result == isWritten)
        #expect(String(decoding: out, as: UTF8.self) == (isWritten ? "\(name): \(value)\r\n" : ""))
    }

    @Test("are followed by chunks that decode to what was framed")
    func chunks() {
        var out: [UInt8] = []
        let pieces = ["a", String(repeating: "b", count: 16), String(repeating: "c", count: 70_000)]
        for piece in pieces {
            ChunkFrame.begin(piece.utf8.count, into: &out)
            out.append(contentsOf: piece.utf8)
            out.append(contentsOf: "\r\n".utf8)
        }
        out.append(contentsOf: "0\r\n\r\n".utf8)
        #expect(String(decoding: out.prefix(6), as: UTF8.self) == "1\r\na\r\n")
        #expect(ChunkedDecoderTests.decode([out]).body == pieces.joined())
        #expect("\(ChunkFrame.end)" == "\r\n" && "\(ChunkFrame.last)" == "0\r\n\r\n")
    }

    @Test("are never followed by an empty chunk, which would end the body")
    func emptyChunk() async {
        await #expect(processExitsWith: .failure) {
            var out: [UInt8] = []
            ChunkFrame.begin(0, into: &out)
        }
    }
}
