// SPDX-License-Identifier: Apache-2.0
// vault.db: the long-lived secrets, what is under way with them, and what happened to them. Only the refresher opens it.
// Every change is one transaction that is on the disk before the call returns.

package import Config
package import Credentials
import Glibc
import Posix
import SQLite

package final class Vault {
    let database: Database
    let path: String
    package private(set) var keys: KeyRing

    /// Opens or makes the file.
    ///
    /// - Throws: `.key` when the master key is not the one that sealed it.
    package init(path: String, keys: KeyRing) throws(StoreError) {
        self.path = path
        self.keys = keys
        // SQLite gives its log and index the mode of the file.
        if try !PrivateFile.create(path) { try PrivateFile.checkFile(path) }
        do throws(SQLiteError) {
            var options = Database.Options()
            options.survivesPowerLoss = true
            options.keepsLog = true
            options.erasesOldRows = true
            options.applicationID = VaultSchema.applicationID
            database = try Database(path: path, migrations: VaultSchema.migrations, options: options)
            if let damage = try database.findDamage() { throw .damaged(damage) }
        } catch {
            throw .database(path, error)
        }
        try checkKeys()
    }

    /// One sealed row is enough to see whether the key is right: all are sealed with keys of one ring.
    private func checkKeys() throws(StoreError) {
        var good = 0
        var bad = 0
        let rows = try query("SELECT cred, name FROM secret") { ($0.text(0), $0.text(1)) }
        for (credential, name) in rows {
            do throws(StoreError) {
                _ = try secret(credential, name)
                good += 1
            } catch {
                bad += 1
            }
        }
        if bad > 0, good == 0 {
            throw .key("\(path) was sealed with another master key; nothing was changed")
        }
    }

    // MARK: - Credentials

    /// A row of the table credential.
    package struct Row: Equatable, Sendable {
        package var name: String
        package var kind: String
        package var provider: String
        package var accountID: String
        package var state: CredentialState
        package var reason: String
        package var generation: UInt64
        package var sequence: UInt64
        package var expiresAt: Int?
        /// The whole life of the token in seconds.
        package var lifetime: Int?
        package var bootID: String
        package var deadline: UInt64?
    }

    /// Makes the row of a configured credential, or brings kind and provider up to date.
    package func register(_ spec: CredentialSpec, now: Int) throws(StoreError) {
        try change { () throws(SQLiteError) in
            var statement = try database.prepare(
                """
                INSERT INTO credential (id, kind, provider, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
                ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, provider = excluded.provider
                """)
            statement.bind(1, spec.name)
            statement.bind(2, spec.kind.rawValue)
            statement.bind(3, spec.provider)
            statement.bind(4, now)
            try statement.run()
        }
    }

    package func row(_ name: String) throws(StoreError) -> Row? {
        try rows("WHERE id = ?1", name).first
    }

    /// Every row, configured or not, by name.
    package func rows() throws(StoreError) -> [Row] { try rows("ORDER BY id", nil) }

    private func rows(_ clause: String, _ name: String?) throws(StoreError) -> [Row] {
        try query(
            """
            SELECT id, kind, provider, account_id, status, status_reason, generation, state_seq, expires_at, lifetime,
              boot_id, deadline_boot_ms FROM credential \(clause)
            """, name
        ) { statement in
            Row(
                name: statement.text(0), kind: statement.text(1), provider: statement.text(2),
                accountID: statement.text(3), state: CredentialState(rawValue: statement.text(4)) ?? .empty,
                reason: statement.text(5), generation: UInt64(statement.integer(6)),
                sequence: UInt64(statement.integer(7)), expiresAt: statement.optionalInteger(8),
                lifetime: statement.optionalInteger(9), bootID: statement.text(10),
                deadline: statement.optionalInteger(11).map { UInt64($0) })
        }
    }

    /// Records where a credential stands.
    package func setState(_ name: String, _ state: CredentialState, _ reason: String, now: Int)
        throws(StoreError)
    {
        let before = try row(name)?.state
        try change { () throws(SQLiteError) in
            if let before, before != state {
                try insert(
                    AuditEntry(
                        credential: name, event: "state_change", cause: "",
                        note: "\(state.rawValue): \(reason)"),
                    now: now)
            }
            var statement = try database.prepare(
                """
                UPDATE credential SET status = ?2, status_reason = ?3, state_seq = state_seq + 1, updated_at = ?4
                WHERE id = ?1
                """)
            statement.bind(1, name)
            statement.bind(2, state.rawValue)
            statement.bind(3, reason)
            statement.bind(4, now)
            try statement.run()
        }
    }

    // MARK: - Secrets

    /// A stored secret: "refresh" (the long-lived one), "client", "access" (the published form), "previous" (the
    /// long-lived one before it, until the new one has proved itself).
    ///
    /// - Throws: `.sealed` when it does not open.
    package func secret(_ credential: String, _ name: String) throws(StoreError) -> Secret? {
        let found = try query(
            "SELECT generation, sealed FROM secret WHERE cred = ?1 AND name = ?2", credential, name
        ) { (UInt64($0.integer(0)), Array($0.blob(1))) }
        guard let (generation, sealed) = found.first else { return nil }
        guard let secret = Envelope.open(sealed, keys.keys(for: .vault), place(credential, name, generation))
        else {
            throw .sealed("the secret “\(name)” of credential “\(credential)”")
        }
        return secret
    }

    /// Stores long-lived secrets that a person or a file gave. The next generation begins with the next token. The
    /// secret "refresh" that was there comes back when the service refuses the new one.
    package func setSecrets(
        _ credential: String, _ secrets: [String: Secret], accountID: String?, event: String, note: String,
        now: Int
    ) throws(StoreError) {
        try decide { () throws(StoreError) in
            if let secret = secrets["refresh"] { try keepPrevious(credential, replacedBy: secret) }
            try write { () throws(SQLiteError) in
                for (name, secret) in secrets {
                    try put(credential, name, secret, generation: 0)
                }
                if let accountID {
                    var statement = try database.prepare(
                        "UPDATE credential SET account_id = ?2 WHERE id = ?1")
                    statement.bind(1, credential)
                    statement.bind(2, accountID)
                    try statement.run()
                }
                let prints = secrets["refresh"].map { keys.fingerprint($0) }
                try insert(
                    AuditEntry(
                        credential: credential, event: event, cause: "operator", newFingerprint: prints,
                        note: note),
                    now: now)
            }
        }
    }

    /// Removes the secrets of a credential, and its tokens; the row and its history stay.
    package func forget(_ credential: String, now: Int) throws(StoreError) {
        try change { () throws(SQLiteError) in
            for sql in [
                "DELETE FROM secret WHERE cred = ?1",
                "UPDATE refresh_intent SET phase = 'abandoned' WHERE cred = ?1 AND phase IN ('prepared', 'sent')",
                "UPDATE credential SET status = 'needs_login', status_reason = 'logged out', generation = generation + 1, "
                    + "state_seq = 0, expires_at = NULL, lifetime = NULL, deadline_boot_ms = NULL WHERE id = ?1",
            ] {
                var statement = try database.prepare(sql)
                statement.bind(1, credential)
                try statement.run()
            }
            try insert(AuditEntry(credential: credential, event: "logout", cause: "operator"), now: now)
        }
    }

    /// Removes a credential with everything but its audit lines.
    package func remove(_ credential: String, now: Int) throws(StoreError) {
        try change { () throws(SQLiteError) in
            var statement = try database.prepare("DELETE FROM credential WHERE id = ?1")
            statement.bind(1, credential)
            try statement.run()
            try insert(AuditEntry(credential: credential, event: "removed", cause: "operator"), now: now)
        }
    }

    func put(_ credential: String, _ name: String, _ secret: Secret, generation: UInt64) throws(SQLiteError) {
        let sealed = Envelope.seal(secret, keys.keys(for: .vault)[0], place(credential, name, generation))
        var statement = try database.prepare(
            """
            INSERT INTO secret (cred, name, generation, sealed, fp) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (cred, name) DO UPDATE SET generation = excluded.generation, sealed = excluded.sealed,
              fp = excluded.fp
            """)
        statement.bind(1, credential)
        statement.bind(2, name)
        statement.bind(3, Int(generation))
        statement.bind(4, sealed)
        statement.bind(5, keys.fingerprint(secret))
        try statement.run()
    }

    func place(_ credential: String, _ name: String, _ generation: UInt64) -> Envelope.Place {
        Envelope.Place(table: "secret", column: name, credential: credential, generation: generation)
    }

    // MARK: - Keys and copies

    /// Goes on with another ring, which is on the disk already: the first key seals from now on, each one opens.
    package func use(_ ring: KeyRing) { keys = ring }

    /// Seals every secret with the first key of the ring, and fingerprints what was sent with it. Afterwards nothing in
    /// the vault needs the other keys.
    package func reseal() throws(StoreError) {
        try decide { () throws(StoreError) in
            let list = try query("SELECT cred, name, generation FROM secret") {
                ($0.text(0), $0.text(1), UInt64($0.integer(2)))
            }
            for (credential, name, generation) in list {
                guard let secret = try whatOpens(credential, name) else { continue }
                try write { () throws(SQLiteError) in
                    try put(credential, name, secret, generation: generation)
                    try renewFingerprints(credential, secret)
                }
            }
        }
    }

    /// A secret; nil when it does not open. One that does not with the old keys will not with the new ones.
    func whatOpens(_ credential: String, _ name: String) throws(StoreError) -> Secret? {
        do throws(StoreError) {
            return try secret(credential, name)
        } catch {
            guard case .sealed = error else { throw error }
            return nil
        }
    }

    /// Whether an answer to a secret was lost is still known under the new key.
    private func renewFingerprints(_ credential: String, _ secret: Secret) throws(SQLiteError) {
        let prints = keys.fingerprints(secret)
        for old in prints.dropFirst() {
            var statement = try database.prepare(
                "UPDATE refresh_intent SET rt_fp = ?3 WHERE cred = ?1 AND rt_fp = ?2")
            statement.bind(1, credential)
            statement.bind(2, old)
            statement.bind(3, prints[0])
            try statement.run()
        }
    }

    /// Writes a copy to a file that must not exist yet, with mode 0600.
    package func copy(to path: String) throws(StoreError) {
        // SQLite writes into an empty file as well, and this one has its mode from the start.
        guard try PrivateFile.create(path) else { throw .file("\(path) exists already") }
        do throws(SQLiteError) {
            try database.copy(to: path)
        } catch {
            throw .database(path, error)
        }
    }

    // MARK: - Statements

    func change(_ body: () throws(SQLiteError) -> Void) throws(StoreError) {
        try decide { () throws(StoreError) in try write(body) }
    }

    /// One transaction for what is read and what is written because of it: no other process writes in between.
    func decide<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        try database.transaction(failure: { [path] in .database(path, $0) }, body)
    }

    /// A part of a transaction.
    func write(_ body: () throws(SQLiteError) -> Void) throws(StoreError) {
        do throws(SQLiteError) { try body() } catch { throw .database(path, error) }
    }

    func query<Value>(_ sql: String, _ parameters: String?..., read: (borrowing Statement) -> Value)
        throws(StoreError) -> [Value]
    {
        do throws(SQLiteError) {
            var statement = try database.prepare(sql)
            for (index, parameter) in parameters.enumerated() {
                if let parameter { statement.bind(Int32(index + 1), parameter) }
            }
            var values: [Value] = []
            while try statement.step() { values.append(read(statement)) }
            return values
        } catch {
            throw .database(path, error)
        }
    }
}
