// SPDX-License-Identifier: Apache-2.0
// Finds the end of a request head while it arrives and refuses on the way what no head may hold: llhttp tolerates
// bare line feeds, leading empty lines without end and folded lines, each of which another server may read
// differently.
// Source: RFC 9112 §2.2 (CR and LF, empty lines before the request line), §5.2 (folding); RFC 9110 §5.5 (values).

import Bytes

/// Where the parts of a complete head are, as offsets into the bytes that were scanned.
struct ScannedHead: Equatable {
    /// The request line's first byte.
    var start: Int
    /// The CR at the end of the request line.
    var requestLineEnd: Int
    /// Lines between the request line and the empty line.
    var headerCount: Int
    /// One past the empty line.
    var end: Int
}

/// Reads each byte of a head once, however many pieces it arrives in.
struct HeadScanner {
    private var position = 0
    private var start = 0
    private var lineStart = 0
    private var lineCount = 0
    private var requestLineEnd = 0

    /// Goes on where the last call stopped; `bytes` must begin with what that call was given.
    /// - Returns: nil while the head is not complete.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(HTTPError) -> ScannedHead? {
        let end = min(bytes.count, limit)
        while position < end {
            if position == lineStart, lineCount > 0 {
                guard bytes[position] != ASCII.space, bytes[position] != ASCII.tab else {
                    throw .obsoleteFolding
                }
            }
            position = Self.endOfText(bytes, from: position, to: end)
            guard position < end else { break }
            switch bytes[position] {
            case ASCII.carriageReturn:
                guard position + 1 < end else { return try checkSize(bytes.count, limit) }
                guard bytes[position + 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
                if let head = try lineEnded() { return head }
            case ASCII.lineFeed: throw .bareLineFeed
            case ASCII.tab where lineCount > 0: position += 1
            default: throw .controlCharacter
            }
        }
        return try checkSize(bytes.count, limit)
    }

    /// The offset of the first control character in the range, or its end.
    @inline(__always)
    private static func endOfText(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var position = start
        while position + 8 <= end {
            // Eight bytes at once: the high bit of a byte stays when it is below 0x20, or DEL.
            let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let withoutDelete = word ^ (ones &* 0x7F)
            let controls = (word &- ones &* 0x20) & ~word | (withoutDelete &- ones) & ~withoutDelete
            guard controls & (ones &* 0x80) == 0 else { break }
            position += 8
        }
        while position < end, bytes[position] >= 0x20, bytes[position] != 0x7F { position += 1 }
        return position
    }

    /// Takes the CRLF at `position`.
    private mutating func lineEnded() throws(HTTPError) -> ScannedHead? {
        let isEmpty = position == lineStart
        let lineEnd = position
        position += 2
        lineStart = position
        switch (isEmpty, lineCount) {
        case (true, 0):
            guard start == 0 else { throw .invalidRequestLine }
            start = position
        case (true, _):
            return ScannedHead(
                start: start, requestLineEnd: requestLineEnd, headerCount: lineCount - 1, end: position)
        case (false, 0):
            requestLineEnd = lineEnd
            lineCount = 1
        case (false, _):
            lineCount += 1
            guard lineCount <= HTTPLimits.headers + 1 else { throw .tooManyHeaders }
        }
        return nil
    }

    private func checkSize(_ count: Int, _ limit: Int) throws(HTTPError) -> ScannedHead? {
        guard count < limit else { throw .headTooLarge }
        return nil
    }
}
