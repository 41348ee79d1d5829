// SPDX-License-Identifier: Apache-2.0
// From one candidate to the next: performs what the policy decides, and tells it what became of each attempt.
// Source: Routing/Policy, docs/failures.md.

import EventLoop
import Gateway
import HTTP1
import IPC
import Journal
import Posix
import Routing

extension FrontProcess {
    /// How long a request waits for a provider's worker that is being restarted: for the first restart after a crash, and
    /// for later ones only when nobody else could answer.
    private static let workerWaitUsec: (withOthers: UInt64, alone: UInt64) = (250_000, 2_000_000)
    /// Output tokens that are set aside for a request until its real number is known.
    static let assumedOutputTokens = 1_000

    /// A limit that lasts longer is told as a quota, after which clients do not try again by themselves.
    private static let longestRateSeconds = 600

    /// Starts a routed request on its way.
    func setOut(_ request: ClientRequest) {
        rememberMore()
        let session = request.facts?.traits.session ?? 0
        let candidates = policy.order(
            request.candidates, leading: request.leading,
            isNamed: !(request.decision?.isStandard ?? false), session: session, now)
        request.candidates = []
        request.course = Course(
            candidates, session: session,
            tokens: request.facts?.estimatedTokens ?? 0, output: FrontProcess.assumedOutputTokens,
            isStream: request.isStreaming,
            deadlineUsec: waitDeadline(request))
        request.hasSetOut = true
        proceed(request)
    }

    /// Asks whoever is next, waits, or gives up.
    func proceed(_ request: ClientRequest) {
        switch withPolicy({ $0.next(&request.course, now) }) {
        case .ask(let grant):
            request.grant = grant
            request.waitUntilUsec = 0
            handOver(request, grant)
        case .wait(let until):
            request.wakeUsec = until
            leaveTurn(request)
            parked.append(request)
            armParking()
            journal.log(
                .info, .requestWaits, "waits \((until - now) / 1000) ms until somebody can be asked",
                [LogField("CCR_REQUEST_ID", request.id)])
        case .fail(let retryAfterMsec):
            if let refusal = request.refusal { return finish(request, with: refusal) }
            finish(request, with: refusal(request, retryAfterMsec))
        }
    }

    /// What a client is told for whom nobody is left.
    private func refusal(_ request: ClientRequest, _ retryAfterMsec: Int?) -> GatewayError {
        let seconds = retryAfterMsec.map { max(1, ($0 + 999) / 1000) }
        guard var error = request.lastError else {
            let everybody = "every provider of this model (\(Self.names(request)))"
            guard let seconds else {
                if policy.exceedsLimits(request.course, now) {
                    return GatewayError(
                        .tooLarge,
                        "the request has about \(request.course.tokens.input) tokens, more than \(everybody) may be "
                            + "asked for in a minute")
                }
                return GatewayError(
                    .overloaded,
                    "\(everybody) is banned, or out of reach for this request; ccr status says why")
            }
            if policy.isOverloaded(request.course, now) {
                return GatewayError(
                    .overloaded, "\(everybody) is overloaded; ask again in \(seconds) s", retryAfter: seconds)
            }
            // Nobody who asks again in a minute would be served.
            return GatewayError(
                seconds > FrontProcess.longestRateSeconds ? .quotaExhausted : .rateLimited,
                "\(everybody) is at its limit; ask again in \(seconds) s", retryAfter: seconds)
        }
        if let seconds, [.rateLimited, .overloaded].contains(error.kind) {
            error.retryAfter = max(seconds, error.retryAfter ?? 0)
        }
        return error
    }

    /// Names that a refusal lists.
    private static let maximumNames = 4

    /// Who might have answered, in the order of asking.
    private static func names(_ request: ClientRequest) -> String {
        var names: [String] = []
        for candidate in request.decision?.candidates ?? [] where !names.contains(candidate.provider) {
            names.append(candidate.provider)
        }
        return names.prefix(maximumNames).joined(separator: ", ") + (names.count > maximumNames ? ", …" : "")
    }

    // MARK: - Handing over

    /// Hands the request to the granted candidate, or waits for its worker, or goes on to the next.
    private func handOver(_ request: ClientRequest, _ grant: Grant) {
        let candidate = grant.candidate
        guard let link = workers.leastBusy(candidate.providerIndex) else { return awaitWorker(request) }
        request.race = grant.hedgeAfterMsec > 0 ? makeRace() : nil
        guard let body = post(request, grant, tag: request.tag, token: request.race?.token, to: link)
        else {
            request.race = nil
            // It has just ended; the next one is on its way.
            if !link.takesMessages { return awaitWorker(request) }
            return unsent(request, "provider \(candidate.provider) has too many requests")
        }
        request.bodyFile = body.file
        request.link = link
        if let race = request.race { startClock(request, race, grant) }
        if let target = request.decision?.shadow, request.course.calls == 1 { copy(request, to: target) }
    }

    /// Where a worker finds the body.
    struct PostedBody {
        /// Nil when the body is in the message.
        var file: BodyFile?
    }

    /// Sends a request to a worker, under its own tag. Returns nil when it could not be sent.
    ///
    /// - Parameters:
    ///   - token: of a request that another worker may answer as well.
    ///   - isDiscarded: nobody gets the answer; the worker's messages are not about the request.
    func post(
        _ request: ClientRequest, _ grant: Grant, tag: UInt64, token: CommitToken?,
        isDiscarded: Bool = false, to link: WorkerLink
    ) -> PostedBody? {
        guard let endpoint = request.endpoint, let facts = request.facts, let body = request.body
        else { return nil }
        let candidate = grant.candidate
        let splices = facts.splices(
            model: candidate.model, maxTokens: request.overrides.maxTokens,
            temperature: request.overrides.temperature,
            dialect: endpoint.dialect)
        let handoff = HandoffRequest(
            tag: tag, requestID: request.id, endpoint: endpoint, streaming: facts.isStreaming,
            terms: FrontProcess.terms(grant.terms, request), credential: grant.credentialName,
            isOnlyCredential: grant.isOnlyCredential, isContested: token != nil,
            isDiscarded: isDiscarded,
            dropped: grant.dropped,
            keepAlive: request.clientKeepsAlive && !isDraining, isHTTP11: request.head.minorVersion == 1,
            model: candidate.model, effort: request.overrides.effort ?? "",
            clientModel: facts.model ?? candidate.model,
            estimatedInput: facts.estimatedTokens, carriesEnvelope: facts.carriesEnvelope,
            bodySize: body.count, inlineBody: body.inlineBytes, splices: splices,
            headers: request.headers, query: request.head.query,
            deadlineUsec: request.startedUsec + UInt64(config.limits.totalTimeoutMsec) * 1000,
            session: facts.traits.session,
            routeNote: facts.traits.wantsExplanation ? request.decision?.note(on: candidate) ?? "" : "")
        MessageHead.begin(.frontHandoff, in: &handoffBuffer)
        handoffBuffer.put(handoff)
        var descriptors = isDiscarded ? [] : [request.connection.descriptor.raw]
        var file: BodyFile?
        if body.inlineBytes == nil {
            do throws(Errno) {
                let held = try bodyFile(body, for: candidate.providerIndex)
                descriptors.append(held.memory.raw)
                file = held
            } catch {
                journal.log(.error, .limitReached, "no memory to hand a request body over: \(error)")
                return nil
            }
        }
        if let token { descriptors.append(token.raw) }
        guard link.channel?.send(handoffBuffer.view, descriptors: descriptors) == .accepted else {
            return nil
        }
        gauges.handoffs += 1
        guard !isDiscarded else { return PostedBody(file: file) }
        request.wasAsked = true
        request.connection.lastProvider = candidate.providerIndex
        link.requests[tag] = request
        return PostedBody(file: file)
    }

    /// The file in which a provider's worker finds a large body.
    private func bodyFile(_ body: BodyStore, for provider: Int) throws(Errno) -> BodyFile {
        if let file = body.file(of: provider) { return file }
        return try body.withBytes { (bytes) throws(Errno) in
            try bodies.file(holding: bytes, provider: provider)
        }
    }

    /// What was granted did not go out.
    private func unsent(_ request: ClientRequest, _ text: String) {
        let error = GatewayError(.overloaded, text, retryAfter: 1)
        noteFailure(request, error, .held)
        withPolicy { $0.unsent(&request.course, now) }
        proceed(request)
    }

    // MARK: - What became of it

    /// Nothing was sent to the client.
    func candidateFailed(_ request: ClientRequest, _ error: GatewayError, _ report: FailureReport) {
        request.bodyFile = nil
        request.race = nil
        guard !request.isAbandoned else {
            // The client left while the candidate failed; nobody is there to be answered.
            policy.abandoned(&request.course, now)
            record(request, status: 499, outcome: .aborted, rejection: nil)
            request.connection.answered(reusable: false)
            return
        }
        noteFailure(request, FrontProcess.wording(error, report, for: request), report.class)
        tell(withPolicy { $0.failed(&request.course, report, now) })
        proceed(request)
    }

    func noteFailure(_ request: ClientRequest, _ error: GatewayError, _ failure: FailureClass) {
        request.lastError = error
        guard let candidate = request.candidate else { return }
        request.failedAttempts.append(FailedAttempt(provider: candidate.provider, reason: error.kind))
        journal.log(
            .info, .candidateFailed, error.message,
            [
                LogField("CCR_REQUEST_ID", request.id), LogField("CCR_UPSTREAM", candidate.provider),
                LogField("CCR_REASON", error.kind.name), LogField("CCR_FAILURE", failure.name),
            ])
    }

    /// The answer's head is on its way.
    func committed(_ request: ClientRequest, _ message: HandoffCommitted) {
        if let failure = message.failure {
            // The provider's error is the answer.
            return tell(withPolicy { $0.failed(&request.course, failure, now) })
        }
        tell(policy.committed(&request.course, now))
        if message.exhaustedMsec > 0 {
            tell(policy.exhausted(&request.course, forMsec: message.exhaustedMsec, now))
        }
    }

    /// The answer is over.
    func ended(_ request: ClientRequest, _ done: HandoffDone) {
        let usage = done.usage
        let tokens = usage.input + usage.output + usage.cacheRead + usage.cacheWrite
        switch done.outcome {
        case .completed where request.course.isCommitted:
            tell(withPolicy { $0.finished(&request.course, isWhole: true, tokens: tokens, now) })
        case .upstreamFailed where request.course.isCommitted:
            tell(withPolicy { $0.finished(&request.course, isWhole: false, tokens: tokens, now) })
        default: policy.abandoned(&request.course, now)
        }
    }

    // MARK: - Waiting

    /// The worker of the granted candidate is not there at the moment.
    private func awaitWorker(_ request: ClientRequest) {
        waiting.append(request)
        // Another worker that comes up gives no more time.
        guard request.waitUntilUsec == 0 else { return }
        let hasOthers = policy.others(request.course, now).contains {
            workers.leastBusy($0.providerIndex) != nil
        }
        let wait = FrontProcess.workerWaitUsec
        request.waitUntilUsec = now + (hasOthers ? wait.withOthers : wait.alone)
    }

    /// A worker has come up: requests that wait for one may go on.
    func retryWaiting() {
        guard !waiting.isEmpty else { return }
        let requests = waiting
        waiting = []
        for request in requests {
            if let grant = request.grant { handOver(request, grant) }
        }
    }

    /// Gives up on candidates whose worker does not come back.
    func expireWaiting(_ now: UInt64) {
        guard waiting.contains(where: { $0.waitUntilUsec < now }) else { return }
        let requests = waiting
        waiting = []
        for request in requests {
            if request.waitUntilUsec < now, let candidate = request.candidate {
                unsent(request, "the worker of provider \(candidate.provider) is not running")
            } else {
                waiting.append(request)
            }
        }
    }

    /// The request of a connection that no other process holds, if it has one.
    func takeWaiting(_ connection: Connection) -> ClientRequest? {
        if let index = waiting.firstIndex(where: { $0.connection === connection }) {
            return waiting.remove(at: index)
        }
        guard let index = parked.firstIndex(where: { $0.connection === connection }) else { return nil }
        return parked.remove(at: index)
    }

    private func armParking() {
        guard let earliest = parked.map(\.wakeUsec).min() else { return }
        parking?.arm(afterUsec: earliest > now ? earliest - now : 1)
    }

    /// Requests whose wait is over look again.
    func wakeParked() {
        tick()
        let due = parked.filter { $0.wakeUsec <= now }
        parked.removeAll { $0.wakeUsec <= now }
        for request in due { takeTurnAgain(request) }
        armParking()
    }

    /// Somebody may be asked again earlier than was thought.
    func wakeAllParked() {
        for request in parked { request.wakeUsec = now }
        wakeParked()
    }

    // MARK: - What the policy noticed

    func tell(_ notices: [PolicyNotice]) {
        for notice in notices {
            switch notice {
            case .circuitOpened(let provider, let model, let usec):
                log(.circuitChanged, provider, model, "is left alone for \(usec / 1000) ms", .warning)
            case .circuitClosed(let provider, let model):
                log(.circuitChanged, provider, model, "is well again", .notice)
            case .credentialPaused(let provider, let credential, let model, let usec):
                let name = config.policy.providers[provider].credentials[credential].name
                let holder = name.isEmpty ? "its key" : "its credential \(name)"
                log(
                    .credentialPaused, provider, model, "\(holder) is left alone for \(usec / 1000) ms",
                    .notice)
            case .banned(let ban):
                journal.log(.error, .credentialBanned, BanText.line(ban, now), BanText.fields(ban))
            }
        }
    }

    private func log(_ kind: LogKind, _ provider: Int, _ model: String, _ text: String, _ level: LogLevel) {
        let name = config.routes.providers[provider].name
        var fields = [LogField("CCR_UPSTREAM", name)]
        if !model.isEmpty { fields.append(LogField("CCR_MODEL", model)) }
        journal.log(
            level, kind, "provider \(name)\(model.isEmpty ? "" : ", model \(model)"): \(text)", fields)
    }
}
