// SPDX-License-Identifier: Apache-2.0
import CLLHTTP
import HTTP1
import Testing

@Suite("Request heads that are refused")
struct RequestRefusalTests {
    /// The text behind "POST / HTTP/1.1\r\nHost: h\r\n" and why it is refused.
    static let headers: [(String, HTTPError)] = [
        ("Content-Length: 5\r\nContent-Length: 5", .duplicateContentLength),
        ("Content-Length: 5\r\nContent-Length: 6", .duplicateContentLength),
        ("Content-Length: 5\r\nX: y\r\ncontent-length: 5", .duplicateContentLength),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", .conflictingFraming),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", .conflictingFraming),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", .conflictingFraming),
        ("Content-Length: 5, 5", .invalidContentLength),
        ("Content-Length: 5 5", .invalidContentLength),
        ("Content-Length: +5", .invalidContentLength),
        ("Content-Length: -5", .invalidContentLength),
        ("Content-Length: 0x5", .invalidContentLength),
        ("Content-Length: 5.0", .invalidContentLength),
        ("Content-Length: five", .invalidContentLength),
        ("Content-Length:", .invalidContentLength),
        ("Content-Length:  \t", .invalidContentLength),
        ("Content-Length: \u{0665}", .invalidContentLength),
        ("Content-Length: 18446744073709551616", .invalidContentLength),
        ("Content-Length: 184467440737095516150", .invalidContentLength),
        ("Transfer-Encoding: chunked, chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", .unsupportedTransferEncoding),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: identity, chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: gzip, chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: identity", .unsupportedTransferEncoding),
        ("Transfer-Encoding: xchunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunkedx", .unsupportedTransferEncoding),
        ("Transfer-Encoding: \"chunked\"", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked;q=1", .unsupportedTransferEncoding),
        ("Transfer-Encoding: ,chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked,", .unsupportedTransferEncoding),
        ("Transfer-Encoding:", .unsupportedTransferEncoding),
        ("Transfer-Encoding: \u{0B}chunked", .controlCharacter),
        ("Transfer-Encoding : chunked", .invalidHeaderName),
        ("Transfer-Encoding\t: chunked", .invalidHeaderName),
        ("Content-Length : 5", .invalidHeaderName),
        ("A: b\r\n c: d", .obsoleteFolding),
        ("A: b\r\n\tc", .obsoleteFolding),
        ("A:\r\n b", .obsoleteFolding),
        ("Transfer-Encoding:\r\n chunked", .obsoleteFolding),
        ("A: b\r\n ", .obsoleteFolding),
        (": b", .invalidHeaderName),
        ("A", .invalidHeaderName),
        ("A b: c", .invalidHeaderName),
        ("A\u{e9}: c", .invalidHeaderName),
        ("A(: c", .invalidHeaderName),
        ("A/: c", .invalidHeaderName),
        ("\"A\": c", .invalidHeaderName),
        ("A@: c", .invalidHeaderName),
        ("A\0: c", .controlCharacter),
        ("A: b\0c", .controlCharacter),
        ("A: b\u{01}", .controlCharacter),
        ("A: b\u{1f}c", .controlCharacter),
        ("A: b\u{7f}c", .controlCharacter),
        ("A: b\nC: d", .bareLineFeed),
        ("A: b\n", .bareLineFeed),
        ("\nA: b", .bareLineFeed),
        ("A: b\rC: d", .bareCarriageReturn),
        ("A: b\r", .bareCarriageReturn),
        ("A: b\r\r", .bareCarriageReturn),
        ("\rA: b", .bareCarriageReturn),
        ("Host: h", .duplicateHost),
        ("host: other", .duplicateHost),
    ]

    /// A whole head.
    static let heads: [(String, HTTPError)] = [
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET /  HTTP/1.1\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", .invalidRequestLine),
        (" GET / HTTP/1.1\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET / a HTTP/1.1\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET  HTTP/1.1\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET /\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET / \r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET / http/1.1\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("SETUP / RTSP/1.0\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("SOURCE / ICE/1.0\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n", .controlCharacter),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", .invalidRequestLine),
        ("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", .bareLineFeed),
        ("\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", .bareCarriageReturn),
        ("GET / HTTP/1.1\nHost: h\n\n", .bareLineFeed),
        ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", .obsoleteFolding),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", .bareLineFeed),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", .unsupportedVersion),
        ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", .unsupportedVersion),
        ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", .unsupportedVersion),
        ("GET / HTTP/1\r\nHost: h\r\n\r\n", .unsupportedVersion),
        ("GET / HTTP/1.10\r\nHost: h\r\n\r\n", .unsupportedVersion),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
        ("\u{16}\u{03}\u{01}\u{02}", .controlCharacter),
        ("GETT / HTTP/1.1\r\nHost: h\r\n\r\n", .unknownMethod),
        ("get / HTTP/1.1\r\nHost: h\r\n\r\n", .unknownMethod),
        ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", .unknownMethod),
        ("SETUP / HTTP/1.1\r\nHost: h\r\n\r\n", .unknownMethod),
        ("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET h:443 HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET * HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("OPTIONS *x HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET v1 HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET ?a HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET /#f HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET http:// HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET http://h\\@x/ HTTP/1.1\r\nHost: h\r\n\r\n", .invalidTarget),
        ("GET / HTTP/1.1\r\n\r\n", .missingHost),
        ("GET / HTTP/1.1\r\nX-Host: h\r\n\r\n", .missingHost),
        ("GET http://h/ HTTP/1.1\r\n\r\n", .missingHost),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", .invalidHost),
        ("GET / HTTP/1.1\r\nHost: \t\r\n\r\n", .invalidHost),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .invalidHost),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .invalidHost),
        ("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", .invalidHost),
        ("GET / HTTP/1.1\r\nHost: h\u{e9}\r\n\r\n", .invalidHost),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", .duplicateHost),
        ("GET / HTTP/1.0\r\nHost:\r\n\r\n", .invalidHost),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .unsupportedTransferEncoding),
    ]

    static let all: [(String, HTTPError)] =
        heads + headers.map { ("POST / HTTP/1.1\r\nHost: h\r\n\($0.0)\r\n\r\n", $0.1) }

    @Test("name the reason, whole and byte by byte", arguments: all)
    func refuse(text: String, error: HTTPError) {
        #expect(feed(text) == .invalid(error))
        let bytes = Array(text.utf8)
        #expect(feed(bytes, ends: 0...bytes.count) == .invalid(error))
        for split in 0..<bytes.count {
            #expect(feed(bytes, ends: [split, bytes.count]) == .invalid(error))
        }
    }

    @Test("say so in the middle of a head when the bytes cannot become one")
    func early() {
        #expect(feed("GET / HTTP/1.1\n") == .invalid(.bareLineFeed))
        #expect(feed("\u{16}\u{03}\u{01}") == .invalid(.controlCharacter))
        #expect(feed("GET / HTTP/1.1\r\nA: b\r\n ") == .invalid(.obsoleteFolding))
    }

    @Test("hold a control character anywhere in a line", arguments: Array(0..<0x20) + [0x7F])
    func controls(byte: UInt8) {
        guard byte != 0x09 else { return }
        for offset in 0..<24 {
            var bytes = Array("GET / HTTP/1.1\r\nHost: h\r\nA: ".utf8) + [UInt8](repeating: 0x61, count: 24)
            bytes[bytes.count - 1 - offset] = byte
            bytes += Array("\r\n\r\n".utf8)
            let errors: [UInt8: HTTPError] = [0x0A: .bareLineFeed, 0x0D: .bareCarriageReturn]
            #expect(feed(bytes, ends: [bytes.count]) == .invalid(errors[byte] ?? .controlCharacter))
        }
    }

    /// Why the bytes are looked at before and after llhttp: it has no complaint about any of these.
    @Test(
        "include those that llhttp alone lets through",
        arguments: [
            "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
            "GET /\r\n\r\n",
            "GET /#f HTTP/1.1\r\nHost: h\r\n\r\n",
            "SETUP / RTSP/1.0\r\nHost: h\r\n\r\n",
            "\n\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n",
            "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
        ])
    func lenience(text: String) {
        var fields = [ccr_http_field](repeating: ccr_http_field(), count: 4)
        var parsed = ccr_http_head()
        #expect(
            ccr_http_parse_head(text, text.utf8.count, &fields, fields.count, &parsed) == HPE_PAUSED.rawValue)
        #expect(feed(text).error != nil)
    }

    @Test("are those above the limit, however they arrive")
    func size() {
        let text = RequestParserTests.post
        let bytes = Array(text.utf8)
        #expect(feed(text, limits: HTTPLimits(headBytes: bytes.count)) == feed(text))
        for limit in [0, 1, 20, bytes.count - 1] {
            let limits = HTTPLimits(headBytes: limit)
            #expect(feed(text, limits: limits) == .invalid(.headTooLarge))
            #expect(feed(bytes, ends: [limit], limits: limits) == .invalid(.headTooLarge))
            #expect(feed(bytes, ends: 1...bytes.count, limits: limits) == .invalid(.headTooLarge))
        }
        let endless = Array("GET / HTTP/1.1\r\nA: ".utf8) + [UInt8](repeating: 0x61, count: 65_536)
        #expect(feed(endless, ends: [endless.count]) == .invalid(.headTooLarge))
        #expect(feed(endless, ends: stride(from: 0, to: endless.count, by: 1000)) == .incomplete)
    }

    @Test("are those with more than 128 header lines")
    func headers() {
        let lines = (1...128).map { "X-\($0): \($0)\r\n" }.joined()
        #expect(feed("GET / HTTP/1.1\r\nHost: h\r\n\(lines)\r\n") == .invalid(.tooManyHeaders))
    }

    @Test("are answered with 400, 413 or 431 and a text", arguments: HTTPError.allCases)
    func status(error: HTTPError) {
        #expect([400, 413, 431].contains(error.status))
        #expect(!error.message.isEmpty)
    }
}
