// SPDX-License-Identifier: Apache-2.0
// From an admitted request to the process that answers it, candidate by candidate, and back.
// Source: ARCHITECTURE.md, "One request in ten steps".

import Bytes
import EventLoop
import Gateway
import HTTP1
import IPC
import JSON
import Journal
import Posix
import Routing

extension FrontProcess {
    /// How long a request waits for a provider's worker that is being restarted.
    static let workerWaitUsec: UInt64 = 2_000_000

    /// Sends a complete request on its way.
    func dispatch(_ request: ClientRequest) {
        gauges.activeRequests += 1
        switch request.target {
        case .worker(let endpoint, let preset): route(request, endpoint, preset: preset)
        case .exporter: exporter?.ask(request)
        case .models: answerLocally(request, body: models.current())
        case .presets: answerLocally(request, body: config.presetsBody)
        case .admin(let verb): refresher.ask(request, verb)
        case .health: answerLocally(request, body: healthBody)
        case .readiness:
            let isReady = HealthReport.isReady(processes)
            answerLocally(request, status: isReady ? 200 : 503, body: healthBody)
        case .greeting: answerLocally(request, body: Array("{\"status\":\"ok\"}".utf8))
        case nil: protocolViolation("a request without a target was dispatched")
        }
    }

    private var healthBody: [UInt8] {
        HealthReport.body(
            processes, refresher.credentials, nowSeconds: Int(Clock.realtimeUsec() / 1_000_000))
    }

    private func route(_ request: ClientRequest, _ endpoint: Endpoint, preset: String?) {
        do {
            guard let body = request.body else {
                throw GatewayError(.invalidRequest, "the request has no body")
            }
            let path = try pathFacts(request, endpoint)
            var reader = RequestReader(
                endpoint: endpoint, client: request.client, probes: config.routes.probes)
            request.head.forEachHeader { reader.header($0, $1) }
            let facts = try body.withBytes { (bytes, padded) throws(GatewayError) in
                try RequestBody(bytes, padded: padded, parser: parser, path: path, reader: reader)
            }
            if body.count > FrontProcess.largeDocument { parser.releaseMemory() }
            request.facts = facts
            if facts.isStreaming {
                gauges.activeStreams += 1
                gauges.peakStreams = max(gauges.peakStreams, gauges.activeStreams)
            }
            let decision = try models.routes.resolve(
                RoutingRequest(
                    model: facts.model, endpoint: endpoint, client: request.client, preset: preset,
                    traits: facts.traits, key: request.clientKey.map { config.clients[$0].name },
                    spread: SessionHash.mixed(request.tag)))
            request.candidates = try admit(request, facts, decision)
            request.overrides = decision.overrides
            request.decision = decision
            var nominated = NominatedFields()
            request.head.forEachHeader { name, value in
                if ASCII.equalIgnoringCase(name, "connection") { nominated.add(connection: value) }
            }
            request.head.forEachHeader { name, value in
                guard HeaderPolicy.forwardsRequest(name), !nominated.contains(name) else { return }
                request.headers.append(name, value)
            }
            try takeTurn(request)
        } catch let error as GatewayError {
            finish(request, with: error)
        } catch {
            finish(request, with: GatewayError(.overloaded, "no memory for the request body", retryAfter: 1))
        }
    }

    /// What a path says that names the model; nil for every other one.
    private func pathFacts(
        _ request: ClientRequest, _ endpoint: Endpoint
    ) throws(GatewayError) -> RequestBody.Path? {
        guard endpoint.hasModelInPath else { return nil }
        guard let model = GeminiPath(withPreset: request.path)?.modelName else {
            throw GatewayError(.invalidRequest, "the model in the path is not encoded as it should be")
        }
        return RequestBody.Path(model: model, isStreaming: endpoint == .streamGenerateContent)
    }

    /// Documents above this size leave the parser's buffers larger than an idle front should keep.
    private static let largeDocument = 8 << 20

    /// The worker does not read the request's body file any more.
    func returnBodyFile(_ request: ClientRequest) {
        if let file = request.bodyFile, let candidate = request.candidate {
            bodies.give(file, provider: candidate.providerIndex)
        }
        request.bodyFile = nil
    }

    // MARK: - Candidates

    /// Hands the request to the present candidate, or waits for its worker, or goes on to the next.
    func tryCandidate(_ request: ClientRequest) {
        guard let candidate = request.candidate else {
            return finish(
                request,
                with: request.lastError ?? GatewayError(.upstreamUnreachable, "no provider could answer"))
        }
        guard let link = workers.leastBusy(candidate.providerIndex) else {
            waiting.append(request)
            return
        }
        if !handOff(request, candidate, to: link) {
            candidateFailed(
                request,
                GatewayError(
                    .overloaded, "provider \(candidate.provider) has too many requests", retryAfter: 1))
        }
    }

    private func handOff(_ request: ClientRequest, _ candidate: RouteCandidate, to link: WorkerLink) -> Bool {
        guard let endpoint = request.endpoint, let facts = request.facts,
            let body = request.body
        else { return false }
        let splices = facts.splices(
            model: candidate.model, maxTokens: request.overrides.maxTokens,
            temperature: request.overrides.temperature,
            dialect: endpoint.dialect)
        let handoff = HandoffRequest(
            tag: request.tag, requestID: request.id, endpoint: endpoint, streaming: facts.isStreaming,
            isLastCandidate: request.attempt == request.candidates.count - 1,
            keepAlive: request.clientKeepsAlive && !isDraining, isHTTP11: request.head.minorVersion == 1,
            model: candidate.model, clientModel: facts.model ?? candidate.model,
            estimatedInput: facts.estimatedTokens, carriesEnvelope: facts.carriesEnvelope,
            bodySize: body.count, inlineBody: body.inlineBytes, splices: splices,
            headers: request.headers, query: request.head.query,
            deadlineUsec: request.startedUsec + UInt64(config.limits.totalTimeoutMsec) * 1000,
            session: facts.traits.session,
            routeNote: facts.traits.wantsExplanation ? request.decision?.note(on: candidate) ?? "" : "")
        IPC.begin(.frontHandoff, in: &handoffBuffer)
        handoffBuffer.put(handoff)
        var descriptors = [request.connection.descriptor.raw]
        var file: SharedMemory?
        if body.inlineBytes == nil {
            do {
                let memory = try body.withBytes { (bytes, _) throws(Errno) in
                    try bodies.file(holding: bytes, provider: candidate.providerIndex)
                }
                descriptors.append(memory.raw)
                file = memory
            } catch {
                journal.log(.error, .limitReached, "no memory to hand a request body over: \(error)")
                return false
            }
        }
        guard link.channel?.send(handoffBuffer.bytes, descriptors: descriptors) == .accepted else {
            return false
        }
        request.bodyFile = file
        request.link = link
        request.wasAsked = true
        link.requests[request.tag] = request
        gauges.handoffs += 1
        return true
    }

    private func candidateFailed(_ request: ClientRequest, _ error: GatewayError) {
        returnBodyFile(request)
        guard !request.isAbandoned else {
            // The client left while the candidate failed; nobody is there to be answered.
            record(request, status: 499, outcome: .aborted, rejection: nil)
            request.connection.answered(reusable: false)
            return
        }
        if let candidate = request.candidate {
            request.failedAttempts.append(FailedAttempt(provider: candidate.provider, reason: error.kind))
            journal.log(
                .info, .candidateFailed, error.message,
                [
                    LogField("CCR_REQUEST_ID", request.id), LogField("CCR_UPSTREAM", candidate.provider),
                    LogField("CCR_REASON", error.kind.name),
                ])
        }
        request.lastError = error
        request.attempt += 1
        request.waitUntilUsec = now + FrontProcess.workerWaitUsec
        tryCandidate(request)
    }

    /// A worker has come up: requests that wait may go on.
    func retryWaiting() {
        guard !waiting.isEmpty else { return }
        let requests = waiting
        waiting = []
        for request in requests { tryCandidate(request) }
    }

    /// Gives up on candidates whose worker does not come back.
    func expireWaiting(_ now: UInt64) {
        guard waiting.contains(where: { $0.waitUntilUsec < now }) else { return }
        let requests = waiting
        waiting = []
        for request in requests {
            if request.waitUntilUsec < now, let candidate = request.candidate {
                let text = "the worker of provider \(candidate.provider) is not running"
                candidateFailed(request, GatewayError(.overloaded, text, retryAfter: 1))
            } else {
                waiting.append(request)
            }
        }
    }

    // MARK: - What workers say

    func handle(_ bytes: UnsafeRawBufferPointer, from link: WorkerLink) {
        tick()
        var reader = WireReader(bytes)
        do {
            switch try IPC.kind(&reader) {
            case .workerDone:
                let done: HandoffDone = try reader.get()
                try reader.end()
                if let request = link.requests.removeValue(forKey: done.tag) { self.done(request, done) }
            case .workerCommitted:
                let committed: HandoffCommitted = try reader.get()
                try reader.end()
                guard let request = link.requests[committed.tag] else { return }
                request.isCommitted = true
                // A stream may run for long; a short answer's body file is soon used again.
                if request.isStreaming {
                    request.body = nil
                    request.bodyFile = nil
                }
            case .workerFailed:
                let failed: HandoffFailed = try reader.get()
                try reader.end()
                guard let request = link.requests.removeValue(forKey: failed.tag) else { return }
                let error = GatewayError(
                    failed.kind, failed.message, quote: failed.quote, retryAfter: failed.retryAfter)
                if failed.mayTryElsewhere {
                    candidateFailed(request, error)
                } else {
                    finish(request, with: error)
                }
            case .workerModels:
                let offered: OfferedModels = try reader.get()
                try reader.end()
                models.received(offered, by: link)
            case let other: throw WireError.invalidValue("\(other) from a worker")
            }
        } catch {
            protocolViolation("message from a worker: \(error)")
        }
    }

    private func done(_ request: ClientRequest, _ done: HandoffDone) {
        record(
            request, status: done.status, outcome: done.outcome, usage: done.usage,
            firstByteUsec: done.firstByteUsec,
            backpressureCount: done.backpressureCount, losses: done.losses,
            transformers: done.transformers, rejection: nil)
        request.connection.answered(reusable: done.keepAlive)
    }

    /// The worker died. What it had not begun to answer goes to the next candidate; an answer it was in the middle
    /// of cannot be continued: nobody knows whether its last chunk was written whole, so it is broken off.
    func workerEnded(_ link: WorkerLink) {
        tick()
        link.channel = nil
        workers.remove(link)
        let requests = link.requests
        link.requests = [:]
        for request in requests.values {
            if request.isCommitted {
                record(request, status: 502, outcome: .upstreamFailed, rejection: nil)
                request.connection.breakOff()
            } else {
                let name = request.candidate?.provider ?? ""
                candidateFailed(
                    request, GatewayError(.upstreamUnreachable, "the worker of provider \(name) ended"))
            }
        }
    }

    // MARK: - The client went away

    /// The client closed its end while another process held the request.
    func clientLeft(_ connection: Connection) {
        if let index = waiting.firstIndex(where: { $0.connection === connection }) {
            let request = waiting.remove(at: index)
            record(request, status: 499, outcome: .aborted, rejection: nil)
            return connection.close()
        }
        if let request = gate.remove(where: { $0.connection === connection }) {
            record(request, status: 499, outcome: .aborted, rejection: nil)
            return connection.close()
        }
        guard let request = connection.current, !request.isAbandoned else { return }
        request.isAbandoned = true
        var writer = WireWriter(capacity: 16)
        IPC.begin(.frontAbandon, in: &writer)
        writer.put(request.tag)
        request.link?.channel?.send(writer.bytes)
    }

    /// The client closed its connection before its request was complete: nothing was asked, nothing is counted.
    func abandonedBeforeDispatch(_ request: ClientRequest) {
        journal.log(
            .debug, .clientRefused, "the client left before its request was complete",
            [LogField("CCR_REQUEST_ID", request.id)])
    }
}
