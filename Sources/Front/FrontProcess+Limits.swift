// SPDX-License-Identifier: Apache-2.0
// What a client key may do, and whose turn it is: between routing and the first candidate.

import EventLoop
import Gateway
import Posix
import Routing

extension FrontProcess {
    /// Takes what the request is thought to use from its key's windows.
    ///
    /// - Returns: the candidates that the key may use.
    /// - Throws: 402, 403 or 429.
    func admit(
        _ request: ClientRequest, _ facts: RequestBody, _ decision: RouteDecision
    ) throws(GatewayError) -> [RouteCandidate] {
        guard let client = request.clientKey else { return decision.candidates }
        let allowed = try config.clients[client].allowed(decision.candidates, model: facts.model)
        request.hold = try withLedger { (ledger) throws(GatewayError) in
            try ledger.admit(
                client, input: facts.estimatedTokens, output: FrontProcess.assumedOutputTokens, now: now,
                realtime: Clock.realtimeUsec())
        }
        return allowed
    }

    /// Sends the request on, or lets it wait for its turn.
    ///
    /// - Throws: 429 when too many requests of its key wait already.
    func takeTurn(_ request: ClientRequest) throws(GatewayError) {
        switch gate.enter(request, key: line(of: request), deadline: turnDeadline(request)) {
        case .goesOn: begin(request)
        case .waits: break
        case .isFull:
            throw GatewayError(
                .rateLimited, "too many requests wait for their turn (limit \(config.limits.queuedRequests))",
                retryAfter: 1)
        }
    }

    /// When a request has waited for its turn for too long.
    private func turnDeadline(_ request: ClientRequest) -> UInt64 {
        min(now + UInt64(config.limits.queueTimeoutMsec) * 1_000, waitDeadline(request))
    }

    /// When a request must not wait any longer, for whatever reason.
    func waitDeadline(_ request: ClientRequest) -> UInt64 {
        request.client.waitsUntil(
            startedUsec: request.startedUsec, totalMsec: config.limits.totalTimeoutMsec)
    }

    private func begin(_ request: ClientRequest) {
        request.hasTurn = true
        if request.hasSetOut { proceed(request) } else { setOut(request) }
    }

    /// A request that has waited until somebody may be asked takes a turn again, the next one of its key.
    func takeTurnAgain(_ request: ClientRequest) {
        if gate.enterAgain(request, key: line(of: request), deadline: turnDeadline(request)) {
            begin(request)
        }
    }

    /// Requests without a key wait in a line of their own.
    private func line(of request: ClientRequest) -> Int { request.clientKey ?? config.clients.count }

    /// The request is over: what it has not used is given back, and others may go on.
    func giveBack(_ request: ClientRequest, _ usage: Usage) {
        if let hold = request.hold {
            request.hold = nil
            let used = usage.input + usage.cacheRead + usage.cacheWrite + usage.output
            withLedger {
                $0.settle(hold, tokens: used > 0 ? used : nil, wasAsked: request.wasAsked, now: now)
            }
        }
        leaveTurn(request)
    }

    /// Others may go on in the place of a request that is over, or asks nobody for a while.
    func leaveTurn(_ request: ClientRequest) {
        guard request.hasTurn else { return }
        request.hasTurn = false
        gate.leave(line(of: request))
        guard gate.waiting > 0 else { return }
        // Not from here: what this request does now is not done yet.
        loop.later { [weak self] in self?.callNext() }
    }

    private func callNext() {
        while let request = gate.next() { begin(request) }
    }

    /// Refuses those that have waited for too long.
    func expireQueue(_ now: UInt64) {
        for request in gate.expire(now) {
            let seconds = (config.limits.queueTimeoutMsec + 999) / 1_000
            finish(
                request,
                with: GatewayError(
                    .rateLimited, "other requests took every turn for \(seconds) s", retryAfter: 1))
        }
    }

    /// What a request has cost by the configured prices. Of an answer whose provider counted nothing, the input by estimate.
    func cost(of request: ClientRequest, _ usage: Usage, status: Int, at candidate: RouteCandidate?) -> Int {
        guard let candidate else { return 0 }
        var usage = usage
        if usage == Usage(), status < 400 { usage.input = request.facts?.estimatedTokens ?? 0 }
        return config.prices[candidate.providerIndex].cost(of: usage, model: candidate.model)
    }
}
