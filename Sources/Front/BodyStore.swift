// SPDX-License-Identifier: Apache-2.0
// Where a request body is collected: a small one in memory, a larger one in a memfd that the worker maps, so that it
// is copied once, from the socket.
// Source: memfd_create(2).

import JSON
import Posix

/// A growing body.
final class BodyStore {
    /// Bodies up to this size travel inside the handoff message.
    static let inlineLimit = 32 * 1024

    private var inline: [UInt8] = []
    private(set) var shared: SharedMemory?
    private let limit: Int
    private let pool: BodyPool

    /// Raised when the body outgrows its limit.
    struct TooLarge: Error {}

    init(limit: Int, expected: Int, pool: BodyPool) {
        self.limit = limit
        self.pool = pool
        // The parser wants readable bytes behind the text.
        if expected <= BodyStore.inlineLimit { inline.reserveCapacity(expected + JSONParser.padding) }
    }

    var count: Int { shared?.count ?? inline.count }

    /// The body when it is small, nil when it lies in `shared`.
    var inlineBytes: [UInt8]? { shared == nil ? inline : nil }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard bytes.count <= limit - count else { throw TooLarge() }
        if shared == nil, inline.count + bytes.count <= BodyStore.inlineLimit {
            inline.append(contentsOf: bytes)
            return
        }
        try spill()
        try shared?.append(bytes)
    }

    /// Room for at most `wanted` bytes to be received straight into a memfd; `commit` takes them over.
    func room(_ wanted: Int) throws -> UnsafeMutableRawBufferPointer {
        try spill()
        guard let shared else { throw TooLarge() }
        let needed = shared.count + wanted + JSONParser.padding
        if shared.capacity < needed, shared.capacity - shared.count < shared.capacity / 4 {
            try shared.reserve(min(needed, shared.capacity * 4))
        }
        let spare = shared.spare
        return UnsafeMutableRawBufferPointer(rebasing: spare[..<min(wanted, spare.count)])
    }

    func commit(_ count: Int) { shared?.count += count }

    /// Nobody reads the body any more: its file may serve the next one.
    func recycle() {
        if let shared { pool.give(shared) }
        shared = nil
    }

    /// Lends the body with the parser's padding behind it.
    func withPadded<Value>(_ body: (UnsafeRawBufferPointer, Bool) throws -> Value) throws -> Value {
        if let shared {
            try shared.reserve(shared.count + JSONParser.padding)
            return try body(shared.bytes, true)
        }
        let count = inline.count
        guard inline.capacity >= count + JSONParser.padding else {
            return try inline.withUnsafeBytes { try body($0, false) }
        }
        return try inline.withUnsafeBytes {
            try body(UnsafeRawBufferPointer(start: $0.baseAddress, count: count), true)
        }
    }

    private func spill() throws(Errno) {
        guard shared == nil else { return }
        let memory = try pool.take()
        try memory.append(inline)
        inline = []
        shared = memory
    }
}
