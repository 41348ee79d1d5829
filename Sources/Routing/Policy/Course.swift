// SPDX-License-Identifier: Apache-2.0
// One request's way from candidate to candidate: what it has tried, for how long it has waited, what it may still do.
// Policy moves it on; it ends with a commit, with an error, or with the client's leaving.

package import Gateway

/// Who is asked, and on which terms.
package struct Grant: Equatable, Sendable {
    package let candidate: RouteCandidate
    /// Its place among the provider's credentials.
    package let credential: Int
    /// The credential's name, or "" where there is only one.
    package let credentialName: String
    /// No other credential of the provider could be asked in its place.
    package let isOnlyCredential: Bool
    /// Milliseconds to the first event after which somebody else is asked as well, by `Policy.hedge`; 0 for never.
    package let hedgeAfterMsec: UInt32
    /// The failures that front wants back.
    package let terms: ReturnTerms
    /// Parameters that the provider refused in this request.
    package let dropped: [String]
}

/// What happens next.
package enum Step: Equatable, Sendable {
    case ask(Grant)
    /// Ask again at this time, or earlier when something has changed.
    case wait(untilUsec: UInt64)
    /// Nobody is left. `retryAfterMsec`: when somebody can be asked again, as far as that is known.
    case fail(retryAfterMsec: Int?)
}

/// Something worth a log line.
package enum PolicyNotice: Equatable, Sendable {
    case circuitOpened(provider: Int, model: String, forUsec: UInt64)
    case circuitClosed(provider: Int, model: String)
    case credentialPaused(provider: Int, credential: Int, model: String, forUsec: UInt64)
    case banned(Ban)
}

package struct Course: Sendable {
    /// What a candidate may still do for this request.
    enum Hope: Equatable, Sendable {
        /// It may be asked, with any credential that can be.
        case open
        /// It may be asked once more after a time, within the budget.
        case again(notBefore: UInt64)
        case none
    }

    struct Entry: Sendable {
        let candidate: RouteCandidate
        var hope = Hope.open
        var repetitions = 0
        /// Credentials that refused this request, one bit each.
        var refused: UInt64 = 0
    }

    /// One attempt under way.
    struct Attempt: Sendable {
        let entry: Int
        /// The place of the lane of its candidate.
        let lane: Int
        let credential: Int
        let startedUsec: UInt64
        /// Probes of the circuit, the pause and the credential.
        let probes: (circuit: Bool, pause: Bool, credential: Bool)
        /// Taken from the limits per minute for it.
        let tokens: TokenDemand
    }

    /// The most events that are kept.
    private static let maximumEvents = 64

    var entries: [Entry]
    var attempt: Attempt?
    /// The attempt that goes on beside `attempt`: none or one.
    private(set) var rivals: [Attempt] = []
    /// The session's hash, 0 for none.
    package let session: UInt64
    /// What the request may cost.
    package let tokens: TokenDemand
    /// No wait goes beyond it.
    package let deadlineUsec: UInt64
    /// Requests to providers so far.
    package private(set) var calls = 0
    package private(set) var isCommitted = false
    /// The first event of its answer comes long before the last.
    package let isStream: Bool
    /// Somebody has been asked beside an attempt, or was looked for: no second time.
    var isHedged = false
    /// Waits so far, without one that is under way.
    private(set) var waitedUsec: UInt64 = 0
    private var waitsSince: UInt64?
    /// The last failure of a provider.
    package var lastFailure: FailureReport?
    var dropped: [String] = []
    /// What the policy did for this request or noticed by it.
    package private(set) var events: [PolicyEvent] = []

    package init(
        _ candidates: [RouteCandidate], session: UInt64 = 0, tokens: Int = 0, output: Int = 0,
        isStream: Bool = false,
        deadlineUsec: UInt64
    ) {
        entries = candidates.map { Entry(candidate: $0) }
        self.isStream = isStream
        self.session = session
        self.tokens = TokenDemand(input: tokens, output: output)
        self.deadlineUsec = deadlineUsec
    }

    /// The candidate that is being asked.
    package var candidate: RouteCandidate? { attempt.map { entries[$0.entry].candidate } }

    mutating func begin(_ attempt: Attempt) {
        self.attempt = attempt
        calls += 1
    }

    mutating func commit() { isCommitted = true }

    /// The attempt is over. Before the commit the one beside it, if there is one, goes on in its place.
    mutating func endAttempt() { attempt = isCommitted ? nil : rivals.popLast() }

    /// What `failed`, `committed` and the others speak of is the other attempt from now on.
    package mutating func swapAttempts() {
        guard let rival = rivals.popLast() else { return }
        setAside()
        attempt = rival
    }

    /// The present attempt goes on beside the one that begins next.
    mutating func setAside() {
        if let attempt { rivals.append(attempt) }
        attempt = nil
    }

    /// Takes out the attempt that is beside the present one.
    mutating func takeRival() -> Attempt? { rivals.popLast() }

    mutating func wait(_ now: UInt64) { waitsSince = now }

    mutating func endWait(_ now: UInt64) {
        if let since = waitsSince { waitedUsec += now - min(since, now) }
        waitsSince = nil
    }

    /// Microseconds of all its waits, one that is under way included.
    package func waited(_ now: UInt64) -> UInt64 {
        waitedUsec + (waitsSince.map { now - min($0, now) } ?? 0)
    }

    mutating func note(_ kind: PolicyEvent.Kind, _ candidate: RouteCandidate, _ reason: FailureClass) {
        // A request with more is lost anyway; its record has to fit into a message.
        guard events.count < Self.maximumEvents else { return }
        events.append(PolicyEvent(kind, candidate.provider, reason))
    }

    mutating func note(_ notices: [PolicyNotice], _ candidate: RouteCandidate, _ reason: FailureClass) {
        for notice in notices {
            switch notice {
            case .circuitOpened: note(.circuitOpened, candidate, reason)
            case .credentialPaused: note(.paused, candidate, reason)
            case .banned: note(.banned, candidate, reason)
            case .circuitClosed: break
            }
        }
    }

    /// Ends everything: what failed would fail everywhere.
    mutating func giveUp() {
        for index in entries.indices { entries[index].hope = .none }
    }
}
