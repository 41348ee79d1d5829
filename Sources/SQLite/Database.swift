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

    /// How a database is kept.
    package struct Options: Sendable {
        /// A commit waits until it is on the disk. Without it, the power failing may take the newest commits, never
        /// the file; the death of the process takes nothing either way.
        package var survivesPowerLoss = false
        /// The log and its index stay when the last connection closes, so that a reader without the right to make
        /// them can open the file (sqlite.org/wal.html, "Read-Only Databases").
        package var keepsLog = false
        /// Deleted and replaced rows are overwritten in the file.
        package var erasesOldRows = false
        /// Marks what the file is for; 0 for none. A file with another mark is refused.
        package var applicationID: Int32 = 0

        package init() {}
    }

    /// Opens or creates `path` for reading and writing and brings it to the newest schema.
    ///
    /// The write-ahead log is on and foreign keys are checked. Migrations whose number is above the file's
    /// `user_version` run in one transaction each.
    /// - Parameter busyMsec: milliseconds a statement waits for another process's lock until SQLITE_BUSY.
    /// - Throws: the error of opening, of a migration, or SQLITE_MISMATCH when the file is of a newer program or of
    ///   another one.
    package init(
        path: String, migrations: [Migration], busyMsec: Int32 = 5_000, options: Options = Options()
    ) throws(SQLiteError) {
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        connection = try Database.open(path, flags, busyMsec: busyMsec)
        var keepsLog: Int32 = options.keepsLog ? 1 : 0
        sqlite3_file_control(connection.handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keepsLog)
        let synchronous = options.survivesPowerLoss ? "FULL" : "NORMAL"
        try execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = \(synchronous); PRAGMA foreign_keys = ON; "
                + "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
        if options.erasesOldRows { try execute("PRAGMA secure_delete = ON") }
        if try schemaVersion() > 0 {
            try check(applicationID: options.applicationID)
        } else if options.applicationID != 0 {
            try execute("PRAGMA application_id = \(options.applicationID)")
        }
        try migrate(migrations)
    }

    /// Opens an existing file for reading only. A reader of another user needs the file and its log to be readable
    /// and the writer to keep its log (`Options.keepsLog`).
    ///
    /// - Throws: the error of opening, SQLITE_MISMATCH when the file is of another program or its schema is not
    ///   `schema`, SQLITE_READONLY while a file exists whose writer has never run.
    package init(readOnly path: String, applicationID: Int32, schema: Int, busyMsec: Int32 = 1_000)
        throws(SQLiteError)
    {
        let flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI
        // Without readonly_shm SQLite first tries to open the index for writing, which a sandbox reports.
        connection = try Database.open(Database.uri(path) + "?readonly_shm=1", flags, busyMsec: busyMsec)
        try check(applicationID: applicationID)
        let version = try schemaVersion()
        guard version == schema else {
            throw SQLiteError(
                code: SQLITE_MISMATCH, message: "the file has schema \(version), this program reads \(schema)"
            )
        }
    }

    private static func open(_ path: String, _ flags: Int32, busyMsec: Int32) throws(SQLiteError)
        -> Connection
    {
        var handle: OpaquePointer?
        let result = sqlite3_open_v2(path, &handle, flags, nil)
        guard let handle else { throw SQLiteError(code: result, message: "out of memory") }
        // A failed open leaves a handle that holds the message and must be closed like a good one.
        let connection = Connection(handle)
        guard result == SQLITE_OK else { throw connection.error(result) }
        sqlite3_busy_timeout(handle, busyMsec)
        return connection
    }

    /// sqlite.org/uri.html: "?", "#" and "%" have a meaning.
    private static func uri(_ path: String) -> String {
        let text = path.replacing("%", with: "%25").replacing("?", with: "%3f").replacing("#", with: "%23")
        return "file:" + text
    }

    private func check(applicationID: Int32) throws(SQLiteError) {
        var statement = try prepare("PRAGMA application_id")
        let found = try statement.step() ? statement.integer(0) : 0
        guard found == Int(applicationID) else {
            throw SQLiteError(code: SQLITE_MISMATCH, message: "the file belongs to another program")
        }
    }

    /// Reads the whole file for damage; `nil` when it is sound, else SQLite's words about the first finding.
    package func findDamage() throws(SQLiteError) -> String? {
        var statement = try prepare("PRAGMA quick_check(1)")
        guard try statement.step() else { return "no answer from quick_check" }
        let text = statement.text(0)
        return text == "ok" ? nil : text
    }

    /// Writes a compact copy of the database to a file that must not exist yet.
    package func copy(to path: String) throws(SQLiteError) {
        var statement = try prepare("VACUUM INTO ?1")
        statement.bind(1, path)
        try statement.run()
    }

    /// The number of rows that the last INSERT, UPDATE or DELETE touched.
    package var changedRows: Int { Int(sqlite3_changes64(connection.handle)) }

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
        try transaction(failure: { $0 }, body)
    }

    /// The same for a `body` with errors of its own, which `failure` makes of SQLite's. What it reads stays true until it has
    /// written: no other process writes in between.
    package func transaction<Value, Failure>(
        failure: (SQLiteError) -> Failure, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try run("BEGIN IMMEDIATE", failure)
        do throws(Failure) {
            let value = try body()
            try run("COMMIT", failure)
            return value
        } catch {
            // Some errors (a full disk, for one) have rolled back already; then this one says so and is no news.
            sqlite3_exec(connection.handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    private func run<Failure>(_ sql: String, _ failure: (SQLiteError) -> Failure) throws(Failure) {
        do throws(SQLiteError) { try execute(sql) } catch { throw failure(error) }
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
