// SPDX-License-Identifier: Apache-2.0
// Encoders for the tests, from the same libraries.

import CCompression

/// deflate in the container that `windowBits` names: -15 raw, 15 zlib, 31 gzip.
func deflated(_ bytes: [UInt8], windowBits: Int32) -> [UInt8] {
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

/// One zstd frame.
func zstandard(_ bytes: [UInt8], windowLog: Int32 = 0) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)
    // Without a content size the frame states its window.
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, windowLog == 0 ? 1 : 0)
    return [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count) + 64) { output, count in
        bytes.withUnsafeBytes { input in
            var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
            var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            // Continue first: a frame compressed in one call gets a window no larger than its content.
            ZSTD_compressStream2(context, &target, &source, ZSTD_e_continue)
            ZSTD_compressStream2(context, &target, &source, ZSTD_e_end)
            count = target.pos
        }
    }
}
