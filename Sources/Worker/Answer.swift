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

/// Noncopyable, for it is large, and reading a part of a copyable one through an object copies the whole.
package struct Answer: ~Copyable {
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

    /// Why nothing was sent, and what it means for what comes next.
    package struct Failure: Equatable {
        package let error: GatewayError
        package let report: FailureReport
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
    private var retryHeaders = RetryHeaders()
    /// Milliseconds since 1970 when the head had arrived.
    private var headMsec = 0
    /// What the provider's error means; set once it is sent to the client.
    private(set) package var failure: FailureReport?
    package internal(set) var status = 0
    private(set) package var isCommitted = false
    /// The upstream has said everything.
    private var isWhole = false
    private(set) package var framing = Framing.chunked
    /// Bytes of the body that wait for the commit.
    package internal(set) var held: [UInt8] = []
    /// The head to send at the commit.
    private(set) package var head: [UInt8] = []

    /// What the machine must know of the request.
    package struct RequestFacts: Equatable {
        package let requestID: String
        package let provider: String
        /// The failures that are given back; all others are the client's.
        package let terms: ReturnTerms
        package let keepAlive: Bool
        package let isHTTP11: Bool
        package let modelChanged: Bool
        /// The value of x-ccr-route; "" for none.
        package let routeNote: String
        /// What the provider's rules took out of the request.
        package let dropped: Losses

        package init(
            requestID: String, provider: String, terms: ReturnTerms, keepAlive: Bool, isHTTP11: Bool,
            modelChanged: Bool, routeNote: String = "", dropped: Losses = Losses()
        ) {
            self.requestID = requestID
            self.provider = provider
            self.terms = terms
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
        let value = line.slice((colon + 1)..<line.count).trimmed
        if ASCII.equalIgnoringCase(name, "content-length") {
            contentLength = value.decimal
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
        } else if ASCII.equalIgnoringCase(name, "x-request-id") || ASCII.equalIgnoringCase(name, "request-id")
        {
            hasRequestID = true
        } else {
            retryHeaders.received(name, value)
        }
        guard HeaderPolicy.forwardsResponse(name, modelChanged: request.modelChanged) else {
            if ASCII.equalIgnoringCase(name, "connection") { nominated.add(connection: value) }
            return
        }
        if headerLines.isEmpty { headerLines.reserveCapacity(512) }
        headerLines.append(contentsOf: name)
        headerLines.append(": ")
        headerLines.append(contentsOf: value)
        headerLines.append("\r\n")
    }

    /// The upstream's head is complete.
    ///
    /// - Parameter nowMsec: milliseconds since 1970.
    package mutating func headReceived(status: Int, nowMsec: Int) -> Step {
        headMsec = nowMsec
        if isCommitted { return lateHeadReceived(status: status) }
        self.status = status
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
        if isEncoded || held.count > Answer.maximumHeld {
            return status >= 300 ? decideError(parser) : commit()
        }
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
        isWhole = true
        if translation != nil { return translationCompleted(parser) }
        if status < 300, !isEncoded { observer.ended() }
        if status < 300, !isEncoded, case .failed(let failure) = observer.phase {
            if !isCommitted { return .fail(describe(failure)) }
            // An error that the upstream told the client itself ends the answer; one that only ccr sees
            // (no terminal event) must not look like a clean end.
            return failure.origin == .reported ? .finish(last: []) : breakOff(describe(failure).error)
        }
        if !isCommitted {
            if status >= 300, case .fail(let failure) = decideError(parser) { return .fail(failure) }
            if !isCommitted { _ = commit() }
        }
        return .finish(last: [])
    }

    /// An error's body does not come to its end: what is there decides.
    package mutating func errorHoldExpired(parser: JSONParser) -> Step {
        isHoldingError ? decideError(parser) : .hold
    }

    /// Whether the provider has refused and the reason is still on its way.
    package var isHoldingError: Bool { !isCommitted && status >= 300 }

    /// The upstream broke off, or a limit ended the exchange.
    package mutating func upstreamBroke(_ error: GatewayError) -> Ending {
        guard isCommitted else { return .fail(Answer.failure(error)) }
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
                    failure.kind, "\(name) reported an error", quote: failure.message, report: failure.report)
            case .truncated:
                GatewayError(failure.kind, "\(name): \(failure.message)", report: failure.report)
            }
        return evaluated(error)
    }

    /// Gives the request back if front wants it after such a failure, else commits the provider's own answer.
    private mutating func decideError(_ parser: JSONParser) -> Step {
        if translation != nil { return translateError(parser) }
        let failure = readError(status: status, parser)
        if request.terms.cover(failure.report) { return .fail(failure) }
        self.failure = failure.report
        return commit()
    }

    /// What the client would have got if front had not wanted the failure back: the provider's refusal, translated if need
    /// be. Nil when the provider has not refused, or not told all of it. The last thing that is asked of an answer.
    package mutating func refusal(_ failure: Failure) -> HandoffRefusal? {
        guard isWhole, !isCommitted, status >= 300 else { return nil }
        if translation == nil {
            answers(with: failure.report)
            contentLength = held.count
        } else {
            renderError(failure)
        }
        _ = commit()
        let bytes = head + held
        return bytes.count <= HandoffRefusal.maximumBytes ? HandoffRefusal(status: status, bytes: bytes) : nil
    }

    /// What a failed status and the body that came with it mean.
    mutating func readError(status: Int, _ parser: JSONParser) -> Failure {
        // A body in a coding is the client's to read.
        let body = isEncoded ? [] : held
        return evaluated(
            body.withUnsafeBytes {
                UpstreamErrorBody.read(
                    $0, status: status, provider: request.provider, nowUnix: headMsec / 1000, parser: parser)
            })
    }

    /// The client gets the provider's error, in whatever dialect.
    mutating func answers(with report: FailureReport) { failure = report }

    /// The failure with what the header says about it.
    func evaluated(_ error: GatewayError) -> Failure {
        var report = Answer.failure(error).report
        let passes = [.rate, .quota, .overload].contains(report.class)
        report.retryAfterMsec =
            retryHeaders.askedMsec(nowMsec: headMsec) ?? report.retryAfterMsec
            ?? (passes ? retryHeaders.resetMsec(nowMsec: headMsec) : nil)
        // A limit that fills again in hours is, for a request, none that passes.
        if report.class == .rate, report.retryAfterMsec ?? 0 > Answer.longestRateMsec {
            report.class = .quota
        }
        report.mayRepeat = retryHeaders.mayRepeat
        var error = error
        error.retryAfter = report.retryAfterSeconds
        error.report = report
        return Failure(error: error, report: report)
    }

    private static let longestRateMsec = 600_000

    /// Of an error without a report, its kind says what it means.
    static func failure(_ error: GatewayError) -> Failure {
        Failure(error: error, report: error.report ?? FailureReport(error.kind.failureClass))
    }

    /// Milliseconds for which the credential has nothing left, as the header of a good answer says; 0 for none.
    package var exhaustedMsec: Int {
        status < 300 ? retryHeaders.exhaustedForMsec(nowMsec: headMsec) ?? 0 : 0
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
        if translation == nil, failure?.class.isFinal == true, !retryHeaders.saysWhetherToRepeat {
            appendField("x-should-retry", "false")
        }
        if let seconds = retryHeaders.missingSeconds { appendField("retry-after", String(seconds)) }
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
}
