// SPDX-License-Identifier: Apache-2.0
// A compiled SQL statement: bind, step, read columns, use again.
// Source: sqlite.org/c3ref/stmt.html, sqlite.org/c3ref/bind_blob.html.

import CSQLite

/// Tells SQLite to copy a bound value before the call returns; the C macro SQLITE_TRANSIENT does not import.
private let copyNow = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

/// A compiled statement; finalised at the end of its life.
///
/// Parameters count from 1 and columns from 0, as in SQLite. An error in a bind shows at the next `step`.
package struct Statement: ~Copyable {
    private let handle: OpaquePointer
    private let connection: Database.Connection
    private var bindError: Int32 = SQLITE_OK

    init(_ handle: OpaquePointer, _ connection: Database.Connection) {
        self.handle = handle
        self.connection = connection
    }

    deinit {
        sqlite3_finalize(handle)
    }

    // MARK: - Parameters

    package mutating func bind(_ index: Int32, _ value: Int) {
        note(sqlite3_bind_int64(handle, index, Int64(value)))
    }

    package mutating func bind(_ index: Int32, _ value: Double) {
        note(sqlite3_bind_double(handle, index, value))
    }

    package mutating func bind(_ index: Int32, _ value: String) {
        // SQLite takes the length without the closing zero, so that a zero inside the text is kept.
        note(
            value.withCString { sqlite3_bind_text(handle, index, $0, Int32(value.utf8.count), copyNow) })
    }

    package mutating func bind(_ index: Int32, _ value: UnsafeRawBufferPointer) {
        note(
            value.isEmpty
                ? sqlite3_bind_zeroblob(handle, index, 0)
                : sqlite3_bind_blob(handle, index, value.baseAddress, Int32(value.count), copyNow))
    }

    package mutating func bind(_ index: Int32, _ value: [UInt8]) {
        value.withUnsafeBytes { bind(index, $0) }
    }

    /// NULL for nil.
    package mutating func bind(_ index: Int32, optional value: Int?) {
        if let value { bind(index, value) } else { bindNull(index) }
    }

    package mutating func bindNull(_ index: Int32) {
        note(sqlite3_bind_null(handle, index))
    }

    private mutating func note(_ result: Int32) {
        if result != SQLITE_OK, bindError == SQLITE_OK { bindError = result }
    }

    // MARK: - Running

    /// Moves to the next row: true when there is one, false when the statement is done (and reset for the next use).
    package mutating func step() throws(SQLiteError) -> Bool {
        guard bindError == SQLITE_OK else {
            let error = connection.error(bindError)
            reset()
            throw error
        }
        let result = sqlite3_step(handle)
        switch result {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            reset()
            return false
        default:
            let error = connection.error(result)
            reset()
            throw error
        }
    }

    /// Runs a statement that returns no rows.
    package mutating func run() throws(SQLiteError) {
        while try step() {}
    }

    /// Makes the statement ready to run again; bound values stay.
    package mutating func reset() {
        // The result repeats the error of the last step, which step has thrown.
        sqlite3_reset(handle)
        bindError = SQLITE_OK
    }

    // MARK: - Columns of the current row

    package func integer(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }

    /// nil for NULL.
    package func optionalInteger(_ column: Int32) -> Int? { isNull(column) ? nil : integer(column) }

    package func double(_ column: Int32) -> Double { sqlite3_column_double(handle, column) }

    /// "" for NULL.
    package func text(_ column: Int32) -> String {
        guard let bytes = sqlite3_column_text(handle, column) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    /// A view that is valid until the next `step` or `reset`; empty for NULL.
    package func blob(_ column: Int32) -> UnsafeRawBufferPointer {
        // The order matters: asking for the blob may convert the value and change its size.
        let bytes = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column)))
    }

    package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
}
