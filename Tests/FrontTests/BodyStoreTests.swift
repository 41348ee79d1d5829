// SPDX-License-Identifier: Apache-2.0
// Collecting a body: small in an array, large in memory that is used again, never beyond the limit.

import Posix
import Testing

@testable import Front

@Suite("Body store") struct BodyStoreTests {
    private let pool = BodyPool()
    private let edge = BodyStore.inlineLimit

    private func store(limit: Int = 1 << 20, expected: Int = 100) -> BodyStore {
        BodyStore(limit: limit, expected: expected, pool: pool)
    }

    private func append(_ store: BodyStore, _ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try store.append($0) }
    }

    /// Bytes that tell their place: a period of 251 fits into no page and no buffer.
    private static let bytes: [UInt8] = {
        let period = (0..<251).map { UInt8($0) }
        return (0..<5000).reduce(into: []) { bytes, _ in bytes += period }
    }()

    private func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
        Array(Self.bytes[start..<(start + count)])
    }

    private func content(_ store: BodyStore) -> [UInt8] { store.withBytes { bytes in Array(bytes) } }

    @Test("A body stays in memory up to the limit of a message, then moves to larger memory as a whole")
    func border() throws {
        let store = store(expected: 100_000)
        try append(store, pattern(edge))
        #expect(store.inlineBytes == pattern(edge))
        try append(store, pattern(1, from: edge))
        #expect(store.inlineBytes == nil)
        #expect(store.count == edge + 1)
        #expect(content(store) == pattern(edge + 1))
    }

    @Test("Bytes in any pieces make the same body", arguments: [1, 7, 1000, 33_000, 70_000])
    func pieces(size: Int) throws {
        let store = store(expected: 32_768)
        let whole = pattern(size == 1 ? 40_000 : 300_000)
        var position = 0
        while position < whole.count {
            try append(store, Array(whole[position..<min(position + size, whole.count)]))
            position += size
        }
        #expect(store.count == whole.count)
        #expect(content(store) == whole)
    }

    @Test("The limit is exact, for small and large bodies", arguments: [10, 200_000])
    func limit(limit: Int) throws {
        let store = store(limit: limit)
        try append(store, pattern(limit - 1))
        #expect(throws: BodyStore.Fault.tooLarge) { try append(store, [1, 2]) }
        #expect(store.count == limit - 1)
        try append(store, [1])
        #expect(throws: BodyStore.Fault.tooLarge) { try append(store, [1]) }
    }

    @Test("Room for a received body grows with what has come, not with what was announced")
    func room() throws {
        let announced = 64 << 20
        let store = store(limit: announced, expected: announced)
        var filled = 0
        while filled < 1 << 20 {
            let room = try store.room(announced - filled)
            #expect(!room.isEmpty)
            #expect(room.count <= max(BodyPool.firstCapacity, filled * 5))
            let count = min(room.count, 50_000)
            room.copyBytes(from: pattern(count, from: filled))
            store.commit(count)
            filled += count
        }
        #expect(content(store) == pattern(filled))
    }

    @Test("Room is never more than what is wanted", arguments: [1, 100, 262_143, 262_144, 262_145])
    func exactRoom(wanted: Int) throws {
        let store = store(limit: 1 << 30, expected: 100_000)
        var left = wanted
        while left > 0 {
            let room = try store.room(left)
            #expect((1...left).contains(room.count))
            store.commit(room.count)
            left -= room.count
        }
        #expect(store.count == wanted)
    }

    @Test("A small body that came first is in front of what is received straight")
    func roomAfterInline() throws {
        let store = store(expected: 100_000)
        try append(store, pattern(10))
        let room = try store.room(5)
        room.copyBytes(from: pattern(5, from: 10))
        store.commit(5)
        #expect(content(store) == pattern(15))
    }

    @Test("Memory is used again by the next body, which begins empty")
    func recycling() throws {
        var first: BodyStore? = store(expected: 100_000)
        try append(#require(first), pattern(100_000))
        let address = first?.withBytes { bytes in bytes.baseAddress }
        first = nil
        let second = store(expected: 100_000)
        try append(second, [1, 2, 3])
        _ = try second.room(1)
        #expect(second.withBytes { bytes in bytes.baseAddress } == address)
        #expect(content(second) == [1, 2, 3])
    }
}

@Suite("Body pool") struct BodyPoolTests {
    private let pool = BodyPool()

    private func file(_ text: String, provider: Int) throws -> SharedMemory {
        try Array(text.utf8).withUnsafeBytes { try pool.file(holding: $0, provider: provider) }
    }

    private func content(_ memory: SharedMemory) -> String { String(decoding: memory.bytes, as: UTF8.self) }

    @Test("A body's file holds it exactly, also when it held a longer one before")
    func files() throws {
        let first = try file("a long body", provider: 0)
        #expect(content(first) == "a long body")
        pool.give(first, provider: 0)
        let second = try file("short", provider: 0)
        #expect(second === first)
        #expect(content(second) == "short")
        pool.give(second, provider: 0)
        let long = String(repeating: "x", count: 20_000)
        #expect(content(try file(long, provider: 0)) == long)
    }

    @Test("A provider's file is never given to another provider: its worker may have kept it")
    func apart() throws {
        let first = try file("for the first", provider: 0)
        pool.give(first, provider: 0)
        #expect(try file("for the second", provider: 1) !== first)
        #expect(try file("for the first", provider: 0) === first)
        #expect(try file("for the first", provider: 0) !== first, "one file is lent once")
    }

    @Test("Only a few files and buffers are kept, none of them huge, the largest goes first")
    func bounds() throws {
        pool.give(try SharedMemory(name: "t", capacity: 9 << 20), provider: 0)
        #expect(try file("x", provider: 0).capacity < 9 << 20)
        let files = try (1...10).map { try SharedMemory(name: "t", capacity: $0 * 4096) }
        for memory in files { pool.give(memory, provider: 0) }
        let used = try (0..<9).map { try file("\($0)", provider: 0) }
        #expect(used[0] === files[7])
        #expect(used[7] === files[0])
        #expect(!files.contains { $0 === used[8] })
        pool.give(BodyBuffer(capacity: 9 << 20))
        #expect(pool.takeBuffer().capacity == BodyPool.firstCapacity)
        let buffers = (1...10).map { BodyBuffer(capacity: $0 * 1000) }
        for buffer in buffers { pool.give(buffer) }
        #expect(pool.takeBuffer() === buffers[7])
    }

    @Test("An emptied pool keeps nothing")
    func emptied() throws {
        let memory = try file("x", provider: 0)
        pool.give(memory, provider: 0)
        let buffer = pool.takeBuffer()
        pool.give(buffer)
        pool.empty()
        #expect(try file("x", provider: 0) !== memory)
        #expect(pool.takeBuffer() !== buffer)
    }

    @Test("A buffer keeps what it holds when it grows")
    func growing() {
        let buffer = BodyBuffer(capacity: 4)
        buffer.address.copyMemory(from: [1, 2, 3, 4] as [UInt8], byteCount: 4)
        #expect(buffer.reserve(1 << 20))
        #expect(buffer.capacity == 1 << 20)
        #expect(Array(UnsafeRawBufferPointer(start: buffer.address, count: 4)) == [1, 2, 3, 4])
        #expect(buffer.reserve(10))
        #expect(buffer.capacity == 1 << 20)
    }
}
