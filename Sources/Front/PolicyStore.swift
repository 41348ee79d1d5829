// SPDX-License-Identifier: Apache-2.0
// Where the policy's state outlives this front: a memfd that the supervisor holds and every front of it maps. Two halves:
// each front writes one and begins with what the other, written by the front before it, holds.

import Bytes
import IPC
import Posix
import Runtime

final class PolicyStore {
    private let memory: SharedMemory
    private let own: Int
    private var savedChanges: UInt64?
    private var loadedStamp: UInt64 = 0
    /// How long the last save took.
    private(set) var costUsec: UInt64 = 0

    /// Stamp and checksum of 8 bytes each, then the length in 4.
    private static let headerBytes = 20
    private static let halfBytes = PolicyMemory.snapshotBytes / 2

    /// - Parameter memory: as PolicyMemory makes it.
    init(_ memory: SharedMemory) {
        self.memory = memory
        own = PolicyStore.stamp(memory, 0) > PolicyStore.stamp(memory, 1) ? 1 : 0
    }

    /// What the front before this one has left since the last look; nil when that is nothing.
    func loadNewer() -> [UInt8]? {
        PolicyStore.stamp(memory, 1 - own) == loadedStamp ? nil : load()
    }

    /// What the front before this one left; nil when there was none, or it ended in the middle of writing.
    func load() -> [UInt8]? {
        let start = (1 - own) * Self.halfBytes
        let half = UnsafeRawBufferPointer(memory.mapped).slice(start..<(start + Self.halfBytes))
        let count = Int(half.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
        guard PolicyStore.stamp(memory, 1 - own) > 0, count <= Self.halfBytes - Self.headerBytes else {
            return nil
        }
        let bytes = half.slice(Self.headerBytes..<(Self.headerBytes + count))
        guard half.loadUnaligned(fromByteOffset: 8, as: UInt64.self) == Checksum.of(bytes) else {
            return nil
        }
        loadedStamp = PolicyStore.stamp(memory, 1 - own)
        return Array(bytes)
    }

    /// Keeps the state if it has changed.
    ///
    /// - Parameters:
    ///   - changes: grows with every change.
    ///   - bytes: the state in so many bytes at most.
    /// - Returns: false when it is larger all the same, and is not kept.
    func save(_ changes: UInt64, nowUsec: UInt64, _ bytes: (Int) -> [UInt8]) -> Bool {
        guard changes != savedChanges else { return true }
        savedChanges = changes
        let room = Self.halfBytes - Self.headerBytes
        let bytes = bytes(room)
        guard bytes.count <= room else { return false }
        let start = own * Self.halfBytes
        let half = UnsafeMutableRawBufferPointer(rebasing: memory.mapped[start..<(start + Self.halfBytes)])
        UnsafeMutableRawBufferPointer(rebasing: half[Self.headerBytes...]).copyBytes(from: bytes)
        half.storeBytes(of: UInt32(bytes.count), toByteOffset: 16, as: UInt32.self)
        bytes.withUnsafeBytes {
            half.storeBytes(of: Checksum.of($0), toByteOffset: 8, as: UInt64.self)
        }
        half.storeBytes(of: nowUsec, toByteOffset: 0, as: UInt64.self)
        costUsec = Clock.monotonicUsec() - nowUsec
        return true
    }

    private static func stamp(_ memory: SharedMemory, _ half: Int) -> UInt64 {
        UnsafeRawBufferPointer(memory.mapped).loadUnaligned(
            fromByteOffset: half * halfBytes, as: UInt64.self)
    }
}

/// FNV-1a of 64 bits: tells a half that was not written to its end, and names apart.
enum Checksum {
    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
