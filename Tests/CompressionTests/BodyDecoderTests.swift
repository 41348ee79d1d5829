// SPDX-License-Identifier: Apache-2.0
import Compression
import Testing

@Suite("Compressed bodies")
struct BodyDecoderTests {
    /// A body in one of its encoded forms.
    struct Sample: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let coding: ContentCoding
        let encode: @Sendable ([UInt8]) -> [UInt8]
        /// Whether another member or frame may follow.
        let isSeries: Bool
    }

    static let samples = [
        Sample(
            testDescription: "gzip", coding: .gzip, encode: { deflated($0, windowBits: 31) }, isSeries: true),
        Sample(
            testDescription: "zlib", coding: .deflate, encode: { deflated($0, windowBits: 15) },
            isSeries: false),
        Sample(
            testDescription: "raw", coding: .deflate, encode: { deflated($0, windowBits: -15) },
            isSeries: false),
        Sample(testDescription: "zstd", coding: .zstd, encode: { zstandard($0) }, isSeries: true),
    ]

    static let text = Array(#"{"model":"m","messages":[{"role":"user","content":"hello hello hello"}]}"#.utf8)

    /// Decodes the pieces and finishes.
    static func decode(
        _ coding: ContentCoding, _ pieces: [[UInt8]], limit: Int = 1 << 30
    ) throws(CompressionError) -> [UInt8] {
        let decoder = try BodyDecoder(coding, maximumOutputBytes: limit)
        var output: [UInt8] = []
        for piece in pieces {
            try piece.span.withUnsafeBytes { (piece) throws(CompressionError) in
                try decoder.decode(piece) { output.append(contentsOf: $0) }
            }
        }
        try decoder.finish()
        #expect(decoder.outputBytes == output.count)
        return output
    }

    @Test("decode the same whole, byte by byte and split anywhere", arguments: samples)
    func splits(sample: Sample) throws {
        let encoded = sample.encode(Self.text)
        #expect(try Self.decode(sample.coding, [encoded]) == Self.text)
        #expect(try Self.decode(sample.coding, encoded.map { [$0] }) == Self.text)
        for split in 0...encoded.count {
            #expect(
                try Self.decode(sample.coding, [Array(encoded[..<split]), Array(encoded[split...])])
                    == Self.text)
        }
    }

    @Test("decode when large, when empty and when they do not compress", arguments: samples)
    func sizes(sample: Sample) throws {
        var state: UInt64 = 1
        let noise = (0..<300_000).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
        let spaces = [UInt8](repeating: 0x20, count: 1_000_000)
        for body in [[], noise, spaces, Array(noise.prefix(65_536)), Array(spaces.prefix(131_072))] {
            let encoded = sample.encode(body)
            #expect(try Self.decode(sample.coding, [encoded]) == body)
            #expect(try Self.decode(sample.coding, encoded.map { [$0] }) == body)
        }
    }

    /// One code of the last byte may stand for more than fits into the output buffer.
    @Test("decode when their last byte gives more than the output buffer holds", arguments: samples)
    func fullBuffer(sample: Sample) throws {
        for count in 0..<100 {
            let body = [UInt8](repeating: 0x20, count: 65_536 + count)
            #expect(try Self.decode(sample.coding, [sample.encode(body)]) == body)
        }
    }

    @Test("of zstd give out every block of 128 KiB as soon as it has arrived")
    func blocks() throws {
        let body = [UInt8](repeating: 0x20, count: 4 << 17)
        let decoder = try BodyDecoder(.zstd, maximumOutputBytes: body.count)
        for byte in zstandard(body) {
            try [byte].span.withUnsafeBytes { (byte) throws(CompressionError) in
                try decoder.decode(byte) { _ in }
            }
            #expect(decoder.outputBytes.isMultiple(of: 1 << 17))
        }
        #expect(decoder.outputBytes == body.count)
    }

    @Test("that end early are truncated, wherever they end", arguments: samples)
    func truncation(sample: Sample) {
        let encoded = sample.encode(Self.text)
        for count in 0..<encoded.count {
            #expect(throws: CompressionError.truncated) {
                try Self.decode(sample.coding, [Array(encoded[..<count])])
            }
        }
    }

    @Test("may come as several members or frames where the format allows it", arguments: samples)
    func series(sample: Sample) throws {
        let encoded = sample.encode(Self.text)
        let twice = encoded + encoded
        if sample.isSeries {
            #expect(try Self.decode(sample.coding, [twice]) == Self.text + Self.text)
            #expect(try Self.decode(sample.coding, twice.map { [$0] }) == Self.text + Self.text)
            #expect(throws: CompressionError.truncated) {
                try Self.decode(sample.coding, [Array(twice.dropLast())])
            }
        } else {
            #expect(throws: CompressionError.corrupt) { try Self.decode(sample.coding, [twice]) }
        }
    }

    @Test("are corrupt with anything behind their end", arguments: samples)
    func trailing(sample: Sample) {
        let encoded = sample.encode(Self.text)
        #expect(throws: CompressionError.corrupt) {
            try Self.decode(sample.coding, [encoded + Array("trailing bytes".utf8)])
        }
    }

    @Test("are corrupt when they are something else", arguments: samples)
    func foreign(sample: Sample) {
        #expect(throws: CompressionError.corrupt) {
            try Self.decode(sample.coding, [[UInt8](repeating: 0xFF, count: 100)])
        }
    }

    @Test(
        "with a checksum are corrupt when a byte of it changes",
        arguments: samples.filter { $0.coding == .gzip })
    func checksum(sample: Sample) {
        var encoded = sample.encode(Self.text)
        encoded[encoded.count - 8] ^= 1
        #expect(throws: CompressionError.corrupt) { try Self.decode(sample.coding, [encoded]) }
    }

    @Test("never give more than the limit", arguments: samples)
    func bound(sample: Sample) throws {
        let body = [UInt8](repeating: 0, count: 10_000_000)
        let encoded = sample.encode(body)
        #expect(encoded.count < 20_000)
        #expect(try Self.decode(sample.coding, [encoded], limit: body.count).count == body.count)
        let decoder = try BodyDecoder(sample.coding, maximumOutputBytes: 100_000)
        var given = 0
        #expect(throws: CompressionError.tooLarge) {
            try encoded.span.withUnsafeBytes { (bytes) throws(CompressionError) in
                try decoder.decode(bytes) { given += $0.count }
            }
        }
        #expect(given <= 100_000)
    }

    @Test("stay broken once they are")
    func failure() throws {
        let decoder = try BodyDecoder(.gzip, maximumOutputBytes: 10)
        let valid = deflated([], windowBits: 31)
        for bytes in [[0xFF, 0xFF], valid] {
            #expect(throws: CompressionError.corrupt) {
                try bytes.span.withUnsafeBytes { (bytes) throws(CompressionError) in
                    try decoder.decode(bytes) { _ in }
                }
            }
        }
        #expect(throws: CompressionError.corrupt) { try decoder.finish() }
    }

    @Test("of zstd may have a window of 128 MiB and not more")
    func window() throws {
        #expect(try Self.decode(.zstd, [zstandard(Self.text, windowLog: 27)]) == Self.text)
        #expect(throws: CompressionError.tooLarge) {
            try Self.decode(.zstd, [zstandard(Self.text, windowLog: 28)])
        }
    }
}
