// SPDX-License-Identifier: Apache-2.0
// Takes request heads off the bytes of a connection. The scanner finds the end of the head and refuses bytes that
// belong in none, llhttp takes the lines apart, and `FieldReader` checks that llhttp's parts cover every byte of
// the head before it gives them a meaning.
// Source: RFC 9112 §2.2, §3 (request line), §11.2 (request smuggling); llhttp 8.1.0.

import Bytes
import CLLHTTP

/// The parser of one connection. It holds no bytes: the caller keeps them until the head is complete.
package struct RequestParser {
    /// What the bytes so far are.
    package enum Result {
        /// The start of a head; call again with these bytes and more behind them.
        case incomplete
        /// A head; `headLength` bytes belong to it, what follows is the body or the next request.
        case head(RequestHead, headLength: Int)
        /// No head; answer with the error's status and close.
        case invalid(HTTPError)
    }

    private var scanner = HeadScanner()

    package init() {}

    /// Looks for a head at the start of `bytes`.
    ///
    /// Every byte is looked at once while the head arrives, and twice more when it is complete. After `.head` the
    /// parser is ready for the next head, which must start at the first byte given. After `.invalid` the
    /// connection is of no further use.
    package mutating func parseHead(_ bytes: UnsafeRawBufferPointer, limits: HTTPLimits) -> Result {
        do {
            guard let scanned = try scanner.scan(bytes, limit: limits.headBytes) else { return .incomplete }
            scanner = HeadScanner()
            let head = try Self.read(bytes.slice(scanned.start..<scanned.end), scanned)
            return .head(head, headLength: scanned.end)
        } catch {
            return .invalid(error)
        }
    }

    /// Looks for a head at the start of `bytes`.
    package mutating func parseHead(_ bytes: [UInt8], limits: HTTPLimits) -> Result {
        bytes.withUnsafeBytes { parseHead($0, limits: limits) }
    }

    /// - Parameter bytes: the head from the request line to the empty line.
    private static func read(
        _ bytes: UnsafeRawBufferPointer, _ scanned: ScannedHead
    ) throws(HTTPError) -> RequestHead {
        let lineEnd = scanned.requestLineEnd - scanned.start
        let line = try RequestLine(bytes.slice(0..<lineEnd))
        var parsed = ccr_http_head()
        var status: Int32 = 0
        let fields = [HeaderField](unsafeUninitializedCapacity: scanned.headerCount) { buffer, count in
            // HeaderField and ccr_http_field are both four UInt32 in the same order.
            buffer.withMemoryRebound(to: ccr_http_field.self) { fields in
                let base = bytes.bindMemory(to: CChar.self).baseAddress
                status = ccr_http_parse_head(base, bytes.count, fields.baseAddress, fields.count, &parsed)
            }
            count = min(parsed.field_count, scanned.headerCount)
        }
        guard status == HPE_PAUSED.rawValue else { throw reason(status, flags: parsed.flags) }
        guard
            parsed.field_count == scanned.headerCount,
            Int(parsed.target_offset) == line.target.lowerBound,
            Int(parsed.target_length) == line.target.count
        else { throw .invalidRequestLine }

        var reader = FieldReader(isHTTP11: line.isHTTP11)
        try reader.read(fields, of: bytes, from: lineEnd + 2)
        return RequestHead(
            bytes: Array(bytes), line: line, method: Method(llhttp: parsed.method), fields: reader.trimmed,
            meaning: reader.meaning)
    }

    /// What llhttp's error means, given that the scanner and the request line's reader had no complaint.
    private static func reason(_ status: Int32, flags: UInt16) -> HTTPError {
        switch llhttp_errno(rawValue: UInt32(bitPattern: status)) {
        // The constant that did not fit is "HTTP" behind a method of RTSP or ICE.
        case HPE_INVALID_METHOD, HPE_INVALID_CONSTANT: .unknownMethod
        case HPE_INVALID_URL: .invalidTarget
        case HPE_INVALID_CONTENT_LENGTH: .invalidContentLength
        case HPE_UNEXPECTED_CONTENT_LENGTH:
            flags & UInt16(F_TRANSFER_ENCODING.rawValue) != 0 ? .conflictingFraming : .duplicateContentLength
        case HPE_INVALID_TRANSFER_ENCODING: .unsupportedTransferEncoding
        case HPE_INVALID_HEADER_TOKEN: .invalidHeaderName
        default: .invalidRequestLine
        }
    }
}
