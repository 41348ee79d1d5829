// SPDX-License-Identifier: Apache-2.0
// Mappings of fronts' files: the right one for each descriptor, made as seldom as possible.

import CLinux
import Glibc
import Posix
import Runtime
import Testing

@testable import Worker

@Suite("Body files") struct BodyFilesTests {
    private let files = BodyFiles()

    private func file(_ text: String, capacity: Int = 4096) throws -> SharedMemory {
        let memory = try SharedMemory(name: "t", capacity: capacity)
        try memory.append(Array(text.utf8))
        return memory
    }

    private func view(_ memory: SharedMemory, size: Int = 1) throws -> SharedMemoryView {
        try files.view(of: memory.duplicateDescriptor(), size: size)
    }

    @Test("A file that comes again is mapped once, and shows what is in it now")
    func again() throws {
        let memory = try file("first")
        let view = try view(memory)
        memory.count = 0
        try memory.append(Array("second".utf8))
        #expect(try self.view(memory) === view)
        #expect(view.bytes.prefix(6).elementsEqual("second".utf8))
    }

    @Test("Every file has its own mapping, in whatever order they come")
    func apart() throws {
        let memories = try (0..<5).map { try file("body \($0)") }
        for number in [0, 1, 2, 3, 4, 4, 2, 0, 1, 3] {
            let view = try view(memories[number])
            #expect(view.bytes.prefix(6).elementsEqual("body \(number)".utf8))
        }
    }

    @Test("A file that has grown is mapped anew when a body needs it")
    func grown() throws {
        let memory = try file("x")
        let small = try view(memory)
        try memory.append([UInt8](repeating: 0x79, count: 5000))
        #expect(try view(memory, size: 4096) === small)
        let large = try view(memory, size: 5001)
        #expect(large.bytes[5000] == 0x79)
        #expect(try view(memory) === large)
    }

    @Test("The files that were used last are kept, and none when none has come for a while")
    func bounds() throws {
        let memories = try (0..<9).map { try file("\($0)") }
        weak var first: SharedMemoryView?
        weak var second: SharedMemoryView?
        func use() throws {
            first = try view(memories[0])
            second = try view(memories[1])
            _ = try view(memories[0])
            for memory in memories[2...] { _ = try view(memory) }
        }
        try use()
        #expect(first != nil)
        #expect(second == nil)
        let limit = BodyMemory.unusedUsec
        #expect(files.sweep(limit))
        #expect(files.sweep(2 * limit - 1))
        #expect(first != nil)
        #expect(!files.sweep(2 * limit))
        #expect(first == nil)
    }

    @Test("A mapping lives as long as a body in it")
    func lent() throws {
        let view = try view(file("lent"))
        #expect(files.sweep(0))
        #expect(!files.sweep(BodyMemory.unusedUsec))
        #expect(view.bytes.prefix(4).elementsEqual("lent".utf8))
    }

    @Test(
        "A body beyond the end of its file, or of less than nothing, is refused", arguments: [4097, -1, .max])
    func size(size: Int) throws {
        let memory = try file("x")
        #expect(throws: Errno("fstat", code: EINVAL)) { try view(memory, size: size) }
        #expect(try view(memory, size: 4096).bytes.count == 4096)
        #expect(throws: Errno("fstat", code: EINVAL)) { try view(memory, size: size) }
    }

    @Test("What may shrink is refused")
    func mayShrink() throws {
        let descriptor = FileDescriptor(owning: ccr_memfd_create("t"))
        #expect(throws: Errno("fcntl", code: EINVAL)) { try files.view(of: descriptor, size: 0) }
    }
}
