// SPDX-License-Identifier: Apache-2.0
// Taking bodies off a connection: lengths, chunks, codings, bounds.

import CCompression
import Gateway
import HTTP1
import Testing

@testable import Front

/// deflate in the container that `windowBits` names: 15 zlib, 31 gzip.
private func deflated(_ bytes: [UInt8], windowBits: Int32) -> [UInt8] {
    var stream = z_stream()
    deflateInit2_(
        &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    var input = bytes
    let bound = Int(deflateBound(&stream, UInt(bytes.count)))
    return [UInt8](unsafeUninitializedCapacity: bound) { output, count in
        input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            deflate(&stream, Z_FINISH)
        }
        count = output.count - Int(stream.avail_out)
    }
}

private func zstandard(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { output, count in
        count = ZSTD_compress(output.baseAddress, output.count, bytes, bytes.count, 3)
    }
}

private func chunked(_ bytes: [UInt8], size: Int) -> [UInt8] {
    var out: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
        let part = bytes[start..<min(start + size, bytes.count)]
        out += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + Array("\r\n".utf8)
    }
    return out + Array("0\r\n\r\n".utf8)
}

@Suite("Reading request bodies") struct RequestBodyReaderTests {
    private let pool = BodyPool()
    private let text = Array((0..<500).flatMap { "line \($0) of a body that compresses, ".utf8 })

    private func head(_ fields: String) throws -> RequestHead {
        var parser = RequestParser()
        let text = "POST /v1/messages HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
        guard case .head(let head, _) = parser.parseHead(Array(text.utf8), limits: HTTPLimits()) else {
            throw GatewayError(.internalFault, "the test's head is wrong")
        }
        return head
    }

    private func reader(_ fields: String, limit: Int = 1 << 20, ratio: Int = 100_000) throws
        -> RequestBodyReader?
    {
        try RequestBodyReader(head(fields), limit: limit, decodedRatio: ratio, pool: pool)
    }

    /// Feeds bytes in pieces; returns the body and the bytes that were left alone.
    private func read(_ reader: RequestBodyReader, _ bytes: [UInt8], pieces: Int) throws -> (
        body: [UInt8], rest: [UInt8], isComplete: Bool
    ) {
        var position = 0
        var isComplete = false
        while position < bytes.count, !isComplete {
            let part = Array(bytes[position..<min(position + pieces, bytes.count)])
            let result = try part.withUnsafeBytes { try reader.received($0) }
            #expect(result.consumed <= part.count)
            #expect(result.isComplete || result.consumed == part.count)
            position += result.consumed
            isComplete = result.isComplete
        }
        return (
            reader.store.withBytes { bytes in Array(bytes) }, Array(bytes[position...]), isComplete
        )
    }

    @Test(
        "A request without a body has no reader",
        arguments: ["", "Content-Length: 0\r\n", "Content-Length: 0\r\nContent-Encoding: gzip\r\n"])
    func none(fields: String) throws {
        #expect(try reader(fields) == nil)
    }

    @Test("A body of known length ends there, whatever follows", arguments: [1, 3, 7, 1000, 100_000])
    func length(pieces: Int) throws {
        let reader = try #require(try reader("Content-Length: \(text.count)\r\n"))
        let result = try read(reader, text + Array("GET / HTTP".utf8), pieces: pieces)
        #expect(result.body == text)
        #expect(result.isComplete)
        #expect(Array("GET / HTTP".utf8).starts(with: result.rest) || result.rest == Array("GET / HTTP".utf8))
        #expect(result.rest.count == 10)
    }

    @Test("A chunked body ends with its last chunk, whatever follows", arguments: [1, 3, 7, 1000, 100_000])
    func chunks(pieces: Int) throws {
        for size in [1, 10, 4096] where size > 1 || pieces > 100 {
            let reader = try #require(try reader("Transfer-Encoding: chunked\r\n"))
            let result = try read(
                reader, chunked(text, size: size) + Array("GET / HTTP".utf8), pieces: pieces)
            #expect(result.body == text)
            #expect(result.isComplete)
            #expect(result.rest.count == 10)
        }
    }

    @Test("A coded body is decoded under either framing", arguments: ["gzip", "deflate", "zstd", "x-gzip"])
    func codings(coding: String) throws {
        let coded =
            switch coding {
            case "zstd": zstandard(text)
            case "deflate": deflated(text, windowBits: 15)
            default: deflated(text, windowBits: 31)
            }
        #expect(coded.count < text.count)
        for pieces in [1, 17, 1 << 20] {
            let plain = try #require(
                try reader("Content-Length: \(coded.count)\r\nContent-Encoding: \(coding)\r\n"))
            #expect(plain.directBytes == 0)
            let first = try read(plain, coded + [1, 2, 3], pieces: pieces)
            #expect(first.body == text)
            #expect(first.rest == [1, 2, 3])
            let inChunks = try #require(
                try reader("Transfer-Encoding: chunked\r\nContent-Encoding: \(coding)\r\n"))
            #expect(try read(inChunks, chunked(coded, size: 50), pieces: pieces).body == text)
        }
    }

    @Test(
        "A coding that is not known is refused before the body", arguments: ["br", "gzip, zstd", "compress"])
    func unknownCoding(coding: String) {
        let error = #expect(throws: GatewayError.self) {
            try reader("Content-Length: 5\r\nContent-Encoding: \(coding)\r\n")
        }
        #expect(error?.kind == .unsupportedEncoding)
    }

    @Test("A body above the limit is refused by its announced length")
    func announced() throws {
        #expect(try reader("Content-Length: 100\r\n", limit: 100) != nil)
        #expect(throws: RequestBodyReader.tooLarge(100)) { try reader("Content-Length: 101\r\n", limit: 100) }
        #expect(throws: RequestBodyReader.tooLarge(100)) {
            try reader("Content-Length: 18446744073709551615\r\n", limit: 100)
        }
    }

    @Test("A chunked body above the limit is refused at the chunk that says so")
    func announcedChunk() throws {
        let reader = try #require(try reader("Transfer-Encoding: chunked\r\n", limit: 100))
        let fits = Array("64\r\n".utf8) + [UInt8](repeating: 0x20, count: 100) + Array("\r\n".utf8)
        #expect(try read(reader, fits, pieces: 1000).body.count == 100)
        #expect(throws: RequestBodyReader.tooLarge(100)) { try read(reader, Array("1\r\n".utf8), pieces: 10) }
    }

    @Test("A small body that decodes to a large one is refused at the limit", arguments: ["gzip", "zstd"])
    func bombs(coding: String) throws {
        let zeros = [UInt8](repeating: 0, count: 8 << 20)
        let coded = coding == "zstd" ? zstandard(zeros) : deflated(zeros, windowBits: 31)
        #expect(coded.count < 20_000)
        let reader = try #require(
            try reader("Content-Length: \(coded.count)\r\nContent-Encoding: \(coding)\r\n", limit: 1 << 20))
        #expect(throws: RequestBodyReader.tooLarge(1 << 20)) { try read(reader, coded, pieces: 100) }
        #expect(reader.store.count <= 1 << 20)
    }

    @Test(
        "A body that does not match its coding, or stops inside it, is refused", arguments: ["gzip", "zstd"])
    func damaged(coding: String) throws {
        let coded = coding == "zstd" ? zstandard(text) : deflated(text, windowBits: 31)
        for wrong in [Array(coded.dropLast()), Array("plain text".utf8), Array(coded.dropFirst())] {
            let reader = try #require(
                try reader("Content-Length: \(wrong.count)\r\nContent-Encoding: \(coding)\r\n"))
            #expect(
                throws: GatewayError(.invalidRequest, "the request body does not match its Content-Encoding")
            ) {
                try read(reader, wrong, pieces: 64)
            }
        }
    }

    @Test(
        "Wrong chunk frames are refused", arguments: ["x\r\n", "-1\r\n", "2\r\nabc\r\n", "1\na\r\n", "\r\n"])
    func badChunks(text: String) throws {
        let reader = try #require(try reader("Transfer-Encoding: chunked\r\n"))
        let error = #expect(throws: GatewayError.self) { try read(reader, Array(text.utf8), pieces: 100) }
        #expect(error?.kind == .invalidRequest)
    }

    @Test("Only a plain body that is too large for a message is received straight into its file")
    func direct() throws {
        #expect(try reader("Content-Length: \(BodyStore.inlineLimit)\r\n")?.directBytes == 0)
        #expect(try reader("Transfer-Encoding: chunked\r\n")?.directBytes == 0)
        let size = BodyStore.inlineLimit + 1000
        let reader = try #require(try reader("Content-Length: \(size)\r\n"))
        #expect(reader.directBytes == size)
        // The bytes that came with the head.
        let first = try read(reader, [UInt8](repeating: 1, count: 500), pieces: 500)
        #expect(!first.isComplete)
        #expect(reader.directBytes == size - 500)
        let room = try reader.store.room(reader.directBytes)
        #expect(room.count == size - 500)
        room.copyBytes(from: [UInt8](repeating: 2, count: size - 500))
        #expect(!reader.receivedDirectly(size - 501))
        #expect(reader.receivedDirectly(1))
        #expect(reader.store.count == size)
        #expect(reader.store.withBytes { bytes in bytes[499] == 1 && bytes[500] == 2 })
    }
}
