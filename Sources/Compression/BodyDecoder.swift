// SPDX-License-Identifier: Apache-2.0
// Decodes compressed request bodies piece by piece, with a bound on what comes out: a small body may decode to
// gigabytes.
// Source: RFC 9110 §8.4.1 (codings); RFC 1950, 1951, 1952; RFC 8878; zlib.h of zlib 1.2.13; zstd.h of zstd 1.5.4.

/// A content coding that can be decoded.
package enum ContentCoding: CaseIterable, Sendable {
    /// One or more gzip members.
    case gzip
    /// The zlib format, and the bare deflate that some clients send under the same name.
    case deflate
    /// One or more zstd frames, with windows of at most 128 MiB.
    case zstd
}

/// Why a body cannot be decoded.
package enum CompressionError: Error, Equatable, Sendable {
    /// The bytes are not of the coding, or something follows their end.
    case corrupt
    /// The body ends before the compressed data does.
    case truncated
    /// More would come out than the limit allows, or a zstd frame needs a larger window.
    case tooLarge
    /// The decoder's state could not be allocated.
    case outOfMemory
}

/// The part of a library's decoder that differs.
protocol StreamDecoder: AnyObject {
    /// Decodes all of `input`, handing output to `sink` in pieces.
    func decode(
        _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws(CompressionError) -> Void
    ) throws(CompressionError)
    /// Whether the input so far ends at the end of a member or frame.
    var isAtEnd: Bool { get }
}

/// The decoder of one body.
package final class BodyDecoder {
    private let decoder: any StreamDecoder
    private let maximumOutputBytes: Int
    private var failure: CompressionError?

    /// Bytes that came out so far.
    package private(set) var outputBytes = 0

    /// - Throws: `outOfMemory`.
    package init(_ coding: ContentCoding, maximumOutputBytes: Int) throws(CompressionError) {
        self.maximumOutputBytes = maximumOutputBytes
        switch coding {
        case .gzip: decoder = try ZlibDecoder(format: .gzip)
        case .deflate: decoder = try ZlibDecoder(format: .unknown)
        case .zstd: decoder = try ZstdDecoder()
        }
    }

    /// Decodes the next piece of the body.
    ///
    /// `sink` gets views of at most 64 KiB that are valid only during its call; together never more than the
    /// limit. After an error every further call throws the same error.
    package func decode(
        _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) -> Void
    ) throws(CompressionError) {
        if let failure { throw failure }
        do {
            try decoder.decode(input) { (output) throws(CompressionError) in
                guard output.count <= self.maximumOutputBytes - self.outputBytes else { throw .tooLarge }
                self.outputBytes += output.count
                sink(output)
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// Checks that the body is complete; to be called once, after its last piece.
    ///
    /// - Throws: `truncated`, also for an empty body, or the error of an earlier call.
    package func finish() throws(CompressionError) {
        if let failure { throw failure }
        guard decoder.isAtEnd else { throw .truncated }
    }
}

/// Bytes handed to the sink at once.
let outputPieceBytes = 65_536
