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
import Runtime

extension FrontProcess {
    /// Sends a complete request on its way.
    func dispatch(_ request: ClientRequest) {
        gauges.activeRequests += 1
        switch request.target {
        case .worker(let endpoint, let preset): route(request, endpoint, preset: preset)
        case .exporter: exporter?.ask(request)
        case .models: answerLocally(request, body: models.current())
        case .presets: answerLocally(request, body: config.presetsBody)
        case .admin(let verb): refresher.ask(request, verb)
        case .bans(let verb): administer(request, verb)
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
            processes, refresher.credentials, policyReport, nowUsec: Clock.realtimeUsec())
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
            let facts = try body.withBytes { (bytes) throws(GatewayError) in
                try RequestBody(
                    bytes, parser: parser, scanner: body.scanner, path: path, reader: reader)
            }
            // The parser has it until it reads the next body.
            body.scanner = nil
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
            let isWhole = request.candidates.count == decision.candidates.count
            request.leading =
                isWhole
                ? decision.leading
                : decision.candidates.prefix(decision.leading).count { request.candidates.contains($0) }
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

    // MARK: - What workers say

    /// One or more messages.
    func handle(_ bytes: UnsafeRawBufferPointer, from link: WorkerLink) {
        tick()
        var reader = WireReader(bytes)
        do {
            repeat { try handleNext(&reader, from: link) } while !reader.isAtEnd
        } catch {
            protocolViolation("message from a worker: \(error)")
        }
    }

    private func handleNext(_ reader: inout WireReader, from link: WorkerLink) throws(WireError) {
        switch try MessageHead.kind(&reader) {
        case .workerDone:
            let done: HandoffDone = try reader.get()
            guard let request = link.requests.removeValue(forKey: done.tag) else {
                return shadowEnded(done.tag, status: done.status, done.outcome, done.usage)
            }
            if request.race != nil, raceEnded(request, done) { return }
            self.done(request, done)
        case .workerCommitted:
            let message: HandoffCommitted = try reader.get()
            guard let request = link.requests[message.tag] else { return }
            begins(request, message.tag)
            committed(request, message)
            // A stream may run for long without what asked for it.
            if request.isStreaming {
                if !message.hasSentBody { request.bodyFile?.isLost = true }
                request.body = nil
                request.bodyFile = nil
                request.headers = HeaderBlock()
            }
        case .workerFailed:
            let failed: HandoffFailed = try reader.get()
            guard let request = link.requests.removeValue(forKey: failed.tag) else {
                return shadowEnded(failed.tag, status: failed.report.status, .upstreamFailed)
            }
            keep(failed, for: request)
            let error = GatewayError(
                failed.kind, failed.message, quote: failed.quote, retryAfter: failed.retryAfter)
            if request.race != nil, raceFailed(request, failed.tag, error, failed.report) { return }
            candidateFailed(request, error, failed.report)
        case .workerModels:
            let offered: OfferedModels = try reader.get()
            models.received(offered, by: link)
        case let other: throw WireError.invalidValue("\(other) from a worker")
        }
    }

    /// The client has, or may have, the first bytes of an answer.
    private func begins(_ request: ClientRequest, _ tag: UInt64) {
        if request.race != nil { raceWon(request, tag) }
        request.isCommitted = true
    }

    private func done(_ request: ClientRequest, _ done: HandoffDone) {
        ended(request, done)
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
        shadowsEnded(with: link)
        let requests = link.requests
        link.requests = [:]
        for tag in link.commits.tags {
            if let request = requests[tag], !request.isCommitted { begins(request, tag) }
        }
        for (tag, request) in requests {
            if request.race != nil, raceLost(request, tag) { continue }
            if request.isCommitted {
                policy.abandoned(&request.course, now)
                record(request, status: 502, outcome: .upstreamFailed, rejection: nil)
                request.connection.breakOff()
            } else {
                let name = request.candidate?.provider ?? ""
                candidateFailed(
                    request, GatewayError(.upstreamUnreachable, "the worker of provider \(name) ended"),
                    FailureReport(.worker))
            }
        }
    }

    // MARK: - The client went away

    /// The client closed its end while another process held the request.
    func clientLeft(_ connection: Connection) {
        if let request = takeWaiting(connection) {
            withPolicy { $0.unsent(&request.course, now) }
            record(request, status: 499, outcome: .aborted, rejection: nil)
            return connection.close()
        }
        if let request = gate.remove(where: { $0.connection === connection }) {
            record(request, status: 499, outcome: .aborted, rejection: nil)
            return connection.close()
        }
        guard let request = connection.current, !request.isAbandoned else { return }
        request.isAbandoned = true
        abandon(request.tag, at: request.link)
        if let other = request.race?.other { abandon(other.tag, at: other.link) }
    }

    /// Tells a worker that nobody waits for its answer.
    func abandon(_ tag: UInt64, at link: WorkerLink?) {
        var writer = WireWriter(capacity: 16)
        MessageHead.begin(.frontAbandon, in: &writer)
        writer.put(tag)
        link?.channel?.send(writer.bytes)
    }

    /// The client closed its connection before its request was complete: nothing was asked, nothing is counted.
    func abandonedBeforeDispatch(_ request: ClientRequest) {
        journal.log(
            .debug, .clientRefused, "the client left before its request was complete",
            [LogField("CCR_REQUEST_ID", request.id)])
    }
}
