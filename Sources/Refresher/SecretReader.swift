// SPDX-License-Identifier: Apache-2.0
// Reads secrets from where the configuration says they are.
// Source: systemd.exec(5), "Credentials".

import Config
import CredentialStore
import Credentials
import Glibc

enum SecretReader {
    private static let maximumBytes = 64 << 10

    /// The bytes of a source other than the vault.
    ///
    /// - Throws: what is wrong, naming the source.
    static func read(_ source: SecretSource) throws(StoreError) -> [UInt8] {
        switch source {
        case .vault: throw .file("the vault holds no secret yet")
        case .environment(let name):
            guard let value = getenv(name) else { throw .file("the environment variable \(name) is not set") }
            let bytes = Array(String(cString: value).utf8)
            guard !bytes.isEmpty else { throw .file("the environment variable \(name) is empty") }
            return bytes
        case .file(let path): return try PrivateFile.read(path, limit: maximumBytes)
        case .systemd(let name):
            guard let directory = getenv("CREDENTIALS_DIRECTORY") else {
                throw .file("the service manager passed no credentials, so there is no \(source.text)")
            }
            // Its files belong to root or the unit's user; their mode is the service manager's affair.
            return try PrivateFile.read(
                "\(String(cString: directory))/\(name)", limit: maximumBytes, acceptsOpenMode: true)
        }
    }

    /// The secret of a kind: one line for everything but key files.
    static func secret(_ source: SecretSource, kind: CredentialKind) throws(StoreError) -> Secret {
        let bytes = try read(source)
        if kind == .googleServiceAccount { return Secret(bytes: bytes) }
        guard let line = KeyText.line(bytes) else {
            throw .file(
                "\(source.text) is empty, or holds a blank, a second line or a character outside ASCII")
        }
        return line
    }
}
