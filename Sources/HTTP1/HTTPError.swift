// SPDX-License-Identifier: Apache-2.0
// Why bytes are no HTTP/1 request that ccr accepts. Every case ends the connection after the answer, because
// the place where the next request begins is not known any more.
// Source: RFC 9112 §2.2, §3, §5, §6, §7 and §11.2 (request smuggling).

/// A request head or a chunked body that is refused.
package enum HTTPError: Error, Equatable, CaseIterable, Sendable {
    /// Not "method SP target SP version", or more than one empty line before it.
    case invalidRequestLine
    /// A version other than HTTP/1.0 and HTTP/1.1.
    case unsupportedVersion
    /// A method that is not registered, or no token.
    case unknownMethod
    /// A target that is no origin-form, absolute-form, or asterisk-form of OPTIONS.
    case invalidTarget
    /// A control character, NUL or DEL in the head or in the frame of a chunk.
    case controlCharacter
    /// A line feed without its carriage return.
    case bareLineFeed
    /// A carriage return without its line feed.
    case bareCarriageReturn
    /// A line that starts with white space: a folded header line.
    case obsoleteFolding
    /// An empty field name, a character that no name has, white space before the colon, or no colon.
    case invalidHeaderName
    /// More than `HTTPLimits.headers` header lines.
    case tooManyHeaders
    /// The head is longer than the limit.
    case headTooLarge
    /// HTTP/1.1 without Host.
    case missingHost
    /// More than one Host line.
    case duplicateHost
    /// An empty Host, or one with a character that no authority has.
    case invalidHost
    /// A Content-Length that is not a plain decimal number below 2^64.
    case invalidContentLength
    /// More than one Content-Length line, whether equal or not.
    case duplicateContentLength
    /// Both Content-Length and Transfer-Encoding.
    case conflictingFraming
    /// A Transfer-Encoding other than one "chunked", or one in HTTP/1.0.
    case unsupportedTransferEncoding
    /// A chunk size that is no hexadecimal number of at most 16 digits.
    case invalidChunkSize
    /// A chunk that is not followed by CRLF.
    case invalidChunkEnd
    /// Chunk extensions above `HTTPLimits.chunkExtensionBytes`.
    case chunkExtensionsTooLarge
    /// Trailers above `HTTPLimits.trailerBytes`.
    case trailersTooLarge
    /// A chunked body above its limit.
    case bodyTooLarge

    /// The status of the answer.
    package var status: Int {
        switch self {
        case .headTooLarge, .tooManyHeaders: 431
        case .bodyTooLarge: 413
        default: 400
        }
    }

    /// For the answer's body and for the log; never holds bytes of the request.
    package var message: String {
        switch self {
        case .invalidRequestLine: "the request line is not 'METHOD target HTTP/1.1'"
        case .unsupportedVersion: "only HTTP/1.0 and HTTP/1.1 are spoken here"
        case .unknownMethod: "unknown request method"
        case .invalidTarget: "the request target is neither a path nor an http URL"
        case .controlCharacter: "control character in the request head or in a chunk's frame"
        case .bareLineFeed: "line feed without carriage return"
        case .bareCarriageReturn: "carriage return without line feed"
        case .obsoleteFolding: "folded header lines are not accepted"
        case .invalidHeaderName: "a header line does not start with a name and a colon"
        case .tooManyHeaders: "more than \(HTTPLimits.headers) header lines"
        case .headTooLarge: "the request head is too large"
        case .missingHost: "the Host header is missing"
        case .duplicateHost: "more than one Host header"
        case .invalidHost: "the Host header is no authority"
        case .invalidContentLength: "Content-Length is no decimal number"
        case .duplicateContentLength: "more than one Content-Length header"
        case .conflictingFraming: "both Content-Length and Transfer-Encoding"
        case .unsupportedTransferEncoding: "the only transfer coding is one 'chunked', in HTTP/1.1"
        case .invalidChunkSize: "a chunk size is no hexadecimal number"
        case .invalidChunkEnd: "a chunk does not end where its size says"
        case .chunkExtensionsTooLarge: "chunk extensions are too large"
        case .trailersTooLarge: "trailers are too large"
        case .bodyTooLarge: "the request body is too large"
        }
    }
}
