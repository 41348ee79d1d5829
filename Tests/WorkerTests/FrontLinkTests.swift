// SPDX-License-Identifier: Apache-2.0
// What a worker tells its front, turn by turn.

import EventLoop
import Gateway
import IPC
import Posix
import Runtime
import Testing

@testable import Worker

@Suite("The link to a front") struct FrontLinkTests {
    private let loop: EventLoop
    private let link = FrontLink()
    private let front: SharedDescriptor
    private let commits: CommitLog

    init() throws {
        loop = try EventLoop()
        var ends: (SharedDescriptor?, SharedDescriptor?)
        try MessageSocket.pair().split { ends = (SharedDescriptor($0), SharedDescriptor($1)) }
        front = try #require(ends.1)
        commits = try CommitLog()
        link.channel = try MessageChannel(
            loop, try #require(ends.0).take(), onMessage: { _, _ in }, onClose: {})
        link.commits = commits
    }

    /// The tags of what has been told, datagram by datagram.
    private func told() throws -> [[UInt64]] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 16)
        defer { buffer.deallocate() }
        var datagrams: [[UInt64]] = []
        while let received = try MessageSocket.receive(front.raw, into: buffer) {
            var reader = WireReader(UnsafeRawBufferPointer(rebasing: buffer[..<received.count]))
            var tags: [UInt64] = []
            repeat {
                let kind = try MessageHead.kind(&reader)
                #expect(kind == .workerCommitted)
                let message: HandoffCommitted = try reader.get()
                tags.append(message.tag)
            } while !reader.isAtEnd
            datagrams.append(tags)
        }
        return datagrams
    }

    private func commit(_ tag: UInt64) {
        #expect(link.begins(tag))
        link.send(.workerCommitted, HandoffCommitted(tag: tag, status: 200))
    }

    @Test("The messages of a turn are one datagram, behind which the notes are empty")
    func turn() throws {
        for tag in 1...3 as ClosedRange<UInt64> { commit(tag) }
        #expect(try told() == [])
        #expect(commits.tags == [1, 2, 3])
        link.flush()
        #expect(try told() == [[1, 2, 3]])
        #expect(commits.tags == [])
    }

    @Test("A message that fits no datagram takes no other one with it")
    func tooLarge() throws {
        commit(1)
        let name = String(repeating: "m", count: MessageSocket.maximumMessageBytes)
        link.send(.workerModels, OfferedModels([name]))
        commit(2)
        link.flush()
        #expect(try told() == [[1], [2]])
    }

    @Test("After the front's end answers begin without a note, however many")
    func frontGone() {
        link.channel = nil
        for tag in 0..<UInt64(CommitLog.capacity + 2) { commit(tag) }
        #expect(commits.tags == [])
    }
}
