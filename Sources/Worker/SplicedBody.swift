// SPDX-License-Identifier: Apache-2.0
// A request body with replaced ranges. Every other byte is the client's own; nothing is parsed or serialised again.

import Curl
package import Gateway
package import Posix

package final class SplicedBody: RequestBody {
    package let size: Int
    private let pieces: [Piece]
    private let owned: UnsafeMutableRawBufferPointer?
    /// Keeps the mapping that the pieces point into.
    private let mapping: SharedMemoryView?

    private enum Piece {
        case original(UnsafeRawBufferPointer)
        case replacement([UInt8])

        var count: Int {
            switch self {
            case .original(let bytes): bytes.count
            case .replacement(let bytes): bytes.count
            }
        }
    }

    /// A small body, put together once.
    ///
    /// - Returns: nil when a splice lies outside of the body or overlaps another.
    package init?(inline body: [UInt8], splices: [Splice]) {
        guard SplicedBody.areValid(splices, size: body.count) else { return nil }
        let size = splices.reduce(body.count) { $0 - $1.length + $1.replacement.count }
        let owned = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 16)
        var source = 0
        var target = 0
        body.withUnsafeBytes { body in
            func copy(_ bytes: UnsafeRawBufferPointer) {
                UnsafeMutableRawBufferPointer(rebasing: owned[target...]).copyMemory(from: bytes)
                target += bytes.count
            }
            for splice in splices {
                copy(UnsafeRawBufferPointer(rebasing: body[source..<splice.offset]))
                splice.replacement.withUnsafeBytes(copy)
                source = splice.offset + splice.length
            }
            copy(UnsafeRawBufferPointer(rebasing: body[source...]))
        }
        self.size = size
        self.owned = owned
        pieces = []
        mapping = nil
    }

    /// A large body in shared memory, read in pieces.
    ///
    /// - Returns: nil when a splice lies outside of the body or overlaps another.
    package init?(mapping: SharedMemoryView, splices: [Splice]) {
        let body = mapping.bytes
        guard SplicedBody.areValid(splices, size: body.count) else { return nil }
        var pieces: [Piece] = []
        var source = 0
        for splice in splices {
            pieces.append(.original(UnsafeRawBufferPointer(rebasing: body[source..<splice.offset])))
            pieces.append(.replacement(splice.replacement))
            source = splice.offset + splice.length
        }
        pieces.append(.original(UnsafeRawBufferPointer(rebasing: body[source...])))
        self.pieces = pieces
        self.mapping = mapping
        owned = nil
        size = pieces.reduce(0) { $0 + $1.count }
    }

    deinit {
        owned?.deallocate()
    }

    private static func areValid(_ splices: [Splice], size: Int) -> Bool {
        var end = 0
        for splice in splices {
            guard splice.offset >= end, splice.length >= 0, splice.length <= size - splice.offset else {
                return false
            }
            end = splice.offset + splice.length
        }
        return true
    }

    package var contiguous: UnsafeRawBufferPointer? {
        if let owned { return UnsafeRawBufferPointer(rebasing: owned[..<size]) }
        if pieces.count == 1, case .original(let bytes) = pieces[0] { return bytes }
        return nil
    }

    package func read(from offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var skip = offset
        var copied = 0
        func copy(_ bytes: UnsafeRawBufferPointer) {
            guard skip < bytes.count else {
                skip -= bytes.count
                return
            }
            let count = min(bytes.count - skip, buffer.count - copied)
            let part = UnsafeRawBufferPointer(rebasing: bytes[skip..<(skip + count)])
            UnsafeMutableRawBufferPointer(rebasing: buffer[copied...]).copyMemory(from: part)
            copied += count
            skip = 0
        }
        if let whole = contiguous {
            copy(whole)
            return copied
        }
        for piece in pieces where copied < buffer.count {
            switch piece {
            case .original(let bytes): copy(bytes)
            case .replacement(let bytes): bytes.withUnsafeBytes(copy)
            }
        }
        return copied
    }
}
