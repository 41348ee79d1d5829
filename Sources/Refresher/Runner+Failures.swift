// SPDX-License-Identifier: Apache-2.0
// What follows from an attempt that brought no token: the state, one line for the operator, one for the audit table.

import Config
import CredentialStore
import Credentials
import Journal
import Posix

extension Runner {
    /// Milliseconds after which the stored secret is looked at again before one is given up: another process may be
    /// about to store its successor.
    private static let judgingMsec: [UInt64] = [25, 50, 100, 250, 500, 1000]

    /// A secret is given up only when nobody has replaced it meanwhile.
    func judge(_ outcome: TokenOutcome) {
        do throws(StoreError) {
            if let sent = attempt.sent, attempt.isHeld,
                let held = try vault.secret(spec.name, "refresh"), held != sent
            {
                if let intent = attempt.intent {
                    try vault.close(intent, "failed", outcome: "peer_rotated", now: now)
                }
                audit("peer_rotated", cause: attempt.cause, intent: attempt.intent?.id)
                if let row = try vault.row(spec.name), row.generation > machine.generation {
                    load(row)
                    try publish()
                } else {
                    machine.renewed(now: environment.bootMsec)
                }
                return finish("peer_rotated")
            }
        } catch {
            return end(.transient("\(error)", retryAfter: nil))
        }
        guard profile?.rotates == true, attempt.judgings < Self.judgingMsec.count else {
            return end(outcome, of: endpoint)
        }
        let delay = Self.judgingMsec[attempt.judgings] * 1000
        attempt.judgings += 1
        later(delay) { [unowned self] in self.judge(outcome) }
    }

    /// An attempt brought no token.
    ///
    /// - Parameter source: the endpoint or program that was asked; "" when the outcome itself says what is wrong.
    func end(_ outcome: TokenOutcome, of source: String = "") {
        let before = attempt.before
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
                outcome, text: source.isEmpty ? nil : "\(source): \(outcome.reason)\(advice(outcome))",
                mayBeLost: mayBeLost, afterResume: environment.hasJustResumed, now: environment.bootMsec,
                random: environment.random())
            var entry = AuditEntry(
                credential: spec.name, event: outcome.name, cause: attempt.cause, intent: attempt.intent?.id,
                outcome: outcome.name,
                durationMsec: Int((Clock.monotonicUsec() - attempt.startedUsec) / 1000),
                note: outcome.reason)
            entry.httpStatus = attempt.status > 0 ? attempt.status : nil
            try vault.audit(entry, now: now)
            if machine.state.needsPerson, attempt.isHeld, try vault.putBack(spec.name, now: now) {
                useAgain()
                return finish(outcome.name)
            }
        } catch {
            machine.failed(
                .transient("\(error)", retryAfter: nil), now: environment.bootMsec,
                random: environment.random())
        }
        settle(from: before) {}
        let isThirdOddAnswer = outcome.name == "protocol_error" && machine.failures == 3
        if machine.state != before && machine.state != .needsLogin || isThirdOddAnswer { tell(outcome) }
        finish(outcome.name)
    }

    /// The service refuses what a person brought, and what was there before it is in the vault again.
    private func useAgain() {
        let refusal = machine.reason
        attempt.refusal = refusal
        settle(from: attempt.before) { machine.renewed(now: environment.bootMsec) }
        environment.journal.log(
            .error, .credentialTrouble,
            "credential \(spec.name): the new login was refused (\(refusal)); the one before it is in use again",
            [LogField("CCR_CREDENTIAL", spec.name)])
    }

    /// What a person can do about an endpoint or a program.
    private func advice(_ outcome: TokenOutcome) -> String {
        switch outcome {
        case .protocolError where !spec.command.isEmpty: "; run it by hand to see what it prints"
        case .configError where !spec.command.isEmpty: ""
        case .notSent: "; check the address and the network"
        case .protocolError: "; check the address, and what may answer in its place (a proxy, a portal)"
        case .wall: "; if this goes on, ask from another network"
        case .configError: "; check client_id, client_secret, scope and the address"
        case .clockSkew: "; set this machine's clock"
        case .denied: "; look at the account: its plan and its rights"
        case .granted, .indeterminate, .permanent, .suspectPermanent, .transient: ""
        }
    }

    /// How a person brings another secret.
    var remedy: String {
        if spec.followedFile != nil { return "log in where the file is written" }
        if profile?.device != nil { return "run ccr login \(spec.name)" }
        if profile?.browser != nil { return "run ccr login \(spec.name) --browser" }
        if spec.secret == .vault || profile?.rotates == true {
            return "run ccr credentials import \(spec.name) FILE"
        }
        return spec.command.isEmpty ? "renew \(spec.secret.text)" : "log in with the program"
    }

    /// The remedy of a credential that needs a login; empty when it needs none, or when its reason says what to do.
    var neededRemedy: String {
        machine.state == .needsLogin && !machine.reason.contains(remedy) ? remedy : ""
    }

    /// Records a state that the machine has taken on.
    func settle(from earlier: CredentialState? = nil, _ change: () -> Void) {
        let before = earlier ?? machine.state
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
    func tell(_ outcome: TokenOutcome?) {
        let fields = [LogField("CCR_CREDENTIAL", spec.name)]
        switch machine.state {
        case .needsLogin:
            let remedy = neededRemedy
            environment.journal.log(
                .error, .credentialTrouble,
                "credential \(spec.name) needs a login (\(machine.reason))\(remedy.isEmpty ? "" : ": \(remedy)")",
                fields)
        case .denied, .configError:
            environment.journal.log(
                .error, .credentialTrouble,
                "credential \(spec.name): \(machine.state.rawValue): \(machine.reason)", fields)
        default:
            let level: LogLevel =
                outcome?.name == "protocol_error" && machine.failures >= 3 ? .error : .warning
            environment.journal.log(
                level, .credentialTrouble, "credential \(spec.name) was not renewed: \(machine.reason)",
                fields)
        }
    }

    func audit(_ event: String, cause: String, intent: Int? = nil) {
        do throws(StoreError) {
            try vault.audit(
                AuditEntry(credential: spec.name, event: event, cause: cause, intent: intent), now: now)
        } catch {
            environment.journal.log(.error, .credentialTrouble, "audit of \(spec.name): \(error)")
        }
    }
}
