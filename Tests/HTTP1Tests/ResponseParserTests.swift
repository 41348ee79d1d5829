// SPDX-License-Identifier: Apache-2.0
import HTTP1
import Testing

@Suite("Answers of upstreams")
struct ResponseParserTests {
    /// What a parser made of some bytes.
    struct Parsed: Equatable {
        var head: ResponseParser.Head?
        var lines: [String] = []
        var error: ResponseError?
    }

    /// Shows a parser the first bytes up to each of `ends`, until something comes of it.
    static func parse(_ bytes: [UInt8], ends: some Sequence<Int>) -> Parsed {
        var parser = ResponseParser()
        var parsed = Parsed()
        for end in ends where parsed.head == nil && parsed.error == nil {
            do throws(ResponseError) {
                parsed.head = try Array(bytes[..<end]).span.withUnsafeBytes { (bytes) throws(ResponseError) in
                    try parser.parseHead(bytes) { parsed.lines.append(String(decoding: $0, as: UTF8.self)) }
                }
            } catch {
                parsed.error = error
            }
        }
        return parsed
    }

    static func parse(_ text: String) -> Parsed {
        parse(Array(text.utf8), ends: CollectionOfOne(text.utf8.count))
    }

    static let accepted:
        [(text: String, status: Int, body: ResponseBody.Framing, keeps: Bool, lines: [String])] = [
            ("HTTP/1.1 200 OK\r\n\r\n", 200, .untilClose, false, ["HTTP/1.1 200 OK"]),
            ("HTTP/1.1 200\r\n\r\n", 200, .untilClose, false, ["HTTP/1.1 200"]),
            (
                "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, .length(0), true,
                ["HTTP/1.1 200 ", "Content-Length: 0"]
            ),
            (
                "HTTP/1.1 599 X\ncontent-length:5\n\n", 599, .length(5), true,
                ["HTTP/1.1 599 X", "content-length:5"]
            ),
            ("HTTP/1.1 200 OK\r\nA: b\n\r\n", 200, .untilClose, false, ["HTTP/1.1 200 OK", "A: b"]),
            ("HTTP/1.1 200 OK\nA: b\r\n\n", 200, .untilClose, false, ["HTTP/1.1 200 OK", "A: b"]),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: \t 12 \r\nContent-Length: 12\r\n\r\n", 200, .length(12),
                true,
                ["HTTP/1.1 200 OK", "Content-Length: \t 12 ", "Content-Length: 12"]
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n", 200,
                .length(999_999_999_999_999_999),
                true, ["HTTP/1.1 200 OK", "Content-Length: 999999999999999999"]
            ),
            (
                "HTTP/1.1 200 OK\r\nTRANSFER-encoding:CHUNKED\r\n\r\n", 200, .chunked, true,
                ["HTTP/1.1 200 OK", "TRANSFER-encoding:CHUNKED"]
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 200, .chunked,
                false,
                ["HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"]
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: x, CLOSE ,y\r\nContent-Length: 5\r\n\r\n", 200, .length(5),
                false,
                ["HTTP/1.1 200 OK", "Connection: x, CLOSE ,y", "Content-Length: 5"]
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: closed, x-close\r\nContent-Length: 5\r\n\r\n", 200,
                .length(5), true,
                ["HTTP/1.1 200 OK", "Connection: closed, x-close", "Content-Length: 5"]
            ),
            (
                "HTTP/1.1 200 OK\r\nX-Content-Length: 7\r\nContent-Lengths: 7\r\nContent-Length: 5\r\n\r\n",
                200,
                .length(5), true,
                ["HTTP/1.1 200 OK", "X-Content-Length: 7", "Content-Lengths: 7", "Content-Length: 5"]
            ),
            (
                "HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 5\r\n\r\n", 200, .untilClose, false,
                ["HTTP/1.1 200 OK", "A: b", " Content-Length: 5"]
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", 200, .length(5), false,
                ["HTTP/1.0 200 OK", "Content-Length: 5"]
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n", 200, .length(5),
                true,
                ["HTTP/1.0 200 OK", "Connection: Keep-Alive", "Content-Length: 5"]
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", 200,
                .chunked, false,
                ["HTTP/1.0 200 OK", "Connection: keep-alive", "Transfer-Encoding: chunked"]
            ),
            (
                "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\n", 200, .length(5), true,
                ["HTTP/1.2 200 OK", "Content-Length: 5"]
            ),
            (
                "HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n", 204, .length(0), true,
                ["HTTP/1.1 204 X", "Content-Length: 5"]
            ),
            (
                "HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n", 304, .length(0), true,
                ["HTTP/1.1 304 X", "Transfer-Encoding: chunked"]
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\nLink: y\n\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                200,
                .length(5), true, ["HTTP/1.1 200 OK", "Content-Length: 5"]
            ),
            (
                "HTTP/1.1 102 X\r\nContent-Length: 9\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                200, .length(5), true, ["HTTP/1.1 200 OK", "Content-Length: 5"]
            ),
        ]

    @Test("have a head that means the same in whatever pieces it comes", arguments: accepted)
    func accept(
        answer: (text: String, status: Int, body: ResponseBody.Framing, keeps: Bool, lines: [String])
    ) throws {
        let bytes = Array(answer.text.utf8)
        let whole = Self.parse(answer.text)
        let head = try #require(whole.head)
        #expect(head.status == answer.status)
        #expect(head.body == answer.body)
        #expect(head.keepsConnection == answer.keeps)
        #expect(head.length == bytes.count)
        #expect(whole.lines == answer.lines)
        #expect(Self.parse(bytes, ends: 0...bytes.count) == whole)
        for split in 0...bytes.count { #expect(Self.parse(bytes, ends: [split, bytes.count]) == whole) }
        // What follows is the body's.
        #expect(Self.parse(answer.text + "\r\nHTTP/1.1 100 X\r\n\r\n") == whole)
    }

    static let refused: [(String, ResponseError)] =
        [
            "\r\n", "\r\n\r\n", "\n\n", "HTTP", "http/1.1 200 OK\r\n\r\n", "HTTP/2 200\r\n\r\n",
            "HTTP/1 200\r\n\r\n",
            "HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 2\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
            "HTTP/1.1  200\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 20x\r\n\r\n", "HTTP/1.1 099\r\n\r\n", "HTTP/1.1 -20\r\n\r\n",
            "HTTP/1.1\t200\r\n\r\n", "HTTP/1.x 200\r\n\r\n", "HTTP/1. 200 O\r\n\r\n",
            "HTTP/11 200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n", " HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
            "HTTP/1.1 101 X\r\n\r\n",
            "HTTP/1.1 100 X\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 100 X\r\n\r\nXHTTP/1.1 200 OK\r\n\r\n",
            "\u{16}\u{3}\u{1}\n\n", "HTTP/1.1 20\n\n",
        ].map { ($0, .invalidStatusLine) }
        + [
            "", "x", "-1", "+1", "1x", "0x1", "1.0", "1,1", "1 1", "9999999999999999999",
            "18446744073709551616",
            "\u{0661}",
        ].map { ("HTTP/1.1 200 OK\r\nContent-Length: \($0)\r\n\r\n", .invalidContentLength) }
        + [
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .invalidContentLength),
            ("HTTP/1.1 204 X\r\nContent-Length: x\r\n\r\n", .invalidContentLength),
            ("HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\n", .invalidContentLength),
            ("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", .invalidField), ("HTTP/1.1 200 \0\r\n\r\n", .invalidField),
        ]
        + [
            "", "gzip", "gzip, chunked", "chunked, gzip", "identity", "xchunked", "chunked;q=1",
            "chunked\r\nTransfer-Encoding: chunked",
            "\r\n chunked",
        ].map { ("HTTP/1.1 200 OK\r\nTransfer-Encoding: \($0)\r\n\r\n", .unsupportedTransferEncoding) }

    @Test("are refused with their reason in whatever pieces they come", arguments: refused)
    func refuse(text: String, error: ResponseError) {
        let bytes = Array(text.utf8)
        // What may still become an answer is none yet.
        let isOpen = text == "HTTP"
        #expect(Self.parse(text).error == (isOpen ? nil : error))
        for split in 0...bytes.count {
            #expect(Self.parse(bytes, ends: [split, bytes.count]).error == (isOpen ? nil : error))
        }
        #expect(Self.parse(bytes, ends: 0...bytes.count).error == (isOpen ? nil : error))
    }

    @Test(
        "are refused as soon as they cannot become one any more",
        arguments: ["X", "HTTQ", "HTTP/2", "\r", "HTTP/1,"])
    func refuseEarly(text: String) {
        #expect(Self.parse(text).error == .invalidStatusLine)
        #expect(Self.parse("HTTP/1.1 100 X\r\n\r\n" + text).error == .invalidStatusLine)
    }

    @Test("have a head of 128 KiB at most, with the interim ones before it")
    func limit() {
        func head(_ count: Int, before: String = "") -> String {
            let start = before + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: "
            return start + String(repeating: "x", count: count - start.utf8.count - 4) + "\r\n\r\n"
        }
        let limit = ResponseParser.headBytes
        #expect(limit == 131_072)
        #expect(Self.parse(head(limit)).head?.length == limit)
        #expect(Self.parse(head(limit) + "hello").head?.length == limit)
        #expect(Self.parse(head(limit + 1)).error == .headTooLarge)
        let bytes = Array(head(limit + 1).utf8)
        for end in limit - 3...limit { #expect(Self.parse(bytes, ends: [end]) == Parsed()) }
        #expect(Self.parse(bytes, ends: [limit, limit + 1]).error == .headTooLarge)
        #expect(Self.parse(bytes, ends: [20, limit + 1]).error == .headTooLarge)
        let interim = "HTTP/1.1 100 Continue\r\n\r\n"
        #expect(Self.parse(head(limit, before: interim)).head?.length == limit)
        #expect(Self.parse(head(limit + 1, before: interim)).error == .headTooLarge)
        #expect(
            Self.parse(String(repeating: interim, count: limit / interim.utf8.count + 1)).error
                == .headTooLarge)
    }

    @Test("are searched once: what has been looked at is not looked at again")
    func searchedOnce() throws {
        let text = "HTTP/1.1 200 OK\r\nA: bcdefgh\r\nB: cdefghijkl\r\n\r\n"
        // At each step ends of heads come up where the parser has been already. A second search would find them.
        for step in 1...9 {
            var parser = ResponseParser()
            var bytes: [UInt8] = []
            var head: ResponseParser.Head?
            for byte in text.utf8 {
                #expect(head == nil)
                bytes.append(byte)
                if bytes.count % step == 0 || bytes.count == text.utf8.count {
                    head = try bytes.withUnsafeBytes { try parser.parseHead($0) { _ in } }
                    for place in bytes.indices.dropLast(3) where bytes[place] >= 0x61 { bytes[place] = 0x0A }
                }
            }
            #expect(head?.length == text.utf8.count)
        }
    }

    @Test("are told to nobody line by line before their head is complete")
    func linesAtOnce() {
        let text = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r"
        #expect(Self.parse(Array(text.utf8), ends: 0...text.utf8.count).lines.isEmpty)
    }
}
