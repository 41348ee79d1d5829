// SPDX-License-Identifier: Apache-2.0
// tokens.db: the tokens that workers may use, each sealed for its provider. The refresher writes, workers read.
// Source: sqlite.org/wal.html, "Read-Only Databases".

package import Credentials
import Glibc
import Posix
import SQLite

/// A row of tokens.db.
package struct TokenRow: Equatable, Sendable {
    package var credential: String
    package var provider: String
    package var generation: UInt64
    /// Grows with every change of the row that leaves the generation as it is.
    package var sequence: UInt64
    package var state: CredentialState
    package var reason: String
    /// Sealed `PublishedToken`; empty before the first.
    package var sealed: [UInt8]
    /// Seconds since 1970; nil when the token has no end.
    package var expiresAt: Int?
    /// The boot in which `deadline` counts.
    package var bootID: String
    /// Milliseconds of CLOCK_BOOTTIME at which the token ends.
    package var deadline: UInt64?
    /// Seconds since 1970 before which asking again makes no sense.
    package var retryAt: Int?

    package init(
        credential: String, provider: String, generation: UInt64, sequence: UInt64, state: CredentialState,
        reason: String, sealed: [UInt8], expiresAt: Int?, bootID: String, deadline: UInt64?, retryAt: Int?
    ) {
        self.credential = credential
        self.provider = provider
        self.generation = generation
        self.sequence = sequence
        self.state = state
        self.reason = reason
        self.sealed = sealed
        self.expiresAt = expiresAt
        self.bootID = bootID
        self.deadline = deadline
        self.retryAt = retryAt
    }

    package var place: Envelope.Place {
        Envelope.Place(table: "token", column: "sealed", credential: credential, generation: generation)
    }
}

/// The writing side.
package final class TokenDatabase {
    private let database: Database
    private let path: String

    /// Opens or makes the file, readable for the group.
    package init(path: String) throws(StoreError) {
        self.path = path
        try PrivateFile.checkFile(path, .groupMayRead)
        do throws(SQLiteError) {
            var options = Database.Options()
            options.keepsLog = true
            options.erasesOldRows = true
            options.applicationID = TokenSchema.applicationID
            database = try Database(path: path, migrations: TokenSchema.migrations, options: options)
            if let damage = try database.findDamage() {
                throw SQLiteError.damaged(damage)
            }
        } catch {
            throw .database(path, error)
        }
        // The log and its index get the mode of the file.
        for name in [path, path + "-wal", path + "-shm"] where chmod(name, 0o640) != 0 && errno != ENOENT {
            throw .system(name, Errno("chmod"))
        }
    }

    /// Publishes a row unless a newer one is there. Returns whether anything changed.
    @discardableResult
    package func publish(_ row: TokenRow, now: Int) throws(StoreError) -> Bool {
        do throws(SQLiteError) {
            var changed = false
            try database.transaction { () throws(SQLiteError) in
                var statement = try database.prepare(
                    """
                    INSERT INTO token (cred, provider, generation, state_seq, state, reason, sealed, expires_at, boot_id,
                      deadline_boot_ms, retry_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                    ON CONFLICT (cred) DO UPDATE SET provider = excluded.provider, generation = excluded.generation,
                      state_seq = excluded.state_seq, state = excluded.state, reason = excluded.reason,
                      sealed = excluded.sealed, expires_at = excluded.expires_at, boot_id = excluded.boot_id,
                      deadline_boot_ms = excluded.deadline_boot_ms, retry_at = excluded.retry_at,
                      updated_at = excluded.updated_at
                    WHERE excluded.generation > token.generation
                      OR (excluded.generation = token.generation AND excluded.state_seq > token.state_seq)
                    """)
                statement.bind(1, row.credential)
                statement.bind(2, row.provider)
                statement.bind(3, Int(row.generation))
                statement.bind(4, Int(row.sequence))
                statement.bind(5, row.state.rawValue)
                statement.bind(6, row.reason)
                statement.bind(7, row.sealed)
                statement.bind(8, optional: row.expiresAt)
                statement.bind(9, row.bootID)
                statement.bind(10, optional: row.deadline.map { Int($0) })
                statement.bind(11, optional: row.retryAt)
                statement.bind(12, now)
                try statement.run()
                changed = database.changedRows > 0
            }
            return changed
        } catch {
            throw .database(path, error)
        }
    }

    /// The generation that workers know of each credential.
    package func generations() throws(StoreError) -> [String: UInt64] {
        do throws(SQLiteError) {
            var list = try database.prepare("SELECT cred, generation FROM token")
            var found: [String: UInt64] = [:]
            while try list.step() { found[list.text(0)] = UInt64(list.integer(1)) }
            return found
        } catch {
            throw .database(path, error)
        }
    }

    /// Takes credentials out that are not configured any more.
    package func keepOnly(_ names: Set<String>) throws(StoreError) {
        do throws(SQLiteError) {
            var gone: [String] = []
            var list = try database.prepare("SELECT cred FROM token")
            while try list.step() {
                let name = list.text(0)
                if !names.contains(name) { gone.append(name) }
            }
            for name in gone {
                var statement = try database.prepare("DELETE FROM token WHERE cred = ?1")
                statement.bind(1, name)
                try statement.run()
            }
        } catch {
            throw .database(path, error)
        }
    }
}

/// The reading side: one worker, one provider.
package final class TokenReader {
    private let database: Database
    private let path: String

    /// - Throws: the error of opening while the refresher has never run; open it again later.
    package init(path: String) throws(StoreError) {
        self.path = path
        do throws(SQLiteError) {
            database = try Database(
                readOnly: path, applicationID: TokenSchema.applicationID, schema: TokenSchema.migrations.count
            )
        } catch {
            throw .database(path, error)
        }
    }

    /// The rows of a provider.
    package func rows(of provider: String) throws(StoreError) -> [TokenRow] {
        do throws(SQLiteError) {
            var statement = try database.prepare(
                """
                SELECT cred, provider, generation, state_seq, state, reason, sealed, expires_at, boot_id,
                  deadline_boot_ms, retry_at FROM token WHERE provider = ?1
                """)
            statement.bind(1, provider)
            var rows: [TokenRow] = []
            while try statement.step() {
                rows.append(
                    TokenRow(
                        credential: statement.text(0), provider: statement.text(1),
                        generation: UInt64(statement.integer(2)), sequence: UInt64(statement.integer(3)),
                        state: CredentialState(rawValue: statement.text(4)) ?? .crypto,
                        reason: statement.text(5), sealed: Array(statement.blob(6)),
                        expiresAt: statement.optionalInteger(7), bootID: statement.text(8),
                        deadline: statement.optionalInteger(9).map { UInt64($0) },
                        retryAt: statement.optionalInteger(10)))
            }
            return rows
        } catch {
            throw .database(path, error)
        }
    }
}
