// SPDX-License-Identifier: Apache-2.0
// zstd with libzstd's streaming decoder.
// Source: zstd.h and zstd_errors.h of zstd 1.5.4 (ZSTD_decompressStream, ZSTD_d_windowLogMax); RFC 8878 §3.1 (frames).

import CCompression

final class ZstdDecoder: StreamDecoder {
    /// Windows up to 2^27 bytes, which is what every level of the zstd tool stays below without --ultra --long.
    private static let windowLogMax: Int32 = 27

    private let context: OpaquePointer
    private let output: UnsafeMutableRawBufferPointer
    private(set) var isAtEnd = false

    init() throws(CompressionError) {
        guard let context = ZSTD_createDCtx() else { throw .outOfMemory }
        self.context = context
        output = .allocate(byteCount: outputPieceBytes, alignment: 16)
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.windowLogMax)
    }

    deinit {
        ZSTD_freeDCtx(context)
        output.deallocate()
    }

    func decode(
        _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(CompressionError) -> Void
    ) throws(CompressionError) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var outputWasFull = false
        // A full output buffer may hide more output even when the input is used up.
        while source.pos < source.size || outputWasFull {
            var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            let hint = ZSTD_decompressStream(context, &target, &source)
            guard ZSTD_isError(hint) == 0 else {
                switch ZSTD_getErrorCode(hint) {
                case ZSTD_error_memory_allocation: throw .outOfMemory
                case ZSTD_error_frameParameter_windowTooLarge: throw .tooLarge
                default: throw .corrupt
                }
            }
            if target.pos > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<target.pos])) }
            // 0 says that a frame is complete and all of it came out.
            isAtEnd = hint == 0
            outputWasFull = target.pos == target.size && hint != 0
        }
    }
}
