// SPDX-License-Identifier: Apache-2.0
// Anonymous files: writing, growing, mapping, and the seal that keeps them from shrinking.

import CLinux
import Glibc
import Posix
import Testing

@Suite("Shared memory") struct SharedMemoryTests {
    private func view(_ memory: SharedMemory) throws -> SharedMemoryView {
        try SharedMemoryView(memory.duplicateDescriptor())
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

    @Test("A sparse file takes a page where something is written, in whatever process, and no other one")
    func sparse() throws {
        let memory = try SharedMemory(name: "t", capacity: 1 << 20, isSparse: true)
        let other = try SharedMemory(adopting: memory.duplicateDescriptor())
        #expect(pages(memory) == 0)
        other.mapped[300_000] = 1
        #expect(memory.mapped[300_000] == 1)
        #expect(pages(memory) == 1)
        #expect(pages(try SharedMemory(name: "t", capacity: 1 << 20)) == 256)
    }

    /// Pages of memory that the file has.
    private func pages(_ memory: SharedMemory) -> Int {
        var status = stat()
        return fstat(memory.raw, &status) == 0 ? Int(status.st_blocks) * 512 / 4096 : -1
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

    @Test("A file is read through another descriptor, also after the writer is gone")
    func mapping() throws {
        var memory: SharedMemory? = try SharedMemory(name: "t", capacity: 10)
        try memory?.append(Array("hello".utf8))
        let view = try view(#require(memory))
        memory = nil
        #expect(view.bytes.count == 4096)
        #expect(text(view.bytes).hasPrefix("hello\0"))
    }

    @Test("A file that may shrink is refused: its sender could shorten it under the reader")
    func mayShrink() throws {
        let raw = syscallMemfd()
        let file = FileDescriptor(owning: raw)
        #expect(ftruncate(raw, 4096) == 0)
        #expect(throws: Errno("fcntl", code: EINVAL)) { try SharedMemoryView(file) }
    }

    @Test("A descriptor that is no memory file is refused")
    func pipeInstead() throws {
        let pipe = try Pipe()
        let writer = try pipe.takeWriter()
        #expect(throws: Errno("fcntl", code: EINVAL)) { try SharedMemoryView(writer) }
    }

    @Test("A view shows the file as long as it was, and all of it when it is made anew")
    func grown() throws {
        let memory = try SharedMemory(name: "t", capacity: 4096)
        let before = try view(memory)
        try memory.append([UInt8](repeating: 0x78, count: 5000))
        #expect(before.bytes.count == 4096)
        #expect(before.bytes.allSatisfy { $0 == 0x78 })
        let after = try view(memory)
        #expect(after.bytes.count == 8192)
        #expect(after.bytes.prefix(5000).allSatisfy { $0 == 0x78 })
        #expect(before.file.isSame(as: after.file))
        #expect(after.file.isSame(as: before.file))
    }

    @Test("Files are told apart, of the same size and of the same bytes")
    func identity() throws {
        let files = try (0..<3).map { _ in try SharedMemory(name: "t", capacity: 4096) }
        let views = try files.map { try view($0) }
        #expect(!views[0].file.isSame(as: views[1].file))
        #expect(!views[1].file.isSame(as: views[2].file))
        #expect(try view(files[1]).file.isSame(as: views[1].file))
    }

    @Test("An own file is written by its maker alone, also when it grows")
    func own() throws {
        let memory = try SharedMemory(name: "t", capacity: 4096, isOwn: true)
        let other = try memory.duplicateDescriptor()
        #expect(write(other.raw, "x", 1) == -1)
        #expect(ccr_map_shared(other.raw, 4096, true, false) == nil)
        // F_ADD_SEALS and F_SEAL_GROW, which Glibc's module does not have.
        #expect(fcntl(other.raw, 1033, 4) == -1, "its maker would have no room")
        #expect(throws: Errno("mmap", code: EPERM)) {
            try SharedMemory(adopting: memory.duplicateDescriptor())
        }
        let view = try SharedMemoryView(other)
        try memory.append([UInt8](repeating: 0x78, count: 300_000))
        #expect(memory.bytes.count == 300_000)
        #expect(memory.bytes.allSatisfy { $0 == 0x78 })
        #expect(view.bytes.allSatisfy { $0 == 0x78 })
    }

    @Test("A file can grow but not shrink")
    func growsOnly() throws {
        let memory = try SharedMemory(name: "t", capacity: 4096)
        try memory.append(Array("x".utf8))
        #expect(ftruncate(memory.raw, 0) == -1)
        #expect(ftruncate(memory.raw, 8192) == 0)
        #expect(text(memory.bytes) == "x")
    }

    /// A memfd without the seal.
    private func syscallMemfd() -> Int32 { ccr_memfd_create("plain") }
}

extension SharedMemory {
    fileprivate var isEmpty: Bool { bytes.isEmpty }
}
