// SPDX-License-Identifier: Apache-2.0
// The refresh of a secret that the server may replace: the intent before it is sent, the commit after it.

package import Config
import Credentials
import SQLite

/// A line of the audit table; never a secret.
package struct AuditEntry: Equatable, Sendable {
    package var credential: String
    package var event: String
    /// What brought it about: timer, reactive, startup, operator, resume.
    package var cause: String
    package var intent: Int?
    package var oldGeneration: UInt64?
    package var newGeneration: UInt64?
    package var oldFingerprint: [UInt8]?
    package var newFingerprint: [UInt8]?
    package var httpStatus: Int?
    package var outcome = ""
    package var durationMsec: Int?
    package var expiresAt: Int?
    package var note = ""

    package init(
        credential: String, event: String, cause: String, intent: Int? = nil, newFingerprint: [UInt8]? = nil,
        httpStatus: Int? = nil, outcome: String = "", durationMsec: Int? = nil, note: String = ""
    ) {
        self.credential = credential
        self.event = event
        self.cause = cause
        self.intent = intent
        self.newFingerprint = newFingerprint
        self.httpStatus = httpStatus
        self.outcome = outcome
        self.durationMsec = durationMsec
        self.note = note
    }
}

/// A refresh that was begun.
package struct Intent: Equatable, Sendable {
    package var id: Int
    package var credential: String
    package var baseGeneration: UInt64
    package var fingerprint: [UInt8]
    package var wasSent: Bool
    package var sentAt: Int?
}

extension Vault {
    /// Rows of the audit table that are kept.
    private static let auditRows = 100_000
    /// Days that they are kept.
    private static let auditDays = 90

    /// Records that a refresh begins: nothing is sent yet.
    package func openIntent(
        _ credential: String, generation: UInt64, secret: Secret, bootID: String, pid: Int, now: Int
    )
        throws(StoreError) -> Intent
    {
        let fingerprint = keys.fingerprint(secret)
        var id = 0
        try change { () throws(SQLiteError) in
            var statement = try database.prepare(
                """
                INSERT INTO refresh_intent (cred, base_generation, rt_fp, phase, boot_id, pid, created_at)
                VALUES (?1, ?2, ?3, 'prepared', ?4, ?5, ?6) RETURNING id
                """)
            statement.bind(1, credential)
            statement.bind(2, Int(generation))
            statement.bind(3, fingerprint)
            statement.bind(4, bootID)
            statement.bind(5, pid)
            statement.bind(6, now)
            while try statement.step() { id = statement.integer(0) }
        }
        return Intent(
            id: id, credential: credential, baseGeneration: generation, fingerprint: fingerprint,
            wasSent: false,
            sentAt: nil)
    }

    /// Records that the request is about to be written: from now on the server may have taken it.
    package func markSent(_ intent: Intent, now: Int) throws(StoreError) {
        try change { () throws(SQLiteError) in
            var statement = try database.prepare(
                "UPDATE refresh_intent SET phase = 'sent', sent_at = ?2 WHERE id = ?1 AND phase = 'prepared'")
            statement.bind(1, intent.id)
            statement.bind(2, now)
            try statement.run()
        }
    }

    /// Closes an intent without a new secret. `phase`: failed, abandoned (nothing was sent) or lost (nobody knows).
    package func close(_ intent: Intent, _ phase: String, outcome: String, now: Int) throws(StoreError) {
        try change { () throws(SQLiteError) in try close(intent.id, phase, outcome, now) }
    }

    private func close(_ id: Int, _ phase: String, _ outcome: String, _ now: Int) throws(SQLiteError) {
        var statement = try database.prepare(
            "UPDATE refresh_intent SET phase = ?2, outcome = ?3, closed_at = ?4 WHERE id = ?1")
        statement.bind(1, id)
        statement.bind(2, phase)
        statement.bind(3, outcome)
        statement.bind(4, now)
        try statement.run()
    }

    /// The intents that were open when the process before this one ended.
    package func openIntents() throws(StoreError) -> [Intent] {
        try query(
            "SELECT id, cred, base_generation, rt_fp, phase, sent_at FROM refresh_intent WHERE phase IN ('prepared', 'sent')"
        ) { statement in
            Intent(
                id: statement.integer(0), credential: statement.text(1),
                baseGeneration: UInt64(statement.integer(2)), fingerprint: Array(statement.blob(3)),
                wasSent: statement.text(4) == "sent", sentAt: statement.optionalInteger(5))
        }
    }

    /// Whether a request with this secret was sent whose answer never came.
    package func mayBeLost(_ credential: String, secret: Secret) throws(StoreError) -> Bool {
        let prints = keys.fingerprints(secret)
        let lost = try query(
            "SELECT rt_fp FROM refresh_intent WHERE cred = ?1 AND phase = 'lost'", credential
        ) { Array($0.blob(0)) }
        return lost.contains { prints.contains($0) }
    }

    /// What became of a commit.
    package enum Commit: Equatable, Sendable {
        case committed(generation: UInt64)
        /// The intent is committed already.
        case repeated
        /// Somebody stored another secret meanwhile, or logged out; that stays.
        case superseded
    }

    /// Where and how long the new token lives.
    package struct Life: Equatable, Sendable {
        package var expiresAt: Int?
        package var lifetime: Int?
        package var bootID: String
        package var deadline: UInt64?

        package init(expiresAt: Int?, lifetime: Int?, bootID: String, deadline: UInt64?) {
            self.expiresAt = expiresAt
            self.lifetime = lifetime
            self.bootID = bootID
            self.deadline = deadline
        }
    }

    /// Stores a new token and the secret that came with it, if the secret that was sent is still the stored one.
    ///
    /// - Parameters:
    ///   - intent: its number; 0 for kinds that need none.
    ///   - sentFingerprint: of the secret that was sent; empty skips the comparison. With it the stored secret has
    ///     proved itself.
    package func commit(
        _ credential: String, intent: Int, sentFingerprint: [UInt8], refresh: Secret?, token: PublishedToken,
        life: Life, accountID: String, cause: String, event: String = "ok", durationMsec: Int? = nil, now: Int
    ) throws(StoreError) -> Commit {
        try decide { () throws(StoreError) -> Commit in
            if intent > 0 {
                let phases = try query("SELECT phase FROM refresh_intent WHERE id = \(intent)") { $0.text(0) }
                if phases.first == "committed" { return .repeated }
            }
            let held = try secret(credential, "refresh")
            let isHeld = held.map { keys.fingerprints($0).contains(sentFingerprint) } ?? false
            if !sentFingerprint.isEmpty, !isHeld {
                try renewPrevious(credential, sentFingerprint: sentFingerprint, by: refresh)
                try write { () throws(SQLiteError) in
                    if intent > 0 { try close(intent, "failed", "superseded", now) }
                    try insert(
                        AuditEntry(
                            credential: credential, event: "superseded", cause: cause,
                            intent: intent > 0 ? intent : nil),
                        now: now)
                }
                return .superseded
            }
            guard let row = try row(credential) else { throw .file("\(path): no credential “\(credential)”") }
            let generation = row.generation + 1
            try write { () throws(SQLiteError) in
                if let refresh { try put(credential, "refresh", refresh, generation: generation) }
                if !sentFingerprint.isEmpty { try dropPrevious(credential) }
                try put(credential, "access", token.sealedForm, generation: generation)
                var statement = try database.prepare(
                    """
                    UPDATE credential SET generation = ?2, state_seq = 0, status = ?3, status_reason = '', expires_at = ?4,
                      lifetime = ?5, boot_id = ?6, deadline_boot_ms = ?7, updated_at = ?8,
                      account_id = CASE WHEN ?9 = '' THEN account_id ELSE ?9 END WHERE id = ?1
                    """)
                statement.bind(1, credential)
                statement.bind(2, Int(generation))
                statement.bind(3, (life.lifetime == nil ? CredentialState.static : .fresh).rawValue)
                statement.bind(4, optional: life.expiresAt)
                statement.bind(5, optional: life.lifetime)
                statement.bind(6, life.bootID)
                statement.bind(7, optional: life.deadline.map { Int($0) })
                statement.bind(8, now)
                statement.bind(9, accountID)
                try statement.run()
                if intent > 0 { try close(intent, "committed", "ok", now) }
                var entry = AuditEntry(
                    credential: credential, event: event, cause: cause, intent: intent > 0 ? intent : nil,
                    newFingerprint: refresh.map { keys.fingerprint($0) }, outcome: "ok",
                    durationMsec: durationMsec)
                entry.oldFingerprint = sentFingerprint.isEmpty ? nil : sentFingerprint
                entry.oldGeneration = row.generation
                entry.newGeneration = generation
                entry.expiresAt = life.expiresAt
                try insert(entry, now: now)
            }
            return .committed(generation: generation)
        }
    }

    // MARK: - Audit

    /// Adds a line.
    package func audit(_ entry: AuditEntry, now: Int) throws(StoreError) {
        try change { () throws(SQLiteError) in try insert(entry, now: now) }
    }

    func insert(_ entry: AuditEntry, now: Int) throws(SQLiteError) {
        var statement = try database.prepare(
            """
            INSERT INTO audit (at, cred, event, cause, intent, gen_from, gen_to, fp_from, fp_to, http_status, class,
              duration_ms, expires_at, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
            """)
        statement.bind(1, now)
        statement.bind(2, entry.credential)
        statement.bind(3, entry.event)
        statement.bind(4, entry.cause)
        statement.bind(5, optional: entry.intent)
        statement.bind(6, optional: entry.oldGeneration.map { Int($0) })
        statement.bind(7, optional: entry.newGeneration.map { Int($0) })
        if let print = entry.oldFingerprint { statement.bind(8, print) } else { statement.bindNull(8) }
        if let print = entry.newFingerprint { statement.bind(9, print) } else { statement.bindNull(9) }
        statement.bind(10, optional: entry.httpStatus)
        statement.bind(11, entry.outcome)
        statement.bind(12, optional: entry.durationMsec)
        statement.bind(13, optional: entry.expiresAt)
        statement.bind(14, String(entry.note.prefix(200)))
        try statement.run()
    }

    /// The newest lines of a credential, newest first: time, event, cause and class.
    package func auditTail(_ credential: String, count: Int) throws(StoreError) -> [(at: Int, text: String)] {
        try query(
            "SELECT at, event, cause, class, note FROM audit WHERE cred = ?1 ORDER BY seq DESC LIMIT \(count)",
            credential
        ) { row in
            let parts = [row.text(1), row.text(2), row.text(3), row.text(4)].filter { !$0.isEmpty }
            return (row.integer(0), parts.joined(separator: " "))
        }
    }

    /// Removes lines that are too old or too many, and intents that are closed and as old.
    package func trimAudit(now: Int) throws(StoreError) {
        try change { () throws(SQLiteError) in
            let oldest = now - Self.auditDays * 86_400
            try database.execute(
                """
                DELETE FROM audit WHERE at < \(oldest)
                  OR seq <= (SELECT max(seq) FROM audit) - \(Self.auditRows);
                DELETE FROM refresh_intent WHERE phase NOT IN ('prepared', 'sent') AND closed_at < \(oldest)
                """)
        }
    }

    /// Takes the leading role: the number tells holders apart.
    package func takeLease(holder: String, now: Int) throws(StoreError) -> Int {
        var fence = 0
        try change { () throws(SQLiteError) in
            var statement = try database.prepare(
                """
                INSERT INTO lease (name, holder, fence, taken_at) VALUES ('refresher', ?1, 1, ?2)
                ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = fence + 1,
                  taken_at = excluded.taken_at RETURNING fence
                """)
            statement.bind(1, holder)
            statement.bind(2, now)
            while try statement.step() { fence = statement.integer(0) }
        }
        return fence
    }
}
