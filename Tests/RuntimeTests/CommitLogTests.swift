// SPDX-License-Identifier: Apache-2.0
// What a front reads of the answers that a worker has begun.

import CLinux
import Glibc
import Posix
import Runtime
import Testing

@Suite("The commit log") struct CommitLogTests {
    private let front: CommitLog
    private let worker: CommitLog

    init() throws {
        front = try CommitLog()
        worker = try CommitLog(adopting: FileDescriptor(owning: dup(front.raw)))
    }

    @Test("The front reads what the worker has noted, until it has been told")
    func notes() {
        #expect(front.tags == [])
        for tag in [7, UInt64.max, 1] as [UInt64] { #expect(worker.append(tag)) }
        #expect(front.tags == [7, .max, 1])
        worker.clear()
        #expect(front.tags == [])
        #expect(worker.append(9))
        #expect(front.tags == [9])
    }

    @Test("What the worker noted outlives it")
    func survives() {
        var mortal: CommitLog? = worker
        #expect(mortal?.append(5) == true)
        mortal = nil
        #expect(front.tags == [5])
    }

    @Test("A full log takes no answer, and keeps those that it has")
    func full() {
        for tag in 0..<UInt64(CommitLog.capacity) { #expect(worker.append(tag)) }
        #expect(!worker.append(1))
        #expect(front.tags.count == CommitLog.capacity)
        #expect(front.tags.last == UInt64(CommitLog.capacity) - 1)
    }

    @Test("A count that cannot be is read as a full log")
    func wrongCount() throws {
        let memory = try SharedMemory(adopting: FileDescriptor(owning: dup(front.raw)))
        memory.mapped.storeBytes(of: UInt64.max, as: UInt64.self)
        #expect(front.tags.count == CommitLog.capacity)
        #expect(!worker.append(1))
    }

    @Test("Memory of another size, or that may shrink, is no commit log")
    func wrongMemory() throws {
        let other = try SharedMemory(name: "other", capacity: 4096)
        #expect(throws: Errno.self) { try CommitLog(adopting: FileDescriptor(owning: dup(other.raw))) }
        let shrinking = FileDescriptor(owning: memfd("shrinking", size: 8 * (CommitLog.capacity + 1)))
        #expect(throws: Errno.self) { try CommitLog(adopting: FileDescriptor(owning: dup(shrinking.raw))) }
    }

    /// An anonymous file without a seal.
    private func memfd(_ name: String, size: Int) -> Int32 {
        let raw = ccr_memfd_create(name)
        #expect(ftruncate(raw, off_t(size)) == 0)
        return raw
    }
}
