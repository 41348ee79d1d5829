// SPDX-License-Identifier: Apache-2.0
// A request body with replaced ranges. Every other byte is the client's own; nothing is parsed or serialised again.
// A large body stays in front's memfd and is read from there piece by piece: mapping it costs more than the copies.

import Curl
package import Gateway
import Glibc
package import Posix

package final class SplicedBody: RequestBody {
    package let size: Int
    private let pieces: [Piece]
    /// A small body, put together.
    private let owned: UnsafeMutableRawBufferPointer?
    /// A body that was written here.
    private let written: [UInt8]?
    /// A large body's file.
    private let file: SharedDescriptor?

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
        self.owned = owned
        self.pieces = []
        written = nil
        file = nil
    }

    /// A body that was written here: neither changed nor copied.
    package init(written body: [UInt8]) {
        size = body.count
        written = body
        pieces = []
        owned = nil
        file = nil
    }

    /// A large body: the first `size` bytes of a memfd, which this object owns from now on.
    ///
    /// - Returns: nil when a splice lies outside of the body or overlaps another.
    package init?(file: consuming FileDescriptor, size: Int, splices: [Splice]) {
        guard let pieces = SplicedBody.pieces(splices, size: size) else { return nil }
        self.size = pieces.reduce(0) { $0 + $1.count }
        self.pieces = pieces
        self.file = SharedDescriptor(file)
        written = nil
        owned = nil
    }

    deinit {
        owned?.deallocate()
    }

    /// The body as a sequence of pieces, or nil when the splices contradict it or each other.
    private static func pieces(_ splices: [Splice], size: Int) -> [Piece]? {
        var pieces: [Piece] = []
        var end = 0
        for splice in splices {
            guard splice.offset >= end, splice.length >= 0, splice.length <= size - splice.offset else {
                return nil
            }
            pieces.append(.original(end..<splice.offset))
            pieces.append(.replacement(splice.replacement))
            end = splice.offset + splice.length
        }
        guard end <= size else { return nil }
        pieces.append(.original(end..<size))
        return pieces
    }

    package var contiguous: UnsafeRawBufferPointer? {
        owned.map { UnsafeRawBufferPointer(rebasing: $0[..<size]) }
    }

    /// The whole body, copied unless it was written here.
    package var bytes: [UInt8] {
        if let written { return written }
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = read(from: 0, into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    package func read(from offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        if let whole = contiguous {
            let count = min(max(whole.count - offset, 0), buffer.count)
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole[offset..<(offset + count)]))
            return count
        }
        if let written {
            let part = written[min(offset, size)..<min(offset + buffer.count, size)]
            buffer.copyBytes(from: part)
            return part.count
        }
        var skip = offset
        var copied = 0
        for piece in pieces where copied < buffer.count {
            guard skip < piece.count else {
                skip -= piece.count
                continue
            }
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[copied...])
            let count = min(piece.count - skip, room.count)
            switch piece {
            case .original(let range):
                guard readFile(at: range.lowerBound + skip, into: room, count: count) else { return copied }
            case .replacement(let bytes): room.copyBytes(from: bytes[skip..<(skip + count)])
            }
            copied += count
            skip = 0
        }
        return copied
    }

    /// The file cannot shrink, so a short read has no cause but a fault of the kernel's memory.
    private func readFile(at offset: Int, into buffer: UnsafeMutableRawBufferPointer, count: Int) -> Bool {
        guard let fd = file?.raw else { return false }
        var done = 0
        while done < count {
            let part = pread(fd, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
            if part < 0, errno == EINTR { continue }
            guard part > 0 else { return false }
            done += part
        }
        return true
    }
}
