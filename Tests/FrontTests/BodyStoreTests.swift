// SPDX-License-Identifier: Apache-2.0
// Collecting a body: small in an array, large in memory that is used again, never beyond the limit.

import Glibc
import JSON
import Posix
import Runtime
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

    @Test("A body for a provider's worker lies in a file of that provider from the first large byte on")
    func inFile() throws {
        for size in [edge + 1, BodyPool.firstCapacity, 1_000_000] {
            let store = BodyStore(limit: 1 << 20, expected: size, pool: pool, provider: 3)
            try append(store, pattern(edge))
            #expect(store.file(of: 3) == nil)
            #expect(store.inlineBytes == pattern(edge))
            try append(store, pattern(size - edge, from: edge))
            let file = try #require(store.file(of: 3))
            #expect(content(store) == pattern(size))
            let view = try SharedMemoryView(file.memory.duplicateDescriptor())
            #expect(view.bytes.prefix(size).elementsEqual(pattern(size)))
            #expect(store.file(of: 2) == nil, "another provider's worker does not get it")
        }
    }

    @Test(
        "A body that is received straight into large memory is looked at while it arrives",
        arguments: [nil, 0])
    func scanning(provider: Int?) throws {
        let text = Array("{\"model\":\"m\",\"a\":\"\(String(repeating: "é\\n", count: 200_000))\"}".utf8)
        let store = BodyStore(limit: 1 << 30, expected: text.count, pool: pool, provider: provider)
        try append(store, Array(text[..<100]))
        while store.count < text.count {
            let room = try store.room(min(text.count - store.count, 70_001))
            room.copyBytes(from: text[store.count..<(store.count + room.count)])
            store.commit(room.count)
        }
        #expect(store.scanner != nil)
        let parser = JSONParser()
        try store.withBytes { bytes in
            let body = try RequestBody(bytes, parser: parser, scanner: store.scanner)
            #expect(body == (try RequestBody(bytes, parser: parser)))
            #expect(body.model == "m")
        }
    }

    @Test("What is received into a file is there too")
    func receivedIntoFile() throws {
        let store = BodyStore(limit: 1 << 30, expected: 700_000, pool: pool, provider: 0)
        try append(store, pattern(100))
        while store.count < 700_000 {
            let room = try store.room(700_000 - store.count)
            room.copyBytes(from: pattern(room.count, from: store.count))
            store.commit(room.count)
        }
        #expect(store.file(of: 0) != nil)
        #expect(content(store) == pattern(700_000))
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

    private func file(_ text: String, provider: Int = 0) throws -> BodyFile {
        try Array(text.utf8).withUnsafeBytes { try pool.file(holding: $0, provider: provider) }
    }

    private func content(_ file: BodyFile) -> String { String(decoding: file.memory.bytes, as: UTF8.self) }

    /// The memory of a file that went back to the pool.
    private func used(_ text: String, provider: Int = 0) throws -> SharedMemory {
        try file(text, provider: provider).memory
    }

    @Test("A body's file holds it exactly, also when it held a longer one before")
    func files() throws {
        let first = try used("a long body")
        let second = try file("short")
        #expect(second.memory === first)
        #expect(content(second) == "short")
        let long = String(repeating: "x", count: 20_000)
        #expect(content(try file(long)) == long)
    }

    @Test("A provider's file is never given to another provider: its worker may have kept it")
    func apart() throws {
        let first = try used("for the first", provider: 0)
        #expect(try used("for the second", provider: 1) !== first)
        let again = try file("for the first", provider: 0)
        #expect(again.memory === first)
        #expect(try used("for the first", provider: 0) !== first, "one file is lent once")
    }

    @Test("A file is lent as long as anybody holds it, and not again when a worker may still read it")
    func lending() throws {
        var holders = [try file("x")]
        holders.append(holders[0])
        let memory = holders[0].memory
        holders.removeLast()
        #expect(try used("y") !== memory)
        holders = []
        #expect(try [used("y"), used("y")].contains { $0 === memory })
        var lost: BodyFile? = try file("z")
        lost?.isLost = true
        let lostMemory = lost?.memory
        lost = nil
        let others = try (0..<9).map { try file("\($0)") }
        #expect(!others.contains { $0.memory === lostMemory })
    }

    @Test("Nobody but front writes a body's file")
    func sealed() throws {
        let file = try file("x")
        #expect(throws: Errno("mmap", code: EPERM)) {
            try SharedMemory(adopting: file.memory.duplicateDescriptor())
        }
    }

    @Test("Only a few files and buffers are kept, none of them huge, the largest goes first")
    func bounds() throws {
        let huge = try used(String(repeating: "x", count: 9 << 20))
        let small = try file("x")
        #expect(small.memory !== huge)
        func fill() throws -> [SharedMemory] {
            let files = try (1...10).map { try file(String(repeating: "x", count: $0 * 4096)) }
            return files.map(\.memory)
        }
        let kept = try fill()
        let files = try (0..<9).map { try file("\($0)") }
        let again = files.prefix(8).map(\.memory)
        #expect(again.map(\.capacity) == again.map(\.capacity).sorted(by: >))
        #expect(again.allSatisfy { memory in kept.contains { $0 === memory } })
        #expect(!kept.contains { $0 === files[8].memory })
        pool.give(BodyBuffer(capacity: 9 << 20))
        #expect(pool.takeBuffer().capacity == BodyPool.firstCapacity)
        let buffers = (1...10).map { BodyBuffer(capacity: $0 * 1000) }
        for buffer in buffers { pool.give(buffer) }
        #expect(pool.takeBuffer() === buffers[7])
    }

    @Test("What nobody has taken for a while is freed, and what is lent stays")
    func unused() throws {
        let limit = BodyMemory.unusedUsec
        #expect(!pool.sweep(limit), "there is nothing")
        let memory = try used("x")
        let lent = try file("lent", provider: 1)
        let buffer = pool.takeBuffer()
        pool.give(buffer)
        #expect(!pool.sweep(2 * limit))
        #expect(!pool.sweep(3 * limit - 1))
        #expect(pool.isHolding)
        #expect(pool.sweep(3 * limit))
        #expect(!pool.isHolding)
        #expect(!pool.sweep(4 * limit))
        #expect(try used("x") !== memory)
        #expect(pool.takeBuffer() !== buffer)
        #expect(content(lent) == "lent")
        #expect(!pool.sweep(4 * limit), "it has been used since")
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
