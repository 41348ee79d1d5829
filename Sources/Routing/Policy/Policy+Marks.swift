// SPDX-License-Identifier: Apache-2.0
// What an attempt's end says about those that come later, and what is left for the request itself.

import Gateway

extension Policy {
    mutating func mark(
        _ report: FailureReport, _ candidate: RouteCandidate, _ attempt: Course.Attempt, _ lane: inout Lane,
        _ now: UInt64
    ) -> [PolicyNotice] {
        var notices: [PolicyNotice] = []
        let provider = candidate.providerIndex
        let told = report.retryAfterMsec.map { now + UInt64($0) * 1000 }
        switch FailureRule.of(report.class).mark {
        case .count:
            lane.latency.failed()
            if lane.circuit.failed(probe: attempt.probes.circuit, now, random: random.fraction()) {
                notices.append(opened(candidate, lane.circuit, now))
            }
        case .circuit:
            lane.latency.failed()
            let wasOpen = lane.circuit.state == .open
            lane.circuit.open(now, until: told, firm: told != nil, random: random.fraction())
            if !wasOpen { notices.append(opened(candidate, lane.circuit, now)) }
        case .pause:
            lane.strikes[attempt.credential] += 1
            let until =
                told
                ?? now
                + config.wait.pauseUsec(
                    strikes: lane.strikes[attempt.credential] - 1, random: random.fraction())
            lane.pauses[attempt.credential].open(now, until: until, firm: true, random: 0)
            notices.append(
                .credentialPaused(
                    provider: provider, credential: attempt.credential, model: candidate.model,
                    forUsec: until - now))
            counters.pauses += 1
        case .credential:
            let strikes = providers[provider].credentials[attempt.credential].strikes
            let hold = Self.credentialHoldUsec << UInt64(min(strikes, 5))
            let until = told ?? now + UInt64(Double(hold) * (0.8 + 0.2 * random.fraction()))
            withCredential(provider, attempt.credential) {
                $0.strikes += 1
                $0.gate.open(now, until: until, firm: told != nil && report.class == .quota, random: 0)
            }
            notices.append(
                .credentialPaused(
                    provider: provider, credential: attempt.credential, model: "", forUsec: until - now))
            counters.pauses += 1
        case .none: break
        }
        release(attempt, candidate, &lane, report)
        if let ban = bans.failed(
            provider: candidate.provider, credential: credentialName(candidate, attempt.credential),
            model: candidate.model, status: report.status, config.bans, now)
        {
            counters.bans += 1
            notices.append(.banned(ban))
        }
        return notices
    }

    /// A refused credential is left alone for a minute, doubled each time up to half an hour.
    private static let credentialHoldUsec: UInt64 = 60_000_000

    /// Lets go of the probes that the failure did not decide, and counts what it shows to be well.
    private mutating func release(
        _ attempt: Course.Attempt, _ candidate: RouteCandidate, _ lane: inout Lane, _ report: FailureReport
    ) {
        let mark = FailureRule.of(report.class).mark
        if mark != .count, mark != .circuit {
            // A provider that refuses a request is alive.
            if report.status > 0 {
                lane.circuit.succeeded(probe: attempt.probes.circuit)
            } else {
                lane.circuit.released(probe: attempt.probes.circuit)
            }
        }
        if mark != .pause { lane.pauses[attempt.credential].released(probe: attempt.probes.pause) }
        if mark != .credential {
            withCredential(candidate.providerIndex, attempt.credential) {
                $0.gate.released(probe: attempt.probes.credential)
            }
        }
    }

    func opened(_ candidate: RouteCandidate, _ circuit: Breaker, _ now: UInt64) -> PolicyNotice {
        .circuitOpened(
            provider: candidate.providerIndex, model: candidate.model,
            forUsec: circuit.openUntil - min(now, circuit.openUntil))
    }

    /// What is left of a candidate for the request that failed there.
    mutating func hope(
        after report: FailureReport, _ course: inout Course, _ attempt: Course.Attempt, _ lane: Lane,
        _ now: UInt64
    ) -> Course.Hope {
        let rule = FailureRule.of(report.class)
        let entry = course.entries[attempt.entry]
        let retry = retry(entry.candidate)
        if report.class == .parameter {
            guard course.dropped.isEmpty, !report.parameter.isEmpty else {
                course.giveUp()
                return .none
            }
            course.dropped = [report.parameter]
            return .again(notBefore: now)
        }
        if !rule.otherCandidate { course.giveUp() }
        if rule.mark == .credential || !report.mayRepeat {
            course.entries[attempt.entry].refused |= 1 << UInt64(attempt.credential)
        }
        // Another credential, or the same one when its pause is over.
        if rule.otherCredential { return .open }
        guard rule.sameCredential, report.mayRepeat else { return .none }
        // A request that ends workers must not end them for ever.
        if report.class == .worker { return entry.repetitions == 0 ? .again(notBefore: now) : .none }
        guard entry.repetitions < retry.maximum || rule.wait else { return .none }
        if providers[entry.candidate.providerIndex].budget.isEmpty {
            course.note(.denied, entry.candidate, report.class)
        }
        let backOff =
            now
            + retry.backOffUsec(
                entry.repetitions, averageSeconds: lane.latency.average, random: random.fraction())
        if rule.wait { return .again(notBefore: max(backOff, lane.circuit.opensAt(now))) }
        return lane.circuit.admits(now) ? .again(notBefore: backOff) : .none
    }

    // MARK: - Parts

    func retry(_ candidate: RouteCandidate) -> RetryRule { config.providers[candidate.providerIndex].retry }

    func credentialName(_ candidate: RouteCandidate, _ credential: Int) -> String {
        config.providers[candidate.providerIndex].credentials[credential].name
    }

    /// The lane of a candidate; nil when nothing is known of it.
    func lane(_ candidate: RouteCandidate) -> Lane? { places[LaneKey(candidate)].map { lanes[$0] } }

    /// Where a lane is, which is made if there is none.
    mutating func place(of key: LaneKey) -> Int {
        if let place = places[key] { return place }
        let lane = Lane(key, credentials: providers[key.provider].credentials.count)
        let place = freePlace() ?? lanes.count
        if place == lanes.count {
            lanes.append(lane)
        } else {
            places[lanes[place].key] = nil
            lanes[place] = lane
        }
        places[key] = place
        return place
    }

    /// When there are too many lanes, the place of one of the next that says nothing, else of one where nothing is under
    /// way.
    private mutating func freePlace() -> Int? {
        guard lanes.count >= Self.maximumLanes else { return nil }
        let order = (1...lanes.count).lazy.map { [count = lanes.count, last = lastVictim] in
            (last + $0) % count
        }
        guard
            let place = order.prefix(64).first(where: { lanes[$0].isFresh })
                ?? order.first(where: { lanes[$0].inFlight == 0 })
        else { return nil }
        lastVictim = place
        return place
    }

    /// Counts what an attempt cost in place of what was set aside for it.
    mutating func settle(
        _ attempt: Course.Attempt, _ candidate: RouteCandidate, actual: Int, _ now: UInt64
    ) {
        let limits = limits(candidate, attempt.credential)
        for place in [limits.model, limits.credential] {
            minutes.settle(
                place, tokens: attempt.tokens, takenAt: attempt.startedUsec, actual: actual, at: now)
        }
    }

    /// The circuit of a candidate.
    func circuit(_ candidate: RouteCandidate) -> Breaker {
        places[LaneKey(candidate)].map { lanes[$0].circuit } ?? Breaker()
    }

    /// The places in `minutes` of the limits that an attempt is counted against.
    func limits(_ candidate: RouteCandidate, _ credential: Int) -> (model: Int?, credential: Int?) {
        (
            providers[candidate.providerIndex].models[candidate.model],
            providers[candidate.providerIndex].credentials[credential].minute
        )
    }

    mutating func withCredential(_ provider: Int, _ credential: Int, _ body: (inout CredentialState) -> Void)
    {
        body(&providers[provider].credentials[credential])
    }

    /// The models that a provider was asked for lately.
    package func models(askedOf provider: Int) -> [String] {
        lanes.map(\.key).filter { $0.provider == provider }.map(\.model)
    }

    /// Forgets why the credentials of a ban are left alone.
    mutating func resume(_ ban: Ban) {
        guard let provider = config.providers.firstIndex(where: { $0.name == ban.provider }) else { return }
        for (credential, settings) in config.providers[provider].credentials.enumerated()
        where ban.credential.isEmpty || ban.credential == settings.name {
            withCredential(provider, credential) {
                $0.gate = Breaker()
                $0.strikes = 0
            }
            for place in lanes.indices
            where lanes[place].key.provider == provider
                && (ban.model.isEmpty || ban.model == lanes[place].key.model)
            {
                lanes[place].pauses[credential] = Breaker()
                lanes[place].strikes[credential] = 0
            }
        }
    }
}
