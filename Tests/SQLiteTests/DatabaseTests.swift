// SPDX-License-Identifier: Apache-2.0
// The SQLite wrapper on real files in a temporary directory.

import CSQLite
import Glibc
import Testing

@testable import SQLite

/// A directory that is gone after the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/ccr-sqlite-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for name in ["test.db", "test.db-wal", "test.db-shm"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    var database: String { "\(path)/test.db" }

    func write(_ bytes: [UInt8], to name: String) {
        let fd = open("\(path)/\(name)", O_CREAT | O_TRUNC | O_WRONLY, 0o600)
        #expect(Glibc.write(fd, bytes, bytes.count) == bytes.count)
        close(fd)
    }
}

private let numbers = [Database.Migration("CREATE TABLE number (name TEXT PRIMARY KEY, value) WITHOUT ROWID")]

@Suite struct DatabaseTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func `a new file has the newest schema, the write-ahead log and the busy wait`() throws {
        let database = try Database(path: directory.database, migrations: numbers)
        #expect(try database.schemaVersion() == 1)
        for (pragma, expected) in [
            ("journal_mode", "wal"), ("synchronous", "1"), ("foreign_keys", "1"), ("busy_timeout", "5000"),
        ] {
            var statement = try database.prepare("PRAGMA \(pragma)")
            let row = try statement.step()
            #expect(row)
            let text = statement.text(0)
            #expect(text == expected, "\(pragma)")
        }
    }

    @Test func `values come back as they were bound`() throws {
        let database = try Database(path: directory.database, migrations: [])
        var statement = try database.prepare("SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7")
        statement.bind(1, Int.min)
        statement.bind(2, 0.1)
        statement.bind(3, "a\0ü")
        statement.bind(4, "")
        [UInt8]([0, 255]).withUnsafeBytes { statement.bind(5, $0) }
        [UInt8]().withUnsafeBytes { statement.bind(6, $0) }
        statement.bindNull(7)
        let row = try statement.step()
        #expect(row)
        let texts = [statement.text(2), statement.text(3), statement.text(6)]
        let blobs = [Array(statement.blob(4)), Array(statement.blob(5))]
        let nulls = (0..<7).map { statement.isNull($0) }
        let integer = statement.integer(0)
        let double = statement.double(1)
        #expect(integer == Int.min)
        #expect(double == 0.1)
        #expect(texts == ["a\0ü", "", ""])
        #expect(blobs == [[0, 255], []])
        #expect(nulls == [false, false, false, false, false, false, true])
    }

    @Test func `a statement runs again with new values`() throws {
        let database = try Database(path: directory.database, migrations: numbers)
        var insert = try database.prepare("INSERT INTO number VALUES (?1, ?2)")
        for value in 1...3 {
            insert.bind(1, "n\(value)")
            insert.bind(2, value)
            try insert.run()
        }
        var sum = try database.prepare("SELECT sum(value) FROM number")
        _ = try sum.step()
        let total = sum.integer(0)
        #expect(total == 6)
    }

    @Test func `an error inside a transaction rolls all of it back and names its cause`() throws {
        let database = try Database(path: directory.database, migrations: numbers)
        let error = #expect(throws: SQLiteError.self) {
            try database.transaction { () throws(SQLiteError) in
                try database.execute("INSERT INTO number VALUES ('a', 1)")
                try database.execute("INSERT INTO number VALUES ('a', 2)")
            }
        }
        #expect(error?.code == SQLITE_CONSTRAINT | 6 << 8)
        #expect(error?.message == "UNIQUE constraint failed: number.name")
        #expect(error?.remedy == .fixProgram)
        var count = try database.prepare("SELECT count(*) FROM number")
        _ = try count.step()
        let rows = count.integer(0)
        #expect(rows == 0)
        try database.transaction { () throws(SQLiteError) in
            try database.execute("INSERT INTO number VALUES ('a', 1)")
        }
    }

    @Test func `migrations run once each, in order, from where the file is`() throws {
        _ = try Database(path: directory.database, migrations: numbers)
        let both = numbers + [.init("ALTER TABLE number ADD COLUMN unit TEXT")]
        let database = try Database(path: directory.database, migrations: both)
        #expect(try database.schemaVersion() == 2)
        try database.execute("INSERT INTO number VALUES ('a', 1, 'm')")
        _ = try Database(path: directory.database, migrations: both)
    }

    @Test func `a failing migration leaves the file as it was`() throws {
        let bad = numbers + [.init("CREATE TABLE other (id); CREATE TABLE number (id)")]
        #expect(throws: SQLiteError.self) { try Database(path: directory.database, migrations: bad) }
        let database = try Database(path: directory.database, migrations: numbers)
        #expect(try database.schemaVersion() == 1)
        try database.execute("CREATE TABLE other (id)")
    }

    @Test func `a file of a newer program is refused and kept`() throws {
        _ = try Database(path: directory.database, migrations: numbers + [.init("CREATE TABLE newer (id)")])
        let error = #expect(throws: SQLiteError.self) {
            try Database(path: directory.database, migrations: numbers)
        }
        #expect(error?.code == SQLITE_MISMATCH)
        #expect(error?.message == "the file has schema 2, this program knows 1")
    }

    @Test func `a file that is no database says so and can be replaced`() throws {
        directory.write(Array(repeating: 0x41, count: 8192), to: "test.db")
        let error = #expect(throws: SQLiteError.self) {
            try Database(path: directory.database, migrations: numbers)
        }
        #expect(error?.code == SQLITE_NOTADB)
        #expect(error?.remedy == .replaceFile)
    }

    @Test func `a path that cannot be opened is worth another try`() throws {
        let error = #expect(throws: SQLiteError.self) {
            try Database(path: "\(directory.path)/missing/test.db", migrations: numbers)
        }
        #expect(error.map { $0.code & 0xFF } == SQLITE_CANTOPEN)
        #expect(error?.remedy == .tryLater)
    }

    @Test func `a full database is worth another try and loses nothing committed`() throws {
        let database = try Database(path: directory.database, migrations: numbers)
        try database.execute("INSERT INTO number VALUES ('a', 1); PRAGMA max_page_count = 1")
        let error = #expect(throws: SQLiteError.self) {
            try database.transaction { () throws(SQLiteError) in
                try database.execute("INSERT INTO number VALUES ('big', zeroblob(1000000))")
            }
        }
        #expect(error?.code == SQLITE_FULL)
        #expect(error?.remedy == .tryLater)
        var count = try database.prepare("SELECT count(*) FROM number")
        _ = try count.step()
        let rows = count.integer(0)
        #expect(rows == 1)
    }

    @Test func `a statement may outlive its database object`() throws {
        func prepare() throws -> Statement {
            try Database(path: directory.database, migrations: numbers).prepare("SELECT 7")
        }
        var statement = try prepare()
        let row = try statement.step()
        let value = statement.integer(0)
        #expect(row && value == 7)
    }

    @Test func `text without a statement is refused`() throws {
        let database = try Database(path: directory.database, migrations: [])
        let error = #expect(throws: SQLiteError.self) { _ = try database.prepare("-- nothing") }
        #expect(error?.code == SQLITE_MISUSE)
    }
}
