// SPDX-License-Identifier: Apache-2.0
// One handed-over request: binds the upstream, the answer's state machine and the client's socket together.
// Decisions are Answer's; this class only performs them.

import Curl
import Dialects
import EventLoop
import Gateway
import HTTPClient
import IPC
import JSON
import Posix

final class Exchange: TransferDelegate {
    private(set) var handoff: HandoffRequest
    private let link: FrontLink
    private unowned let worker: WorkerProcess
    private var answer: Answer
    private var writer: ClientWriter?
    private var upstream: (any RunningRequest)?
    private var state = State.relaying
    private let startedUsec: UInt64
    private let deadlineUsec: UInt64
    private var firstByteUsec: UInt64 = 0
    private var lastUpstreamUsec: UInt64
    private var headUsec: UInt64 = 0
    private var bodyBytes: UInt64 = 0
    private var isPaused = false
    /// Names of the transformers that the request went through.
    var transformers: [String] = []
    /// The token in use, and what starts the same request with another one; nil once the answer has begun.
    private var lease: CredentialLease?
    private var replay: ((CredentialLease?, any TransferDelegate) -> any RunningRequest)?
    private var hasReplayed = false
    private let dropped: Losses
    /// The right to answer, while another worker may take it as well.
    private var token: CommitToken?
    private var signatureRefusal = SignatureRefusal()

    private enum State {
        /// Upstream bytes go to the client.
        case relaying
        /// Decided inside a callback of the upstream, performed after it.
        case resolving(Resolution)
        /// The last bytes wait for the client's socket.
        case flushing(ExchangeOutcome, keepAlive: Bool)
        case over
    }

    private enum Resolution {
        case fail(Answer.Failure)
        /// The client has everything although the upstream would go on.
        case finish
        case abandon(ExchangeOutcome)
        /// The provider refused the token: the same bytes go out once more with a newer one.
        case authorize
        /// The provider refused the time of the signature: the same bytes go out once more with the right one.
        case signAgain
    }

    /// - Parameters:
    ///   - translation: how the provider's answer becomes the client's; nil when its bytes pass.
    ///   - dropped: what the provider's rules took out of the request.
    ///   - token: of a contested request.
    init(
        _ handoff: HandoffRequest, client: consuming FileDescriptor?, link: FrontLink, worker: WorkerProcess,
        translation: Translation?, dropped: Losses, token: CommitToken?
    ) {
        self.handoff = handoff
        self.token = token
        self.link = link
        self.worker = worker
        startedUsec = Clock.monotonicUsec()
        deadlineUsec = min(handoff.deadlineUsec, startedUsec + UInt64(worker.config.timeouts.total) * 1000)
        lastUpstreamUsec = startedUsec
        self.dropped = dropped
        answer = Exchange.answer(to: handoff, provider: worker.config.provider, translation, dropped)
        writer = ClientWriter(
            worker.loop, client, onDrained: { [unowned self] in self.clientDrained() },
            onBroken: { [unowned self] in self.clientGone() })
    }

    private static func answer(
        to handoff: HandoffRequest, provider: String, _ translation: Translation?, _ dropped: Losses
    ) -> Answer {
        Answer(
            endpoint: handoff.endpoint,
            request: Answer.RequestFacts(
                requestID: handoff.requestID, provider: provider, terms: handoff.terms,
                keepAlive: handoff.keepAlive, isHTTP11: handoff.isHTTP11,
                modelChanged: !handoff.splices.isEmpty, routeNote: handoff.routeNote, dropped: dropped),
            translation: translation)
    }

    /// Starts the upstream that this exchange reads from, with a token of the provider's if the refresher keeps one.
    func begin(_ make: @escaping (CredentialLease?, any TransferDelegate) -> any RunningRequest) {
        guard let credentials = worker.credentials else {
            upstream = make(nil, self)
            return
        }
        replay = make
        credentials.acquire(handoff.credential, isOnly: handoff.isOnlyCredential) { [weak self] in
            self?.go(on: $0)
        }
    }

    /// A token has come, or the reason why there is none.
    private func go(on result: Result<CredentialLease, GatewayError>) {
        guard case .relaying = state, upstream == nil, let replay else { return }
        switch result {
        case .success(let lease):
            self.lease = lease
            lastUpstreamUsec = Clock.monotonicUsec()
            upstream = replay(lease, self)
        case .failure(var error):
            // Front leaves the credential alone for a moment and looks for another.
            error.report = FailureReport(
                .authentication,
                retryAfterMsec: error.retryAfter.map { $0 * 1000 } ?? Exchange.tokenlessMsec)
            perform(answer.upstreamBroke(error), breakOutcome: .upstreamFailed)
        }
    }

    // MARK: - The upstream's reports

    func transferReceived(headLine: UnsafeRawBufferPointer) {
        answer.headLineReceived(headLine)
        if lease?.keys != nil { signatureRefusal.read(headLine) }
    }

    func transferReceivedHead(status: Int) {
        lastUpstreamUsec = Clock.monotonicUsec()
        headUsec = lastUpstreamUsec
        if let lease, !hasReplayed, status == 401 || status == 403 || status == 400,
            let remedy = remedy(lease, status: status)
        {
            hasReplayed = true
            return resolve(remedy)
        }
        replay = nil
        let nowMsec = Int(Clock.realtimeUsec() / 1000)
        if case .fail(let failure) = answer.headReceived(status: status, nowMsec: nowMsec) {
            resolve(.fail(failure))
        }
    }

    /// What may make the provider take the same request after all.
    private func remedy(_ lease: CredentialLease, status: Int) -> Resolution? {
        if status == 401 { return .authorize }
        guard lease.keys != nil else { return nil }
        if signatureRefusal.isAboutKeys { return .authorize }
        let now = Int(Clock.realtimeUsec() / 1_000_000)
        guard let skew = signatureRefusal.skew(now: now) else { return nil }
        worker.signingSkew = skew
        return .signAgain
    }

    func transferReceived(body: UnsafeRawBufferPointer) -> BodyDisposition {
        guard case .relaying = state, let writer else { return .giveUp }
        if writer.isFull {
            isPaused = true
            return .pause
        }
        lastUpstreamUsec = Clock.monotonicUsec()
        switch answer.bodyReceived(body, parser: worker.parser) {
        case .hold: break
        case .commit: commit()
        case .forward:
            bodyBytes += UInt64(body.count)
            writer.write(body: body, chunked: answer.framing == .chunked)
        case .send(let translated):
            bodyBytes += UInt64(translated.count)
            translated.withUnsafeBytes { writer.write(body: $0, chunked: answer.framing == .chunked) }
        case .fail(let failure): resolve(.fail(failure))
        }
        if answer.needsNoMore { resolve(.finish) }
        if writer.isBroken { resolve(.abandon(answer.isOver ? .completed : .aborted)) }
        if case .relaying = state { return .taken }
        return .giveUp
    }

    func transferEnded(_ result: TransferResult) {
        upstream = nil
        switch state {
        case .relaying:
            switch result {
            case .complete:
                perform(answer.upstreamCompleted(parser: worker.parser), breakOutcome: .upstreamFailed)
            case .failed(let failure, let text):
                let error = UpstreamFailure.error(failure, text, provider: worker.config.provider)
                perform(answer.upstreamBroke(error), breakOutcome: .upstreamFailed)
            }
        case .resolving: performResolution()
        case .flushing, .over: break
        }
    }

    // MARK: - The client's side

    /// The client closed its connection, or front wants it back.
    func abandon() {
        switch state {
        case .relaying: resolve(.abandon(answer.isOver ? .completed : .aborted))
        case .flushing: end(answer.isOver ? .completed : .aborted, keepAlive: false)
        case .resolving, .over: break
        }
    }

    private func clientDrained() {
        switch state {
        case .relaying:
            guard isPaused else { return }
            isPaused = false
            lastUpstreamUsec = Clock.monotonicUsec()
            upstream?.resume()
        case .flushing(let outcome, let keepAlive): end(outcome, keepAlive: keepAlive)
        case .resolving, .over: break
        }
    }

    private func clientGone() {
        abandon()
    }

    // MARK: - Time

    /// Looks at every limit of time; called a few times a second.
    func sweep(_ now: UInt64, _ timeouts: ExchangeTimeouts) {
        switch state {
        case .relaying: break
        case .flushing:
            if let writer, now > writer.lastWriteUsec + UInt64(timeouts.idle) * 1000 {
                end(.timedOut, keepAlive: false)
            }
            return
        case .resolving, .over: return
        }
        let provider = worker.config.provider
        if !answer.isCommitted {
            if answer.isHoldingError, now > headUsec + Exchange.errorHoldUsec {
                switch answer.errorHoldExpired(parser: worker.parser) {
                case .commit: commit()
                case .fail(let failure): resolve(.fail(failure))
                case .hold, .forward, .send: break
                }
                return
            }
            let isWaiting = upstream != nil && answer.isAwaitingWhole
            if answer.isHoldingStream || isWaiting,
                now > (isWaiting ? startedUsec : headUsec) + UInt64(timeouts.commitHold) * 1000
            {
                if answer.holdExpired() == .commit { commit() }
                return
            }
            let isLate = !answer.hasContent && now > startedUsec + UInt64(timeouts.firstEvent) * 1000
            if isLate || now > deadlineUsec {
                timeOut("provider \(provider) did not answer in time")
            }
            return
        }
        guard let writer else { return }
        if isPaused {
            if now > writer.lastWriteUsec + UInt64(timeouts.idle) * 1000 { resolve(.abandon(.timedOut)) }
        } else if answer.isOpenEarly, now > startedUsec + UInt64(timeouts.firstEvent) * 1000 {
            timeOut("provider \(provider) did not answer in time")
        } else if !answer.isOpenEarly, now > lastUpstreamUsec + UInt64(timeouts.idle) * 1000 {
            timeOut("provider \(provider) has been silent for too long")
        } else if !handoff.streaming || answer.isOpenEarly, now > deadlineUsec {
            timeOut("provider \(provider) did not finish in time")
        } else if answer.acceptsKeepalive, !writer.isFull,
            now > max(lastUpstreamUsec, writer.lastWriteUsec) + UInt64(timeouts.keepalive) * 1000
        {
            worker.keepalive(for: handoff.endpoint).withUnsafeBytes {
                writer.write(body: $0, chunked: answer.framing == .chunked)
            }
            if writer.isBroken { abandon() }
        }
    }

    private func timeOut(_ text: String) {
        upstream?.cancel()
        upstream = nil
        perform(answer.upstreamBroke(GatewayError(.upstreamTimeout, text)), breakOutcome: .timedOut)
    }

    // MARK: - Performing decisions

    private func commit() {
        if !sendCommit(isLast: false) { resolve(.abandon(.aborted)) }
    }

    /// Begins the answer. Returns false when another worker has begun one, or the front has not listened for too long.
    private func sendCommit(isLast: Bool) -> Bool {
        guard let writer else { return false }
        if let token {
            guard token.take() else { return false }
            self.token = nil
        }
        guard link.begins(handoff.tag) else { return false }
        firstByteUsec = Clock.monotonicUsec() - startedUsec
        let exhaustedMsec = answer.exhaustedMsec
        link.send(
            .workerCommitted,
            HandoffCommitted(
                tag: handoff.tag, status: answer.status, failure: answer.failure,
                exhaustedMsec: exhaustedMsec,
                hasSentBody: upstream?.hasSentBody ?? true))
        // A client that asks again at once finds front knowing what it has just been told.
        if answer.failure != nil || exhaustedMsec > 0 { link.flush() }
        if answer.failure != nil { tellCooldown(answer.failure) }
        bodyBytes += UInt64(answer.held.count)
        answer.held.withUnsafeBytes {
            writer.write(head: answer.head, body: $0, chunked: answer.framing == .chunked, isLast: isLast)
        }
        answer.dropSent()
        // The request is not repeated any more; a stream may run for long without it.
        handoff.dropBody()
        return true
    }

    private func perform(_ ending: Answer.Ending, breakOutcome: ExchangeOutcome) {
        guard let writer else { return }
        switch ending {
        case .fail(let failure): fail(failure)
        case .finish(let last):
            if firstByteUsec == 0 {
                guard sendCommit(isLast: true) else { return end(.aborted, keepAlive: false) }
            } else if answer.framing == .chunked || !last.isEmpty {
                bodyBytes += UInt64(last.count)
                last.withUnsafeBytes {
                    writer.write(body: $0, chunked: answer.framing == .chunked, isLast: true)
                }
            }
            let failed = answer.status >= 400 || answer.upstreamReportedFailure
            flush(failed ? .upstreamFailed : .completed, keepAlive: answer.keepsConnection)
        case .breakOff(let event):
            if !event.isEmpty {
                event.withUnsafeBytes { writer.write(body: $0, chunked: answer.framing == .chunked) }
            }
            flush(breakOutcome, keepAlive: false)
        }
    }

    private func flush(_ outcome: ExchangeOutcome, keepAlive: Bool) {
        guard let writer else { return }
        if writer.isBroken { return end(answer.isOver ? .completed : .aborted, keepAlive: false) }
        state = .flushing(outcome, keepAlive: keepAlive)
        if !writer.isFull { end(outcome, keepAlive: keepAlive) }
    }

    /// Decides; performs at once unless the upstream is in the middle of a callback.
    private func resolve(_ resolution: Resolution) {
        guard case .relaying = state else { return }
        state = .resolving(resolution)
        worker.loop.later { [weak self] in self?.performResolution() }
    }

    private func performResolution() {
        guard case .resolving(let resolution) = state else { return }
        upstream?.cancel()
        upstream = nil
        switch resolution {
        case .fail(let failure): fail(failure)
        case .finish: perform(.finish(last: []), breakOutcome: .upstreamFailed)
        case .abandon(let outcome): end(outcome, keepAlive: false)
        case .authorize:
            guard let lease else { return }
            startOver()
            worker.credentials?.refused(lease) { [weak self] in self?.go(on: $0) }
        case .signAgain:
            guard let lease else { return }
            startOver()
            go(on: .success(lease))
        }
    }

    /// Forgets the answer so far, of which the client has seen nothing but that its stream is open.
    private func startOver() {
        if !answer.isCommitted {
            answer = Exchange.answer(
                to: handoff, provider: worker.config.provider, answer.translation, dropped)
        }
        state = .relaying
    }

    /// How long front leaves a credential alone that has no token.
    private static let tokenlessMsec = 5_000

    /// What is shown of a provider's wish to be left alone at most, in seconds.
    private static let longestCooldown = 86_400

    /// A limit that the provider has set for the credential, as front learns it as well.
    private func tellCooldown(_ report: FailureReport?) {
        guard let lease, let report, report.class == .rate || report.class == .quota,
            let seconds = report.retryAfterSeconds
        else { return }
        worker.credentials?.coolsDown(lease, seconds: min(seconds, Exchange.longestCooldown))
    }

    /// How long the body of an error may take before its status decides alone.
    private static let errorHoldUsec: UInt64 = 2_000_000

    private func fail(_ failure: Answer.Failure) {
        state = .over
        writer = nil
        link.send(
            .workerFailed,
            HandoffFailed(
                tag: handoff.tag, kind: failure.error.kind, message: failure.error.message,
                quote: failure.error.quote, retryAfter: failure.error.retryAfter, report: failure.report,
                refusal: token == nil ? nil : answer.refusal(failure)))
        tellCooldown(failure.report)
        reportRefusal()
        worker.ended(self, link)
    }

    /// A stream that says that the token is not good cannot be asked for again; the next request gets a new one.
    private func reportRefusal() {
        if let lease, answer.upstreamRefusedKey { worker.credentials?.report(lease) }
    }

    private func end(_ outcome: ExchangeOutcome, keepAlive: Bool) {
        state = .over
        // The client of a contested request is another worker's to answer, or front's to close.
        if !keepAlive, token == nil { writer?.shutDown() }
        let fullCount = writer?.fullCount ?? 0
        writer = nil
        link.send(
            .workerDone,
            HandoffDone(
                tag: handoff.tag, outcome: outcome, status: answer.status, usage: answer.usage,
                keepAlive: keepAlive,
                firstByteUsec: firstByteUsec, bodyBytes: bodyBytes, backpressureCount: fullCount,
                transformers: transformers, losses: answer.losses))
        reportRefusal()
        worker.ended(self, link, usage: answer.usage)
    }
}
