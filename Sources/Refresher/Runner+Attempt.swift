// SPDX-License-Identifier: Apache-2.0
// One attempt to get a token: from the token endpoint, from a program, or from where a key stands.

import Config
import CredentialStore
import Credentials
import EventLoop
import Gateway
import Glibc
import JSON
import Journal
import Posix

extension Runner {
    /// Starts an attempt.
    func start(cause: String, forced: Bool) {
        guard !isRunning, pending == nil else { return }
        do throws(StoreError) {
            try prepare(cause: cause, forced: forced)
        } catch {
            let before = machine.state
            settle { machine.storageUnready("\(error)", now: environment.bootMsec) }
            if machine.state != before { tell(nil) }
        }
    }

    private func prepare(cause: String, forced: Bool) throws(StoreError) {
        attempt = Attempt()
        attempt.cause = cause
        attempt.before = machine.state
        attempt.startedUsec = Clock.monotonicUsec()
        // Read before anything is sent: an answer must be stored whatever can be read then.
        attempt.account = try vault.row(spec.name)?.accountID ?? ""
        if let path = spec.followedFile {
            begin(forced)
            return takeFollowed(path)
        }
        if !spec.command.isEmpty {
            begin(forced)
            return runHelper()
        }
        guard let secret = try secret() else { return }
        attempt.sent = secret
        guard let profile else {
            begin(forced)
            return takeStatic(secret)
        }
        // A server that replaces the secret is only asked when its successor can be kept.
        try spool?.probe()
        begin(forced)
        if spool != nil {
            do throws(StoreError) {
                attempt.intent = try vault.openIntent(
                    spec.name, generation: machine.generation, secret: secret, bootID: environment.bootID,
                    pid: Int(getpid()), now: now)
            } catch {
                isRunning = false
                throw error
            }
            Faults.pass("after_intent")
        }
        try send(profile, secret)
    }

    private func begin(_ forced: Bool) {
        machine.begin(forced: forced, now: environment.bootMsec)
        isRunning = true
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
                attempt.isHeld = true
                return held
            }
            let secret = try SecretReader.secret(spec.secret, kind: spec.kind)
            if mayRotate {
                try vault.setSecrets(
                    spec.name, ["refresh": secret], accountID: nil, event: "import", note: spec.secret.text,
                    now: now)
                attempt.isHeld = true
            }
            return secret
        } catch {
            switch error {
            case .database: throw error
            case .sealed: settle { machine.cannotOpen("\(error)") }
            default:
                // A token that a person brought without what renews it is used to its end.
                if machine.useUp(now: environment.bootMsec) { return nil }
                settle { machine.awaitLogin(spec.secret == .vault ? "no login yet; \(remedy)" : "\(error)") }
            }
            return nil
        }
    }

    // MARK: - Keys, programs

    /// A key that is only read again.
    private func takeStatic(_ secret: Secret) {
        guard spec.kind == .awsSigV4 else {
            return take(
                TokenGrant(token: secret, lifetime: nil), keeping: spec.secret == .vault ? nil : secret)
        }
        guard let keys = SigningKeys(secret.expose(), parser: environment.parser) else {
            return end(.configError("the secret holds no AWS keys in the form of credential_process"))
        }
        let lifetime = keys.expiresAt.map { $0 - now }
        if let lifetime, lifetime <= 0 { return end(.transient("the keys have expired", retryAfter: nil)) }
        take(TokenGrant(token: Secret(""), lifetime: lifetime, keys: keys), keeping: nil)
    }

    /// Stores a token that came from this machine, unless it is the one in hand.
    func take(_ grant: TokenGrant, keeping secret: Secret?) {
        let token = published(grant, account: grant.accountID ?? "")
        do throws(StoreError) {
            let isSame = try vault.secret(spec.name, "access") == token.sealedForm && machine.generation > 0
            let oldEnd = try vault.row(spec.name)?.expiresAt
            let livesOn = grant.lifetime.map { now + $0 > (oldEnd ?? 0) + 1 } ?? false
            if isSame, !livesOn || attempt.cause == "reactive" {
                guard attempt.cause == "reactive" else {
                    machine.unchanged(now: environment.bootMsec)
                    return finish("ok", counts: !spec.command.isEmpty)
                }
                return end(.denied("the provider refuses the key", mayProbe: true))
            }
            try store(
                SpooledGrant(
                    intent: 0, baseGeneration: machine.generation, sentFingerprint: sentFingerprint,
                    refresh: secret,
                    token: token, lifetime: grant.lifetime, arrivedAt: now, accountID: grant.accountID ?? ""),
                renewAfter: nil)
        } catch {
            end(.transient("\(error)", retryAfter: nil))
        }
    }

    private func runHelper() {
        environment.runHelper(spec.name) { [unowned self] answer in
            if self.attempt.isForgotten { return self.finish("logged_out", counts: false) }
            let format = self.spec.settings["command_format"].flatMap { HelperFormat(rawValue: $0) }
            let outcome = answer.outcome(
                format ?? (self.spec.kind == .awsSigV4 ? .aws : .raw),
                defaultLifetime: self.spec.integer("default_ttl"), now: self.now,
                parser: self.environment.parser)
            if case .granted(let grant) = outcome { return self.take(grant, keeping: nil) }
            if !answer.errors.isEmpty {
                self.environment.journal.log(
                    .warning, .credentialTrouble,
                    "credential \(self.spec.name): its program said: \(Redaction.line(answer.errors))",
                    [LogField("CCR_CREDENTIAL", self.spec.name)])
            }
            self.end(outcome, of: self.spec.command[0])
        }
        owner.changed(self)
    }

    // MARK: - The token endpoint's answer

    private func answered(_ result: ExchangeResult, _ profile: TokenProfile) {
        switch result {
        case .notSent(let text): end(.notSent(text), of: endpoint)
        case .lost(let text): end(.indeterminate(text), of: endpoint)
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
                guard let sent = attempt.sent else { return end(outcome, of: endpoint) }
                do throws(StoreError) { try send(profile, sent) } catch { end(outcome, of: endpoint) }
            case .permanent, .suspectPermanent: judge(outcome)
            case .transient(_, let seconds?):
                owner.coolDown(host: host, msec: UInt64(seconds) * 1000)
                end(outcome, of: endpoint)
            default: end(outcome, of: endpoint)
            }
        }
    }

    private func granted(_ grant: TokenGrant) {
        hasCorrectedSkew = false
        if let account = grant.accountID, !attempt.account.isEmpty, account != attempt.account {
            return end(.denied("the answer is for another account", mayProbe: false), of: endpoint)
        }
        let spooled = SpooledGrant(
            intent: attempt.intent?.id ?? 0, baseGeneration: machine.generation,
            sentFingerprint: sentFingerprint, refresh: grant.refresh,
            token: published(grant, account: grant.accountID ?? attempt.account), lifetime: grant.lifetime,
            arrivedAt: now, accountID: grant.accountID ?? "")
        if let spool {
            do throws(StoreError) {
                try spool.store(spooled, keys: vault.keys)
            } catch {
                // The vault may take it all the same.
                environment.journal.log(
                    .error, .credentialTrouble,
                    "credential \(spec.name): its new secret cannot be put aside: \(error)",
                    [LogField("CCR_CREDENTIAL", spec.name)])
            }
            Faults.pass("after_spool")
        }
        do throws(StoreError) {
            try store(spooled, renewAfter: grant.renewAfter)
        } catch {
            end(.transient("\(error)", retryAfter: nil))
        }
    }

    /// Of the secret in the vault that was sent; empty when what was sent stands elsewhere.
    private var sentFingerprint: [UInt8] {
        attempt.isHeld ? attempt.sent.map { vault.keys.fingerprint($0) } ?? [] : []
    }

    /// The header fields that go to the provider with a token, or the keys that sign requests to it.
    func published(_ grant: TokenGrant, account: String) -> PublishedToken {
        var fields: [(name: String, value: Secret)] = []
        var keys = grant.keys
        if keys == nil {
            let token = String(decoding: grant.token.expose(), as: UTF8.self)
            fields.append((name: spec.header, value: Secret(spec.prefix + token)))
        }
        keys?.region = spec.settings["region"] ?? ""
        keys?.service = spec.settings["service"] ?? "bedrock"
        if spec.kind == .codex, !account.isEmpty {
            fields.append((name: "ChatGPT-Account-ID", value: Secret(account)))
        }
        let others = grant.headers.merging(spec.headers) { $1 }
        for (name, value) in others.sorted(by: { $0.key < $1.key }) {
            fields.append((name: name, value: Secret(value)))
        }
        return PublishedToken(fields: fields, origin: grant.baseURL, keys: keys)
    }
}
