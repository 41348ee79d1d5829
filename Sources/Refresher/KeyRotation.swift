// SPDX-License-Identifier: Apache-2.0
// A new master key in the place of the old one. Both are on the disk before anything is sealed with the new one; the old
// one goes when everything in the vault and for the workers is sealed anew and nothing that waits for the vault needs it.
// Each step can be repeated, so that the next start goes on where a crash ended it.
// Source: NIST SP 800-57 part 1 §5.3.5.

import CredentialStore
import Credentials
import EventLoop
import Journal
import Posix

final class KeyRotation {
    private unowned let keeper: Keeper
    private let masterKey: MasterKeyFile
    private var timer: Timer?
    private var isSealed = false
    /// What was logged last, so that it is not said once a second.
    private var told = ""

    private static let lookUsec: UInt64 = 1_000_000

    /// Goes on with a rotation that the process before this one began.
    init(_ keeper: Keeper, _ masterKey: MasterKeyFile) throws(Errno) {
        self.keeper = keeper
        self.masterKey = masterKey
        timer = try Timer(keeper.environment.loop) { [unowned self] in self.goOn() }
        goOn()
    }

    private var vault: Vault { keeper.environment.vault }

    /// Begins one; text for the person who asked.
    func begin() throws(StoreError) -> String {
        guard vault.keys.masters.count == 1 || masterKey.isPassed else {
            throw .key("the master key before this one is still needed: \(try remaining() ?? told)")
        }
        let both = vault.keys.rotated()
        try masterKey.save(both)
        Faults.pass("after_new_key")
        vault.use(both)
        isSealed = false
        defer { timer?.arm(afterUsec: Self.lookUsec) }
        let number = "master key \(both.masters[0].number) is in use"
        guard let waits = try step() else { return "\(number); older copies of the vault need the old one" }
        return "\(number); the old one stays beside it: \(waits)"
    }

    private func goOn() {
        guard vault.keys.masters.count > 1 else { return }
        var problem: String?
        do throws(StoreError) {
            problem = try step()
        } catch {
            problem = "\(error)"
        }
        guard let problem else { return }
        if problem != told {
            keeper.environment.journal.log(
                .warning, .credentialTrouble, "an older master key is still needed: \(problem)")
            told = problem
        }
        timer?.arm(afterUsec: Self.lookUsec)
    }

    /// Does what can be done now. Returns what still needs an older key; nil when nothing does.
    private func step() throws(StoreError) -> String? {
        if !isSealed {
            try vault.reseal()
            Faults.pass("after_reseal")
            try keeper.keysChanged()
            Faults.pass("after_resealed_tokens")
            isSealed = true
        }
        if let waits = try remaining() { return waits }
        if masterKey.isPassed {
            keeper.environment.journal.log(
                .notice, .credentialRenewed,
                "everything is sealed with master key \(vault.keys.masters[0].number); the others may be removed from "
                    + "the credential \(MasterKeyFile.credentialName)")
            return nil
        }
        let newest = vault.keys.retired()
        try masterKey.save(newest)
        Faults.pass("after_old_key")
        vault.use(newest)
        return nil
    }

    /// What is not in the vault yet and was begun with an older key, for people.
    private func remaining() throws(StoreError) -> String? {
        let running = keeper.namesOfOpenRotations
        if !running.isEmpty { return "a refresh of \(running.joined(separator: ", ")) is under way" }
        let waiting = try Spool.waiting(in: keeper.environment.spoolDirectory)
        guard !waiting.isEmpty else { return nil }
        let unknown = waiting.filter { keeper.runners[$0] == nil }
        return "a new secret of \(waiting.joined(separator: ", ")) waits to be stored"
            + (unknown.isEmpty
                ? "" : "; configure \(unknown.joined(separator: ", ")) again, or run ccr credentials rm")
    }
}
