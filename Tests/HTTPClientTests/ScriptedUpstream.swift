// SPDX-License-Identifier: Apache-2.0
// A scripted upstream on the test's own event loop, the bodies it is sent, and a delegate that writes down what it is told.

import Curl
import EventLoop
import Glibc
import Posix
import Testing

/// What the upstream does with one request.
enum Reply: Sendable {
    /// Sends these texts, each with one call, and keeps the connection.
    case send([String])
    /// Sends these texts and closes.
    case sendAndClose([String])
    /// Sends these texts and breaks the connection (RST).
    case sendAndReset([String])
    /// Says nothing.
    case silence
}

/// An HTTP server that answers the nth request with the nth reply.
final class ScriptedUpstream {
    private let loop: EventLoop
    private let listener: FileDescriptor
    private var watch: EventLoop.Watch?
    private var connections: [Connection] = []
    private var replies: [Reply]
    /// The requests so far, heads and bodies.
    private(set) var requests: [String] = []
    private(set) var connectionCount = 0
    let port: UInt16
    /// Called when a request is complete, before its reply.
    var onRequest: () -> Void = {}
    /// Called when the client has closed a connection.
    var onClose: () -> Void = {}
    /// Called when bytes of a request have come.
    var onBytes: () -> Void = {}
    /// Whether the reply comes as soon as a request's head is there.
    var answersEarly = false
    /// Whether each text of a reply comes in a turn of the loop of its own, so that the client receives it alone.
    var sendsInTurns = false

    private final class Connection {
        var descriptor: SharedDescriptor?
        var watch: EventLoop.Watch?
        var buffer = ""
        var isAnswered = false

        func close() {
            watch?.cancel()
            watch = nil
            // For all who hold copies of it, such as a child of another test that has not started its program yet.
            if let descriptor { shutdown(descriptor.raw, Int32(SHUT_RDWR)) }
            descriptor = nil
        }

        func reset() {
            var linger = linger(l_onoff: 1, l_linger: 0)
            if let descriptor {
                setsockopt(
                    descriptor.raw, SOL_SOCKET, SO_LINGER, &linger,
                    socklen_t(MemoryLayout.size(ofValue: linger)))
            }
            watch?.cancel()
            watch = nil
            descriptor = nil
        }
    }

    init(_ loop: EventLoop, _ replies: [Reply]) throws {
        self.loop = loop
        self.replies = replies
        listener = try Socket.listen(.tcp(host: "127.0.0.1", port: 0))
        port = try #require(Socket.localPort(listener.raw))
        watch = try loop.watch(listener.raw, .readable) { [unowned self] _ in self.accept() }
    }

    deinit {
        watch?.cancel()
        for connection in connections { connection.close() }
    }

    private func accept() {
        do {
            guard let accepted = try Socket.accept(listener.raw) else { return }
            let connection = Connection()
            let descriptor = SharedDescriptor(accepted.take())
            connection.descriptor = descriptor
            connection.watch = try loop.watch(descriptor.raw, .readable) {
                [unowned self, unowned connection] _ in
                self.receive(connection)
            }
            connections.append(connection)
            connectionCount += 1
        } catch {
            Issue.record(error)
        }
    }

    private func receive(_ connection: Connection) {
        guard let fd = connection.descriptor?.raw else { return }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        do {
            let result = try buffer.withUnsafeMutableBytes { try Socket.receive(fd, into: $0) }
            switch result {
            case .bytes(let count):
                connection.buffer += String(decoding: buffer[..<count], as: UTF8.self)
                onBytes()
            case .end:
                connection.close()
                return onClose()
            case .wouldBlock: return
            }
        } catch {
            connection.close()
            return onClose()
        }
        if answersEarly, !connection.isAnswered, connection.buffer.contains("\r\n\r\n") { answer(connection) }
        guard let request = completeRequest(&connection.buffer) else { return }
        requests.append(request)
        onRequest()
        if !connection.isAnswered { answer(connection) }
        connection.isAnswered = false
    }

    /// Takes one request off the text, once its body is there.
    private func completeRequest(_ text: inout String) -> String? {
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let head = text[..<end.lowerBound]
        let field = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        let length = field.flatMap { Int($0.dropFirst("content-length:".count).filter { $0 != " " }) } ?? 0
        let body = text[end.upperBound...]
        guard body.utf8.count >= length else { return nil }
        let request = String(text[..<end.upperBound]) + String(body.prefix(length))
        text = ""
        return request
    }

    private func answer(_ connection: Connection) {
        connection.isAnswered = true
        switch replies.isEmpty ? .silence : replies.removeFirst() {
        case .silence: break
        case .send(let texts): send(connection, texts) {}
        case .sendAndClose(let texts): send(connection, texts) { connection.close() }
        case .sendAndReset(let texts): send(connection, texts) { connection.reset() }
        }
    }

    private func send(_ connection: Connection, _ texts: [String], then done: @escaping () -> Void) {
        guard let text = texts.first else { return done() }
        guard let fd = connection.descriptor?.raw else { return }
        let bytes = Array(text.utf8)
        #expect(throws: Never.self) { try bytes.withUnsafeBytes { _ = try Socket.send(fd, $0) } }
        let rest = Array(texts.dropFirst())
        guard sendsInTurns else { return send(connection, rest, then: done) }
        loop.later { [self] in send(connection, rest, then: done) }
    }

    /// Breaks every connection (RST).
    func resetConnections() {
        for connection in connections { connection.reset() }
    }

    /// Closes every connection, as an upstream does with idle ones.
    func closeConnections() {
        for connection in connections { connection.close() }
    }

    /// Sends of the text on the newest connection what there is room for; returns how many bytes.
    func sendWhatFits(_ text: String) -> Int {
        guard let fd = connections.last?.descriptor?.raw else { return 0 }
        let bytes = Array(text.utf8)
        let sent = try? bytes.withUnsafeBytes { try Socket.send(fd, $0) }
        guard case .bytes(let count) = sent else { return 0 }
        return count
    }

    /// Sends more on the newest connection.
    func sendMore(_ text: String) {
        if let last = connections.last { send(last, [text]) {} }
    }
}

/// A body that lies in pieces of at most `step` bytes, or in one.
final class TextBody: RequestBody {
    private let storage: UnsafeMutableRawBufferPointer
    private let step: Int

    init(_ text: String, step: Int? = nil) {
        storage = .allocate(byteCount: max(1, text.utf8.count), alignment: 1)
        storage.copyBytes(from: text.utf8)
        size = text.utf8.count
        self.step = step ?? .max
    }

    deinit { storage.deallocate() }

    let size: Int

    func piece(from offset: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[offset..<size].prefix(step))
    }
}

/// Writes down what a transfer reports; ends the loop with the transfer unless told otherwise.
final class Recorder: TransferDelegate {
    private let loop: EventLoop
    private(set) var headLines: [String] = []
    private(set) var statuses: [Int] = []
    private(set) var body = ""
    private(set) var bodyCalls = 0
    private(set) var result: TransferResult?
    var onHead: () -> Void = {}
    /// What is offered of the body, before `onBody` decides.
    var onBytes: (String) -> Void = { _ in }
    var onBody: () -> BodyDisposition = { .taken }
    var onEnd: () -> Void

    init(_ loop: EventLoop) {
        self.loop = loop
        onEnd = { loop.exit(0) }
    }

    func transferReceived(headLine: UnsafeRawBufferPointer) {
        #expect(statuses.isEmpty, "no line of the head comes behind its end")
        headLines.append(String(decoding: headLine, as: UTF8.self))
    }

    func transferReceivedHead(status: Int) {
        statuses.append(status)
        onHead()
    }

    func transferReceived(body bytes: UnsafeRawBufferPointer) -> BodyDisposition {
        #expect(statuses.count == 1)
        bodyCalls += 1
        onBytes(String(decoding: bytes, as: UTF8.self))
        let disposition = onBody()
        if disposition == .taken { body += String(decoding: bytes, as: UTF8.self) }
        return disposition
    }

    func transferEnded(_ result: TransferResult) {
        #expect(self.result == nil, "the end is told once")
        self.result = result
        onEnd()
    }

    var failure: TransferFailure? {
        guard case .failed(let failure, _) = result else { return nil }
        return failure
    }
}
