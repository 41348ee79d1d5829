// SPDX-License-Identifier: Apache-2.0
// What becomes of a new token: committed to the vault, published to the workers, its place in the spool wiped.

import Config
import CredentialStore
import Credentials
import Journal
import Posix

extension Runner {
    func store(_ grant: SpooledGrant, renewAfter: Int?) throws(StoreError) {
        do throws(StoreError) {
            // Another process may have given the secret up meanwhile.
            let wasGivenUp = try vault.row(spec.name)?.state == .needsLogin && grant.intent > 0
            let result = try commit(
                grant, cause: attempt.cause, event: wasGivenUp ? "late_success" : "ok")
            Faults.pass("after_vault")
            pending = nil
            storageDelayUsec = 2_000_000
            switch result {
            case .committed(let generation):
                machine.granted(
                    generation: generation, lifetime: grant.lifetime, renewAfter: renewAfter,
                    now: environment.bootMsec, random: environment.random())
            case .superseded, .repeated: machine.renewed(now: environment.bootMsec)
            }
            try publish()
            Faults.pass("after_publish")
            try spool?.wipe()
            Faults.pass("after_wipe")
            guard case .committed = result else { return finish("superseded") }
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
            if pending == nil {
                environment.journal.log(
                    .error, .credentialTrouble,
                    "credential \(spec.name): its new secret cannot be stored yet, it is kept aside: \(error)",
                    [LogField("CCR_CREDENTIAL", spec.name)])
            }
            pending = grant
            machine.storageFailed("\(error)")
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

    func commit(_ grant: SpooledGrant, cause: String, event: String) throws(StoreError) -> Vault.Commit {
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
            sequence: row.sequence, state: machine.state, reason: machine.reason, sealed: [],
            expiresAt: row.expiresAt, bootID: row.bootID, deadline: row.deadline, retryAt: nil)
        if let token = try? vault.secret(spec.name, "access") {  // what does not open is not published
            published.sealed = Envelope.seal(
                token, vault.keys.keys(for: .worker(provider: spec.provider))[0], published.place)
        }
        try environment.tokens.publish(published, now: now)
        owner.changed(self)
    }
}
