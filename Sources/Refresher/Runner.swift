// SPDX-License-Identifier: Apache-2.0
// One credential: does what its machine decides. The order of the steps is what makes a crash at any point harmless:
// intent on the disk, request, answer into the spool, commit, publication, spool wiped.

import Config
import CredentialStore
import Credentials
import EventLoop
import Glibc
import JSON
import Journal
import Posix
import SQLite

/// What a runner shares with the others.
protocol RunnerOwner: AnyObject {
    var environment: KeeperEnvironment { get }
    /// The published state of a credential is another one.
    func changed(_ runner: Runner)
    /// An attempt is over.
    func finished(_ runner: Runner)
    /// The server of this address wants to be left alone for these milliseconds.
    func coolDown(host: String, msec: UInt64)
}

final class Runner {
    let spec: CredentialSpec
    private(set) var machine: RefreshMachine
    private(set) var isRunning = false
    private let profile: TokenProfile?
    private let spool: Spool?
    private unowned let owner: any RunnerOwner
    private let environment: KeeperEnvironment
    private var exchange: TokenExchange?
    private var timer: Timer?
    /// Seconds that the server's clock is ahead of this one.
    private var skew = 0
    private var hasCorrectedSkew = false
    /// What waits to be stored.
    private var pending: SpooledGrant?
    private var storageDelayUsec: UInt64 = 2_000_000
    private var attempt = Attempt()

    private struct Attempt {
        var cause = ""
        var intent: Intent?
        var sent: Secret?
        var startedUsec: UInt64 = 0
        var status = 0
        var judgings = 0
    }

    /// Milliseconds after which the stored secret is looked at again before one is given up: another process may be
    /// about to store its successor.
    private static let judgingMsec: [UInt64] = [25, 50, 100, 250, 500, 1000]

    /// How often the file of a static key is looked at.
    private static let fileLookMsec: UInt64 = 4000

    init(_ spec: CredentialSpec, _ owner: any RunnerOwner) throws(StoreError) {
        self.spec = spec
        self.owner = owner
        environment = owner.environment
        profile = spec.profile
        spool =
            profile?.rotates == true
            ? try Spool(directory: environment.spoolDirectory, credential: spec.name) : nil
        machine = RefreshMachine(
            timing: RefreshMachine.Timing(
                advisoryLead: profile?.advisoryLead, mandatoryLead: profile?.mandatoryLead,
                rotates: profile?.rotates ?? false))
    }

    var host: String { profile.map { SafeURL.host($0.tokenURL) } ?? "" }

    private var vault: Vault { environment.vault }
    private var now: Int { environment.seconds }

    // MARK: - Start

    /// Takes up what the process before this one left.
    func recover() throws(StoreError) {
        try vault.register(spec, now: now)
        try replaySpool()
        let open = try vault.openIntents().filter { $0.credential == spec.name }
        guard let row = try vault.row(spec.name) else { return }
        load(row)
        do throws(StoreError) {
            _ = try vault.secret(spec.name, "refresh")
            _ = try vault.secret(spec.name, "access")
        } catch {
            machine.cannotOpen("\(error)")
            environment.journal.log(.error, .credentialTrouble, "credential \(spec.name): \(error)")
        }
        for intent in open {
            guard intent.wasSent else {
                try vault.close(intent, "abandoned", outcome: "not_sent", now: now)
                continue
            }
            try vault.close(intent, "lost", outcome: "indeterminate", now: now)
            let isRecent = now - (intent.sentAt ?? 0) <= 60
            machine.foundIndeterminate(hold: !isRecent, now: environment.bootMsec)
            audit("indeterminate", cause: "startup", intent: intent.id)
            if !isRecent {
                environment.journal.log(
                    .warning, .credentialTrouble,
                    "credential \(spec.name): the answer to its last refresh is not known; it is asked again when "
                        + "its token ends")
            }
        }
        try publish()
    }

    private func load(_ row: Vault.Row) {
        var left: UInt64?
        if let lifetime = row.lifetime {
            if row.bootID == environment.bootID, let deadline = row.deadline {
                left = deadline > environment.bootMsec ? deadline - environment.bootMsec : 0
            } else if now < (row.expiresAt ?? 0) - lifetime {
                // The clock is behind the time at which the token came: its age is unknown, and a 401 will tell.
                left = UInt64(lifetime) * 1000
            } else {
                left = UInt64(max(0, (row.expiresAt ?? 0) - now)) * 1000
            }
        }
        machine.load(
            generation: row.generation, lifetimeLeft: left, lifetime: row.lifetime,
            kept: row.state.needsPerson ? (row.state, row.reason) : nil, now: environment.bootMsec,
            random: environment.random())
        // A static key may have been replaced while nobody looked.
        if spec.kind == .staticKey, spec.secret != .vault { machine.renewed(now: environment.bootMsec) }
    }

    private func replaySpool() throws(StoreError) {
        guard let spool else { return }
        switch try spool.load(keys: vault.keys) {
        case .nothing: return
        case .unreadable:
            try spool.keepAside(now: now)
            audit("spool_unreadable", cause: "startup")
            environment.journal.log(
                .error, .credentialTrouble,
                "credential \(spec.name): what was put aside before the last end cannot be read; a copy is kept"
            )
        case .grant(let grant):
            let result = try commit(grant, cause: "startup", event: "recovered_from_spool")
            try spool.wipe()
            if result != .repeated {
                environment.journal.log(.notice, .credentialRenewed, "credential \(spec.name): recovered")
            }
        }
    }

    // MARK: - An attempt

    /// Whether an attempt is due.
    func isDue() -> Bool { !isRunning && machine.isDue(now: environment.bootMsec) }

    /// Starts an attempt.
    func start(cause: String, forced: Bool) {
        guard !isRunning, pending == nil else { return }
        do throws(StoreError) {
            try prepare(cause: cause, forced: forced)
        } catch {
            settle { machine.storageUnready("\(error)", now: environment.bootMsec) }
        }
    }

    private func prepare(cause: String, forced: Bool) throws(StoreError) {
        attempt = Attempt()
        attempt.cause = cause
        attempt.startedUsec = Clock.monotonicUsec()
        guard let secret = try secret() else { return }
        machine.begin(forced: forced, now: environment.bootMsec)
        isRunning = true
        guard let profile else { return takeStatic(secret) }
        attempt.sent = secret
        if let spool {
            do throws(StoreError) {
                try spool.probe()
            } catch {
                isRunning = false
                throw error
            }
            attempt.intent = try vault.openIntent(
                spec.name, generation: machine.generation, secret: secret, bootID: environment.bootID,
                pid: Int(getpid()), now: now)
            Faults.pass("after_intent")
        }
        try send(profile, secret)
    }

    private func send(_ profile: TokenProfile, _ secret: Secret) throws(StoreError) {
        var clientSecret: Secret?
        if let source = spec.clientSecret {
            do throws(StoreError) {
                clientSecret = try SecretReader.secret(source, kind: spec.kind)
            } catch {
                return end(.configError("\(error)"))
            }
        }
        guard
            let request = TokenRequest(
                profile, secret: secret, clientSecret: clientSecret, settings: spec.settings, now: now + skew)
        else { return end(.configError("the secret is no key file of a service account")) }
        if let intent = attempt.intent {
            try vault.markSent(intent, now: now)
            Faults.pass("after_sent")
        }
        do throws(Errno) {
            exchange = try TokenExchange(request, environment.loop, environment.transfers) {
                [unowned self] result in
                self.exchange = nil
                self.answered(result, profile)
            }
        } catch {
            end(.notSent("\(error)"))
        }
        owner.changed(self)
    }

    /// The long-lived secret; nil after the machine was told that there is none.
    private func secret() throws(StoreError) -> Secret? {
        if profile?.grant == .metadata || profile?.grant == .clientCredentials { return Secret("") }
        do throws(StoreError) {
            let mayRotate = profile?.rotates == true
            if spec.secret == .vault || mayRotate, let held = try vault.secret(spec.name, "refresh") {
                return held
            }
            let secret = try SecretReader.secret(spec.secret, kind: spec.kind)
            if mayRotate {
                try vault.setSecrets(
                    spec.name, ["refresh": secret], accountID: nil, event: "import", note: spec.secret.text,
                    now: now)
            }
            return secret
        } catch {
            switch error {
            case .database: throw error
            case .sealed: settle { machine.cannotOpen("\(error)") }
            default:
                let remedy =
                    spec.secret == .vault
                    ? "run ccr login \(spec.name) or ccr credentials import" : "\(error)"
                settle { machine.awaitLogin(remedy) }
            }
            return nil
        }
    }

    /// A key that is only read again.
    private func takeStatic(_ secret: Secret) {
        let token = published(TokenGrant(token: secret, lifetime: nil))
        do throws(StoreError) {
            if try vault.secret(spec.name, "access") == token.sealedForm, machine.generation > 0 {
                guard attempt.cause == "reactive" else { return finishWithout { machine.unchanged() } }
                return end(.denied("the provider refuses the key", mayProbe: true))
            }
            try store(
                SpooledGrant(
                    intent: 0, baseGeneration: machine.generation, sentFingerprint: [],
                    refresh: spec.secret == .vault ? nil : secret, token: token, lifetime: nil,
                    arrivedAt: now,
                    accountID: ""), renewAfter: nil)
        } catch {
            end(.transient("\(error)", retryAfter: nil))
        }
    }

    private func answered(_ result: ExchangeResult, _ profile: TokenProfile) {
        switch result {
        case .notSent(let text): end(.notSent(text))
        case .lost(let text): end(.indeterminate(text))
        case .answered(let answer):
            Faults.pass("after_body")
            attempt.status = answer.status
            if let server = answer.date.flatMap({ HTTPTime.parse($0) }), abs(server - now) >= 2 {
                skew = server - now
            }
            let outcome = answer.outcome(profile, now: now, parser: environment.parser)
            switch outcome {
            case .granted(let grant): granted(grant)
            case .clockSkew(let seconds) where !hasCorrectedSkew && abs(seconds) > 2:
                hasCorrectedSkew = true
                skew = seconds
                guard let sent = attempt.sent else { return end(outcome) }
                do throws(StoreError) { try send(profile, sent) } catch { end(outcome) }
            case .permanent, .suspectPermanent: judge(outcome)
            case .transient(_, let seconds?):
                owner.coolDown(host: host, msec: UInt64(seconds) * 1000)
                end(outcome)
            default: end(outcome)
            }
        }
    }

    private func granted(_ grant: TokenGrant) {
        hasCorrectedSkew = false
        do throws(StoreError) {
            let held = try vault.row(spec.name)?.accountID ?? ""
            if let account = grant.accountID, !held.isEmpty, account != held {
                return end(.denied("the answer is for another account", mayProbe: false))
            }
            let spooled = SpooledGrant(
                intent: attempt.intent?.id ?? 0, baseGeneration: machine.generation,
                sentFingerprint: attempt.intent?.fingerprint ?? [], refresh: grant.refresh,
                token: published(grant, account: grant.accountID ?? held), lifetime: grant.lifetime,
                arrivedAt: now,
                accountID: grant.accountID ?? "")
            if let spool {
                try spool.store(spooled, keys: vault.keys)
                Faults.pass("after_spool")
            }
            try store(spooled, renewAfter: grant.renewAfter)
        } catch {
            end(.transient("\(error)", retryAfter: nil))
        }
    }

    /// The header fields that go to the provider with a token.
    private func published(_ grant: TokenGrant, account: String = "") -> PublishedToken {
        let token = String(decoding: grant.token.expose(), as: UTF8.self)
        var fields = [(name: spec.header, value: Secret(spec.prefix + token))]
        if spec.kind == .codex, !account.isEmpty {
            fields.append((name: "ChatGPT-Account-ID", value: Secret(account)))
        }
        let others = grant.headers.merging(spec.headers) { $1 }
        for (name, value) in others.sorted(by: { $0.key < $1.key }) {
            fields.append((name: name, value: Secret(value)))
        }
        return PublishedToken(fields: fields, origin: grant.baseURL)
    }

    // MARK: - Storing

    private func store(_ grant: SpooledGrant, renewAfter: Int?) throws(StoreError) {
        do throws(StoreError) {
            let result = try commit(
                grant, cause: attempt.cause, event: machine.state == .needsLogin ? "late_success" : "ok")
            Faults.pass("after_vault")
            pending = nil
            storageDelayUsec = 2_000_000
            switch result {
            case .committed(let generation):
                machine.granted(
                    generation: generation, lifetime: grant.lifetime, renewAfter: renewAfter,
                    now: environment.bootMsec,
                    random: environment.random())
            case .superseded, .repeated: machine.renewed(now: environment.bootMsec)
            }
            try publish()
            Faults.pass("after_publish")
            try spool?.wipe()
            Faults.pass("after_wipe")
            environment.journal.log(
                .info, .credentialRenewed, "credential \(spec.name) has a new token",
                [
                    LogField("CCR_CREDENTIAL", spec.name),
                    LogField("CCR_CREDENTIAL_GENERATION", machine.generation),
                ])
            finish("ok")
        } catch {
            guard grant.intent > 0 else { throw error }
            // The secret is in the spool and here; nothing is sent until it is in the vault.
            pending = grant
            machine.storageFailed("\(error)")
            environment.journal.log(
                .error, .credentialTrouble,
                "credential \(spec.name): its new secret cannot be stored yet, it is kept aside: \(error)")
            owner.changed(self)
            later(storageDelayUsec) { [unowned self] in self.storeAgain() }
            storageDelayUsec = min(storageDelayUsec * 2, 30_000_000)
        }
    }

    private func storeAgain() {
        guard let pending else { return }
        // Not thrown: an intent of a pending grant has a number above 0, for which `store` keeps it.
        do throws(StoreError) { try store(pending, renewAfter: nil) } catch {}
    }

    private func commit(_ grant: SpooledGrant, cause: String, event: String) throws(StoreError)
        -> Vault.Commit
    {
        let end = grant.lifetime.map { grant.arrivedAt + $0 }
        let left = end.map { UInt64(max(0, $0 - now)) * 1000 }
        return try vault.commit(
            spec.name, intent: grant.intent, sentFingerprint: grant.sentFingerprint, refresh: grant.refresh,
            token: grant.token,
            life: Vault.Life(
                expiresAt: end, lifetime: grant.lifetime, bootID: environment.bootID,
                deadline: left.map { environment.bootMsec + $0 }), accountID: grant.accountID, cause: cause,
            event: event,
            durationMsec: attempt.startedUsec > 0
                ? Int((Clock.monotonicUsec() - attempt.startedUsec) / 1000) : nil, now: now)
    }

    /// Brings tokens.db up to date.
    func publish() throws(StoreError) {
        guard let row = try vault.row(spec.name) else { return }
        var published = TokenRow(
            credential: spec.name, provider: spec.provider, generation: row.generation,
            sequence: row.sequence,
            state: machine.state, reason: machine.reason, sealed: [], expiresAt: row.expiresAt,
            bootID: row.bootID,
            deadline: row.deadline, retryAt: nil)
        if let token = try? vault.secret(spec.name, "access") {  // what does not open is not published
            published.sealed = Envelope.seal(
                token, vault.keys.keys(for: .worker(provider: spec.provider))[0], published.place)
        }
        try environment.tokens.publish(published, now: now)
        owner.changed(self)
    }

    // MARK: - Failures

    /// A secret is given up only when nobody has replaced it meanwhile.
    private func judge(_ outcome: TokenOutcome) {
        do throws(StoreError) {
            if let sent = attempt.sent, profile?.rotates == true,
                let held = try vault.secret(spec.name, "refresh"), held != sent
            {
                if let intent = attempt.intent {
                    try vault.close(intent, "failed", outcome: "peer_rotated", now: now)
                }
                audit("peer_rotated", cause: attempt.cause, intent: attempt.intent?.id)
                machine.renewed(now: environment.bootMsec)
                return finish("peer_rotated")
            }
        } catch {
            return end(.transient("\(error)", retryAfter: nil))
        }
        guard profile?.rotates == true, attempt.judgings < Self.judgingMsec.count else { return end(outcome) }
        let delay = Self.judgingMsec[attempt.judgings] * 1000
        attempt.judgings += 1
        later(delay) { [unowned self] in self.judge(outcome) }
    }

    /// An attempt brought no token.
    private func end(_ outcome: TokenOutcome) {
        let before = machine.state
        do throws(StoreError) {
            var mayBeLost = false
            if let intent = attempt.intent, let sent = attempt.sent {
                mayBeLost = try vault.mayBeLost(spec.name, secret: sent)
                switch outcome {
                case .notSent: try vault.close(intent, "abandoned", outcome: outcome.name, now: now)
                case .indeterminate: try vault.close(intent, "lost", outcome: outcome.name, now: now)
                default: try vault.close(intent, "failed", outcome: outcome.name, now: now)
                }
            }
            machine.failed(
                outcome, mayBeLost: mayBeLost, afterResume: environment.hasJustResumed,
                now: environment.bootMsec,
                random: environment.random())
            var entry = AuditEntry(
                credential: spec.name, event: outcome.name, cause: attempt.cause, intent: attempt.intent?.id,
                outcome: outcome.name,
                durationMsec: Int((Clock.monotonicUsec() - attempt.startedUsec) / 1000),
                note: outcome.reason)
            entry.httpStatus = attempt.status > 0 ? attempt.status : nil
            try vault.audit(entry, now: now)
        } catch {
            machine.failed(
                .transient("\(error)", retryAfter: nil), now: environment.bootMsec,
                random: environment.random())
        }
        settle {}
        if machine.state != before { tell(outcome) }
        finish(outcome.name)
    }

    /// Records a state that the machine has taken on.
    private func settle(_ change: () -> Void) {
        let before = machine.state
        change()
        do throws(StoreError) {
            if machine.state.needsPerson || before.needsPerson || machine.state != before {
                try vault.setState(spec.name, machine.state, machine.reason, now: now)
            }
            try publish()
        } catch {
            environment.journal.log(.error, .credentialTrouble, "credential \(spec.name): \(error)")
        }
        if machine.state != before, machine.state == .needsLogin { tell(nil) }
    }

    /// One line for the operator on the way into a state, not one per attempt.
    private func tell(_ outcome: TokenOutcome?) {
        let fields = [LogField("CCR_CREDENTIAL", spec.name)]
        switch machine.state {
        case .needsLogin:
            environment.journal.log(
                .error, .credentialTrouble,
                "credential \(spec.name) needs a login (\(machine.reason)): run ccr login \(spec.name)",
                fields)
        case .denied, .configError:
            environment.journal.log(
                .error, .credentialTrouble,
                "credential \(spec.name): \(machine.state.rawValue): \(machine.reason)",
                fields)
        default:
            let level: LogLevel =
                outcome?.name == "protocol_error" && machine.failures >= 3 ? .error : .warning
            environment.journal.log(
                level, .credentialTrouble, "credential \(spec.name) was not renewed: \(machine.reason)",
                fields)
        }
    }

    private func audit(_ event: String, cause: String, intent: Int? = nil) {
        do throws(StoreError) {
            try vault.audit(
                AuditEntry(credential: spec.name, event: event, cause: cause, intent: intent), now: now)
        } catch {
            environment.journal.log(.error, .credentialTrouble, "audit of \(spec.name): \(error)")
        }
    }

    private func finishWithout(_ change: () -> Void) {
        change()
        finish("ok")
    }

    private func finish(_ outcome: String) {
        isRunning = false
        if case .file = spec.secret { machine.look(againAt: environment.bootMsec + Self.fileLookMsec) }
        environment.count(spec.name, outcome)
        owner.changed(self)
        owner.finished(self)
    }

    private func later(_ usec: UInt64, _ body: @escaping () -> Void) {
        do throws(Errno) {
            timer = try Timer(environment.loop, body)
            timer?.arm(afterUsec: usec)
        } catch {
            fatalError("a timer cannot be made: \(error)")
        }
    }

    // MARK: - From outside

    /// The provider refused the token of a generation.
    func refused(_ generation: UInt64) -> RefreshMachine.Rejection {
        let before = machine.state
        let verdict = machine.rejected(generation, now: environment.bootMsec)
        environment.countRefusal(spec.name)
        if machine.state == .denied, before != .denied {
            settle {}
            tell(nil)
        }
        return verdict
    }

    /// A person stored another secret.
    func secretChanged() {
        machine.renewed(now: environment.bootMsec)
    }

    /// A person logged out.
    func forgotten() {
        machine.awaitLogin("logged out")
        settle {}
    }

    /// Seals the published token with the keys that are in force now.
    func publishAgain() throws(StoreError) {
        try vault.setState(spec.name, machine.state, machine.reason, now: now)
        try publish()
    }
}
