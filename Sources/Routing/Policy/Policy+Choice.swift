// SPDX-License-Identifier: Apache-2.0
// Who can be asked now, with which credential and on which terms, and how long a wait would be.

import Gateway

extension Policy {
    /// Asks a candidate if it, and one of its credentials, may be asked now.
    mutating func grant(
        _ course: inout Course, _ index: Int, _ now: UInt64, lastResort: Bool = false
    ) -> Grant? {
        let candidate = course.entries[index].candidate
        let refused = course.entries[index].refused
        let lane = place(of: LaneKey(candidate))
        guard lanes[lane].circuit.admits(now) || (lastResort && !lanes[lane].circuit.isFirm) else {
            return nil
        }
        let ofModel = providers[candidate.providerIndex].models[candidate.model]
        guard minutes.check(ofModel, tokens: course.tokens, at: now) == .admitted else { return nil }
        let usable = usableCredentials(candidate, lane, refused, course.tokens, now, lastResort: lastResort)
        guard let credential = choose(usable, candidate, course.session, now) else { return nil }
        let isFirst = course.calls == 0
        let others = usable & ~(1 << UInt64(credential))
        let attempt = Course.Attempt(
            entry: index, lane: lane, credential: credential, startedUsec: now,
            probes: (
                lanes[lane].circuit.begin(now), lanes[lane].pauses[credential].begin(now),
                providers[candidate.providerIndex].credentials[credential].gate.begin(now)
            ),
            tokens: course.tokens)
        lanes[lane].inFlight += 1
        let limits = limits(candidate, credential)
        _ = minutes.admit(limits.model, tokens: course.tokens, at: now)
        _ = minutes.admit(limits.credential, tokens: course.tokens, at: now)
        if isFirst { providers[candidate.providerIndex].budget.requested() }
        course.begin(attempt)
        changes += 1
        counters.calls += 1
        let hedgeAfterMsec =
            config.hedges && !lastResort
            ? hedgeDelayMsec(course, index, lane, hasCredential: others & ~refused != 0) : 0
        if attempt.probes.circuit { course.note(.probed, candidate, .held) }
        if course.calls > 1 {
            counters.repeats += 1
            // Who is asked beside an attempt is asked for no failure.
            if course.rivals.isEmpty {
                course.note(.retried, candidate, course.lastFailure?.class ?? .held)
            }
        }
        return Grant(
            candidate: candidate, credential: credential,
            credentialName: credentialName(candidate, credential),
            isOnlyCredential: others == 0, hedgeAfterMsec: hedgeAfterMsec,
            // What is asked although it should be left alone is not asked twice.
            terms: lastResort
                ? .none
                : terms(
                    course, attempt, hasCredential: others & ~refused != 0,
                    isHedged: hedgeAfterMsec > 0, now),
            dropped: course.dropped)
    }

    /// The credentials that may be asked now, one bit each.
    private mutating func usableCredentials(
        _ candidate: RouteCandidate, _ lane: Int, _ refused: UInt64, _ tokens: TokenDemand, _ now: UInt64,
        lastResort: Bool
    ) -> UInt64 {
        var usable: UInt64 = 0
        let provider = candidate.providerIndex
        for index in providers[provider].credentials.indices {
            guard refused & 1 << UInt64(index) == 0, lanes[lane].pauses[index].admits(now),
                providers[provider].credentials[index].gate.admits(now)
                    || lastResort && !providers[provider].credentials[index].gate.isFirm,
                !isBanned(candidate, index, now),
                minutes.check(providers[provider].credentials[index].minute, tokens: tokens, at: now)
                    == .admitted
            else { continue }
            usable |= 1 << UInt64(index)
        }
        return usable
    }

    func isBanned(_ candidate: RouteCandidate, _ credential: Int, _ now: UInt64) -> Bool {
        !bans.isEmpty
            && bans.covers(
                provider: candidate.provider, credential: credentialName(candidate, credential),
                model: candidate.model, now)
    }

    /// The session's credential, else by priority and weight.
    private mutating func choose(
        _ usable: UInt64, _ candidate: RouteCandidate, _ session: UInt64, _ now: UInt64
    ) -> Int? {
        guard usable != 0 else { return nil }
        let provider = candidate.providerIndex
        if let place = affinity.place(of: session, now), place.provider == provider,
            place.model == candidate.model, usable & 1 << UInt64(place.credential) != 0
        {
            return place.credential
        }
        guard usable & (usable - 1) != 0 else { return usable.trailingZeroBitCount }
        // nginx's smooth weighted round robin, among those of the lowest priority that can be used.
        let credentials = config.providers[provider].credentials
        let eligible = credentials.indices.filter { usable & 1 << UInt64($0) != 0 }
        let priority = eligible.map { credentials[$0].priority }.min()
        var best: Int?
        var total = 0
        for index in eligible where credentials[index].priority == priority {
            providers[provider].credentials[index].current += credentials[index].weight
            total += credentials[index].weight
            if best.map({
                providers[provider].credentials[index].current > providers[provider].credentials[$0].current
            }) ?? true {
                best = index
            }
        }
        if let best { providers[provider].credentials[best].current -= total }
        return best
    }

    /// Asks a candidate once more.
    mutating func repetition(_ course: inout Course, _ index: Int, _ now: UInt64) -> Grant? {
        let provider = course.entries[index].candidate.providerIndex
        let failure = course.lastFailure?.class ?? .client
        // A second try without a refused parameter, or after a worker of ccr's ended, multiplies no outage.
        let isFree = failure == .parameter || failure == .worker
        guard isFree || !providers[provider].budget.isEmpty else {
            if !FailureRule.of(failure).wait { course.entries[index].hope = .none }
            return nil
        }
        course.entries[index].hope = .open
        course.entries[index].repetitions += 1
        guard let grant = grant(&course, index, now) else {
            course.entries[index].hope = .none
            return nil
        }
        if !isFree { _ = providers[provider].budget.take() }
        counters.repetitions[Int(failure.rawValue), default: 0] += 1
        return grant
    }

    /// Everybody is avoided for failures of others: asks the one that may be asked soonest, rather than nobody.
    mutating func lastResort(_ course: inout Course, _ now: UInt64) -> Grant? {
        let order = course.entries.indices.filter { course.entries[$0].hope == .open }.sorted {
            let (left, right) = (course.entries[$0].candidate, course.entries[$1].candidate)
            return (circuit(left).opensAt(now), $0) < (circuit(right).opensAt(now), $1)
        }
        for index in order {
            if let grant = grant(&course, index, now, lastResort: true) { return grant }
        }
        return nil
    }

    // MARK: - Waiting

    mutating func wait(_ course: inout Course, until: UInt64, _ now: UInt64) -> Step? {
        // A little later for each, so that those who waited for the same time do not come together.
        let spread = min((until - now) / 10, 500_000)
        let time = until + UInt64(Double(spread) * random.fraction())
        guard time - now <= remainingWait(course), time < course.deadlineUsec else { return nil }
        course.wait(now)
        counters.waits += 1
        return .wait(untilUsec: time)
    }

    /// Microseconds that the request may still wait in one go.
    private func remainingWait(_ course: Course) -> UInt64 {
        let total = UInt64(config.wait.totalMsec) * 1000
        return min(total - min(course.waitedUsec, total), UInt64(config.wait.longestMsec) * 1000)
    }

    /// The first time at which some candidate may be asked again, as far as it is known.
    mutating func earliest(_ course: Course, _ now: UInt64) -> UInt64? {
        var earliest: UInt64?
        for entry in course.entries {
            let notBefore: UInt64
            switch entry.hope {
            case .open: notBefore = now
            case .again(let time): notBefore = time
            case .none: continue
            }
            guard let time = opensAt(entry, course, now) else { continue }
            earliest = min(earliest ?? .max, max(time, notBefore))
        }
        return earliest
    }

    /// When a candidate may be asked, or nil when that is not known or not worth a wait.
    private mutating func opensAt(_ entry: Course.Entry, _ course: Course, _ now: UInt64) -> UInt64? {
        let lane = lane(entry.candidate)
        let breaker = lane?.circuit ?? Breaker()
        let tokens = course.tokens
        var circuit = breaker.opensAt(now)
        // How long a provider stays broken nobody knows; who has asked nobody yet may ask it all the same.
        if breaker.state == .open, !breaker.isFirm, !breaker.admits(now), entry.hope == .open {
            guard course.calls == 0 else { return nil }
            circuit = now
        }
        var best: UInt64?
        let provider = entry.candidate.providerIndex
        for index in providers[provider].credentials.indices {
            guard entry.refused & 1 << UInt64(index) == 0,
                providers[provider].credentials[index].gate.admits(now) || course.calls == 0
                    || providers[provider].credentials[index].gate.isFirm,
                !isBanned(entry.candidate, index, now),
                let minute = fits(providers[provider].credentials[index].minute, tokens, now)
            else { continue }
            let gate = providers[provider].credentials[index].gate
            let opening = gate.isFirm ? gate.opensAt(now) : now
            best = min(best ?? .max, max(minute, lane?.pauses[index].opensAt(now) ?? now, opening))
        }
        guard let best,
            let minute = fits(providers[provider].models[entry.candidate.model], tokens, now)
        else { return nil }
        let time = max(best, minute, circuit)
        // Something may be asked now and was not: a probe of another request is under way.
        return time > now ? time : now + Self.probeWaitUsec
    }

    /// When a request of so many tokens fits; nil for never.
    private mutating func fits(_ place: Int?, _ tokens: TokenDemand, _ now: UInt64) -> UInt64? {
        switch minutes.check(place, tokens: tokens, at: now) {
        case .admitted: now
        case .wait(let usec, _): now + usec
        case .never: nil
        }
    }

    /// Whether the request has more tokens than a whole minute allows, whoever is asked.
    package mutating func exceedsLimits(_ course: Course, _ now: UInt64) -> Bool {
        for entry in course.entries {
            let provider = entry.candidate.providerIndex
            guard fits(providers[provider].models[entry.candidate.model], course.tokens, now) != nil else {
                continue
            }
            for credential in providers[provider].credentials.indices
            where fits(providers[provider].credentials[credential].minute, course.tokens, now) != nil {
                return false
            }
        }
        return true
    }

    /// Whether every candidate that is left is overloaded, as its provider says.
    package func isOverloaded(_ course: Course, _ now: UInt64) -> Bool {
        course.entries.allSatisfy { $0.hope == .none || !circuit($0.candidate).admits(now) }
    }

    /// The other candidates that could be asked in place of the present one: their circuits are closed, and they have a
    /// credential that is neither banned nor waits.
    package func others(_ course: Course, _ now: UInt64) -> [RouteCandidate] {
        course.entries.indices.filter { index in
            let candidate = course.entries[index].candidate
            let credentials = providers[candidate.providerIndex].credentials
            return index != course.attempt?.entry && mayJoin(course, index)
                && credentials.indices.contains {
                    credentials[$0].gate.admits(now) && !isBanned(candidate, $0, now)
                }
        }.map { course.entries[$0].candidate }
    }

    // MARK: - Terms

    private static let repeatable = FailureSet(
        FailureClass.allCases.filter { FailureRule.of($0).sameCredential })
    private static let elsewhere = FailureSet(
        FailureClass.allCases.filter { FailureRule.of($0).otherCandidate })
    private static let otherKey = FailureSet(
        FailureClass.allCases.filter { FailureRule.of($0).otherCredential })
    private static let waitable = FailureSet(FailureClass.allCases.filter { FailureRule.of($0).wait })
    private static let everything = FailureSet(FailureClass.allCases)
    private static let parameter = FailureSet([FailureClass.parameter])

    /// The failures after which the request has something left to try.
    private mutating func terms(
        _ course: Course, _ attempt: Course.Attempt, hasCredential: Bool, isHedged: Bool, _ now: UInt64
    ) -> ReturnTerms {
        let index = attempt.entry
        let repetitions = course.entries[index].repetitions
        var always = FailureSet()
        var repeated = FailureSet()
        // Somebody else may be about to answer: no failure is an answer, and of the second one not even its refusal.
        if isHedged { always = Self.elsewhere.union(Self.otherKey) }
        if !course.rivals.isEmpty { always = Self.everything }
        if hasCredential { always.formUnion(Self.otherKey) }
        for other in course.entries.indices
        where other != index && isReachable(course.entries[other], course, now) {
            always.formUnion(Self.elsewhere)
            break
        }
        let provider = course.entries[index].candidate.providerIndex
        let circuit = lanes[attempt.lane].circuit
        let retry = config.providers[provider].retry
        // Waits are spread by a tenth.
        let remaining = remainingWait(course) / 11 * 10
        let backOff = retry.backOffUsec(
            repetitions, averageSeconds: lanes[attempt.lane].latency.average, random: 1)
        if repetitions < retry.maximum, !providers[provider].budget.isEmpty, backOff <= remaining,
            !circuit.opensWithNextFailure
        {
            repeated = Self.repeatable.subtracting(Self.parameter).subtracting(Self.waitable)
        }
        if course.dropped.isEmpty { always.formUnion(Self.parameter) }
        let pause = config.wait.pauseUsec(strikes: lanes[attempt.lane].strikes[attempt.credential], random: 1)
        return ReturnTerms(
            always: always, repeated: repeated, afterWait: remaining > 0 ? Self.waitable : [],
            longestWaitMsec: Int(clamping: remaining / 1000),
            assumedWaitMsec: Int(clamping: max(pause, circuit.nextHoldUsec, backOff) / 1000))
    }

    /// Whether a candidate can be asked now or after a wait that the request may make.
    private mutating func isReachable(_ entry: Course.Entry, _ course: Course, _ now: UInt64) -> Bool {
        guard entry.hope != .none, let time = opensAt(entry, course, now) else { return false }
        return time - now <= max(remainingWait(course), Self.probeWaitUsec)
    }
}
