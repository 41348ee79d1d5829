// SPDX-License-Identifier: Apache-2.0
// One connection to an upstream that speaks plain HTTP: its socket, and whom it reports to.
// Source: RFC 9112 §9 (connection management).

import EventLoop
import Posix

final class PlainConnection {
    let origin: PlainOrigin
    private let socket: FileDescriptor
    private unowned let connections: PlainConnections
    private var watch: EventLoop.Watch?
    /// The request that uses it; nil while it waits for one. Both hold each other until the answer has ended.
    private(set) var transfer: PlainTransfer?
    /// Whether it has carried an answer before.
    private(set) var wasUsed = false
    /// The round of cleaning in which it was last used.
    private(set) var lastUse: UInt64 = 0

    init(_ socket: consuming FileDescriptor, to origin: PlainOrigin, _ connections: PlainConnections)
        throws(Errno)
    {
        self.socket = socket
        self.origin = origin
        self.connections = connections
        try resumeWatching(wantsRoom: false)
    }

    /// The socket's number; valid as long as this object lives.
    var raw: Int32 { socket.raw }

    func begin(_ transfer: PlainTransfer) {
        self.transfer = transfer
    }

    /// The answer has arrived; another request may follow.
    func rest(since round: UInt64) {
        transfer = nil
        wasUsed = true
        lastUse = round
    }

    /// Nothing is reported afterwards. The socket closes with this object.
    func close() {
        watch?.cancel()
        watch = nil
        transfer = nil
    }

    /// Leaves what arrives in the kernel, which tells the upstream to wait.
    func stopWatching() {
        watch?.cancel()
        watch = nil
    }

    /// - Parameter wantsRoom: whether bytes of the request wait for room in the socket.
    func resumeWatching(wantsRoom: Bool) throws(Errno) {
        let interest: EventLoop.Interest = wantsRoom ? .readableAndWritable : .readable
        if let watch { return watch.update(interest) }
        watch = try connections.loop.watch(socket.raw, interest) { [unowned self] ready in self.ready(ready) }
    }

    private func ready(_ ready: EventLoop.Interest) {
        guard let transfer else {
            // Closed by the upstream, or bytes that nobody asked for.
            return connections.drop(self)
        }
        if ready.includes(anyOf: .writable) { transfer.socketHasRoom() }
        if ready.includes(anyOf: .receivable), self.transfer === transfer { transfer.socketHasBytes() }
    }
}

/// A server, and the connections to it that wait for a request.
final class PlainOrigin {
    /// "http://host:port".
    let url: String
    /// The one that was used last is at the end.
    var waiting: [PlainConnection] = []

    init(_ url: String) {
        self.url = url
    }

    /// Closes those that have waited longest.
    func closeWaiting(_ count: Int) {
        for connection in waiting.prefix(count) { connection.close() }
        waiting.removeFirst(count)
    }
}
