// SPDX-License-Identifier: Apache-2.0
// The secret that a person has replaced. It stays until the service has taken its successor once, and comes back when
// the service refuses that: what somebody brings may be older than what is there.

package import Config
import Credentials
import IPC
import SQLite

/// A secret and whose it is.
private struct PreviousLogin: WireCodable {
    var secret: Secret
    var accountID: String

    init(secret: Secret, accountID: String) {
        self.secret = secret
        self.accountID = accountID
    }

    func encode(to writer: inout WireWriter) {
        writer.put(secret.expose())
        writer.put(accountID)
    }

    init(from reader: inout WireReader) throws(WireError) {
        secret = Secret(bytes: try reader.getArray())
        accountID = try reader.getString()
    }

    init?(_ sealedForm: Secret) {
        let login = sealedForm.expose().withUnsafeBytes { bytes -> PreviousLogin? in
            var reader = WireReader(bytes)
            return try? reader.get(PreviousLogin.self)
        }
        guard let login else { return nil }
        self = login
    }

    var sealedForm: Secret {
        var writer = WireWriter()
        writer.put(self)
        return Secret(bytes: writer.bytes)
    }
}

extension Vault {
    private static let previous = "previous"

    /// A part of a transaction that stores `secret` in the place of the one that is held: keeps that one, unless it is
    /// known to be dead or has not proved itself either.
    func keepPrevious(_ credential: String, replacedBy secret: Secret) throws(StoreError) {
        guard let row = try row(credential) else { return }
        let kept = try previousLogin(credential)
        if row.state == .needsLogin || kept?.secret == secret {
            return try write { () throws(SQLiteError) in try dropPrevious(credential) }
        }
        guard kept == nil else { return }
        guard let held = try whatOpens(credential, "refresh"), held != secret else { return }
        try write { () throws(SQLiteError) in
            try putPrevious(PreviousLogin(secret: held, accountID: row.accountID), of: row)
        }
    }

    /// A part of a transaction: an answer to the kept secret came late, and what it brought is kept in its place.
    func renewPrevious(_ credential: String, sentFingerprint: [UInt8], by refresh: Secret?)
        throws(StoreError)
    {
        guard let refresh, var kept = try previousLogin(credential), let row = try row(credential),
            keys.fingerprints(kept.secret).contains(sentFingerprint)
        else { return }
        kept.secret = refresh
        try write { () throws(SQLiteError) in try putPrevious(kept, of: row) }
    }

    /// A part of a transaction: what is held now has proved itself, or the one before it has not.
    func dropPrevious(_ credential: String) throws(SQLiteError) {
        var statement = try database.prepare(
            "DELETE FROM secret WHERE cred = ?1 AND name = '\(Self.previous)'")
        statement.bind(1, credential)
        try statement.run()
    }

    /// Takes the kept secret and its account up again. Returns false when there is none.
    package func putBack(_ credential: String, now: Int) throws(StoreError) -> Bool {
        try decide { () throws(StoreError) -> Bool in
            guard let kept = try previousLogin(credential), let row = try row(credential) else {
                return false
            }
            try write { () throws(SQLiteError) in
                try put(credential, "refresh", kept.secret, generation: row.generation)
                try dropPrevious(credential)
                var statement = try database.prepare("UPDATE credential SET account_id = ?2 WHERE id = ?1")
                statement.bind(1, credential)
                statement.bind(2, kept.accountID)
                try statement.run()
                try insert(
                    AuditEntry(
                        credential: credential, event: "put_back", cause: "refused",
                        newFingerprint: keys.fingerprint(kept.secret)), now: now)
            }
            return true
        }
    }

    /// Whether a refresh has replaced this secret by another one, as far as the audit table goes back.
    package func wasReplaced(_ credential: String, secret: Secret) throws(StoreError) -> Bool {
        let prints = keys.fingerprints(secret)
        let replaced = try query(
            """
            SELECT fp_from FROM audit
            WHERE cred = ?1 AND fp_from IS NOT NULL AND fp_to IS NOT NULL AND fp_to <> fp_from
            """, credential
        ) { Array($0.blob(0)) }
        return replaced.contains { prints.contains($0) }
    }

    private func previousLogin(_ credential: String) throws(StoreError) -> PreviousLogin? {
        try whatOpens(credential, Self.previous).flatMap { PreviousLogin($0) }
    }

    private func putPrevious(_ login: PreviousLogin, of row: Row) throws(SQLiteError) {
        try put(row.name, Self.previous, login.sealedForm, generation: row.generation)
    }
}
