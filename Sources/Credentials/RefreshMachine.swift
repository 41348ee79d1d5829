// SPDX-License-Identifier: Apache-2.0
// When a credential is renewed and what follows from each outcome: one credential's life as a value, without I/O.
// All times are milliseconds of CLOCK_BOOTTIME, which counts suspended time and which nobody sets.

/// One credential.
package struct RefreshMachine: Equatable, Sendable {
    package private(set) var state: CredentialState
    package private(set) var reason = ""
    /// Grows with every new token; 0 before the first.
    package private(set) var generation: UInt64
    /// The end of the token's life; nil when there is no token or no end.
    package private(set) var validUntil: UInt64?
    /// When the next attempt is due; nil while one runs or when only a person can help.
    package private(set) var nextAttemptAt: UInt64?
    /// Attempts that failed in a row.
    package private(set) var failures = 0
    private let timing: Timing
    /// Starts of attempts that failed or were forced, for the budget.
    private var spent: [UInt64] = []
    private var grantedAt: UInt64?
    private var wasForced = false
    /// One forced attempt has been made since the last planned one.
    private var hasForced = false
    /// The token endpoint has answered 401 without a reason once.
    private var isSuspected = false

    /// What of a credential's kind decides about times.
    package struct Timing: Equatable, Sendable {
        /// Seconds before the end; nil takes a fifth of the life, at most 15 minutes.
        package var advisoryLead: Int?
        /// Seconds before the end; nil takes a twentieth of the life, at most a minute.
        package var mandatoryLead: Int?
        /// The secret may be replaced by the server, so an answer that is lost may be the end.
        package var rotates: Bool
        /// No planned attempt comes sooner after a token.
        package var minimumIntervalMsec: UInt64

        package init(
            advisoryLead: Int? = nil, mandatoryLead: Int? = nil, rotates: Bool = false,
            minimumIntervalMsec: UInt64 = 0
        ) {
            self.minimumIntervalMsec = minimumIntervalMsec
            self.advisoryLead = advisoryLead
            self.mandatoryLead = mandatoryLead
            self.rotates = rotates
        }
    }

    private static let minute: UInt64 = 60_000
    /// Attempts that may fail or be forced within `budgetWindow`.
    private static let budget = 6
    private static let budgetWindow = 10 * minute
    /// A token that is refused sooner after it was granted is not refused for its age.
    private static let youngToken: UInt64 = 10_000

    package init(timing: Timing) {
        self.timing = timing
        state = .empty
        generation = 0
        nextAttemptAt = 0
    }

    // MARK: - What is stored

    /// Goes on where the store says the credential stands.
    ///
    /// - Parameters:
    ///   - lifetimeLeft: milliseconds that the stored token still lives; nil when it has no end.
    ///   - lifetime: its whole life in seconds.
    ///   - kept: a state that outlives a restart: needs_login, denied, config_error, disabled.
    package mutating func load(
        generation: UInt64, lifetimeLeft: UInt64?, lifetime: Int?, kept: (CredentialState, String)?,
        now: UInt64,
        random: Double
    ) {
        self.generation = generation
        guard generation > 0 || kept != nil else { return }
        if generation > 0 {
            if let lifetimeLeft, let lifetime {
                validUntil = now + lifetimeLeft
                state = .fresh
                plan(lifetime: lifetime, renewAfter: nil, now: now, random: random)
            } else {
                validUntil = nil
                state = .static
                nextAttemptAt = nil
            }
        }
        guard let (keptState, keptReason) = kept, keptState.needsPerson else { return }
        state = keptState
        reason = keptReason
        nextAttemptAt = keptState == .denied || keptState == .configError ? now : nil
    }

    /// The stored secret cannot be read.
    package mutating func cannotOpen(_ text: String) {
        state = .crypto
        reason = text
        nextAttemptAt = nil
    }

    /// There is nothing to begin with until somebody logs in.
    package mutating func awaitLogin(_ text: String) {
        state = .needsLogin
        reason = text
        nextAttemptAt = nil
    }

    /// A person logged out: the token is gone too. The store has counted that as a generation.
    package mutating func loggedOut(generation: UInt64) {
        self.generation = generation
        validUntil = 0
        awaitLogin("logged out")
    }

    /// A person stored another secret or changed the settings: everything is forgotten, the next attempt is now.
    package mutating func renewed(now: UInt64) {
        state = generation > 0 ? .due : .empty
        reason = ""
        failures = 0
        spent = []
        isSuspected = false
        hasForced = false
        grantedAt = nil
        nextAttemptAt = now
    }

    /// The request before the restart may have been taken; with `hold` the token in hand is used up first, because
    /// asking with a used secret may end it.
    package mutating func foundIndeterminate(hold: Bool, now: UInt64) {
        state = .indeterminate
        reason = "the answer to the last refresh is not known"
        guard hold, let validUntil, validUntil > now else {
            nextAttemptAt = now
            return
        }
        nextAttemptAt = max(now, validUntil - min(validUntil, mandatory(lifetime: nil)))
    }

    // MARK: - Time

    /// Whether an attempt is to be started now. Call it whenever time may have passed.
    package mutating func isDue(now: UInt64) -> Bool {
        guard let nextAttemptAt, nextAttemptAt <= now else { return false }
        if state == .fresh { state = .due }
        return true
    }

    /// Whether the token in hand may be sent.
    package func isUsable(now: UInt64) -> Bool {
        guard generation > 0 else { return false }
        switch state {
        case .denied, .crypto, .disabled, .empty: return false
        default: return validUntil.map { $0 > now } ?? true
        }
    }

    // MARK: - Attempts

    /// An attempt starts. `forced` when it is not the plan or a person but a refused token that asks for it.
    package mutating func begin(forced: Bool, now: UInt64) {
        wasForced = forced
        if forced { hasForced = true }
        spent.removeAll { $0 + Self.budgetWindow <= now }
        spent.append(now)
        state = .refreshing
        nextAttemptAt = nil
    }

    /// A new token is stored.
    ///
    /// - Parameters:
    ///   - generation: its number in the store; the next one when nil.
    ///   - random: 0..<1, spreads the attempts of many credentials.
    package mutating func granted(
        generation stored: UInt64? = nil, lifetime: Int?, renewAfter: Int?, now: UInt64, random: Double
    ) {
        let before = validUntil
        generation = stored ?? generation + 1
        failures = 0
        reason = ""
        isSuspected = false
        if !wasForced {
            hasForced = false
            _ = spent.popLast()
        }
        grantedAt = now
        guard let lifetime else {
            state = .static
            validUntil = nil
            nextAttemptAt = nil
            return
        }
        state = .fresh
        validUntil = now + UInt64(lifetime) * 1000
        plan(lifetime: lifetime, renewAfter: renewAfter, now: now, random: random)
        // Of a short life little is gained, but more than nothing.
        let gain = min(1000, UInt64(lifetime) * 100)
        if let before, let validUntil, validUntil <= before + gain {
            // A cache in front of the server gave the same token again.
            nextAttemptAt = max(nextAttemptAt ?? 0, now + 30_000)
        }
    }

    /// What is not ccr's to renew was looked at and is the same: a key, another program's token.
    package mutating func unchanged(now: UInt64) {
        reason = ""
        _ = spent.popLast()
        guard generation > 0, let validUntil else {
            state = generation > 0 ? .static : .empty
            nextAttemptAt = nil
            return
        }
        state = validUntil > now ? .fresh : .due
        nextAttemptAt = now + 30_000
    }

    /// Whether there is a token that lives, whatever else is known of the credential.
    package func holdsToken(now: UInt64) -> Bool {
        generation > 0 && (validUntil.map { $0 > now } ?? true)
    }

    /// There is nothing to renew the token with: it is used to its end. False when there is none that lives.
    package mutating func useUp(now: UInt64) -> Bool {
        guard holdsToken(now: now) else { return false }
        state = validUntil == nil ? .static : .fresh
        nextAttemptAt = validUntil
        return true
    }

    /// Looks at a key without an end again at this time: its file may have been replaced.
    package mutating func look(againAt time: UInt64) {
        if state == .static { nextAttemptAt = time }
    }

    private mutating func plan(lifetime: Int, renewAfter: Int?, now: UInt64, random: Double) {
        guard let validUntil else { return }
        let life = Double(lifetime) * 1000
        let lead = min(timing.advisoryLead.map { Double($0) * 1000 } ?? 900_000, 0.2 * life)
        let early = UInt64(lead + random * 0.1 * lead)
        var at = validUntil > early ? validUntil - early : 0
        if let renewAfter { at = min(at, now + UInt64(renewAfter) * 1000) }
        nextAttemptAt = max(at, now + timing.minimumIntervalMsec)
    }

    private func mandatory(lifetime: Int?) -> UInt64 {
        if let lead = timing.mandatoryLead { return UInt64(lead) * 1000 }
        return min(Self.minute, UInt64(lifetime ?? 1200) * 1000 / 20)
    }

    /// An attempt came to something else than a token.
    ///
    /// - Parameters:
    ///   - text: the reason for people; the outcome's own when nil.
    ///   - mayBeLost: an earlier request with this secret was sent and its answer never came.
    ///   - afterResume: the machine has just woken up; its network may not be there yet.
    package mutating func failed(
        _ outcome: TokenOutcome, text: String? = nil, mayBeLost: Bool = false, afterResume: Bool = false,
        now: UInt64, random: Double
    ) {
        reason = text ?? outcome.reason
        switch outcome {
        case .granted: break
        case .notSent, .transient, .indeterminate:
            if !afterResume || outcome.name != "not_sent" { failures += 1 }
            let ceiling = Double(min(300_000, 1000 << UInt64(min(failures, 16))))
            var delay = UInt64(random * ceiling)
            if case .transient(_, let seconds?) = outcome { delay = max(delay, UInt64(seconds) * 1000) }
            state = .backoff
            if case .indeterminate = outcome, timing.rotates { state = .indeterminate }
            nextAttemptAt = now + max(delay, 100)
        case .protocolError:
            failures += 1
            state = .backoff
            nextAttemptAt = now + Self.minute + UInt64(random * 60_000)
        case .wall:
            failures += 1
            state = .backoff
            nextAttemptAt = now + min(60, 5 << UInt64(min(failures - 1, 6))) * Self.minute
        case .suspectPermanent:
            if isSuspected {
                lost(.unknown, mayBeLost)
            } else {
                isSuspected = true
                state = .backoff
                nextAttemptAt = now + Self.minute
            }
        case .permanent(let why): lost(why, mayBeLost)
        case .configError, .clockSkew:
            state = .configError
            nextAttemptAt = now + 60 * Self.minute
        case .denied(_, let mayProbe):
            state = .denied
            nextAttemptAt = mayProbe ? now + 15 * Self.minute : nil
        }
    }

    private mutating func lost(_ why: LoginReason, _ mayBeLost: Bool) {
        state = .needsLogin
        reason = (mayBeLost ? .lostRotation : why).rawValue
        nextAttemptAt = nil
    }

    /// A new secret is in hand but cannot be stored; nothing is sent until it is.
    package mutating func storageFailed(_ text: String) {
        state = .storageBlocked
        reason = text
        nextAttemptAt = nil
    }

    /// There is no room to store an answer, so nothing was sent.
    package mutating func storageUnready(_ text: String, now: UInt64) {
        _ = spent.popLast()
        state = .backoff
        reason = text
        nextAttemptAt = now + 2000
    }

    // MARK: - Refused tokens

    /// What to do about a token that the provider refused with 401.
    package enum Rejection: Equatable, Sendable {
        /// There is a newer one.
        case newer
        /// An attempt runs; its outcome counts.
        case join
        /// Start an attempt.
        case start
        /// Not now; asked again after this many milliseconds it may be.
        case wait(UInt64)
        /// A new token would be refused too.
        case hopeless
        /// No such token was ever given out.
        case impossible
    }

    /// Judges a report about the token of a generation.
    ///
    /// - Parameter restingUntil: the server that would be asked wants to be left alone until then.
    package mutating func rejected(_ refused: UInt64, restingUntil: UInt64 = 0, now: UInt64) -> Rejection {
        if refused < generation { return .newer }
        if refused > generation { return .impossible }
        switch state {
        case .refreshing: return .join
        case .denied, .configError, .needsLogin, .crypto, .disabled, .storageBlocked: return .hopeless
        default: break
        }
        if let grantedAt, now < grantedAt + Self.youngToken, hasForced {
            state = .denied
            reason = "the provider refuses new tokens too"
            nextAttemptAt = now + 15 * Self.minute
            return .hopeless
        }
        if let nextAttemptAt, nextAttemptAt > now, state == .backoff || state == .indeterminate, hasForced {
            return .wait(nextAttemptAt - now)
        }
        if restingUntil > now { return .wait(restingUntil - now) }
        let recent = spent.filter { $0 + Self.budgetWindow > now }
        if recent.count >= Self.budget, let oldest = recent.first {
            return .wait(oldest + Self.budgetWindow - now)
        }
        if let grantedAt, now < grantedAt + Self.youngToken, generation > 1, hasForced {
            return .wait(grantedAt + Self.youngToken - now)
        }
        state = .suspect
        return .start
    }
}
