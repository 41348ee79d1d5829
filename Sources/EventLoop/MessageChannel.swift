// SPDX-License-Identifier: Apache-2.0
// A message socket on the event loop: ordered sending with a bounded queue, receiving with descriptors.

import Glibc
package import Posix

/// One end of a SOCK_SEQPACKET pair between two own processes.
package final class MessageChannel {
    private let descriptor: FileDescriptor
    private var watch: EventLoop.Watch?
    private var queue: [Queued] = []
    private var queueHead = 0
    private var lastBurst = 1
    private var activations: UInt8 = 0
    /// A message could not be sent; what the peer had sent before is still to be received.
    private var peerIsGone = false
    private let onMessage: (UnsafeRawBufferPointer, inout MessageSocket.Received) -> Void
    private let onClose: () -> Void

    private struct Queued {
        let bytes: [UInt8]
        let descriptors: [SharedDescriptor]
    }

    /// The loop's: one buffer serves all of its channels, since a message is handled before the next one is received.
    private let buffer: UnsafeMutableRawBufferPointer

    /// Messages that may wait for the peer; more means that the peer is stuck.
    package static let maximumQueued = 16_384

    /// Takes the descriptor over. `onMessage` gets a view that is valid during the call and may take descriptors;
    /// `onClose` comes once, from the loop, when the peer has closed its end and all that it had sent is received, or the
    /// channel failed; never after `close`.
    package init(
        _ loop: EventLoop, _ descriptor: consuming FileDescriptor,
        onMessage: @escaping (UnsafeRawBufferPointer, inout MessageSocket.Received) -> Void,
        onClose: @escaping () -> Void
    ) throws(Errno) {
        self.descriptor = descriptor
        buffer = loop.messageBuffer
        self.onMessage = onMessage
        self.onClose = onClose
        self.watch = try loop.watch(self.descriptor.raw, .readable) { [unowned self] ready in
            // Held strongly: the owner may drop the channel in `onClose`, which either call may bring about.
            let channel = self
            if ready.includes(anyOf: .writable) { channel.flush() }
            if ready.includes(anyOf: .receivable) { channel.receive() }
        }
    }

    deinit {
        watch?.cancel()
    }

    /// The descriptor's number, for handing the channel over; valid as long as the channel is open.
    package var raw: Int32 { descriptor.raw }

    /// Whether messages may still come.
    package var isOpen: Bool { watch != nil }

    /// Whether the peer may still get messages.
    package var takesMessages: Bool { isOpen && !peerIsGone }

    /// Messages that wait for the peer to read.
    package var queuedCount: Int { queue.count - queueHead }

    /// What became of a message.
    package enum SendResult: Equatable {
        /// Sent or queued in order.
        case accepted
        /// The peer does not read, so that `maximumQueued` messages wait already, or the message is larger than
        /// `MessageSocket.maximumMessageBytes`.
        case full
        /// The peer is gone.
        case closed
    }

    /// Sends or queues one message. Descriptors stay the caller's; queued ones are duplicated.
    @discardableResult
    package func send(_ bytes: [UInt8], descriptors: [Int32] = []) -> SendResult {
        bytes.withUnsafeBytes { send($0, descriptors: descriptors) }
    }

    /// The same for bytes that are copied only if they have to wait.
    @discardableResult
    package func send(_ bytes: UnsafeRawBufferPointer, descriptors: [Int32] = []) -> SendResult {
        guard takesMessages else { return .closed }
        guard bytes.count <= MessageSocket.maximumMessageBytes else { return .full }
        if queuedCount == 0 {
            do {
                let sent = try MessageSocket.send(descriptor.raw, bytes, descriptors: descriptors)
                if sent != .wouldBlock { return .accepted }
            } catch {
                stopSending()
                return .closed
            }
        }
        guard queuedCount < MessageChannel.maximumQueued else { return .full }
        var copies: [SharedDescriptor] = []
        for number in descriptors {
            let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
            guard copy >= 0 else { return .full }
            copies.append(SharedDescriptor(FileDescriptor(owning: copy)))
        }
        queue.append(Queued(bytes: Array(bytes), descriptors: copies))
        watch?.update([.readable, .writable])
        return .accepted
    }

    /// Stops using the channel; `onClose` is not called.
    package func close() {
        watch?.cancel()
        watch = nil
        queue.removeAll()
        queueHead = 0
    }

    /// The loop finds the end behind the peer's last message: one that died had perhaps said something.
    private func stopSending() {
        peerIsGone = true
        queue.removeAll()
        queueHead = 0
        watch?.update(.readable)
    }

    private func flush() {
        while queueHead < queue.count {
            let next = queue[queueHead]
            do {
                let sent = try next.bytes.withUnsafeBytes { (view) throws(Errno) in
                    try MessageSocket.send(descriptor.raw, view, descriptors: next.descriptors.map(\.raw))
                }
                if sent == .wouldBlock { return }
            } catch {
                return stopSending()
            }
            queueHead += 1
        }
        queue.removeAll()
        queueHead = 0
        watch?.update(.readable)
    }

    /// Messages taken in one go before other descriptors get their turn.
    private static let receiveBurst = 64

    /// Takes what is there. While messages come one by one, asking for a second is a wasted call, so it is asked only
    /// now and then; the loop tells when there is one after all.
    private func receive() {
        activations &+= 1
        let expected = lastBurst > 1 || activations & 7 == 0 ? MessageChannel.receiveBurst : 1
        lastBurst = 0
        for _ in 0..<expected {
            guard isOpen else { return }
            do {
                guard var received = try MessageSocket.receive(descriptor.raw, into: buffer) else { return }
                guard received.count > 0 else { return fail() }
                lastBurst += 1
                onMessage(UnsafeRawBufferPointer(rebasing: buffer[..<received.count]), &received)
            } catch {
                // Told once, before the peer's last messages, when it left some of ours unread (unix(7)).
                guard error.code == ECONNRESET else { return fail() }
            }
        }
    }

    private func fail() {
        guard isOpen else { return }
        close()
        onClose()
    }
}
