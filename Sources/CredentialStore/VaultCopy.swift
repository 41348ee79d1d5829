// SPDX-License-Identifier: Apache-2.0
// A copy of the vault in the place of the vault. What it holds may be older than what services know: a secret that was
// replaced since ends the whole login when it is sent, so such secrets are not sent any more.

import Credentials
import Glibc
import Posix
import SQLite

package enum VaultCopy {
    /// Where a checked copy waits for the next start.
    private static func waiting(_ path: String) -> String { path + ".restore" }

    /// Checks a copy and puts it where the next start takes it up.
    ///
    /// - Throws: when it is no vault, or another master key sealed it; nothing is changed then.
    package static func prepare(_ copy: String, for vault: Vault) throws(StoreError) {
        try PrivateFile.checkFile(copy)
        guard access(copy, F_OK) == 0 else { throw .file("\(copy) does not exist") }
        // A copy of its own: opening it makes files beside it, and the one that was named stays as it is.
        let place = waiting(vault.path)
        unlink(place)
        let bytes = try PrivateFile.read(copy, limit: 256 << 20)
        try PrivateFile.write(place, bytes)
        do throws(StoreError) {
            _ = try Vault(path: place, keys: vault.keys)
        } catch {
            remove(place)
            throw error
        }
    }

    /// Takes a waiting copy up, if there is one; called before the vault is opened. Returns whether it did.
    package static func takeUp(_ path: String, now: Int) throws(StoreError) -> Bool {
        let place = waiting(path)
        guard access(place, F_OK) == 0 else { return false }
        for suffix in ["", "-wal", "-shm"] where access(path + suffix, F_OK) == 0 {
            guard rename(path + suffix, "\(path).before-\(now)\(suffix)") == 0 else {
                throw .system(path, Errno("rename"))
            }
        }
        for suffix in ["-wal", "-shm", ""] where access(place + suffix, F_OK) == 0 {
            guard rename(place + suffix, path + suffix) == 0 else { throw .system(place, Errno("rename")) }
        }
        return true
    }

    private static func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }
}

extension Vault {
    /// After a restore: generations go on behind those that workers know, and secrets that services replace are not
    /// sent again.
    package func restored(above generations: [String: UInt64], rotating: Set<String>, now: Int)
        throws(StoreError)
    {
        for row in try rows() {
            let next = max(row.generation, generations[row.name] ?? 0) + 1
            try change { () throws(SQLiteError) in
                var statement = try database.prepare(
                    "UPDATE credential SET generation = ?2, state_seq = 0 WHERE id = ?1")
                statement.bind(1, row.name)
                statement.bind(2, Int(next))
                try statement.run()
                try insert(AuditEntry(credential: row.name, event: "restored", cause: "operator"), now: now)
            }
            guard rotating.contains(row.name) else { continue }
            try change { () throws(SQLiteError) in try dropPrevious(row.name) }
            try setState(row.name, .needsLogin, "restored from a copy", now: now)
        }
    }
}
