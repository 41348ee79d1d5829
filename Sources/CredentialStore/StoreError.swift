// SPDX-License-Identifier: Apache-2.0
// What can go wrong with the store of credentials.

package import Posix
package import SQLite

package enum StoreError: Error, Equatable, CustomStringConvertible {
    /// SQLite refuses.
    case database(String, SQLiteError)
    /// A file or directory cannot be used; the text says which and why.
    case file(String)
    /// A system call failed on this path.
    case system(String, Errno)
    /// A stored secret does not open: another key, or it was altered.
    case sealed(String)
    /// There is a vault and no key for it, or the key is no key.
    case key(String)

    package var description: String {
        switch self {
        case .database(let file, let error): "\(file): \(error)"
        case .file(let text): text
        case .system(let path, let error): "\(path): \(error)"
        case .sealed(let what):
            "\(what) does not open with the master key: it was altered, or the key is another"
        case .key(let text): text
        }
    }

    /// Nobody but a person can help, so that starting again makes no sense.
    package var isFinal: Bool {
        switch self {
        case .file, .key: true
        case .database(_, let error): error.remedy != .tryLater
        case .system, .sealed: false
        }
    }
}
