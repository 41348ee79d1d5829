// SPDX-License-Identifier: Apache-2.0
import Config
import CredentialStore
import Credentials
import SQLite
import Testing

@Suite("Vault")
struct VaultTests {
    @Test("a refresh is committed once, in one step with its intent, its state and an audit line")
    func commit() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        let intent = try vault.openIntent(
            "main", generation: 0, secret: Secret("rt-1"), bootID: "b", pid: 1, now: 10)
        try vault.markSent(intent, now: 11)
        let first = try vault.commit(
            "main", intent: intent.id, sentFingerprint: intent.fingerprint, refresh: Secret("rt-2"),
            token: token("at-1"), life: life, accountID: "acct", cause: "timer", now: 12)
        #expect(first == .committed(generation: 1))
        #expect(try vault.secret("main", "refresh")?.text == "rt-2")
        #expect(try vault.secret("main", "access") == token("at-1").sealedForm)
        #expect(try vault.openIntents().isEmpty)
        let row = try #require(try vault.row("main"))
        #expect(
            row.state == .fresh && row.generation == 1 && row.accountID == "acct" && row.expiresAt == 2000)
        #expect(try vault.auditTail("main", count: 1).first?.text == "ok timer ok")
        // The same again, as after a crash between the commit and the wiping of the spool.
        let again = try vault.commit(
            "main", intent: intent.id, sentFingerprint: intent.fingerprint, refresh: Secret("rt-2"),
            token: token("at-1"), life: life, accountID: "", cause: "startup", now: 13)
        #expect(again == .repeated)
        #expect(try vault.row("main")?.generation == 1)
    }

    @Test("E6: an answer to an older secret does not replace one that was stored meanwhile")
    func superseded() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        let intent = try vault.openIntent(
            "main", generation: 0, secret: Secret("rt-1"), bootID: "b", pid: 1, now: 10)
        try vault.markSent(intent, now: 11)
        try vault.setSecrets(
            "main", ["refresh": Secret("rt-login")], accountID: nil, event: "login", note: "", now: 12)
        let result = try vault.commit(
            "main", intent: intent.id, sentFingerprint: intent.fingerprint, refresh: Secret("rt-2"),
            token: token("at-1"), life: life, accountID: "", cause: "timer", now: 13)
        #expect(result == .superseded)
        #expect(try vault.secret("main", "refresh")?.text == "rt-login")
        #expect(try vault.row("main")?.generation == 0)
        #expect(try vault.openIntents().isEmpty)
        #expect(try vault.auditTail("main", count: 1).first?.text == "superseded timer")
    }

    /// Imports `secret`, and sends what the vault holds then or, with `sending`, another secret.
    private func send(_ secret: String? = nil, sending sent: String? = nil, in vault: Vault) throws -> Intent
    {
        if let secret {
            try vault.setSecrets(
                "main", ["refresh": Secret(secret)], accountID: "acct-\(secret)", event: "import", note: "",
                now: 12)
        }
        let held = try #require(try vault.secret("main", "refresh"))
        return try vault.openIntent(
            "main", generation: 0, secret: sent.map { Secret($0) } ?? held, bootID: "b", pid: 1, now: 13)
    }

    private func answer(_ intent: Intent, _ refresh: String, in vault: Vault) throws -> Vault.Commit {
        try vault.commit(
            "main", intent: intent.id, sentFingerprint: intent.fingerprint, refresh: Secret(refresh),
            token: token("at"), life: life, accountID: "", cause: "timer", now: 14)
    }

    @Test("a secret that was replaced by one that the service refuses comes back with its account, once")
    func putBack() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        do {
            let vault = try vault(folder, keys: keys)
            #expect(try !vault.putBack("main", now: 11))
            try vault.close(try send("dead", in: vault), "failed", outcome: "permanent", now: 13)
            // Neither of those that have not proved themselves is worth keeping.
            try vault.close(try send("deader", in: vault), "failed", outcome: "permanent", now: 13)
            #expect(try vault.row("main")?.accountID == "acct-deader")
        }
        let vault = try Vault(path: folder.file("vault.db"), keys: keys)
        #expect(try vault.putBack("main", now: 14))
        #expect(try vault.secret("main", "refresh")?.text == "rt-1")
        #expect(try vault.row("main")?.accountID == "")
        #expect(try vault.auditTail("main", count: 1).first?.text == "put_back refused")
        #expect(try !vault.putBack("main", now: 15))
        #expect(try !vault.putBack("other", now: 15))
    }

    @Test("a secret that has proved itself ends the one before it; a token that came with it proves nothing")
    func proof() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        let intent = try send("good", in: vault)
        let adopted = try vault.commit(
            "main", intent: 0, sentFingerprint: [], refresh: nil, token: token("at-0"), life: life,
            accountID: "", cause: "operator", now: 13)
        #expect(adopted == .committed(generation: 1))
        #expect(try vault.secret("main", "previous") != nil)
        #expect(try answer(intent, "good-2", in: vault) == .committed(generation: 2))
        #expect(try vault.secret("main", "previous") == nil)
        #expect(try !vault.putBack("main", now: 15))
        #expect(try vault.wasReplaced("main", secret: Secret("good")))
        #expect(try !vault.wasReplaced("main", secret: Secret("good-2")))
        #expect(try !vault.wasReplaced("other", secret: Secret("good")))
    }

    @Test("what needed a login or is brought again is not kept")
    func nothingKept() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        _ = try send("new", in: vault)
        try vault.setSecrets(
            "main", ["refresh": Secret("rt-1")], accountID: nil, event: "import", note: "", now: 14)
        #expect(try vault.secret("main", "previous") == nil, "it is in its place itself")
        try vault.setState("main", .needsLogin, "revoked", now: 15)
        try vault.setSecrets(
            "main", ["refresh": Secret("newer")], accountID: nil, event: "import", note: "", now: 16)
        #expect(try vault.secret("main", "previous") == nil)
        try vault.forget("main", now: 17)
        #expect(try vault.secret("main", "refresh") == nil)
    }

    @Test("E6: a late answer to the secret before the new one is kept in its place")
    func latePrevious() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        let late = try send(in: vault)
        try vault.setSecrets(
            "main", ["refresh": Secret("dead")], accountID: nil, event: "import", note: "", now: 12)
        #expect(try answer(late, "rt-2", in: vault) == .superseded)
        #expect(try vault.secret("main", "refresh")?.text == "dead")
        #expect(try vault.putBack("main", now: 15))
        #expect(try vault.secret("main", "refresh")?.text == "rt-2")
        let foreign = try send("new", sending: "elsewhere", in: vault)
        #expect(try answer(foreign, "rt-x", in: vault) == .superseded)
        #expect(try vault.putBack("main", now: 16))
        #expect(try vault.secret("main", "refresh")?.text == "rt-2", "another secret's answer is not")
    }

    @Test("an answer that comes after a logout is no login")
    func loggedOutMeanwhile() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        let intent = try send(in: vault)
        try vault.forget("main", now: 14)
        #expect(try answer(intent, "rt-2", in: vault) == .superseded)
        #expect(try vault.secret("main", "refresh") == nil)
        #expect(try vault.secret("main", "access") == nil)
    }

    @Test("E5: a late answer to the stored secret heals a credential that was given up")
    func lateSuccess() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        let intent = try vault.openIntent(
            "main", generation: 0, secret: Secret("rt-1"), bootID: "b", pid: 1, now: 10)
        try vault.setState("main", .needsLogin, "lost_rotation", now: 11)
        let result = try vault.commit(
            "main", intent: intent.id, sentFingerprint: intent.fingerprint, refresh: Secret("rt-2"),
            token: token("at-1"), life: life, accountID: "", cause: "timer", event: "late_success", now: 13)
        #expect(result == .committed(generation: 1))
        #expect(try vault.row("main")?.state == .fresh)
    }

    @Test("a second refresh of one credential cannot begin while one is open")
    func oneIntent() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        let first = try vault.openIntent(
            "main", generation: 0, secret: Secret("rt-1"), bootID: "b", pid: 1, now: 10)
        #expect(throws: StoreError.self) {
            try vault.openIntent("main", generation: 0, secret: Secret("rt-1"), bootID: "b", pid: 1, now: 10)
        }
        #expect(try vault.openIntents() == [first])
        try vault.close(first, "lost", outcome: "indeterminate", now: 11)
        #expect(try vault.openIntents().isEmpty)
        #expect(try vault.mayBeLost("main", secret: Secret("rt-1")))
        #expect(try !vault.mayBeLost("main", secret: Secret("rt-2")))
    }

    @Test("D13: an older secret that was put back does not open")
    func rolledBackRow() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        func raw(_ sql: String) throws {
            var options = Database.Options()
            options.applicationID = 0x4343_5256
            try Database(path: folder.file("vault.db"), migrations: [.init("SELECT 1")], options: options)
                .execute(sql)
        }
        do {
            let vault = try vault(folder, keys: keys)
            try raw("CREATE TABLE kept AS SELECT sealed FROM secret WHERE name = 'refresh'")
            let result = try vault.commit(
                "main", intent: 0, sentFingerprint: [], refresh: Secret("rt-2"), token: token("at-1"),
                life: life,
                accountID: "", cause: "timer", now: 2)
            #expect(result == .committed(generation: 1))
            try raw("UPDATE secret SET sealed = (SELECT sealed FROM kept) WHERE name = 'refresh'")
        }
        let vault = try Vault(path: folder.file("vault.db"), keys: keys)
        #expect(throws: StoreError.sealed("the secret “refresh” of credential “main”")) {
            try vault.secret("main", "refresh")
        }
    }

    @Test("D13: a row that was swapped with another's does not open, and nothing overwrites it")
    func swappedRows() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        do {
            let vault = try vault(folder, keys: keys)
            try vault.register(CredentialSpec(name: "other", provider: "p", kind: .oauth2), now: 1)
            try vault.setSecrets(
                "other", ["refresh": Secret("rt-o"), "client": Secret("c")], accountID: nil, event: "import",
                note: "",
                now: 1)
        }
        do {
            var options = Database.Options()
            options.applicationID = 0x4343_5256
            let raw = try Database(
                path: folder.file("vault.db"), migrations: [.init("SELECT 1")], options: options)
            try raw.execute(
                "UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE cred = 'other' AND name = 'refresh') "
                    + "WHERE cred = 'main'")
        }
        let vault = try Vault(path: folder.file("vault.db"), keys: keys)
        #expect(throws: StoreError.sealed("the secret “refresh” of credential “main”")) {
            try vault.secret("main", "refresh")
        }
        #expect(try vault.secret("other", "refresh")?.text == "rt-o")
    }

    @Test("D14: a vault does not open with another master key, and a missing key file is not made again")
    func wrongKey() throws {
        let folder = try Folder()
        _ = try vault(folder)
        let before = try folder.bytes("vault.db")
        #expect(throws: StoreError.self) { try Vault(path: folder.file("vault.db"), keys: .make()) }
        #expect(throws: StoreError.self) {
            try MasterKeyFile(directory: folder.path, credentials: nil).load(vaultExists: true)
        }
        #expect(try folder.bytes("vault.db") == before)
    }

    @Test("H8: audit lines do not change and are bounded by age")
    func audit() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        for second in 0..<50 {
            try vault.audit(AuditEntry(credential: "main", event: "transient", cause: "timer"), now: second)
        }
        try vault.trimAudit(now: 90 * 86_400 + 40)
        #expect(try vault.auditTail("main", count: 100).count == 10)
        var options = Database.Options()
        options.applicationID = 0x4343_5256
        let raw = try Database(
            path: folder.file("vault.db"), migrations: [.init("SELECT 1")], options: options)
        #expect(throws: SQLiteError.self) { try raw.execute("UPDATE audit SET note = 'x'") }
    }

    @Test("a rotated master key opens what was sealed anew, and the old one nothing")
    func rotation() throws {
        let folder = try Folder()
        let old = KeyRing.make()
        let vault = try vault(folder, keys: old)
        let both = old.rotated()
        let lost = try vault.openIntent(
            "main", generation: 0, secret: Secret("rt-1"), bootID: "b", pid: 1, now: 2)
        try vault.close(lost, "lost", outcome: "indeterminate", now: 3)
        vault.use(both)
        try vault.reseal()
        #expect(try vault.secret("main", "refresh")?.text == "rt-1")
        let reopened = try Vault(path: folder.file("vault.db"), keys: both.retired())
        #expect(try reopened.secret("main", "refresh")?.text == "rt-1")
        #expect(try reopened.mayBeLost("main", secret: Secret("rt-1")))
        #expect(throws: StoreError.self) { try Vault(path: folder.file("vault.db"), keys: old) }
    }

    @Test("a copy holds everything, is private and replaces no file")
    func copies() throws {
        let folder = try Folder()
        let keys = KeyRing.make()
        let vault = try vault(folder, keys: keys)
        try vault.copy(to: folder.file("copy.db"))
        #expect(try folder.mode("copy.db") == 0o600)
        #expect(throws: StoreError.self) { try vault.copy(to: folder.file("copy.db")) }
        let copy = try Vault(path: folder.file("copy.db"), keys: keys)
        #expect(try copy.secret("main", "refresh")?.text == "rt-1")
    }

    @Test("no secret stands in the files, the log included")
    func noPlainText() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        _ = try vault.commit(
            "main", intent: 0, sentFingerprint: [], refresh: Secret("CANARY-refresh"),
            token: token("CANARY-access"),
            life: life, accountID: "", cause: "timer", now: 2)
        for name in ["vault.db", "vault.db-wal"] {
            #expect(!String(decoding: try folder.bytes(name), as: UTF8.self).contains("CANARY"))
            #expect(try folder.mode(name) == 0o600)
        }
    }

    @Test("a logout removes the secrets and keeps the history")
    func logout() throws {
        let folder = try Folder()
        let vault = try vault(folder)
        try vault.forget("main", now: 5)
        #expect(try vault.secret("main", "refresh") == nil)
        #expect(try vault.row("main")?.state == .needsLogin)
        #expect(try vault.auditTail("main", count: 9).map(\.text) == ["logout operator", "import operator"])
    }
}
