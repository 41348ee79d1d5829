// SPDX-License-Identifier: Apache-2.0
// One connection to one SQLite database file, used by one thread of one process.
// Source: sqlite.org/c3ref/open.html, sqlite.org/wal.html, sqlite.org/pragma.html.

import CSQLite

/// An open database. The connection closes when the last owner, the object or a statement of it, is gone.
package final class Database {
    let connection: Connection

    /// Closes with the last reference; statements hold one, so that none outlives its connection.
    final class Connection {
        let handle: OpaquePointer

        init(_ handle: OpaquePointer) {
            self.handle = handle
        }

        deinit {
            sqlite3_close_v2(handle)
        }

        /// The error of the last call on this connection.
        func error(_ code: Int32) -> SQLiteError {
            SQLiteError(code: code, message: String(cString: sqlite3_errmsg(handle)))
        }
    }

    /// A step from one schema version to the next: SQL statements separated by semicolons.
    package struct Migration: Sendable {
        let sql: String

        package init(_ sql: String) {
            self.sql = sql
        }
    }

    /// Opens or creates `path` for reading and writing and brings it to the newest schema.
    ///
    /// The write-ahead log is on, `synchronous` is NORMAL (a commit survives the death of the process; the power
    /// failing may take the newest commits, never the file), and foreign keys are checked. Migrations whose number
    /// is above the file's `user_version` run in one transaction each.
    /// - Parameter busyMsec: milliseconds a statement waits for another process's lock until SQLITE_BUSY.
    /// - Throws: the error of opening, of a migration, or SQLITE_MISMATCH when the file is of a newer program.
    package init(path: String, migrations: [Migration], busyMsec: Int32 = 5_000) throws(SQLiteError) {
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let result = sqlite3_open_v2(path, &handle, flags, nil)
        guard let handle else { throw SQLiteError(code: result, message: "out of memory") }
        // A failed open leaves a handle that holds the message and must be closed like a good one.
        connection = Connection(handle)
        guard result == SQLITE_OK else { throw connection.error(result) }
        sqlite3_busy_timeout(handle, busyMsec)
        try execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON")
        try migrate(migrations)
    }

    /// Runs statements separated by semicolons; rows they return are dropped.
    package func execute(_ sql: String) throws(SQLiteError) {
        let result = sqlite3_exec(connection.handle, sql, nil, nil, nil)
        guard result == SQLITE_OK else { throw connection.error(result) }
    }

    /// Compiles one statement, to be kept and run many times.
    package func prepare(_ sql: String) throws(SQLiteError) -> Statement {
        var statement: OpaquePointer?
        let result = sqlite3_prepare_v3(
            connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard result == SQLITE_OK else { throw connection.error(result) }
        guard let statement else {
            throw SQLiteError(code: SQLITE_MISUSE, message: "no statement in the text")
        }
        return Statement(statement, connection)
    }

    /// Runs `body` between BEGIN IMMEDIATE and COMMIT; any error rolls everything back and comes out.
    package func transaction(_ body: () throws(SQLiteError) -> Void) throws(SQLiteError) {
        try execute("BEGIN IMMEDIATE")
        do {
            try body()
            try execute("COMMIT")
        } catch {
            // Some errors (a full disk, for one) have rolled back already; then this one says so and is no news.
            sqlite3_exec(connection.handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// The schema version of the file: the number of migrations it has seen.
    package func schemaVersion() throws(SQLiteError) -> Int {
        var statement = try prepare("PRAGMA user_version")
        return try statement.step() ? statement.integer(0) : 0
    }

    private func migrate(_ migrations: [Migration]) throws(SQLiteError) {
        let version = try schemaVersion()
        guard version <= migrations.count else {
            throw SQLiteError(
                code: SQLITE_MISMATCH,
                message: "the file has schema \(version), this program knows \(migrations.count)")
        }
        for (index, migration) in migrations.enumerated().dropFirst(version) {
            try transaction { () throws(SQLiteError) in
                try execute(migration.sql)
                try execute("PRAGMA user_version = \(index + 1)")
            }
        }
    }
}
