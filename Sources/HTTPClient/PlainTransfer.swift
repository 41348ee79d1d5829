// SPDX-License-Identifier: Apache-2.0
// One request over plain HTTP/1.1 and its answer. Reports as a libcurl transfer does, so that nobody can tell them apart.
// Source: RFC 9112 §6.3 (message body length), §9.3.1 (retrying a request), §9.5 (an answer before the request's end).

import Curl
import EventLoop
import Glibc
import HTTP1
import Posix

final class PlainTransfer: RunningRequest {
    private unowned let connections: PlainConnections
    private let origin: PlainOrigin
    private let address: PlainAddress
    /// Held until the request is over; a weak reference would cost more with every report.
    private var delegate: (any TransferDelegate)?
    /// Held until the answer begins, for it may have to be sent once more.
    private var request: TransferRequest?
    private let usesOwnConnection: Bool
    private var dial: Dial?
    private var connection: PlainConnection?

    /// What of the head the socket had no room for; mostly nothing.
    private var unsentHead: ArraySlice<UInt8> = []
    private var sentBody = 0
    private var isSending = false
    /// Whether the socket has taken all of it.
    private(set) var hasSentBody = false
    /// Whether the connection broke. The kernel tells so once, be it in sending or receiving, and of a mere end from then on.
    private var isBroken = false

    private var parser = ResponseParser()
    private var body: ResponseBody?
    private var keepsConnection = false
    private var hasAnswered = false
    /// The start of a head, or bytes of the body that the delegate has not taken.
    private var kept: [UInt8] = []
    private var isPaused = false

    init(
        _ request: TransferRequest, at address: PlainAddress, _ origin: PlainOrigin,
        _ connections: PlainConnections,
        delegate: any TransferDelegate
    ) {
        self.request = request
        self.address = address
        self.origin = origin
        self.connections = connections
        self.delegate = delegate
        usesOwnConnection = request.usesOwnConnection
    }

    // MARK: - The connection

    func connect() {
        guard let request else { return }
        dial = connections.dialler.dial(origin.url, connectTimeoutMsec: request.connectTimeoutMsec) {
            [unowned self] in self.dialled($0)
        }
    }

    private func dialled(_ result: consuming DialResult) {
        dial = nil
        switch consume result {
        case .connected(let socket):
            do {
                begin(on: try PlainConnection(socket, to: origin, connections))
            } catch {
                finish(.failed(.connect, "the socket cannot be watched"))
            }
        case .failed(let failure, let text): finish(.failed(failure, text))
        }
    }

    /// Sends the request; what the socket has no room for goes later.
    func begin(on connection: PlainConnection) {
        guard let request else { return }
        self.connection = connection
        connection.begin(self)
        sentBody = 0
        hasSentBody = false
        isBroken = false
        isSending = true
        connections.head.removeAll(keepingCapacity: true)
        PlainRequestHead.write(request, to: address, into: &connections.head)
        send(head: connections.head[...])
    }

    /// The connection turned out to be closed before it had taken the request: the upstream did so while it waited.
    private func startOver() {
        connection?.close()
        connection = nil
        connect()
    }

    /// Detaches from the connection, which stays open if another request may follow on it.
    private func leave(keeping: Bool) {
        guard let connection else { return }
        self.connection = nil
        if keeping { connections.keep(connection) } else { connection.close() }
    }

    private func finish(_ result: TransferResult) {
        guard let delegate else { return }
        letGo()
        leave(keeping: result == .complete && keepsConnection && hasSentBody && !usesOwnConnection)
        delegate.transferEnded(result)
    }

    func cancel() {
        dial?.cancel()
        dial = nil
        letGo()
        leave(keeping: false)
    }

    private func letGo() {
        delegate = nil
        request = nil
        kept = []
        isPaused = false
    }

    // MARK: - The request

    func socketHasRoom() {
        send(head: unsentHead)
    }

    /// Sends what is left of the head, then the body, as far as the socket has room.
    private func send(head: ArraySlice<UInt8>) {
        guard isSending, let connection else { return }
        let requestBody = request?.body
        var head = head
        do {
            while true {
                let isRest = !head.isEmpty || sentBody < (requestBody?.size ?? 0)
                guard isRest else {
                    hasSentBody = true
                    isSending = false
                    if body != nil { request = nil }
                    break
                }
                let room = try head.withUnsafeBytes { (head) throws(Errno) in
                    try send(head, requestBody, on: connection)
                }
                guard case .bytes(let count) = room else { break }
                let ofHead = min(count, head.count)
                head = head.dropFirst(ofHead)
                sentBody += count - ofHead
            }
            unsentHead = head.isEmpty ? [] : ArraySlice(Array(head))
            try connection.resumeWatching(wantsRoom: isSending)
        } catch {
            // The connection broke. What came before that is read all the same, and its end decides.
            isBroken = true
            stopSending()
        }
    }

    /// Sends the head, if there is one, and pieces of the body from `sentBody` on.
    private func send(
        _ head: UnsafeRawBufferPointer, _ body: (any RequestBody)?, on connection: PlainConnection
    )
        throws(Errno) -> IOResult
    {
        var parts = InlineArray<8, iovec>(repeating: iovec())
        var count = 0
        if !head.isEmpty {
            parts[0] = iovec(head)
            count = 1
        }
        var offset = sentBody
        while let body, count < parts.count, offset < body.size {
            let piece = body.piece(from: offset)
            parts[count] = iovec(piece)
            offset += piece.count
            count += 1
        }
        return try parts.span.withUnsafeBufferPointer { (parts) throws(Errno) in
            try Socket.send(connection.raw, parts: UnsafeBufferPointer(rebasing: parts[..<count]))
        }
    }

    private func stopSending() {
        isSending = false
        watch()
    }

    private func watch() {
        do {
            try connection?.resumeWatching(wantsRoom: isSending)
        } catch {
            finish(.failed(.broken, "the socket cannot be watched"))
        }
    }

    // MARK: - The answer

    func socketHasBytes() {
        guard let connection else { return }
        let buffer = connections.receiveBuffer
        do {
            switch try Socket.receive(connection.raw, into: buffer) {
            case .bytes(let count): received(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
            case .end: connectionEnded()
            case .wouldBlock: break
            }
        } catch {
            isBroken = true
            connectionEnded()
        }
    }

    private func connectionEnded() {
        if !hasAnswered, let connection, connection.wasUsed { return startOver() }
        if !isBroken, let body, body.endsWithConnection { return finish(.complete) }
        finish(.failed(.broken, "the connection ended before the answer"))
    }

    private func received(_ bytes: UnsafeMutableRawBufferPointer) {
        hasAnswered = true
        if body != nil { return receivedBody(bytes) }
        if kept.isEmpty {
            if !receivedHead(bytes) { kept = Array(bytes) }
            return
        }
        // Grows in place, so that a head that comes byte by byte is not copied as often.
        var all = kept
        kept = []
        all.append(contentsOf: bytes)
        if !all.withUnsafeMutableBytes({ receivedHead($0) }) { kept = all }
    }

    /// Whether nothing of the bytes is needed any more: false while the head is not complete.
    private func receivedHead(_ bytes: UnsafeMutableRawBufferPointer) -> Bool {
        guard let delegate else { return true }
        let parsed: ResponseParser.Head?
        do {
            parsed = try parser.parseHead(UnsafeRawBufferPointer(bytes)) {
                delegate.transferReceived(headLine: $0)
            }
        } catch {
            malformed()
            return true
        }
        guard let head = parsed else { return false }
        body = ResponseBody(head.body)
        keepsConnection = head.keepsConnection
        if isSending, head.status >= 300 {
            // Refused before all of it was there: the upstream will not read the rest.
            stopSending()
        }
        // The answer has begun, so the request is not repeated.
        if !isSending { request = nil }
        delegate.transferReceivedHead(status: head.status)
        receivedBody(UnsafeMutableRawBufferPointer(rebasing: bytes[head.length...]))
        return true
    }

    private func receivedBody(_ bytes: UnsafeMutableRawBufferPointer) {
        let decoded: (body: Int, consumed: Int)?
        do {
            decoded = try body?.decode(bytes)
        } catch {
            return malformed()
        }
        guard let decoded else { return }
        // What nobody asked for makes the connection useless.
        if decoded.consumed < bytes.count { keepsConnection = false }
        offer(UnsafeRawBufferPointer(rebasing: bytes[..<decoded.body]))
    }

    private func malformed() {
        finish(.failed(.malformed, "the answer is no HTTP"))
    }

    private func offer(_ bytes: UnsafeRawBufferPointer) {
        if !bytes.isEmpty {
            switch delegate?.transferReceived(body: bytes) {
            case .taken: break
            case .pause:
                kept = Array(bytes)
                isPaused = true
                connection?.stopWatching()
                return
            case .giveUp, nil: return finish(.failed(.broken, "given up"))
            }
        }
        if let body, body.isComplete { finish(.complete) }
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        let bytes = kept
        kept = []
        // First, for the request may end with these bytes, and a connection that waits for the next one is watched.
        watch()
        bytes.withUnsafeBytes { offer($0) }
    }
}

extension iovec {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        self.init(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    }
}
