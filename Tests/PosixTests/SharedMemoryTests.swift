// SPDX-License-Identifier: Apache-2.0
// Sealed anonymous files: writing, growing, sealing, mapping.

import Glibc
import Posix
import Testing

@Suite("Shared memory") struct SharedMemoryTests {
    private func view(_ memory: SharedMemory, size: Int) throws -> SharedMemoryView {
        let copy = FileDescriptor(owning: dup(memory.raw))
        return try SharedMemoryView(copy, size: size)
    }

    @Test("Capacity is whole pages and at least what was asked for", arguments: [0, 1, 4096, 4097, 300_000])
    func capacity(asked: Int) throws {
        let memory = try SharedMemory(name: "t", capacity: asked)
        #expect(memory.capacity >= asked)
        #expect(memory.capacity > 0)
        #expect(memory.capacity % 4096 == 0)
        #expect(memory.isEmpty)
        #expect(memory.spare.count == memory.capacity)
    }

    @Test("Bytes survive growing")
    func growing() throws {
        let memory = try SharedMemory(name: "t", capacity: 1)
        var expected: [UInt8] = []
        for step in 0..<200 {
            let piece = [UInt8](repeating: UInt8(step), count: step * 7)
            try memory.append(piece)
            expected += piece
        }
        #expect(memory.count == expected.count)
        #expect(memory.bytes.elementsEqual(expected))
        let before = memory.capacity
        try memory.reserve(10)
        #expect(memory.capacity == before, "room is never taken back")
    }

    @Test("Bytes written into the spare room count once they are counted")
    func spare() throws {
        let memory = try SharedMemory(name: "t", capacity: 10)
        try memory.append(Array("ab".utf8))
        memory.spare.copyBytes(from: Array("cd".utf8))
        #expect(text(memory.bytes) == "ab")
        memory.count += 2
        #expect(text(memory.bytes) == "abcd")
    }

    @Test("A sealed file is read through another descriptor, also after the writer is gone")
    func mapping() throws {
        var memory: SharedMemory? = try SharedMemory(name: "t", capacity: 10)
        try memory?.append(Array("hello".utf8))
        try memory?.seal()
        let view = try view(#require(memory), size: 5)
        memory = nil
        #expect(text(view.bytes) == "hello")
    }

    @Test("A file that is not sealed is refused: its sender could shorten it under the reader")
    func unsealed() throws {
        let memory = try SharedMemory(name: "t", capacity: 10)
        #expect(throws: Errno("mmap", code: EINVAL)) { try view(memory, size: 5) }
    }

    @Test("A descriptor that is no memory file is refused")
    func pipeInstead() throws {
        let pipe = try Pipe()
        let writer = try pipe.takeWriter()
        #expect(throws: Errno("mmap", code: EINVAL)) { try SharedMemoryView(writer, size: 1) }
    }

    @Test("A size beyond the file or below zero is refused", arguments: [(4096, true), (4097, false), (-1, false)])
    func size(size: Int, fits: Bool) throws {
        let memory = try SharedMemory(name: "t", capacity: 4096)
        try memory.seal()
        if fits {
            #expect(try view(memory, size: size).bytes.count == size)
        } else {
            #expect(throws: Errno("mmap", code: EINVAL)) { try view(memory, size: size) }
        }
    }

    @Test("Nothing of a file can be mapped")
    func nothing() throws {
        let memory = try SharedMemory(name: "t", capacity: 1)
        try memory.seal()
        #expect(try view(memory, size: 0).bytes.isEmpty)
    }

    @Test("A sealed file takes no change of size, no write through a new mapping and no other seal")
    func sealed() throws {
        let memory = try SharedMemory(name: "t", capacity: 4096)
        try memory.append(Array("x".utf8))
        try memory.seal()
        #expect(ftruncate(memory.raw, 0) == -1)
        #expect(ftruncate(memory.raw, 8192) == -1)
        #expect(write(memory.raw, "y", 1) == -1)
        #expect(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory.raw, 0) == MAP_FAILED)
        #expect(throws: Errno.self) { try memory.seal() }
        #expect(text(memory.bytes) == "x")
    }
}

extension SharedMemory {
    fileprivate var isEmpty: Bool { bytes.isEmpty }
}
