// SPDX-License-Identifier: Apache-2.0
// The error type of the SQLite wrapper.
// Source: sqlite.org/rescode.html ("Result and Error Codes").

import CSQLite

/// A failed SQLite call.
package struct SQLiteError: Error, Equatable, CustomStringConvertible {
    /// The extended result code, for example SQLITE_IOERR_FSYNC (1034).
    package let code: Int32
    /// SQLite's own words; names tables and columns, never a bound value.
    package let message: String

    init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    /// Damage that a check of the whole file has found.
    package static func damaged(_ finding: String) -> SQLiteError {
        SQLiteError(code: SQLITE_CORRUPT, message: finding)
    }

    /// What a caller can do about an error.
    package enum Remedy: Equatable {
        /// The file is no database or is damaged: move it aside and begin a new one.
        case replaceFile
        /// Space, rights, a lock or a device stand in the way: keep the data and try again later.
        case tryLater
        /// The statement or its use is wrong: a bug.
        case fixProgram
    }

    /// What to do, by the primary result code.
    package var remedy: Remedy {
        switch code & 0xFF {
        case SQLITE_CORRUPT, SQLITE_NOTADB: .replaceFile
        case SQLITE_FULL, SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY,
            SQLITE_PERM, SQLITE_NOMEM, SQLITE_PROTOCOL, SQLITE_AUTH, SQLITE_NOLFS:
            .tryLater
        default: .fixProgram
        }
    }

    /// "database disk image is malformed (11)".
    package var description: String { "\(message) (\(code))" }
}
