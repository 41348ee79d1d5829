// SPDX-License-Identifier: Apache-2.0
import HTTP1
import Testing

@Suite("Request heads that are accepted")
struct RequestParserTests {
    static let post = """
        POST /v1/messages?beta=true HTTP/1.1\r
        Host: 127.0.0.1:3456\r
        Content-Type: application/json\r
        Content-Length: 1024\r
        Accept: */*\r
        \r

        """
    static let accepted = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        post,
        "HEAD /api/hello HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: [::1]:3456\r\n\r\n",
        "GET http://h.example:80/p?q=1 HTTP/1.1\r\nHOST: h.example\r\n\r\n",
        "GET https://h.example?q HTTP/1.1\r\nHost: h.example\r\n\r\n",
        "POST / HTTP/1.1\r\nHost:x\r\nTransfer-Encoding: Chunked \r\n\r\n",
        "PROPFIND /a|b{c} HTTP/1.1\r\nhost:\t x \t\r\nEmpty:\r\nBlank: \t \r\nLatin: caf\u{e9}\tx\r\n\r\n",
        "GET /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n"
            + (1..<128).map { "X-\($0): \($0)\r\n" }.joined() + "\r\n",
    ]

    @Test("mean the same whole, byte by byte and split anywhere", arguments: accepted)
    func splits(text: String) {
        let bytes = Array(text.utf8)
        let whole = feed(text)
        guard case .head(_, let length) = whole else {
            Issue.record("refused: \(whole)")
            return
        }
        #expect(length == bytes.count)
        #expect(feed(bytes, ends: 0...bytes.count) == whole)
        for split in 0..<bytes.count {
            #expect(feed(bytes, ends: [split]) == .incomplete)
            #expect(feed(bytes, ends: [split, bytes.count]) == whole)
        }
    }

    @Test("end where their empty line ends, and the next one follows")
    func pipelining() {
        let texts = Self.accepted
        var bytes = texts.flatMap { Array($0.utf8) }
        var parser = RequestParser()
        for text in texts {
            guard case .head(let head, let length) = parser.parseHead(bytes, limits: HTTPLimits()) else {
                Issue.record("no head where \(text) is")
                return
            }
            #expect(length == text.utf8.count)
            #expect(feed(text) == .head(summary: summary(of: head), length: length))
            bytes.removeFirst(length)
        }
        #expect(bytes.isEmpty)
    }

    @Test("give method, path, query and headers")
    func parts() {
        guard let head = head(Self.post) else {
            Issue.record("refused")
            return
        }
        #expect(
            summary(of: head) == """
                post POST
                path /v1/messages
                query beta=true
                minor 1
                body length(1024)
                keep true
                expects false
                upgrade none
                coding identity
                Host=127.0.0.1:3456
                Content-Type=application/json
                Content-Length=1024
                Accept=*/*
                """)
        #expect(head.headerCount == 4)
        #expect(head.first("content-TYPE") == "application/json")
        #expect(head.first("content-typ") == nil)
        #expect(head.withFirst("accept") { $0.count } == 3)
        #expect(head.withPath { String(decoding: $0, as: UTF8.self) } == "/v1/messages")
    }

    @Test(
        "have a path and a query in each form of target",
        arguments: [
            ("GET /", "/", ""), ("GET /?", "/", ""), ("GET /a?b?c", "/a", "b?c"), ("GET //a", "//a", ""),
            ("OPTIONS *", "*", ""), ("GET http://h", "/", ""), ("GET HTTP://h/a/b?c", "/a/b", "c"),
            ("GET http://h?c", "/", "c"), ("GET /a%20b?%3f", "/a%20b", "%3f"),
            ("GET /x?u=http://h/", "/x", "u=http://h/"),
        ])
    func targets(line: String, path: String, query: String) {
        let head = head("\(line) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(head?.path == path)
        #expect(head?.query == query)
        #expect(head?.withPath { String(decoding: $0, as: UTF8.self) } == path)
    }

    @Test(
        "name the common methods",
        arguments: zip(
            ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "MKCOL"], Method.allCases))
    func methods(name: String, method: Method) {
        let head = head("\(name) / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(head?.method == method)
        #expect(head?.methodName == name)
    }

    static let meanings: [(String, String)] = [
        ("1.1", "keep true"), ("1.0", "keep false"),
        ("1.1\r\nConnection: close", "keep false"), ("1.1\r\nConnection: x ,\tCLOSE", "keep false"),
        ("1.1\r\nConnection: x\r\nConnection: close", "keep false"),
        ("1.1\r\nConnection: closed", "keep true"),
        ("1.0\r\nConnection: Keep-Alive", "keep true"),
        ("1.0\r\nConnection: keep-alive, close", "keep false"),
        ("1.1\r\nExpect: 100-Continue", "expects true"), ("1.0\r\nExpect: 100-continue", "expects false"),
        ("1.1\r\nExpect: 200-ok", "expects false"),
        ("1.1\r\nUpgrade: websocket", "upgrade none"),
        ("1.1\r\nUpgrade: websocket\r\nConnection: upgrade", "upgrade webSocket"),
        ("1.1\r\nUpgrade: h2c\r\nConnection: HTTP2-Settings, Upgrade", "upgrade other"),
        ("1.0\r\nUpgrade: websocket\r\nConnection: upgrade", "upgrade none"),
        ("1.1\r\nContent-Encoding: gzip", "coding gzip"), ("1.1\r\nContent-Encoding: X-GZIP", "coding gzip"),
        ("1.1\r\nContent-Encoding: deflate", "coding deflate"),
        ("1.1\r\nContent-Encoding: zstd", "coding zstd"),
        ("1.1\r\nContent-Encoding: identity", "coding identity"),
        ("1.1\r\nContent-Encoding: br", "coding other(\"br\")"),
        ("1.1\r\nContent-Encoding: gzip, zstd", "coding other(\"gzip, zstd\")"),
        ("1.1\r\nContent-Encoding: gzip\r\nContent-Encoding: zstd", "coding other(\"zstd\")"),
        ("1.1", "body none"), ("1.1\r\nContent-Length: 0", "body length(0)"),
        ("1.1\r\nContent-Length: 007", "body length(7)"),
        ("1.1\r\nContent-Length: 18446744073709551615", "body length(18446744073709551615)"),
        ("1.1\r\nTransfer-Encoding: CHUNKED", "body chunked"),
    ]

    @Test("say what follows and what the client wants", arguments: meanings)
    func meaning(lines: String, expected: String) {
        let text = "POST / HTTP/\(lines)\r\nHost: h\r\n\r\n"
        guard let head = head(text) else {
            Issue.record("refused: \(feed(text))")
            return
        }
        #expect(summary(of: head).split(separator: "\n").contains(Substring(expected)))
    }

    @Test("outlive the bytes they came from")
    func ownership() {
        var parser = RequestParser()
        var bytes = Array(Self.post.utf8)
        let result = bytes.withUnsafeMutableBytes { bytes in
            let result = parser.parseHead(UnsafeRawBufferPointer(bytes), limits: HTTPLimits())
            for index in bytes.indices { bytes[index] = 0 }
            return result
        }
        guard case .head(let head, _) = result else {
            Issue.record("refused")
            return
        }
        #expect(head.first("host") == "127.0.0.1:3456")
    }
}
