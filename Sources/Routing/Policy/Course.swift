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
        let credential: Int
        let startedUsec: UInt64
        /// Probes of the circuit, the pause and the credential.
        let probes: (circuit: Bool, pause: Bool, credential: Bool)
        /// Tokens set aside for it.
        let tokens: Int
    }

    var entries: [Entry]
    var attempt: Attempt?
    /// The session's hash, 0 for none.
    package let session: UInt64
    /// Input and output tokens that the request may cost.
    package let tokens: Int
    /// No wait goes beyond it.
    package let deadlineUsec: UInt64
    /// Requests to providers so far.
    package private(set) var calls = 0
    package private(set) var isCommitted = false
    /// Waits so far, without one that is under way.
    private(set) var waitedUsec: UInt64 = 0
    private var waitsSince: UInt64?
    /// The last failure of a provider.
    package var lastFailure: FailureReport?
    var dropped: [String] = []

    package init(_ candidates: [RouteCandidate], session: UInt64 = 0, tokens: Int = 0, deadlineUsec: UInt64) {
        entries = candidates.map { Entry(candidate: $0) }
        self.session = session
        self.tokens = tokens
        self.deadlineUsec = deadlineUsec
    }

    /// The candidate that is being asked.
    package var candidate: RouteCandidate? { attempt.map { entries[$0.entry].candidate } }

    mutating func begin(_ attempt: Attempt) {
        self.attempt = attempt
        calls += 1
    }

    mutating func commit() { isCommitted = true }

    mutating func wait(_ now: UInt64) { waitsSince = now }

    mutating func endWait(_ now: UInt64) {
        if let since = waitsSince { waitedUsec += now - min(since, now) }
        waitsSince = nil
    }

    /// Ends everything: what failed would fail everywhere.
    mutating func giveUp() {
        for index in entries.indices { entries[index].hope = .none }
    }
}
