// SPDX-License-Identifier: Apache-2.0
// gzip and deflate with zlib's inflate.
// Source: zlib.h of zlib 1.2.13 (inflateInit2, inflate, inflateReset2); RFC 1950 §2.2 (zlib header), RFC 1952 §2.2
// (a gzip file is a series of members).

import CCompression

final class ZlibDecoder: StreamDecoder {
    /// The container around the deflate data; its raw value is inflateInit2's windowBits.
    enum Format: Int32 {
        case raw = -15
        case zlib = 15
        case gzip = 31
        /// zlib or raw; the first two bytes tell.
        case unknown = 0
    }

    // inflate checks that its stream does not move, so it lives in memory of its own.
    private let stream: UnsafeMutablePointer<z_stream>
    private let output: UnsafeMutableRawBufferPointer
    private var format: Format
    private var firstByte: UInt8?
    private(set) var isAtEnd = false

    init(format: Format) throws(CompressionError) {
        self.format = format
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        output = .allocate(byteCount: outputPieceBytes, alignment: 16)
        let bits = format == .unknown ? Format.zlib.rawValue : format.rawValue
        guard inflateInit2_(stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .outOfMemory
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        output.deallocate()
    }

    func decode(
        _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(CompressionError) -> Void
    ) throws(CompressionError) {
        guard !input.isEmpty else { return }
        guard format == .unknown else { return try inflateAll(input, sink) }
        guard let first = firstByte else {
            firstByte = input[0]
            return try decode(UnsafeRawBufferPointer(rebasing: input[1...]), sink)
        }
        // CMF names method 8 and a window of at most 32 KiB, and the pair is a multiple of 31. Bare deflate could
        // begin so only with a stored block whose padding bits are not zero, which no encoder writes.
        let isZlib =
            first & 0x0F == 8 && first >> 4 <= 7 && (UInt16(first) << 8 | UInt16(input[0])).isMultiple(of: 31)
        format = isZlib ? .zlib : .raw
        guard inflateReset2(stream, format.rawValue) == Z_OK else { throw .outOfMemory }
        var head = first
        try withUnsafeBytes(of: &head) { (head) throws(CompressionError) in try inflateAll(head, sink) }
        try inflateAll(input, sink)
    }

    private func inflateAll(
        _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(CompressionError) -> Void
    ) throws(CompressionError) {
        var consumed = 0
        while consumed < input.count {
            if isAtEnd {
                guard format == .gzip, inflateReset(stream) == Z_OK else { throw .corrupt }
                isAtEnd = false
            }
            // avail_in has 32 bits.
            let piece = UnsafeRawBufferPointer(rebasing: input[consumed...].prefix(1 << 30))
            consumed += try inflateOnce(piece, sink)
        }
    }

    /// Inflates until the input is used up or the member ends.
    /// - Returns: the bytes used up.
    private func inflateOnce(
        _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(CompressionError) -> Void
    ) throws(CompressionError) -> Int {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        repeat {
            stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            let result = inflate(stream, Z_NO_FLUSH)
            let count = output.count - Int(stream.pointee.avail_out)
            if count > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<count])) }
            switch result {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END:
                isAtEnd = true
                return input.count - Int(stream.pointee.avail_in)
            case Z_MEM_ERROR: throw .outOfMemory
            default: throw .corrupt
            }
            // A full output buffer may hide more output even when the input is used up.
        } while stream.pointee.avail_out == 0 || stream.pointee.avail_in > 0
        return input.count
    }
}
