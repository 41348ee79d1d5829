// SPDX-License-Identifier: Apache-2.0
// Where a request body is collected and parsed: in memory that only front can reach.

import Glibc

/// A growing body.
final class BodyStore {
    /// Bodies up to this size travel inside the handoff message, larger ones in a memfd.
    static let inlineLimit = 32 * 1024

    private var inline: [UInt8] = []
    private var large: BodyBuffer?
    private var largeCount = 0
    private let limit: Int
    private let pool: BodyPool

    /// Raised when the body outgrows its limit, or the memory there is.
    enum Fault: Error {
        case tooLarge
        case noMemory
    }

    init(limit: Int, expected: Int, pool: BodyPool) {
        self.limit = limit
        self.pool = pool
        if expected <= BodyStore.inlineLimit { inline.reserveCapacity(expected) }
    }

    deinit {
        if let large { pool.give(large) }
    }

    var count: Int { large == nil ? inline.count : largeCount }

    /// The body when it is small, else nil.
    var inlineBytes: [UInt8]? { large == nil ? inline : nil }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        guard bytes.count <= limit - count else { throw .tooLarge }
        if large == nil, inline.count + bytes.count <= BodyStore.inlineLimit {
            inline.append(contentsOf: bytes)
            return
        }
        var rest = bytes
        while !rest.isEmpty {
            let room = try room(rest.count)
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<room.count]))
            commit(room.count)
            rest = UnsafeRawBufferPointer(rebasing: rest[room.count...])
        }
    }

    /// Room for at least one and at most `wanted` bytes of a large body; `commit` takes them over.
    func room(_ wanted: Int) throws(Fault) -> UnsafeMutableRawBufferPointer {
        let buffer = try spill()
        if buffer.capacity - largeCount < min(wanted, buffer.capacity / 4) {
            let needed = min(largeCount + wanted, buffer.capacity * 4)
            guard buffer.reserve(needed) else { throw .noMemory }
        }
        let spare = buffer.capacity - largeCount
        return UnsafeMutableRawBufferPointer(start: buffer.address + largeCount, count: min(wanted, spare))
    }

    func commit(_ count: Int) { largeCount += count }

    /// Lends the body.
    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        if let large {
            return try body(UnsafeRawBufferPointer(start: large.address, count: largeCount))
        }
        let held = inline
        return try held.span.bytes.withUnsafeBytes { (bytes) throws(Failure) in try body(bytes) }
    }

    private func spill() throws(Fault) -> BodyBuffer {
        if let large { return large }
        let buffer = pool.takeBuffer()
        large = buffer
        let held = inline
        inline = []
        held.withUnsafeBytes { held in
            UnsafeMutableRawBufferPointer(start: buffer.address, count: buffer.capacity).copyMemory(
                from: held)
        }
        largeCount = held.count
        return buffer
    }
}
