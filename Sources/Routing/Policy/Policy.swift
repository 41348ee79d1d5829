// SPDX-License-Identifier: Apache-2.0
// Who is asked, in which order, and what follows from a failure: the state that all requests of a front share. A value
// without I/O, clock or chance of its own: times are microseconds of one clock, random numbers come from a seed.
// The table of decisions is FailureRules.swift, one request's way is Course.swift.

package import Gateway

package struct Policy: Sendable {
    /// Lanes that are kept at least; beyond them a new one takes the place of one that nobody uses, since clients may pin
    /// models of any name.
    static let maximumLanes = 4_096
    /// A request that waits for a probe of another one looks again after this time.
    static let probeWaitUsec: UInt64 = 100_000

    package let config: PolicyConfig
    /// Some provider has a weight or a priority.
    let isRanked: Bool
    /// One stays at its place while an attempt is under way there.
    var lanes: [Lane] = []
    /// Where in `lanes` one is.
    var places: [LaneKey: Int] = [:]
    /// The place that was taken from its lane last.
    var lastVictim = 0
    var providers: [ProviderState]
    var affinity = Affinity()
    package internal(set) var bans = BanList()
    /// The limits per minute of credentials and models.
    package var minutes = MinuteTable()
    var random: RandomSource
    package internal(set) var counters = PolicyCounters()
    /// Grows whenever something changes that a snapshot holds.
    package internal(set) var changes: UInt64 = 0

    /// A model at a provider.
    struct LaneKey: Hashable, Sendable {
        let provider: Int
        let model: String
    }

    struct Lane: Sendable {
        let key: LaneKey
        var circuit = Breaker()
        /// One for each credential of the provider.
        var pauses: [Breaker]
        var strikes: [Int]
        var latency = Latency()
        var inFlight = 0

        init(_ key: LaneKey, credentials: Int) {
            self.key = key
            pauses = Array(repeating: Breaker(), count: credentials)
            strikes = Array(repeating: 0, count: credentials)
        }

        /// Whether this one is kept if there is no room for both: what is left alone for longer, then what was asked more
        /// often.
        func says(moreThan other: Lane) -> Bool {
            let (own, others) = (shutUntil, other.shutUntil)
            return own == others ? latency.samples > other.latency.samples : own > others
        }

        private var shutUntil: UInt64 { pauses.reduce(circuit.openUntil) { max($0, $1.openUntil) } }

        /// Whether nothing would be lost if it were forgotten.
        var isFresh: Bool {
            inFlight == 0 && circuit.isFresh && pauses.allSatisfy(\.isFresh)
        }
    }

    struct ProviderState: Sendable {
        var budget = RetryBudget()
        var credentials: [CredentialState]
        /// The places in `minutes` of the limits of its models, whichever credential asks.
        let models: [String: Int]
    }

    struct CredentialState: Sendable {
        /// Open while the credential is refused for every model.
        var gate = Breaker()
        var strikes = 0
        /// For smooth weighted round robin.
        var current = 0
        /// The place of its limit in `minutes`; nil without one.
        let minute: Int?
    }

    package init(_ config: PolicyConfig, seed: UInt64) {
        self.config = config
        isRanked = config.providers.contains { $0.weight > 0 || $0.priority != 0 }
        random = RandomSource(seed: seed)
        var minutes = MinuteTable()
        providers = config.providers.map { provider in
            let credentials = provider.credentials.map {
                CredentialState(minute: minutes.add("credential,\(provider.name),\($0.name)", $0.limit))
            }
            var models: [String: Int] = [:]
            for (model, limits) in provider.modelLimits {
                models[model] = minutes.add("model,\(provider.name),\(model)", limits)
            }
            return ProviderState(credentials: credentials, models: models)
        }
        self.minutes = minutes
    }

    // MARK: - The way of a request

    /// What a request does now: at its start, after a failure, after a wait.
    package mutating func next(_ course: inout Course, _ now: UInt64) -> Step {
        course.endWait(now)
        for index in course.entries.indices {
            guard case .open = course.entries[index].hope else {
                // A repetition that comes before other candidates is waited for.
                if case .again(let notBefore) = course.entries[index].hope,
                    retry(course.entries[index].candidate).isEager
                {
                    if notBefore <= now, let grant = repetition(&course, index, now) { return .ask(grant) }
                    if notBefore > now, let step = wait(&course, until: notBefore, now) { return step }
                }
                continue
            }
            if let grant = grant(&course, index, now) { return .ask(grant) }
        }
        for index in course.entries.indices {
            guard case .again(let notBefore) = course.entries[index].hope, notBefore <= now else { continue }
            if let grant = repetition(&course, index, now) { return .ask(grant) }
        }
        if course.calls == 0, let grant = lastResort(&course, now) { return .ask(grant) }
        let earliest = earliest(course, now)
        if let earliest, let step = wait(&course, until: earliest, now) { return step }
        counters.exhausted += 1
        return .fail(retryAfterMsec: earliest.map { Int(clamping: ($0 - now + 999) / 1000) })
    }

    /// The attempt failed before anything was sent to the client, or its error is the answer.
    package mutating func failed(
        _ course: inout Course, _ report: FailureReport, _ now: UInt64
    ) -> [PolicyNotice] {
        guard let attempt = course.attempt else { return [] }
        course.endAttempt()
        changes += 1
        course.lastFailure = report
        let candidate = course.entries[attempt.entry].candidate
        var lane = lanes[attempt.lane]
        lane.inFlight -= 1
        counters.failures[Int(report.class.rawValue), default: 0] += 1
        // The request went out, its tokens did not come back.
        settle(attempt, candidate, actual: 0, now)
        let notices = mark(report, candidate, attempt, &lane, now)
        course.note(notices, candidate, report.class)
        if FailureRule.of(report.class).mark != .none {
            affinity.failed(course.session, at: candidate.providerIndex, candidate.model)
        }
        course.entries[attempt.entry].hope = hope(after: report, &course, attempt, lane, now)
        lanes[attempt.lane] = lane
        return notices
    }

    /// The first bytes of an answer are on their way; nothing is repeated from now on.
    package mutating func committed(_ course: inout Course, _ now: UInt64) -> [PolicyNotice] {
        guard let attempt = course.attempt, !course.isCommitted else { return [] }
        course.commit()
        changes += 1
        let candidate = course.entries[attempt.entry].candidate
        let wasOpen = lanes[attempt.lane].circuit.state != .closed
        lanes[attempt.lane].circuit.succeeded(probe: attempt.probes.circuit)
        lanes[attempt.lane].pauses[attempt.credential].succeeded(probe: attempt.probes.pause)
        lanes[attempt.lane].strikes[attempt.credential] = 0
        lanes[attempt.lane].latency.succeeded(
            seconds: Double(now - attempt.startedUsec) / 1_000_000, isStream: course.isStream)
        withCredential(candidate.providerIndex, attempt.credential) {
            $0.gate.succeeded(probe: attempt.probes.credential)
            $0.strikes = 0
        }
        bans.succeeded(
            provider: candidate.provider, credential: credentialName(candidate, attempt.credential),
            model: candidate.model)
        return wasOpen && lanes[attempt.lane].circuit.state == .closed
            ? [.circuitClosed(provider: candidate.providerIndex, model: candidate.model)] : []
    }

    /// A committed answer is over.
    ///
    /// - Parameters:
    ///   - isWhole: the provider sent all of it.
    ///   - tokens: what it cost, as the provider says; 0 when it says nothing.
    package mutating func finished(
        _ course: inout Course, isWhole: Bool, tokens: Int, _ now: UInt64
    ) -> [PolicyNotice] {
        guard let attempt = course.attempt else { return [] }
        course.endAttempt()
        changes += 1
        let candidate = course.entries[attempt.entry].candidate
        lanes[attempt.lane].inFlight -= 1
        if tokens > 0 { settle(attempt, candidate, actual: tokens, now) }
        var notices: [PolicyNotice] = []
        if isWhole {
            let place = Affinity.Place(
                provider: candidate.providerIndex, model: candidate.model, credential: attempt.credential)
            affinity.answered(course.session, by: place, now)
        } else if lanes[attempt.lane].circuit.failed(probe: false, now, random: random.fraction()) {
            notices = [opened(candidate, lanes[attempt.lane].circuit, now)]
            course.note(notices, candidate, .network)
        }
        return notices
    }

    /// The client left, or what was asked ended without showing anything.
    package mutating func abandoned(_ course: inout Course, _ now: UInt64) {
        guard let attempt = course.attempt else { return }
        course.endAttempt()
        lanes[attempt.lane].inFlight -= 1
        if !course.isCommitted { release(attempt) }
    }

    /// Nothing is known of what the probes of an attempt were to show.
    mutating func release(_ attempt: Course.Attempt) {
        lanes[attempt.lane].circuit.released(probe: attempt.probes.circuit)
        lanes[attempt.lane].pauses[attempt.credential].released(probe: attempt.probes.pause)
        withCredential(lanes[attempt.lane].key.provider, attempt.credential) {
            $0.gate.released(probe: attempt.probes.credential)
        }
    }

    /// An operator bans a credential or a provider; false when there are too many bans.
    package mutating func ban(_ ban: Ban, _ now: UInt64) -> Bool {
        changes += 1
        counters.bans += 1
        return bans.add(ban, now)
    }

    /// An operator ends every ban that lies within this, and the pauses of what was banned, so that the next request may
    /// ask it. Nil is every credential, and every model. Returns the bans that were in force.
    package mutating func unban(
        provider: String, credential: String?, model: String?, _ now: UInt64
    ) -> [Ban] {
        changes += 1
        let lifted = bans.lift(provider: provider, credential: credential, model: model, now)
        for ban in lifted { resume(ban) }
        return lifted
    }

    /// What was granted never went out: no worker took it.
    package mutating func unsent(_ course: inout Course, _ now: UInt64) {
        guard let attempt = course.attempt else { return }
        let candidate = course.entries[attempt.entry].candidate
        let limits = limits(candidate, attempt.credential)
        minutes.cancel(limits.model, tokens: attempt.tokens, takenAt: attempt.startedUsec)
        minutes.cancel(limits.credential, tokens: attempt.tokens, takenAt: attempt.startedUsec)
        abandoned(&course, now)
        course.entries[attempt.entry].hope = .none
    }

    /// The provider's answer says that the credential has nothing left for so long.
    package mutating func exhausted(
        _ course: inout Course, forMsec: Int, _ now: UInt64
    ) -> [PolicyNotice] {
        guard let attempt = course.attempt else { return [] }
        let candidate = course.entries[attempt.entry].candidate
        guard config.providers[candidate.providerIndex].honorsHeaders else { return [] }
        let until = now + UInt64(forMsec) * 1000
        lanes[attempt.lane].pauses[attempt.credential].open(now, until: until, firm: true, random: 0)
        counters.pauses += 1
        course.note(.paused, candidate, .rate)
        return [
            .credentialPaused(
                provider: candidate.providerIndex, credential: attempt.credential, model: candidate.model,
                forUsec: until - now)
        ]
    }
}

extension Policy.LaneKey {
    init(_ candidate: RouteCandidate) {
        self.init(provider: candidate.providerIndex, model: candidate.model)
    }
}

/// What happened since this front started.
package struct PolicyCounters: Equatable, Sendable {
    /// Requests to providers.
    package var calls: UInt64 = 0
    /// Those after the first of each request.
    package var repeats: UInt64 = 0
    /// Repetitions at the same candidate, by the raw value of the class that led to them.
    package var repetitions: [Int: UInt64] = [:]
    /// Failed attempts by the raw value of their class.
    package var failures: [Int: UInt64] = [:]
    package var waits: UInt64 = 0
    package var pauses: UInt64 = 0
    package var bans: UInt64 = 0
    /// Second requests beside a late first one.
    package var hedges: UInt64 = 0
    /// Requests for which nobody was left.
    package var exhausted: UInt64 = 0

    package init() {}
}
