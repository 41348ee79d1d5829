// SPDX-License-Identifier: Apache-2.0
// Walks the lines of a buffer; a line ends in LF, CR or CR LF.
// Source: WHATWG HTML §9.2.5 (parsing an event stream); memchr(3).

import Bytes

/// A position in a buffer and the next line end of each kind. Each kind is searched for once only, so that a walk is
/// linear whatever the buffer holds.
struct LineCursor {
    private let bytes: UnsafeRawBufferPointer
    /// The start of the next line.
    private(set) var position: Int
    private var lineFeed: Int
    private var carriageReturn: Int
    /// The last line ended in a CR that is the last byte of the buffer: an LF at the start of the next one belongs to it.
    private(set) var endedInCarriageReturn = false

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer, from start: Int) {
        self.bytes = bytes
        position = start
        lineFeed = -1
        carriageReturn = bytes.firstIndex(of: ASCII.carriageReturn, from: start) ?? bytes.count
    }

    /// The next complete line without its end, or nil.
    @inline(__always)
    mutating func next() -> Range<Int>? {
        let start = position
        if lineFeed < start {
            lineFeed = bytes.firstIndex(of: ASCII.lineFeed, from: start) ?? bytes.count
        }
        if carriageReturn < start {
            carriageReturn = bytes.firstIndex(of: ASCII.carriageReturn, from: start) ?? bytes.count
        }
        if lineFeed < carriageReturn {
            position = lineFeed + 1
            return start..<lineFeed
        }
        guard carriageReturn < bytes.count else { return nil }
        position = carriageReturn + 1
        if position == bytes.count {
            endedInCarriageReturn = true
        } else if position == lineFeed {
            position += 1
        }
        return start..<carriageReturn
    }
}
