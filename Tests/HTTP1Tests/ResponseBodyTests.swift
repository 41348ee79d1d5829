// SPDX-License-Identifier: Apache-2.0
import HTTP1
import Testing

@Suite("Bodies of answers")
struct ResponseBodyTests {
    /// What came of the pieces of a connection's bytes.
    struct Decoded: Equatable {
        var body: [UInt8] = []
        var consumed = 0
        var isComplete = false
        var isRefused = false
    }

    static func decode(_ framing: ResponseBody.Framing, _ pieces: [[UInt8]]) -> Decoded {
        var body = ResponseBody(framing)
        var decoded = Decoded()
        for var piece in pieces {
            do {
                let (size, consumed) = try piece.withUnsafeMutableBytes { try body.decode($0) }
                #expect(size <= consumed && consumed <= piece.count)
                #expect(consumed == piece.count || body.isComplete)
                decoded.body += piece[..<size]
                decoded.consumed += consumed
            } catch {
                #expect(error as? ResponseError == .invalidChunk)
                decoded.isRefused = true
                return decoded
            }
        }
        decoded.isComplete = body.isComplete
        return decoded
    }

    static func decode(_ framing: ResponseBody.Framing, _ text: String) -> Decoded {
        decode(framing, [Array(text.utf8)])
    }

    /// Byte by byte, in two pieces split anywhere, and in three.
    static func splits(_ text: String) -> [[[UInt8]]] {
        let bytes = Array(text.utf8)
        var splits = [bytes.map { [$0] }]
        for first in 0...bytes.count {
            splits.append([Array(bytes[..<first]), Array(bytes[first...])])
            for second in first...bytes.count where (first + second) % 3 == 0 {
                splits.append([Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])])
            }
        }
        return splits
    }

    static let whole: [(framing: ResponseBody.Framing, text: String, body: String)] = [
        (.length(0), "", ""), (.length(5), "hello", "hello"), (.length(1), "\n", "\n"),
        (.chunked, "0\r\n\r\n", ""), (.chunked, "5\r\nhello\r\n0\r\n\r\n", "hello"),
        (.chunked, "1\r\na\r\n2\r\nbc\r\n0003\r\ndef\r\n00\r\nTrailer: x\r\n\r\n", "abcdef"),
        (.chunked, "1;x=\"y\"\r\na\r\nB \t;z\r\n0\r\n1\r\n2\r\n3\r\r\n0;last\r\n\r\n", "a0\r\n1\r\n2\r\n3\r"),
        (.chunked, "14\r\n01234567890123456789\r\n1\r\nx\r\n0\r\n\r\n", "01234567890123456789x"),
    ]

    @Test("lose their frames in place and end where they end, in whatever pieces they come", arguments: whole)
    func ends(answer: (framing: ResponseBody.Framing, text: String, body: String)) {
        let expected = Decoded(
            body: Array(answer.body.utf8), consumed: answer.text.utf8.count, isComplete: true)
        #expect(Self.decode(answer.framing, answer.text) == expected)
        // What follows is not the body's.
        #expect(Self.decode(answer.framing, answer.text + "HTTP/1.1 200 OK") == expected)
        for pieces in Self.splits(answer.text) { #expect(Self.decode(answer.framing, pieces) == expected) }
        for pieces in Self.splits(answer.text + "1\r\nb") {
            #expect(Self.decode(answer.framing, pieces) == expected)
        }
        for count in 0..<answer.text.utf8.count {
            #expect(!Self.decode(answer.framing, String(answer.text.unicodeScalars.prefix(count))).isComplete)
        }
    }

    @Test("without a length take everything and end with the connection alone")
    func untilClose() {
        for pieces in Self.splits("0\r\n\r\nall") {
            #expect(
                Self.decode(.untilClose, pieces) == Decoded(body: Array("0\r\n\r\nall".utf8), consumed: 8))
        }
        #expect(ResponseBody(.untilClose).endsWithConnection)
        #expect(!ResponseBody(.length(5)).endsWithConnection)
        #expect(!ResponseBody(.length(0)).endsWithConnection)
        #expect(!ResponseBody(.chunked).endsWithConnection)
    }

    @Test("of no bytes are complete from the start")
    func empty() {
        #expect(ResponseBody(.length(0)).isComplete)
        #expect(!ResponseBody(.length(1)).isComplete)
        #expect(!ResponseBody(.chunked).isComplete)
        #expect(!ResponseBody(.untilClose).isComplete)
    }

    @Test(
        "whose chunks are broken are refused in whatever pieces they come, and what came before is kept",
        arguments: [
            ("x", ""), ("\r\n", ""), ("2\r\nabc", "ab"), ("2\r\nab\n", "ab"), ("2\r\nab\r\n\r\n", "ab"),
            ("1\r\na\r\n2\r\nbc\r\ng", "abc"), ("1 1\r\n", ""), ("11111111111111111\r\n", ""), ("1\nx", ""),
            ("0\r\n\n", ""), ("0\r\n x\r\n\r\n", ""), ("1;\0\r\n", ""),
        ])
    func refused(text: String, body: String) {
        #expect(Self.decode(.chunked, text).isRefused)
        for pieces in Self.splits(text) {
            let decoded = Self.decode(.chunked, pieces)
            #expect(decoded.isRefused)
            #expect(Array(body.utf8).starts(with: decoded.body))
        }
        let single = Self.decode(.chunked, Array(text.utf8).map { [$0] })
        #expect(single.body == Array(body.utf8))
    }

    @Test("may be as long as their upstream likes, extensions included, but not their trailers")
    func long() {
        let chunk = "1;" + String(repeating: "x", count: 500) + "\r\na\r\n"
        #expect(Self.decode(.chunked, String(repeating: chunk, count: 100) + "0\r\n\r\n").body.count == 100)
        let trailer = "X: " + String(repeating: "x", count: 995) + "\r\n"
        #expect(Self.decode(.chunked, "0\r\n" + String(repeating: trailer, count: 8) + "\r\n").isComplete)
        #expect(Self.decode(.chunked, "0\r\n" + String(repeating: trailer, count: 9) + "\r\n").isRefused)
        #expect(Self.decode(.length(999_999_999_999_999_999), "x").consumed == 1)
    }
}
