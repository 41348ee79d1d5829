// SPDX-License-Identifier: Apache-2.0
// Which answers a worker has begun without having told its front: written before the first byte goes to a client, so that it
// is known of a worker that dies a moment later, and costs no message of its own. One page in most cases.
// Source: docs/decisions/0021-a-commit-is-noted-before-it-is-told.md.

import Glibc
package import Posix

/// Tags in memory that one front and one worker map: a count of 8 bytes, then a tag in each 8 bytes. The worker writes, the
/// front reads when the worker has ended. A tag in it always stands for an answer that has begun, told or not.
package final class CommitLog {
    private let memory: SharedMemory

    /// Answers that may begin before the front has been told of them.
    package static let capacity = 8_191
    private static let size = 8 * (capacity + 1)

    /// An empty one, for a front to hand to a worker.
    package init() throws(Errno) {
        memory = try SharedMemory(name: "ccr-commits", capacity: Self.size, isSparse: true)
    }

    /// That of a front.
    ///
    /// - Throws: EINVAL when the descriptor is none.
    package init(adopting descriptor: consuming FileDescriptor) throws(Errno) {
        memory = try SharedMemory(adopting: descriptor)
        guard memory.capacity == Self.size else { throw Errno("commit log", code: EINVAL) }
    }

    /// The descriptor's number; valid as long as this object lives.
    package var raw: Int32 { memory.raw }

    /// What a front may believe: the count is another process's.
    private var count: Int {
        get {
            let written = memory.mapped.loadUnaligned(as: UInt64.self)
            return Int(min(written, UInt64(Self.capacity)))
        }
        set { memory.mapped.storeBytes(of: UInt64(newValue), as: UInt64.self) }
    }

    /// Notes that an answer begins. False when there is no room, and it must not.
    package func append(_ tag: UInt64) -> Bool {
        let place = count
        guard place < Self.capacity else { return false }
        memory.mapped.storeBytes(of: tag, toByteOffset: 8 * (place + 1), as: UInt64.self)
        count = place + 1
        return true
    }

    /// The front has been told of all of them.
    package func clear() {
        count = 0
    }

    /// The tags of answers that had begun.
    package var tags: [UInt64] {
        (0..<count).map { memory.mapped.loadUnaligned(fromByteOffset: 8 * ($0 + 1), as: UInt64.self) }
    }
}
