// SPDX-License-Identifier: Apache-2.0
// Collecting a body: small in memory, large in a memfd, never beyond the limit.

import JSON
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

    private func content(_ store: BodyStore) throws -> [UInt8] {
        try store.withPadded { bytes, _ in Array(bytes) }
    }

    @Test("A body stays in memory up to the limit of a message, then moves to a file as a whole")
    func border() throws {
        let store = store(expected: 100_000)
        try append(store, pattern(edge))
        #expect(store.inlineBytes == pattern(edge))
        #expect(store.shared == nil)
        try append(store, pattern(1, from: edge))
        #expect(store.inlineBytes == nil)
        #expect(store.count == edge + 1)
        #expect(try content(store) == pattern(edge + 1))
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
        #expect(try content(store) == whole)
    }

    @Test("The limit is exact, in memory and in a file", arguments: [10, 200_000])
    func limit(limit: Int) throws {
        let store = store(limit: limit)
        try append(store, pattern(limit - 1))
        #expect(throws: BodyStore.TooLarge.self) { try append(store, [1, 2]) }
        #expect(store.count == limit - 1)
        try append(store, [1])
        #expect(throws: BodyStore.TooLarge.self) { try append(store, [1]) }
    }

    @Test("Room for a received body grows with what has come, not with what was announced")
    func room() throws {
        let announced = 64 << 20
        let store = store(limit: announced, expected: announced)
        let first = try store.room(announced)
        #expect(first.count <= BodyPool.firstCapacity)
        var filled = 0
        var seen: Set<Int> = []
        while filled < 1 << 20 {
            let room = try store.room(announced - filled)
            #expect(!room.isEmpty)
            let count = min(room.count, 50_000)
            room.copyBytes(from: pattern(count, from: filled))
            store.commit(count)
            filled += count
            let capacity = try #require(store.shared).capacity
            seen.insert(capacity)
            #expect(capacity <= max(BodyPool.firstCapacity, filled * 16))
        }
        #expect(seen.count < 6)
        #expect(try content(store) == pattern(filled))
    }

    @Test("Room is never more than what is wanted")
    func exactRoom() throws {
        let store = store(expected: 100_000)
        #expect(try store.room(100).count == 100)
    }

    @Test("A small body that came first is in front of what is received straight")
    func roomAfterInline() throws {
        let store = store(expected: 100_000)
        try append(store, pattern(10))
        let room = try store.room(5)
        room.copyBytes(from: pattern(5, from: 10))
        store.commit(5)
        #expect(try content(store) == pattern(15))
    }

    @Test("Readable bytes follow a body that says so", arguments: [0, 100, 32_768, 300_000])
    func padding(size: Int) throws {
        let store = store(expected: size)
        try append(store, pattern(size))
        try store.withPadded { bytes, isPadded in
            #expect(bytes.elementsEqual(pattern(size)))
            #expect(isPadded)
            let behind = UnsafeRawBufferPointer(
                start: bytes.baseAddress.map { $0 + bytes.count }, count: JSONParser.padding)
            #expect(behind.reduce(0) { $0 + Int($1 & 0) } == 0, "readable")
        }
    }

    @Test("A memory body that outgrew its reservation is lent without padding")
    func unpadded() throws {
        let store = store(expected: 1)
        try append(store, pattern(1000))
        try store.withPadded { bytes, _ in #expect(bytes.elementsEqual(pattern(1000))) }
    }

    @Test("A file that is given back serves the next body, which begins empty")
    func recycling() throws {
        let first = store(expected: 100_000)
        try append(first, pattern(100_000))
        let number = try #require(first.shared).raw
        first.recycle()
        #expect(first.shared == nil)
        let second = store(expected: 100_000)
        try append(second, [1, 2, 3])
        _ = try second.room(1)
        #expect(second.shared?.raw == number)
        #expect(try content(second) == [1, 2, 3])
    }

    @Test("Only a few files are kept, none of them huge, the largest goes first")
    func poolBounds() throws {
        let huge = try SharedMemory(name: "t", capacity: 9 << 20)
        pool.give(huge)
        #expect(try pool.take() !== huge)
        let files = try (1...10).map { try SharedMemory(name: "t", capacity: $0 * 4096) }
        for file in files { pool.give(file) }
        #expect(try pool.take() === files[7])
        #expect(try pool.take() === files[6])
        pool.empty()
        #expect(try !files.contains { file in try pool.take() === file })
    }
}
