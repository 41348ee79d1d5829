// SPDX-License-Identifier: Apache-2.0
// A second request beside one whose first event is late: sent, and kept apart until one of the two answers.
// Source: Routing/Policy/Policy+Hedge.swift, docs/decisions/0019-a-token-of-the-kernel-decides-who-answers.md.

import EventLoop
import Gateway
import Journal
import Posix
import Routing

extension FrontProcess {
    /// What a request needs beside which somebody else may be asked; without it nobody is.
    func makeRace() -> Race? {
        do {
            return try Race()
        } catch {
            journal.log(.error, .limitReached, "nobody can be asked beside a late provider: \(error)")
            return nil
        }
    }

    /// The first one has been asked.
    func startClock(_ request: ClientRequest, _ race: Race, _ grant: Grant) {
        races.add(request, race, dueUsec: now + UInt64(grant.hedgeAfterMsec) * 1_000)
        armStarter()
    }

    private func armStarter() {
        guard let next = races.nextUsec else { return }
        starter?.arm(afterUsec: next > now ? next - now : 1)
    }

    /// Asks somebody else for the requests whose first event is late.
    func joinRaces() {
        tick()
        for request in races.due(now) where !request.isAbandoned { join(request) }
        armStarter()
    }

    private func join(_ request: ClientRequest) {
        // A second request takes no turn, so it must not take one from those that wait.
        guard let race = request.race, gate.waiting == 0,
            let grant = withPolicy({ $0.hedge(&request.course, now) })
        else { return }
        let tag = nextTag()
        guard let link = workers.leastBusy(grant.candidate.providerIndex),
            let body = post(request, grant, tag: tag, token: race.token, to: link)
        else {
            request.course.swapAttempts()
            return withPolicy { $0.unsent(&request.course, now) }
        }
        race.other = Race.Attempt(tag: tag, grant: grant, link: link, bodyFile: body.file)
        policyChanged()
        let late = request.candidate?.provider ?? ""
        journal.log(
            .info, .requestHedged,
            "provider \(late) is late; provider \(grant.candidate.provider) is asked too",
            [
                LogField("CCR_REQUEST_ID", request.id), LogField("CCR_UPSTREAM", grant.candidate.provider),
                LogField("CCR_MODEL", grant.candidate.model),
            ])
    }

    // MARK: - What became of it

    /// A worker has begun to answer: its attempt is the request's from now on, the other one is cancelled.
    func raceWon(_ request: ClientRequest, _ tag: UInt64) {
        if request.isOther(tag) { request.swapAttempts() }
        guard let other = request.race?.other else {
            request.race = nil
            return
        }
        policy.outrun(&request.course, now)
        abandon(other.tag, at: other.link)
    }

    /// A worker has ended an exchange. Returns false when that is the request's end as well.
    func raceEnded(_ request: ClientRequest, _ done: HandoffDone) -> Bool {
        if raceLost(request, done.tag, done.usage) { return true }
        guard !request.isCommitted else { return false }
        request.race = nil
        // Its client has left, or it found the token taken by a worker that has ended since and had not begun to answer.
        candidateFailed(
            request, GatewayError(.upstreamUnreachable, "the worker that was about to answer ended"),
            FailureReport(.worker))
        return true
    }

    /// A worker has been told a refusal that it has not passed on, since somebody else could have answered.
    func keep(_ failed: HandoffFailed, for request: ClientRequest) {
        guard let answer = failed.refusal,
            !FrontProcess.terms(.none, request).always.contains(failed.report.class),
            let grant = request.isOther(failed.tag) ? request.race?.other?.grant : request.grant
        else { return }
        request.keep(Refusal(grant, answer, isFinal: failed.report.class.isFinal))
    }

    /// Nobody is left who could answer: the client reads what a provider said.
    func finish(_ request: ClientRequest, with refusal: Refusal) {
        request.grant = refusal.grant
        record(request, status: refusal.answer.status, outcome: .upstreamFailed, rejection: nil)
        request.connection.send(
            refusal.answer.bytes, thenClose: !request.clientKeepsAlive || isDraining)
    }

    /// A worker gives a request back. Returns false when nobody else is being asked.
    func raceFailed(
        _ request: ClientRequest, _ tag: UInt64, _ error: GatewayError, _ report: FailureReport
    ) -> Bool {
        guard request.race?.other != nil else { return false }
        guard !request.isCommitted, !request.isAbandoned else { return raceLost(request, tag) }
        if request.isOther(tag) { request.swapAttempts() }
        request.bodyFile = nil
        noteFailure(request, FrontProcess.wording(error, report, for: request), report.class)
        tell(withPolicy { $0.failed(&request.course, report, now) })
        goOnAlone(request)
        return true
    }

    /// An attempt is over without a word to the client, its worker has ended, or it was too slow. Returns false when no
    /// other attempt is left for the request.
    func raceLost(_ request: ClientRequest, _ tag: UInt64, _ usage: Usage = Usage()) -> Bool {
        guard let race = request.race, race.other != nil else { return false }
        if request.isCommitted {
            guard request.isOther(tag) else { return false }
        } else {
            if !request.isOther(tag) { request.swapAttempts() }
            policy.outrun(&request.course, now)
            // Its worker may have ended with the token in its hand.
            if race.other?.link?.channel == nil { race.token.restore() }
        }
        guard let other = race.other else { return false }
        race.other = nil
        if request.isCommitted { request.race = nil }
        account(other, of: request, usage)
        return true
    }

    /// The attempt that the request's members describe is over, the other one goes on in its place.
    private func goOnAlone(_ request: ClientRequest) {
        guard let race = request.race, let other = race.other else { return }
        race.other = nil
        (request.tag, request.grant, request.link, request.bodyFile) =
            (other.tag, other.grant, other.link, other.bodyFile)
    }

    /// One record of an attempt that another one was faster than.
    private func account(_ attempt: Race.Attempt, of request: ClientRequest, _ usage: Usage) {
        guard let candidate = attempt.grant?.candidate else { return }
        let duration = now - request.startedUsec
        account(
            RequestRecord(
                sequence: 0, requestID: request.id, startedUsec: Clock.realtimeUsec() - duration,
                durationUsec: duration, firstByteUsec: 0, client: request.client.name,
                endpoint: request.endpoint?.path ?? "", provider: candidate.provider,
                model: candidate.model, status: 0, outcome: .aborted, streaming: request.isStreaming,
                usage: usage, backpressureCount: 0, failedAttempts: [], rejection: nil,
                key: request.clientKey.map { config.clients[$0].name } ?? "",
                cost: config.prices[candidate.providerIndex].cost(of: usage, model: candidate.model),
                origin: .hedge))
    }
}
