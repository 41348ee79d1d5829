// SPDX-License-Identifier: Apache-2.0
import HTTP1
import Testing

@Suite("Chunked bodies")
struct ChunkedDecoderTests {
    /// What a decoder made of some bytes.
    struct Decoded: Equatable {
        var body = ""
        var consumed = 0
        var isComplete = false
        var error: HTTPError?
    }

    static func decode(_ pieces: [[UInt8]], bodyLimit: UInt64 = .max) -> Decoded {
        var decoder = ChunkedDecoder(bodyLimit: bodyLimit)
        var decoded = Decoded()
        var body: [UInt8] = []
        for piece in pieces {
            do throws(HTTPError) {
                let (consumed, isComplete) = try piece.span.withUnsafeBytes { (piece) throws(HTTPError) in
                    try decoder.decode(piece) { body.append(contentsOf: $0) }
                }
                decoded.consumed += consumed
                decoded.isComplete = isComplete
                if isComplete { break }
            } catch {
                decoded.error = error
                break
            }
        }
        decoded.body = String(decoding: body, as: UTF8.self)
        return decoded
    }

    static func decode(_ text: String, bodyLimit: UInt64 = .max) -> Decoded {
        decode([Array(text.utf8)], bodyLimit: bodyLimit)
    }

    /// Byte by byte, and in two pieces split anywhere.
    static func splits(_ text: String) -> [[[UInt8]]] {
        let bytes = Array(text.utf8)
        return [bytes.map { [$0] }] + (0...bytes.count).map { [Array(bytes[..<$0]), Array(bytes[$0...])] }
    }

    static let accepted: [(String, String)] = [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n006\r\n world\r\n000\r\n\r\n", "hello world"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("0000000000000001\r\nx\r\n0\r\n\r\n", "x"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("1;a=b;c=\"d e\"\r\nx\r\n0;last\r\n\r\n", "x"),
        ("1 ;a\r\nx\r\n0\t ;b\r\n\r\n", "x"),
        ("1\r\nx\r\n0\r\nTrailer: value\r\nOther:\r\n\r\n", "x"),
    ]

    @Test("decode the same in whatever pieces they arrive, and end where they end", arguments: accepted)
    func accept(text: String, body: String) {
        let whole = Decoded(body: body, consumed: text.utf8.count, isComplete: true)
        #expect(Self.decode(text) == whole)
        #expect(Self.decode(text + "GET / HTTP/1.1\r\n") == whole)
        for pieces in Self.splits(text) { #expect(Self.decode(pieces) == whole) }
        for count in 0..<text.utf8.count {
            #expect(!Self.decode([Array(text.utf8.prefix(count))]).isComplete)
        }
    }

    static let refused: [(String, HTTPError)] = [
        ("\r\n", .invalidChunkSize), ("x\r\n", .invalidChunkSize), ("-1\r\n", .invalidChunkSize),
        ("+1\r\n", .invalidChunkSize), ("0x1\r\n", .invalidChunkSize), ("1g\r\n", .invalidChunkSize),
        (" 1\r\n", .invalidChunkSize), (";a\r\n", .invalidChunkSize), ("1_0\r\n", .invalidChunkSize),
        ("1 \r\n", .invalidChunkSize), ("1 1\r\n", .invalidChunkSize), ("1,1\r\n", .invalidChunkSize),
        ("\u{0661}\r\n", .invalidChunkSize),
        ("00000000000000001\r\n", .invalidChunkSize), ("fffffffffffffffff\r\n", .invalidChunkSize),
        ("1\nx\r\n", .bareLineFeed), ("1\rx", .bareCarriageReturn), ("1\r\r\n", .bareCarriageReturn),
        ("1;a\nx\r\n", .bareLineFeed), ("1;a\rx", .bareCarriageReturn), ("1;a\0\r\n", .controlCharacter),
        ("1;\u{7f}\r\n", .controlCharacter),
        ("1\r\nx\n", .invalidChunkEnd), ("1\r\nxy\r\n", .invalidChunkEnd), ("1\r\nx\r\r", .invalidChunkEnd),
        ("1\r\nx0\r\n\r\n", .invalidChunkEnd), ("1\r\nx\rx", .invalidChunkEnd),
        ("0\r\n\n", .bareLineFeed), ("0\r\n\rx", .bareCarriageReturn), ("0\r\n A: b\r\n", .obsoleteFolding),
        ("0\r\nA: b\r\n c\r\n", .obsoleteFolding), ("0\r\n: b\r\n", .invalidHeaderName),
        ("0\r\nA\r\n", .invalidHeaderName), ("0\r\nA : b\r\n", .invalidHeaderName),
        ("0\r\nA\nB: c\r\n", .bareLineFeed), ("0\r\nA: b\nB: c\r\n", .bareLineFeed),
        ("0\r\nA: b\rB: c\r\n", .bareCarriageReturn), ("0\r\nA: \0\r\n", .controlCharacter),
        ("0\r\nGET / HTTP/1.1\r\n", .invalidHeaderName),
    ]

    @Test("are refused with their reason in whatever pieces they arrive", arguments: refused)
    func refuse(text: String, error: HTTPError) {
        #expect(Self.decode(text).error == error)
        for pieces in Self.splits(text) { #expect(Self.decode(pieces).error == error) }
    }

    @Test("may announce only as much as the limit allows")
    func bodyLimit() {
        let text = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        #expect(Self.decode(text, bodyLimit: 5).body == "abcde")
        #expect(
            Self.decode(text, bodyLimit: 4) == Decoded(body: "abc", error: .bodyTooLarge).with(consumed: 0))
        #expect(Self.decode("ffffffffffffffff\r\n", bodyLimit: 1 << 40).error == .bodyTooLarge)
        #expect(Self.decode("1\r\na\r\nffffffffffffffff\r\n").error == .bodyTooLarge)
        #expect(Self.decode("ffffffffffffffff\r\nabc").body == "abc")
    }

    @Test("may carry 1 KiB of extensions in all their chunks together")
    func extensions() {
        let chunk = "1;" + String(repeating: "a", count: 510) + "\r\nx\r\n"
        let body = chunk + chunk + "0\r\n\r\n"
        #expect(Self.decode(body).body == "xx")
        #expect(Self.decode(chunk + chunk + "0;aa\r\n\r\n").error == .chunkExtensionsTooLarge)
        #expect(Self.decode("1;" + String(repeating: "a", count: 5000)).error == .chunkExtensionsTooLarge)
        #expect(Self.decode("1" + String(repeating: " ", count: 5000)).error == .chunkExtensionsTooLarge)
    }

    @Test("may end with 8 KiB of trailers")
    func trailers() {
        let line = "A: " + String(repeating: "a", count: 995) + "\r\n"
        let eight = String(repeating: line, count: 8)
        #expect(Self.decode("0\r\n\(eight)\r\n").isComplete)
        #expect(Self.decode("0\r\n\(eight)\(line)\r\n").error == .trailersTooLarge)
    }

    @Test("come out as views into the input, one for each chunk")
    func views() throws {
        var decoder = ChunkedDecoder(bodyLimit: 100)
        var counts: [Int] = []
        let bytes = Array("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n".utf8)
        let result = try bytes.span.withUnsafeBytes { (bytes) throws(HTTPError) in
            try decoder.decode(bytes) { view in
                counts.append(view.count)
                #expect(bytes.contains(view.first ?? 0))
            }
        }
        #expect(result.isComplete)
        #expect(counts == [5, 6])
        #expect(decoder.announcedBytes == 11)
    }
}

extension ChunkedDecoderTests.Decoded {
    func with(consumed: Int) -> Self {
        var copy = self
        copy.consumed = consumed
        return copy
    }
}
