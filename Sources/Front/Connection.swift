// SPDX-License-Identifier: Apache-2.0
// One client connection: reads heads and bodies, writes front's own answers, rests while another process answers.
// Front alone reads from the socket; while a worker or the exporter holds a request, only the peer's end is watched.
// Source: RFC 9112 §9 (connection management).

import Bytes
import EventLoop
import Gateway
import Glibc
import HTTP1
import Posix
import Routing

final class Connection {
    let descriptor: FileDescriptor
    let peerIsLoopback: Bool
    /// Whether it came over an admin socket: its client is trusted and needs no key.
    let isAdmin: Bool
    private unowned let front: FrontProcess
    private var watch: EventLoop.Watch?
    private var parser = RequestParser()
    private var bodyReader: RequestBodyReader?
    /// Bytes received and not yet understood.
    private var buffer: [UInt8] = []
    private var output: [UInt8] = []
    private var outputStart = 0
    private var pendingRequest: ClientRequest?
    /// The request that another process answers now.
    private(set) var current: ClientRequest?
    /// To whose worker the connection was handed last. If that worker has kept it, it can read what comes here anyway.
    var lastProvider: Int?
    /// The kernel has told of bytes, or of the peer's end, that have not been received; it tells once.
    private var hasUnread = false
    /// The peer has closed its sending side.
    private var endIsTold = false
    private(set) var state = State.idle
    /// CLOCK_MONOTONIC microseconds of the last change of state.
    private(set) var stateSinceUsec: UInt64
    /// Requests read from this connection.
    private(set) var requestCount = 0

    enum State: Equatable {
        /// Nothing of the next request has arrived.
        case idle
        case readingHead
        case readingBody
        /// Another process answers, or a candidate is being looked for.
        case handedOff
        /// Front's own answer is being sent.
        case writing(thenClose: Bool)
        /// The answer is sent; what the client still sends is thrown away so that it can read the answer.
        case lingering
        case closed
    }

    /// Bytes thrown away after an early answer, and how long.
    static let lingerUsec: UInt64 = 2_000_000

    init(
        _ descriptor: consuming FileDescriptor, peerIsLoopback: Bool, isAdmin: Bool, front: FrontProcess
    ) throws(Errno) {
        self.descriptor = descriptor
        self.peerIsLoopback = peerIsLoopback
        self.isAdmin = isAdmin
        self.front = front
        stateSinceUsec = front.now
        Socket.disableDelay(self.descriptor.raw)
        watch = try front.loop.watch(self.descriptor.raw, .arrival) { [unowned self] ready in
            self.ready(ready)
        }
    }

    // MARK: - Events

    private func ready(_ ready: EventLoop.Interest) {
        front.tick()
        if ready.includes(anyOf: .receivable) { hasUnread = true }
        if ready.includes(anyOf: .gone) { endIsTold = true }
        switch state {
        case .idle, .readingHead, .readingBody: read()
        case .handedOff:
            // What else has arrived is the next request, which waits in the socket.
            if endIsTold { peerLeft() }
        case .writing:
            if ready.includes(anyOf: .broken) { close() } else { flush() }
        case .lingering: discard()
        case .closed: break
        }
    }

    /// Receives what is there; the rest of much waits for the next turn, so that others get theirs.
    private func read() {
        guard hasUnread else { return }
        switch state {
        case .idle, .readingHead, .readingBody: break
        case .handedOff, .writing, .lingering, .closed: return
        }
        hasUnread = false
        if receive() || endIsTold { hasUnread = true }
        if hasUnread { return front.loop.later { [weak self] in self?.read() } }
        switch state {
        case .idle, .readingHead, .readingBody: watch?.update(.arrival)
        case .handedOff, .writing, .lingering, .closed: break
        }
    }

    /// Returns whether there may be more.
    private func receive() -> Bool {
        if state == .readingBody, let bodyReader, bodyReader.directBytes > 0 {
            return receiveDirectly(bodyReader)
        }
        let scratch = front.scratch
        let result: IOResult
        do {
            result = try Socket.receive(descriptor.raw, into: scratch)
        } catch {
            clientLeft()
            return false
        }
        switch result {
        case .wouldBlock: return false
        case .end:
            clientLeft()
            return false
        case .bytes(let count):
            let received = UnsafeRawBufferPointer(rebasing: scratch[..<count])
            if buffer.isEmpty {
                let used = understand(received)
                if used < count { buffer.append(contentsOf: received[used...]) }
            } else {
                buffer.append(contentsOf: received)
                understandBuffer()
            }
            return count == scratch.count
        }
    }

    /// Large bodies go from the socket into their memory without a stop. Returns whether there may be more.
    private func receiveDirectly(_ reader: RequestBodyReader) -> Bool {
        // A few pieces at a time: one fast sender must not starve the others.
        for _ in 0..<8 {
            let room: UnsafeMutableRawBufferPointer
            do {
                room = try reader.store.room(reader.directBytes)
            } catch {
                refuse(RequestBodyReader.describe(error, front.config.limits.bodyBytes))
                return true
            }
            do {
                switch try Socket.receive(descriptor.raw, into: room) {
                case .wouldBlock: return false
                case .end:
                    clientLeft()
                    return false
                case .bytes(let count):
                    if reader.receivedDirectly(count) {
                        bodyComplete()
                        return true
                    }
                }
            } catch {
                clientLeft()
                return false
            }
        }
        return true
    }

    private func understandBuffer() {
        let held = buffer
        buffer = []
        let used = held.withUnsafeBytes { understand($0) }
        if used < held.count {
            buffer = used == 0 ? held : Array(held[used...])
        }
    }

    /// Takes requests off the bytes as far as the state allows; returns how many bytes were used.
    private func understand(_ bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            switch state {
            case .idle, .readingHead:
                if state == .idle { enter(.readingHead) }
                switch parser.parseHead(rest, limits: front.httpLimits) {
                case .incomplete: return offset
                case .invalid(let error):
                    let kind: ErrorKind =
                        switch error.status {
                        case 431: .headTooLarge
                        case 413: .tooLarge
                        default: .invalidRequest
                        }
                    refuse(GatewayError(kind, error.message))
                    return bytes.count
                case .head(let head, let length):
                    offset += length
                    requestCount += 1
                    begin(head)
                }
            case .readingBody:
                guard let bodyReader else { return offset }
                do {
                    let (used, isComplete) = try bodyReader.received(rest)
                    offset += used
                    if isComplete { bodyComplete() } else if used == 0 { return offset }
                } catch {
                    refuse(error)
                    return bytes.count
                }
            case .lingering, .closed: return bytes.count
            case .handedOff, .writing: return offset
            }
        }
        return offset
    }

    private func begin(_ head: RequestHead) {
        let request = ClientRequest(head, connection: self, startedUsec: front.now)
        pendingRequest = request
        do {
            try front.admit(request)
            bodyReader = try RequestBodyReader(
                head, limit: front.config.limits.bodyBytes, decodedRatio: front.config.limits.decodedRatio,
                pool: front.bodies, provider: lastProvider)
        } catch {
            // Without a body the connection stays usable after the answer.
            let hasBody = head.bodyFraming != .none && head.bodyFraming != .length(0)
            return front.answer(error, to: request, close: hasBody || !head.keepAlive)
        }
        guard bodyReader != nil else { return dispatch() }
        enter(.readingBody)
        if head.expectsContinue {
            output.append("HTTP/1.1 100 Continue\r\n\r\n")
            flushInterim()
        }
    }

    private func bodyComplete() {
        dispatch()
    }

    private func dispatch() {
        guard let request = pendingRequest else { return }
        pendingRequest = nil
        request.body = bodyReader?.store
        bodyReader = nil
        current = request
        enter(.handedOff)
        front.dispatch(request)
        guard state == .handedOff else { return }
        // Told together with the request's last bytes, and not again.
        if endIsTold { return peerLeft() }
        // A next request has to wait: its arrival would only take the CPU from the worker that answers.
        watch?.update(.departure)
    }

    /// Answers what is no request, then closes.
    private func refuse(_ error: GatewayError) {
        front.refused(self, error, request: pendingRequest)
    }

    // MARK: - While another process answers

    private func peerLeft() {
        watch?.cancel()
        watch = nil
        front.clientLeft(self)
    }

    /// The request is answered; `reusable` when the connection is at a clean boundary.
    func answered(reusable: Bool) {
        guard state == .handedOff else { return }
        current = nil
        // While draining too: the answer has told the client that the connection stays, so its next request may be on
        // the way already.
        guard reusable, !endIsTold else { return close() }
        nextRequest()
    }

    private func nextRequest() {
        enter(.idle)
        // Nobody was told whether something has arrived.
        hasUnread = true
        front.loop.later { [weak self] in self?.goOn() }
    }

    /// Takes what had arrived while the request before it was answered.
    private func goOn() {
        front.tick()
        if !buffer.isEmpty { understandBuffer() }
        read()
    }

    // MARK: - Front's own answers

    /// Sends a whole answer, then reads on or closes.
    func send(_ bytes: [UInt8], thenClose: Bool) {
        guard state != .closed else { return }
        enter(.writing(thenClose: thenClose))
        bodyReader = nil
        pendingRequest = nil
        current = nil
        if output.isEmpty { output = bytes } else { output.append(contentsOf: bytes) }
        flush()
    }

    private func flush() {
        guard case .writing(let thenClose) = state else { return }
        guard writeOutput() else {
            if state != .closed { watch?.update(.writable) }
            return
        }
        if thenClose {
            shutdown(descriptor.raw, Int32(SHUT_WR))
            enter(.lingering)
            buffer = []
            watch?.update(.readableOrClosed)
            discard()
        } else {
            nextRequest()
        }
    }

    /// An interim answer fits a socket that has just delivered a head; if not, it is sent with the next one.
    private func flushInterim() {
        _ = writeOutput()
    }

    /// Returns whether everything has been written.
    private func writeOutput() -> Bool {
        do {
            while outputStart < output.count {
                let result = try output.span.bytes.withUnsafeBytes { (bytes) throws(Errno) in
                    try Socket.send(descriptor.raw, UnsafeRawBufferPointer(rebasing: bytes[outputStart...]))
                }
                guard case .bytes(let count) = result else { return false }
                outputStart += count
            }
        } catch {
            close()
            return false
        }
        output = []
        outputStart = 0
        return true
    }

    private func discard() {
        do {
            for _ in 0..<16 {
                switch try Socket.receive(descriptor.raw, into: front.scratch) {
                case .bytes: continue
                case .wouldBlock: return
                case .end: return close()
                }
            }
        } catch {
            close()
        }
    }

    // MARK: - The end

    private func clientLeft() {
        if let request = pendingRequest { front.abandonedBeforeDispatch(request) }
        close()
    }

    /// Breaks the connection off, also for the copies other processes hold.
    func breakOff() {
        shutdown(descriptor.raw, Int32(SHUT_RDWR))
        close()
    }

    func close() {
        guard state != .closed else { return }
        enter(.closed)
        watch?.cancel()
        watch = nil
        buffer = []
        output = []
        bodyReader = nil
        pendingRequest = nil
        current = nil
        front.closed(self)
    }

    private func enter(_ next: State) {
        state = next
        stateSinceUsec = front.now
    }

    // MARK: - Time

    /// Looks at the limits of time; called a few times a second.
    func sweep(_ now: UInt64, _ limits: FrontLimits) {
        func exceeded(_ milliseconds: Int) -> Bool { now > stateSinceUsec + UInt64(milliseconds) * 1000 }
        switch state {
        case .idle:
            // While draining, a client that is about to send its next request still gets an answer.
            if exceeded(front.isDraining ? FrontProcess.drainGraceMsec : limits.idleTimeoutMsec) { close() }
        case .readingHead:
            if exceeded(limits.headerTimeoutMsec) {
                refuse(GatewayError(.requestTimeout, "the request head did not arrive in time"))
            }
        case .readingBody:
            if exceeded(limits.bodyTimeoutMsec) {
                refuse(GatewayError(.requestTimeout, "the request body did not arrive in time"))
            }
        case .writing: if exceeded(limits.idleTimeoutMsec) { close() }
        case .lingering: if now > stateSinceUsec + Connection.lingerUsec { close() }
        case .handedOff, .closed: break
        }
    }
}
