// SPDX-License-Identifier: Apache-2.0
// Where all fronts of a supervisor count what limits per minute allow: an old one that finishes its requests, a new one,
// and the one after a crash. Each takes the lock, reads what others have changed, decides, writes what it has changed.

import Posix
import Routing
import Runtime

/// The memory: behind the lock a counter of changes, then a row for each holder.
final class MinuteMemory {
    private let memory: SharedMemory
    private let bytes: UnsafeMutableRawBufferPointer
    private let lock: SharedLock
    /// Rows.
    private let capacity: Int

    private static let counterOffset = SharedLock.bytes
    private static let rowsOffset = 2 * SharedLock.bytes
    /// The hash of the holder's name, the counter at the last change, the windows.
    private static let rowBytes = 16 + MinuteBudget.storedBytes

    /// - Returns: nil for memory that PolicyMemory has not made.
    init?(_ memory: SharedMemory) {
        guard let lock = PolicyMemory.lock(in: memory) else { return nil }
        self.memory = memory
        self.lock = SharedLock(at: lock)
        bytes = UnsafeMutableRawBufferPointer(rebasing: memory.mapped[PolicyMemory.snapshotBytes...])
        capacity = (bytes.count - Self.rowsOffset) / Self.rowBytes
    }

    func enter() { lock.lock() }

    func leave() { lock.unlock() }

    /// Grows with every change of every front.
    var counter: UInt64 {
        get { bytes.load(fromByteOffset: Self.counterOffset, as: UInt64.self) }
        set { bytes.storeBytes(of: newValue, toByteOffset: Self.counterOffset, as: UInt64.self) }
    }

    /// The row of a holder, made if there is none and room for it.
    func row(of name: String) -> MinuteRow? {
        let hash = max(1, Checksum.of(name.utf8))
        for offset in 0..<capacity {
            let place = Int((hash &+ UInt64(offset)) % UInt64(capacity))
            let first = Self.rowsOffset + place * Self.rowBytes
            let row = MinuteRow(
                bytes: UnsafeMutableRawBufferPointer(rebasing: bytes[first..<(first + Self.rowBytes)]))
            if row.hash == 0 { row.hash = hash }
            if row.hash == hash { return row }
        }
        return nil
    }
}

/// What one holder has used, in shared memory.
struct MinuteRow {
    fileprivate let bytes: UnsafeMutableRawBufferPointer

    fileprivate var hash: UInt64 {
        get { bytes.load(as: UInt64.self) }
        nonmutating set { bytes.storeBytes(of: newValue, as: UInt64.self) }
    }

    /// The counter of the memory at the row's last change.
    var changedAt: UInt64 {
        get { bytes.load(fromByteOffset: 8, as: UInt64.self) }
        nonmutating set { bytes.storeBytes(of: newValue, toByteOffset: 8, as: UInt64.self) }
    }

    var windows: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: bytes[16...]) }
}

/// The limits of one table of this front, in the memory of all.
final class SharedMinutes {
    private let memory: MinuteMemory
    /// By place in the table; nil where there was no room, so that each front counts for itself.
    private let rows: [MinuteRow?]
    private var seen: UInt64 = 0

    /// - Returns: nil when the table has no limits.
    init?(_ table: MinuteTable, in memory: MinuteMemory) {
        guard !table.holders.isEmpty else { return nil }
        self.memory = memory
        memory.enter()
        rows = table.holders.map { memory.row(of: $0) }
        memory.leave()
    }

    /// Begins a decision: nobody else decides until `end`.
    func begin(_ table: inout MinuteTable) {
        memory.enter()
        let counter = memory.counter
        guard counter != seen else { return }
        for (place, row) in rows.enumerated() {
            if let row, row.changedAt > seen { table[place].load(from: UnsafeRawBufferPointer(row.windows)) }
        }
        seen = counter
    }

    func end(_ table: inout MinuteTable) {
        let touched = table.takeTouched()
        if !touched.isEmpty {
            seen += 1
            for place in touched {
                guard let row = rows[place] else { continue }
                table[place].store(into: row.windows)
                row.changedAt = seen
            }
            memory.counter = seen
        }
        memory.leave()
    }
}
