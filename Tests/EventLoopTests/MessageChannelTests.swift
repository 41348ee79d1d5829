// SPDX-License-Identifier: Apache-2.0
// Message channels: order, waiting for a slow peer, ends.

import EventLoop
import Glibc
import Posix
import Testing

@Suite("Message channels", .timeLimit(.minutes(1))) final class MessageChannelTests {
    private let loop: EventLoop
    private var channel: MessageChannel?
    private var peer: SharedDescriptor?
    private var messages: [String] = []
    private var descriptors: [SharedDescriptor] = []
    private var closeCount = 0
    private var onMessage: () -> Void = {}
    private var onClose: () -> Void = {}

    init() throws {
        loop = try EventLoop()
        var end: SharedDescriptor?
        try MessageSocket.pair().split { a, b in
            end = SharedDescriptor(a)
            peer = SharedDescriptor(b)
        }
        channel = try MessageChannel(
            loop, try #require(end).take(),
            onMessage: { [unowned self] bytes, received in
                self.messages.append(String(decoding: bytes, as: UTF8.self))
                while let descriptor = received.takeDescriptor() {
                    self.descriptors.append(SharedDescriptor(descriptor))
                }
                self.onMessage()
            },
            onClose: { [unowned self] in
                self.closeCount += 1
                self.onClose()
            })
    }

    private func sendFromPeer(_ text: String, _ descriptors: [Int32] = []) throws {
        let fd = try #require(peer).raw
        let sent = try Array(text.utf8).withUnsafeBytes {
            try MessageSocket.send(fd, $0, descriptors: descriptors)
        }
        #expect(sent == .bytes(text.utf8.count))
    }

    /// Everything that waits at the peer's end.
    private func receiveAtPeer() throws -> [String] {
        let fd = try #require(peer).raw
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var list: [String] = []
        while true {
            let count = try buffer.withUnsafeMutableBytes { bytes -> Int? in
                guard var message = try MessageSocket.receive(fd, into: bytes) else { return nil }
                while let descriptor = message.takeDescriptor() {
                    descriptors.append(SharedDescriptor(descriptor))
                }
                return message.count
            }
            guard let count, count > 0 else { return list }
            list.append(String(decoding: buffer[..<count], as: UTF8.self))
        }
    }

    private func send(_ text: String, _ descriptors: [Int32] = []) throws -> MessageChannel.SendResult {
        try #require(channel).send(Array(text.utf8), descriptors: descriptors)
    }

    /// Fills the socket; returns how many messages were accepted, the last ones of which wait in the queue.
    private func fill(waiting: Int) throws -> Int {
        var count = 0
        while try #require(channel).queuedCount < waiting {
            #expect(try send("message \(count)") == .accepted)
            count += 1
        }
        return count
    }

    @Test("Messages arrive in order with their descriptors")
    func receiving() throws {
        let pair = try Pair()
        try sendFromPeer("one")
        try sendFromPeer("two", [pair.fd])
        try sendFromPeer("three")
        onMessage = { [unowned self] in if messages.count == 3 { loop.exit(0) } }
        try loop.runForTest()
        #expect(messages == ["one", "two", "three"])
        #expect(descriptors.count == 1)
    }

    @Test("A message goes out at once when the peer reads")
    func sending() throws {
        #expect(try send("a") == .accepted)
        #expect(try send("b") == .accepted)
        #expect(channel?.queuedCount == 0)
        #expect(try receiveAtPeer() == ["a", "b"])
    }

    @Test("What a full socket does not take waits and goes out in order")
    func queueing() throws {
        let count = try fill(waiting: 100)
        var received: [String] = []
        let watch = try loop.watch(try #require(peer).raw, .readable) { [unowned self] _ in
            do {
                received += try receiveAtPeer()
            } catch {
                Issue.record(error)
            }
            if received.count >= count { loop.exit(0) }
        }
        try loop.runForTest()
        #expect(received == (0..<count).map { "message \($0)" })
        #expect(channel?.queuedCount == 0)
        #expect(try send("afterwards") == .accepted)
        #expect(try receiveAtPeer() == ["afterwards"])
        watch.cancel()
    }

    @Test("The descriptor of a waiting message may be closed by its owner")
    func queuedDescriptor() throws {
        let count = try fill(waiting: 1)
        let pair = try Pair()
        #expect(try send("with a descriptor", [pair.fd]) == .accepted)
        pair.a = nil
        var received: [String] = []
        let watch = try loop.watch(try #require(peer).raw, .readable) { [unowned self] _ in
            do {
                received += try receiveAtPeer()
            } catch {
                Issue.record(error)
            }
            if received.count > count { loop.exit(0) }
        }
        try loop.runForTest()
        #expect(received.last == "with a descriptor")
        let descriptor = try #require(descriptors.first)
        #expect(write(try #require(pair.b).raw, "!", 1) == 1)
        var byte: UInt8 = 0
        #expect(read(descriptor.raw, &byte, 1) == 1)
        watch.cancel()
    }

    @Test("A peer that does not read for too long makes the channel full")
    func full() throws {
        _ = try fill(waiting: MessageChannel.maximumQueued)
        #expect(try send("one more") == .full)
        #expect(channel?.queuedCount == MessageChannel.maximumQueued)
        #expect(channel?.isOpen == true)
    }

    @Test("The peer's end is told once, after its last message")
    func peerCloses() throws {
        try sendFromPeer("last words")
        hangUp(&peer)
        onClose = { [unowned self] in loop.later { self.loop.later { self.loop.exit(0) } } }
        try loop.runForTest()
        #expect(messages == ["last words"])
        #expect(closeCount == 1)
        #expect(channel?.isOpen == false)
        #expect(try send("x") == .closed)
        #expect(closeCount == 1)
    }

    @Test("Sending finds out that the peer is gone, and the end is told by the loop")
    func sendToClosed() throws {
        hangUp(&peer)
        #expect(try send("x") == .closed)
        #expect(channel?.takesMessages == false)
        #expect(closeCount == 0)
        onClose = { [unowned self] in loop.exit(0) }
        try loop.runForTest()
        #expect(closeCount == 1)
        #expect(channel?.isOpen == false)
    }

    @Test("A peer that ends without reading is heard to its last word", arguments: [false, true])
    func unreadAtTheEnd(isSentTo: Bool) throws {
        #expect(try send("unread") == .accepted)
        for text in ["one", "two", "three"] { try sendFromPeer(text) }
        hangUp(&peer)
        if isSentTo { #expect(try send("too late") == .closed) }
        onClose = { [unowned self] in loop.exit(0) }
        try loop.runForTest()
        #expect(messages == ["one", "two", "three"])
        #expect(closeCount == 1)
    }

    @Test("The owner may drop the channel when it is told of its end", arguments: [0, 10])
    func droppedInOnClose(waiting: Int) throws {
        _ = try fill(waiting: waiting)
        hangUp(&peer)
        onClose = { [unowned self] in
            channel = nil
            loop.exit(0)
        }
        try loop.runForTest()
        #expect(closeCount == 1)
    }

    @Test("A closed channel says nothing more, not even for messages that wait")
    func close() throws {
        try sendFromPeer("one")
        try sendFromPeer("two")
        onMessage = { [unowned self] in
            channel?.close()
            hangUp(&peer)
            loop.later { self.loop.later { self.loop.exit(0) } }
        }
        try loop.runForTest()
        #expect(messages == ["one"])
        #expect(closeCount == 0)
        #expect(try send("x") == .closed)
    }

    @Test("A message above the bound is refused and the channel goes on")
    func tooLarge() throws {
        let bound = MessageSocket.maximumMessageBytes
        #expect(try send(String(repeating: "x", count: bound + 1)) == .full)
        #expect(try send(String(repeating: "x", count: bound)) == .accepted)
        #expect(closeCount == 0)
    }
}
