// SPDX-License-Identifier: Apache-2.0
// The exporter's own listening sockets, for scrapers that do not go through front.

import EventLoop
import Posix

/// Serves `Answer`s on any number of listening sockets, to a bounded number of connections.
final class MetricsServer {
    private let loop: EventLoop
    private let answer: (String) -> Answer
    private var listeners: [Listener] = []
    private var connections: [Int: Connection] = [:]
    private var nextConnection = 0

    private final class Listener {
        let descriptor: FileDescriptor
        var watch: EventLoop.Watch?

        init(_ descriptor: consuming FileDescriptor) {
            self.descriptor = descriptor
        }

        deinit {
            watch?.cancel()
        }
    }

    private final class Connection {
        var descriptor: FileDescriptor?
        var watch: EventLoop.Watch?
        var writer: AnswerWriter?
        var exchange = MetricsExchange()
        let deadlineUsec: UInt64

        init(_ descriptor: consuming FileDescriptor, deadlineUsec: UInt64) {
            self.descriptor = consume descriptor
            self.deadlineUsec = deadlineUsec
        }

        deinit {
            watch?.cancel()
        }
    }

    init(_ loop: EventLoop, answer: @escaping (String) -> Answer) {
        self.loop = loop
        self.answer = answer
    }

    /// Whether connections are open.
    var isBusy: Bool { !connections.isEmpty }

    /// Called when a connection has come, so that somebody calls `check` while there is one.
    var onConnection: () -> Void = {}

    /// Serves one more listening socket.
    func listen(_ descriptor: consuming FileDescriptor) throws(Errno) {
        try descriptor.setNonBlocking(true)
        let listener = Listener(descriptor)
        listener.watch = try loop.watch(listener.descriptor.raw, .readable) {
            [unowned self, unowned listener] _ in
            self.accept(listener)
        }
        listeners.append(listener)
    }

    /// Stops listening; open connections go on.
    func stopListening() {
        listeners.removeAll()
    }

    /// Ends connections whose time is over and accepts again if that was put off.
    func check(nowUsec: UInt64) {
        for (number, connection) in connections where nowUsec >= connection.deadlineUsec {
            connections[number] = nil
        }
        resume()
    }

    private func accept(_ listener: Listener) {
        while connections.count < ExporterLimits.metricsConnections {
            do {
                guard let accepted = try Socket.accept(listener.descriptor.raw) else { return }
                try open(accepted.take())
            } catch {
                // Out of descriptors or memory: the sweep that runs while connections are open tries again.
                break
            }
        }
        for listener in listeners { listener.watch?.update([]) }
        onConnection()
    }

    private func resume() {
        guard connections.count < ExporterLimits.metricsConnections else { return }
        for listener in listeners { listener.watch?.update(.readable) }
    }

    private func open(_ descriptor: consuming FileDescriptor) throws(Errno) {
        let number = nextConnection
        nextConnection += 1
        let raw = descriptor.raw
        let deadline = Clock.monotonicUsec() + ExporterLimits.metricsConnectionUsec
        let connection = Connection(descriptor, deadlineUsec: deadline)
        connection.watch = try loop.watch(raw, .readable) { [unowned self, unowned connection] _ in
            self.receive(connection, number, raw)
        }
        connections[number] = connection
        onConnection()
    }

    private func receive(_ connection: Connection, _ number: Int, _ raw: Int32) {
        let response = withUnsafeTemporaryAllocation(byteCount: ExporterLimits.metricsHeadBytes, alignment: 1)
        {
            buffer -> [UInt8]? in
            do {
                switch try Socket.receive(raw, into: buffer) {
                case .bytes(let count):
                    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                    return connection.exchange.receive(bytes, answer: answer)
                case .wouldBlock:
                    return nil
                case .end:
                    break
                }
            } catch {
                // The client broke off; that is its right and nothing to tell anybody.
            }
            close(number)
            return nil
        }
        guard let response, let descriptor = connection.descriptor.take() else { return }
        connection.watch?.cancel()
        connection.watch = nil
        let writer = AnswerWriter(loop, descriptor, response, deadlineUsec: connection.deadlineUsec) {
            [unowned self] _ in self.close(number)
        }
        connection.writer = writer
        writer.start()
    }

    private func close(_ number: Int) {
        connections[number] = nil
        resume()
    }
}
