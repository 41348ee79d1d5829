// SPDX-License-Identifier: Apache-2.0
// The answer to one request as a state machine: upstream events in, what to do for the client out. No I/O, no clock.
// It holds the upstream's first bytes back until they show a real answer (the commit rule), reads usage
// and errors on the side, frames the body for the client, and never changes a byte of it.
// Source: RFC 9112 §6 and §7.1 (framing), docs of the three dialects by way of ResponseObserver.

import Bytes
package import Dialects
package import Gateway
import HTTP1
package import JSON

package struct Answer {
    /// How the body is delimited towards the client.
    package enum Framing: Equatable {
        case chunked
        case length(Int)
        /// The status says that there is no body.
        case noBody
        /// HTTP/1.0 without a known length: the end of the connection is the end of the body.
        case untilClose
    }

    /// What to do after body bytes arrived.
    package enum Step: Equatable {
        /// Nothing yet; the bytes are held.
        case hold
        /// Send `head`, then `held`, which includes these bytes.
        case commit
        /// Send these bytes as they are.
        case forward
        /// Send these bytes in their place: the answer is translated.
        case send([UInt8])
        /// Nothing was sent; give the exchange back.
        case fail(Failure)
    }

    /// Why nothing was sent, and whether another candidate may do better.
    package struct Failure: Equatable {
        package let error: GatewayError
        package let mayTryElsewhere: Bool
    }

    /// What to do when the upstream has ended.
    package enum Ending: Equatable {
        /// Send `head` and `held` if not yet sent, these bytes, then the end of the body: the answer is complete.
        case finish(last: [UInt8])
        /// Send these bytes as part of the body (the dialect's failure event, or nothing), then break the body off.
        case breakOff(failureEvent: [UInt8])
        /// Nothing was sent; give the exchange back.
        case fail(Failure)
    }

    /// Most bytes held before the commit; a longer answer is a real one.
    static let maximumHeld = 256 * 1024

    private let endpoint: Endpoint
    let request: RequestFacts
    /// How the answer becomes the client's; nil when its bytes pass.
    let translation: Translation?
    /// At work once a translated answer has a successful head, or the client's stream is open without one.
    var translator: AnswerTranslator?
    /// What the provider answered after the client's stream was opened without it, if that is no success.
    var lateRefusal: Int?
    /// The client's stream is open, and the provider has not said a word.
    var isOpenEarly = false
    private var observer: ResponseObserver
    private var headerLines: [UInt8] = []
    private var nominated = NominatedFields()
    private var contentLength: Int?
    private(set) var isEventStream = false
    private(set) var isJSON = false
    private var isEncoded = false
    private var hasRequestID = false
    private(set) var retryAfter: Int?
    /// In seconds, which every client reads.
    private var saysRetryAfter = false
    package internal(set) var status = 0
    private(set) package var isCommitted = false
    private(set) package var framing = Framing.chunked
    /// Bytes of the body that wait for the commit.
    package internal(set) var held: [UInt8] = []
    /// The head to send at the commit.
    private(set) package var head: [UInt8] = []

    /// What the machine must know of the request.
    package struct RequestFacts: Equatable {
        package let requestID: String
        package let provider: String
        package let isLastCandidate: Bool
        package let keepAlive: Bool
        package let isHTTP11: Bool
        package let modelChanged: Bool
        /// The value of x-ccr-route; "" for none.
        package let routeNote: String
        /// What the provider's rules took out of the request.
        package let dropped: Losses

        package init(
            requestID: String, provider: String, isLastCandidate: Bool, keepAlive: Bool, isHTTP11: Bool,
            modelChanged: Bool, routeNote: String = "", dropped: Losses = Losses()
        ) {
            self.requestID = requestID
            self.provider = provider
            self.isLastCandidate = isLastCandidate
            self.keepAlive = keepAlive
            self.isHTTP11 = isHTTP11
            self.modelChanged = modelChanged
            self.routeNote = routeNote
            self.dropped = dropped
        }
    }

    package init(endpoint: Endpoint, request: RequestFacts, translation: Translation? = nil) {
        self.endpoint = endpoint
        self.request = request
        self.translation = translation
        observer = ResponseObserver(endpoint: endpoint, isEventStream: false)
    }

    /// Token counts seen so far.
    package var usage: Usage { translator?.usage ?? observer.usage }

    /// Whether own bytes (a ping) may be put between the upstream's bytes now.
    package var acceptsKeepalive: Bool {
        if let translation { return isCommitted && translation.takesPings && !isOver }
        return isCommitted && isEventStream && !isEncoded && observer.isAtBoundary && !isOver
    }

    /// The terminal event has been seen; what follows it matters to nobody.
    package var isOver: Bool {
        if let translator { return translator.isOver }
        return switch observer.phase {
        case .finished, .failed: true
        case .undecided, .content: false
        }
    }

    /// The upstream itself reported a failure inside a committed answer.
    package var upstreamReportedFailure: Bool {
        if case .failed = translator?.phase { return true }
        if case .failed(let failure) = observer.phase { return failure.origin == .reported }
        return false
    }

    /// The upstream reported inside a committed answer that it does not take the key any more.
    package var upstreamRefusedKey: Bool {
        if case .failed(let error) = translator?.phase { return error.kind == .authentication }
        if case .failed(let failure) = observer.phase { return failure.kind == .authentication }
        return false
    }

    /// Whether a stream has been opened but shows nothing but opening events. While the head is still arriving, its
    /// first fields may be known, but not the status.
    package var isHoldingStream: Bool {
        !isCommitted && (isEventStream || isOpenEarly) && status != 0 && translation?.clientStreams != false
    }

    /// Whether the client wants a stream of what the provider will say all at once, and has not said yet.
    package var isAwaitingWhole: Bool {
        guard !isCommitted, status == 0, let translation else { return false }
        return translation.takesPings && !translation.upstreamStreams
    }

    /// The provider has begun to answer, although the client may see nothing of it yet.
    package var hasContent: Bool { isCommitted || translator?.phase == .content }

    /// Whether the connection to the client can serve another request once the body has ended well.
    package var keepsConnection: Bool { request.keepAlive && framing != .untilClose }

    // MARK: - Events

    /// One line of the upstream's head, without its line end; the status line is passed over.
    package mutating func headLineReceived(_ line: UnsafeRawBufferPointer) {
        guard let colon = line.firstIndex(of: ASCII.colon, from: 0), !line.hasPrefix("HTTP/") else { return }
        let name = line.slice(0..<colon)
        let value = Answer.trimmed(line.slice((colon + 1)..<line.count))
        if ASCII.equalIgnoringCase(name, "content-length") {
            contentLength = Answer.decimal(value)
            return
        }
        if ASCII.equalIgnoringCase(name, "content-type") {
            isEventStream =
                value.count >= 17 && ASCII.equalIgnoringCase(value.slice(0..<17), "text/event-stream")
            isJSON = value.count >= 16 && ASCII.equalIgnoringCase(value.slice(0..<16), "application/json")
            // A translated answer has a type of its own.
            if translation != nil { return }
        } else if ASCII.equalIgnoringCase(name, "content-encoding") {
            isEncoded = !ASCII.equalIgnoringCase(value, "identity")
        } else if ASCII.equalIgnoringCase(name, "retry-after") {
            retryAfter = Answer.decimal(value)
            saysRetryAfter = true
        } else if ASCII.equalIgnoringCase(name, "retry-after-ms"), retryAfter == nil {
            retryAfter = Answer.decimal(value).map { ($0 + 999) / 1_000 }
        } else if ASCII.equalIgnoringCase(name, "x-request-id") || ASCII.equalIgnoringCase(name, "request-id")
        {
            hasRequestID = true
        }
        guard HeaderPolicy.forwardsResponse(name, modelChanged: request.modelChanged) else {
            if ASCII.equalIgnoringCase(name, "connection") { nominated.add(connection: value) }
            return
        }
        headerLines.append(contentsOf: name)
        headerLines.append(": ")
        headerLines.append(contentsOf: value)
        headerLines.append("\r\n")
    }

    /// The upstream's head is complete.
    package mutating func headReceived(status: Int) -> Step {
        if isCommitted { return lateHeadReceived(status: status) }
        self.status = status
        if UpstreamFailure.isWorthAnotherCandidate(status: status), !request.isLastCandidate {
            let error = GatewayError(
                UpstreamFailure.kind(ofStatus: status), "provider \(request.provider) answered \(status)",
                retryAfter: retryAfter)
            return .fail(Failure(error: error, mayTryElsewhere: true))
        }
        if status >= 300 { isEventStream = false }
        if translation != nil {
            beginTranslation()
            return .hold
        }
        observer = ResponseObserver(endpoint: endpoint, isEventStream: isEventStream)
        return .hold
    }

    /// Bytes of the body arrived.
    package mutating func bodyReceived(_ bytes: UnsafeRawBufferPointer, parser: JSONParser) -> Step {
        if translation != nil { return translate(bytes, parser) }
        if status < 300, !isEncoded { observer.received(bytes, parser: parser) }
        if isCommitted { return .forward }
        held.append(contentsOf: bytes)
        if isEncoded || held.count > Answer.maximumHeld { return commit() }
        guard isEventStream else { return .hold }
        switch observer.phase {
        case .undecided: return .hold
        case .content, .finished: return commit()
        case .failed(let failure): return .fail(describe(failure))
        }
    }

    /// The client has been held for long enough: let it see that its stream is open.
    package mutating func holdExpired() -> Step {
        if isAwaitingWhole { openEarly() }
        return isHoldingStream ? commit() : .hold
    }

    /// The upstream ended its answer as HTTP wants it.
    ///
    /// - Parameter parser: any parser; values that the caller has from it become invalid.
    package mutating func upstreamCompleted(parser: JSONParser) -> Ending {
        if translation != nil { return translationCompleted(parser) }
        if status < 300, !isEncoded { observer.ended() }
        if status < 300, !isEncoded, case .failed(let failure) = observer.phase {
            if !isCommitted { return .fail(describe(failure)) }
            // An error that the upstream told the client itself ends the answer; one that only ccr sees
            // (no terminal event) must not look like a clean end.
            return failure.origin == .reported ? .finish(last: []) : breakOff(describe(failure).error)
        }
        if !isCommitted { _ = commit() }
        return .finish(last: [])
    }

    /// The upstream broke off, or a limit ended the exchange.
    package mutating func upstreamBroke(_ error: GatewayError) -> Ending {
        guard isCommitted else { return .fail(Failure(error: error, mayTryElsewhere: true)) }
        if translation != nil { return translationBroke(error) }
        // Everything the dialect needs has been sent; what got lost is the end of the transport.
        if case .finished = observer.phase, isEventStream { return .finish(last: []) }
        return breakOff(error)
    }

    // MARK: - Parts

    private mutating func breakOff(_ error: GatewayError) -> Ending {
        guard isEventStream, !isEncoded, !upstreamReportedFailure else { return .breakOff(failureEvent: []) }
        return .breakOff(
            failureEvent: FailureEvent.render(error, after: observer, requestID: request.requestID))
    }

    private func describe(_ failure: StreamFailure) -> Failure {
        let name = "provider \(request.provider)"
        let error =
            switch failure.origin {
            case .reported:
                GatewayError(
                    failure.kind, "\(name) reported an error", quote: failure.message, retryAfter: retryAfter)
            case .truncated:
                GatewayError(failure.kind, "\(name): \(failure.message)", retryAfter: retryAfter)
            }
        return Failure(error: error, mayTryElsewhere: failure.isRetryableElsewhere)
    }

    /// The length of the client's body where it is known at the commit. Pings and a failure event may come on top of what
    /// the upstream of a stream counts; a translated document is complete.
    private var bodyLength: Int? {
        if translation != nil { return isTranslatedStream ? nil : held.count }
        return !isEventStream || isEncoded ? contentLength : nil
    }

    mutating func commit() -> Step {
        isCommitted = true
        if status == 204 || status == 304 {
            framing = .noBody
        } else if let length = bodyLength {
            framing = .length(length)
        } else if request.isHTTP11 {
            framing = .chunked
        } else {
            framing = .untilClose
        }
        head.reserveCapacity(headerLines.count + 256)
        ResponseHead.begin(status: status, into: &head)
        if nominated.isEmpty {
            head.append(contentsOf: headerLines)
        } else {
            appendFieldsOfSeveralHops()
        }
        headerLines = []
        if let type = translatedType { appendField("content-type", type) }
        if !hasRequestID { appendField("x-request-id", request.requestID) }
        appendField("x-ccr-request-id", request.requestID)
        appendField("x-ccr-tier", request.provider)
        if !request.routeNote.isEmpty { appendField("x-ccr-route", request.routeNote) }
        if let retryAfter, !saysRetryAfter { appendField("retry-after", String(retryAfter)) }
        if translator?.isUsageEstimated == true, !isTranslatedStream {
            appendField("x-ccr-usage", "estimated")
        }
        if !losses.isEmpty { appendField("x-ccr-dropped", losses.description) }
        switch framing {
        case .chunked: head.append("transfer-encoding: chunked\r\n")
        case .length(let count):
            head.append("content-length: ")
            head.append(decimal: count)
            head.append("\r\n")
        case .noBody, .untilClose: break
        }
        if !keepsConnection { head.append("connection: close\r\n") }
        head.append("\r\n")
        return .commit
    }

    /// The Connection field may stand behind the fields that it names, so they are left out only now.
    private mutating func appendFieldsOfSeveralHops() {
        let fields = headerLines
        fields.withUnsafeBytes { lines in
            var start = 0
            while let end = lines.firstIndex(of: ASCII.lineFeed, from: start) {
                let line = lines.slice(start..<(end + 1))
                let colon = line.firstIndex(of: ASCII.colon, from: 0) ?? 0
                if !nominated.contains(line.slice(0..<colon)) { head.append(contentsOf: line) }
                start = end + 1
            }
        }
    }

    mutating func appendField(_ name: StaticString, _ value: String) {
        head.append(name)
        head.append(": ")
        head.append(contentsOf: value.utf8)
        head.append("\r\n")
    }

    /// Lets go of the bytes that have been sent.
    package mutating func dropSent() {
        head = []
        held = []
    }

    private static func trimmed(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var start = 0
        var end = value.count
        while start < end, value[start] == ASCII.space || value[start] == ASCII.tab { start += 1 }
        while end > start, value[end - 1] == ASCII.space || value[end - 1] == ASCII.tab { end -= 1 }
        return value.slice(start..<end)
    }

    private static func decimal(_ value: UnsafeRawBufferPointer) -> Int? {
        guard !value.isEmpty, value.count <= 18 else { return nil }
        var number = 0
        for byte in value {
            guard byte &- 0x30 < 10 else { return nil }
            number = number * 10 + Int(byte &- 0x30)
        }
        return number
    }
}
