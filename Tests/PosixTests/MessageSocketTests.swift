// SPDX-License-Identifier: Apache-2.0
// Messages with descriptors between own processes.

import Glibc
import Posix
import Testing

@Suite("Message sockets") struct MessageSocketTests {
    /// Two connected ends in classes, so that one may be closed.
    private final class Ends {
        var first: SharedDescriptor?
        var second: SharedDescriptor?

        init() throws {
            try MessageSocket.pair().split { a, b in
                first = SharedDescriptor(a)
                second = SharedDescriptor(b)
            }
        }

        func send(_ text: String, _ descriptors: [Int32] = []) throws -> IOResult {
            let fd = try #require(first).raw
            return try Array(text.utf8).withUnsafeBytes {
                try MessageSocket.send(fd, $0, descriptors: descriptors)
            }
        }

        /// The next message's text and its descriptors, nil when none waits.
        func receive(room: Int = 256) throws -> (text: String, descriptors: [SharedDescriptor])? {
            let fd = try #require(second).raw
            var buffer = [UInt8](repeating: 0, count: room)
            var descriptors: [SharedDescriptor] = []
            let count = try buffer.withUnsafeMutableBytes { bytes -> Int? in
                guard var message = try MessageSocket.receive(fd, into: bytes) else { return nil }
                while let descriptor = message.takeDescriptor() {
                    descriptors.append(SharedDescriptor(descriptor))
                }
                return message.count
            }
            return count.map { (text(buffer[..<$0]), descriptors) }
        }
    }

    @Test("Messages keep their borders and their order")
    func order() throws {
        let ends = try Ends()
        for message in ["one", "two and more", "3"] {
            #expect(try ends.send(message) == .bytes(message.utf8.count))
        }
        #expect(try ends.receive()?.text == "one")
        #expect(try ends.receive()?.text == "two and more")
        #expect(try ends.receive()?.text == "3")
        #expect(try ends.receive() == nil)
    }

    @Test("Descriptors arrive in the order of sending, as many as allowed, and not for children")
    func descriptors() throws {
        let ends = try Ends()
        let pipes = try (0..<MessageSocket.maximumDescriptors).map { _ in try Pipe() }
        let writers = try pipes.map { SharedDescriptor(try $0.takeWriter()) }
        _ = try ends.send("take these", writers.map(\.raw))
        let received = try #require(try ends.receive())
        #expect(received.descriptors.count == pipes.count)
        for (index, descriptor) in received.descriptors.enumerated() {
            #expect(fcntl(descriptor.raw, F_GETFD) & FD_CLOEXEC != 0)
            #expect(write(descriptor.raw, "\(index)", 1) == 1)
            var byte: UInt8 = 0
            #expect(read(pipes[index].reader.raw, &byte, 1) == 1)
            #expect(byte == UInt8(ascii: "0") + UInt8(index))
        }
        #expect(withExtendedLifetime(writers) { pipes.filter(\.hasWriter).count } == pipes.count)
    }

    @Test("More descriptors than allowed are refused before anything is sent")
    func tooManyDescriptors() throws {
        let ends = try Ends()
        let pipe = try Pipe()
        let writer = try pipe.takeWriter()
        let list = [Int32](repeating: writer.raw, count: MessageSocket.maximumDescriptors + 1)
        #expect(throws: Errno("sendmsg", code: EINVAL)) { try ends.send("x", list) }
        #expect(try ends.receive() == nil)
        _ = consume writer
    }

    @Test("Descriptors that nobody takes are closed with the message", arguments: [0, 1, 2])
    func untaken(taken: Int) throws {
        let ends = try Ends()
        let pipes = [try Pipe(), try Pipe()]
        do {
            let writers = try pipes.map { SharedDescriptor(try $0.takeWriter()) }
            _ = try ends.send("x", writers.map(\.raw))
        }
        #expect(pipes.map(\.hasWriter) == [true, true], "the message holds them")
        var kept: [SharedDescriptor] = []
        let fd = try #require(ends.second).raw
        var buffer = [UInt8](repeating: 0, count: 16)
        try buffer.withUnsafeMutableBytes { bytes in
            guard var message = try MessageSocket.receive(fd, into: bytes) else { return }
            for _ in 0..<taken {
                if let descriptor = message.takeDescriptor() { kept.append(SharedDescriptor(descriptor)) }
            }
        }
        for (index, pipe) in pipes.enumerated() {
            if index < taken {
                #expect(withExtendedLifetime(kept) { pipe.hasWriter })
            } else {
                #expect(pipe.closes())
            }
        }
        kept = []
        #expect(pipes.filter { $0.closes() }.count == 2)
    }

    @Test("A message that does not fit is an error and leaves no descriptor open")
    func truncated() throws {
        let ends = try Ends()
        let pipe = try Pipe()
        do {
            let writer = try pipe.takeWriter()
            _ = try ends.send("longer than the buffer", [writer.raw])
        }
        #expect(pipe.hasWriter)
        #expect(throws: Errno("recvmsg", code: EMSGSIZE)) { try ends.receive(room: 8) }
        #expect(pipe.closes())
        #expect(try ends.receive() == nil, "the rest is gone")
    }

    @Test("The largest message arrives whole")
    func largest() throws {
        let ends = try Ends()
        let message = String(repeating: "x", count: MessageSocket.maximumMessageBytes)
        #expect(try ends.send(message) == .bytes(message.utf8.count))
        #expect(try ends.receive(room: MessageSocket.maximumMessageBytes)?.text == message)
    }

    @Test("A peer that does not read makes sending block, and loses nothing")
    func full() throws {
        let ends = try Ends()
        var sent = 0
        while try ends.send("message \(sent)") != .wouldBlock {
            sent += 1
            try #require(sent < 1_000_000)
        }
        #expect(sent > 0)
        for index in 0..<sent { #expect(try ends.receive()?.text == "message \(index)") }
        #expect(try ends.receive() == nil)
    }

    @Test("What was sent before the end is received before the end")
    func end() throws {
        let ends = try Ends()
        _ = try ends.send("last words")
        hangUp(&ends.first)
        #expect(try ends.receive()?.text == "last words")
        #expect(try ends.receive()?.text == "")
    }

    @Test("Sending to a peer that is gone is an error and no signal")
    func gone() throws {
        let ends = try Ends()
        hangUp(&ends.second)
        #expect(throws: Errno("sendmsg", code: EPIPE)) { try ends.send("x") }
    }
}
