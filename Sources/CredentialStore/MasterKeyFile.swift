// SPDX-License-Identifier: Apache-2.0
// Where the master key comes from: the service manager's credential, else a file that the first start makes.
// Source: systemd.exec(5), "LoadCredentialEncrypted=".

import Config
import Glibc
import Posix

package struct MasterKeyFile {
    /// The name under which the service manager passes the key.
    package static let credentialName = "ccr-kek"

    package let path: String
    /// The service manager's: only the administrator can change it.
    package let isPassed: Bool

    /// - Parameters:
    ///   - directory: the vault's.
    ///   - credentials: $CREDENTIALS_DIRECTORY, if set.
    package init(directory: String, credentials: String?) {
        if let credentials, access("\(credentials)/\(Self.credentialName)", F_OK) == 0 {
            path = "\(credentials)/\(Self.credentialName)"
            isPassed = true
        } else {
            path = "\(directory)/master.key"
            isPassed = false
        }
    }

    /// Reads the key, or makes one when there is no vault yet that an older one sealed.
    package func load(vaultExists: Bool) throws(StoreError) -> KeyRing {
        if isPassed || access(path, F_OK) == 0 {
            // The service manager's files are readable by the unit's user by other means than their mode.
            let text = try PrivateFile.read(path, limit: 4096, acceptsOpenMode: isPassed)
            do throws(StoreError) {
                return try KeyRing(text)
            } catch {
                throw .key("\(path): \(error); restore it from a backup")
            }
        }
        guard !vaultExists else {
            throw .key("\(path) is missing, and vault.db cannot be read without it; restore it from a backup")
        }
        let ring = KeyRing.make()
        try PrivateFile.write(path, ring.text)
        return ring
    }

    /// Stores a changed ring.
    package func save(_ ring: KeyRing) throws(StoreError) {
        guard !isPassed else {
            throw .key(
                "the master key comes from the service manager: put a new line above the old one in its credential "
                    + "\(Self.credentialName) and start the refresher anew; its log says when the old line may go"
            )
        }
        try PrivateFile.write(path, ring.text)
    }
}
