// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Config
import Credentials
import Testing

@testable import CredentialStore
@testable import SQLite

/// Two connections on one file: what a change depends on is read when no other connection can write any more.
@Suite("Transactions of the vault")
struct TransactionTests {
    /// Runs `other` once, at the moment at which `vault` asks for the right to write and does not have it yet.
    private final class Intruder {
        private let other: () throws -> Void
        private let handle: OpaquePointer
        private(set) var result: Result<Void, any Error>?

        init(_ vault: Vault, _ other: @escaping () throws -> Void) {
            self.other = other
            handle = vault.database.connection.handle
            sqlite3_trace_v2(
                handle, UInt32(SQLITE_TRACE_STMT),
                { _, context, statement, _ in
                    let sql = sqlite3_sql(OpaquePointer(statement)).map { String(cString: $0) } ?? ""
                    if let context, sql.hasPrefix("BEGIN") {
                        Unmanaged<Intruder>.fromOpaque(context).takeUnretainedValue().enter()
                    }
                    return 0
                }, Unmanaged.passUnretained(self).toOpaque())
        }

        deinit { sqlite3_trace_v2(handle, 0, nil, nil) }

        private func enter() {
            guard result == nil else { return }
            result = .success(())
            result = Result { try other() }
        }
    }

    private func pair() throws -> (Folder, Vault, Vault) {
        let folder = try Folder()
        let keys = KeyRing.make()
        let mine = try vault(folder, keys: keys)
        return (folder, mine, try Vault(path: folder.file("vault.db"), keys: keys))
    }

    private func importing(_ secret: String, into vault: Vault) throws {
        try vault.setSecrets(
            "main", ["refresh": Secret(secret)], accountID: nil, event: "import", note: "", now: 12)
    }

    private func committing(_ refresh: String, for intent: Intent, into vault: Vault) throws -> Vault.Commit {
        try vault.commit(
            "main", intent: intent.id, sentFingerprint: intent.fingerprint, refresh: Secret(refresh),
            token: token("at"), life: life, accountID: "", cause: "timer", now: 13)
    }

    private func open(in vault: Vault) throws -> Intent {
        try vault.openIntent(
            "main", generation: 0, secret: Secret("rt-1"), bootID: "b", pid: 1, now: 10)
    }

    @Test("a commit sees the secret that another process stores right before it")
    func commit() throws {
        let (folder, mine, theirs) = try pair()
        let intent = try open(in: mine)
        let intruder = Intruder(mine) { try self.importing("rt-login", into: theirs) }
        #expect(try committing("rt-2", for: intent, into: mine) == .superseded)
        try #require(intruder.result).get()
        #expect(try mine.secret("main", "refresh")?.text == "rt-login")
        withExtendedLifetime(folder) {}
    }

    @Test("a commit sees that another process has committed the same answer right before it")
    func repeated() throws {
        let (folder, mine, theirs) = try pair()
        let intent = try open(in: mine)
        let intruder = Intruder(mine) { _ = try self.committing("rt-2", for: intent, into: theirs) }
        #expect(try committing("rt-2", for: intent, into: mine) == .repeated)
        try #require(intruder.result).get()
        #expect(try mine.row("main")?.generation == 1)
        withExtendedLifetime(folder) {}
    }

    @Test("an import keeps the secret that a refresh has stored right before it")
    func previous() throws {
        let (folder, mine, theirs) = try pair()
        let intent = try open(in: theirs)
        let intruder = Intruder(mine) { _ = try self.committing("rt-2", for: intent, into: theirs) }
        try importing("new", into: mine)
        try #require(intruder.result).get()
        #expect(try mine.putBack("main", now: 14))
        #expect(try mine.secret("main", "refresh")?.text == "rt-2")
        withExtendedLifetime(folder) {}
    }

    @Test("a new master key seals the secret that another process stores right before")
    func reseal() throws {
        let (folder, mine, theirs) = try pair()
        mine.use(mine.keys.rotated())
        let intruder = Intruder(mine) { try self.importing("rt-login", into: theirs) }
        try mine.reseal()
        try #require(intruder.result).get()
        #expect(try mine.secret("main", "refresh")?.text == "rt-login")
        withExtendedLifetime(folder) {}
    }
}
