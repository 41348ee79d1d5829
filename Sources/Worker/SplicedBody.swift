// SPDX-License-Identifier: Apache-2.0
// A request body with replaced ranges. Every other byte is the client's own; nothing is parsed or serialised again.

import Curl
package import Gateway
package import Posix

package final class SplicedBody: RequestBody {
    package let size: Int
    private let storage: Storage
    /// The piece that was asked for last, for most ask for one after the other.
    private var cursor = (piece: 0, start: 0)

    private enum Storage {
        /// A small body, put together.
        case owned(UnsafeMutableRawBufferPointer)
        /// A body that was written here.
        case written([UInt8])
        /// A large one, which stays where front has put it.
        case pieces([Piece], SharedMemoryView)
    }

    private enum Piece {
        case original(Range<Int>)
        case replacement([UInt8])

        var count: Int {
            switch self {
            case .original(let range): range.count
            case .replacement(let bytes): bytes.count
            }
        }
    }

    /// A small body.
    ///
    /// - Returns: nil when a splice lies outside of the body or overlaps another.
    package init?(inline body: [UInt8], splices: [Splice]) {
        guard let pieces = SplicedBody.pieces(splices, size: body.count) else { return nil }
        let size = pieces.reduce(0) { $0 + $1.count }
        let owned = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 16)
        var target = 0
        for piece in pieces {
            let room = UnsafeMutableRawBufferPointer(rebasing: owned[target...])
            switch piece {
            case .original(let range): room.copyBytes(from: body[range])
            case .replacement(let bytes): room.copyBytes(from: bytes)
            }
            target += piece.count
        }
        self.size = size
        storage = .owned(owned)
    }

    /// A body that was written here: neither changed nor copied.
    package init(written body: [UInt8]) {
        size = body.count
        storage = .written(body)
    }

    /// A large body: the first `size` bytes of a file of front's.
    ///
    /// - Returns: nil when a splice lies outside of the body or overlaps another.
    package init?(file: SharedMemoryView, size: Int, splices: [Splice]) {
        guard let pieces = SplicedBody.pieces(splices, size: size) else { return nil }
        self.size = pieces.reduce(0) { $0 + $1.count }
        storage = .pieces(pieces, file)
    }

    deinit {
        if case .owned(let owned) = storage { owned.deallocate() }
    }

    /// The body as a sequence of pieces, none of them empty, or nil when the splices contradict it or each other.
    private static func pieces(_ splices: [Splice], size: Int) -> [Piece]? {
        var pieces: [Piece] = []
        var end = 0
        for splice in splices {
            guard splice.offset >= end, splice.length >= 0, splice.length <= size - splice.offset else {
                return nil
            }
            if splice.offset > end { pieces.append(.original(end..<splice.offset)) }
            if !splice.replacement.isEmpty { pieces.append(.replacement(splice.replacement)) }
            end = splice.offset + splice.length
        }
        guard end <= size else { return nil }
        if end < size { pieces.append(.original(end..<size)) }
        return pieces
    }

    /// The whole body, copied unless it was written here.
    package var bytes: [UInt8] {
        if case .written(let bytes) = storage { return bytes }
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = read(from: 0, into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    package func piece(from offset: Int) -> UnsafeRawBufferPointer {
        switch storage {
        case .owned(let owned): UnsafeRawBufferPointer(rebasing: owned[offset..<size])
        case .written(let bytes): SplicedBody.rest(of: bytes, from: offset)
        case .pieces(let pieces, let file): piece(from: offset, of: pieces, in: file)
        }
    }

    private func piece(from offset: Int, of pieces: [Piece], in file: SharedMemoryView)
        -> UnsafeRawBufferPointer
    {
        var (number, start) = offset < cursor.start ? (0, 0) : cursor
        while number < pieces.count, offset >= start + pieces[number].count {
            start += pieces[number].count
            number += 1
        }
        cursor = (number, start)
        guard number < pieces.count else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        switch pieces[number] {
        case .original(let range):
            let part = range.dropFirst(offset - start)
            return UnsafeRawBufferPointer(rebasing: file.bytes[part])
        case .replacement(let bytes): return SplicedBody.rest(of: bytes, from: offset - start)
        }
    }

    /// The storage of an array that nobody changes stays where it is while the array is held.
    private static func rest(of bytes: [UInt8], from offset: Int) -> UnsafeRawBufferPointer {
        bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[offset...]) }
    }
}
