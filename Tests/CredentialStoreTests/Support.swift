// SPDX-License-Identifier: Apache-2.0
import Config
import CredentialStore
import Credentials
import Foundation

/// A private directory that goes with the test.
final class Folder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/ccr-store-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    func mode(_ name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: file(name))
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }

    func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: file(name))))
    }
}

extension Secret {
    var text: String { String(decoding: expose(), as: UTF8.self) }
}

func token(_ text: String) -> PublishedToken {
    PublishedToken(fields: [(name: "Authorization", value: Secret("Bearer " + text))])
}

let life = Vault.Life(expiresAt: 2000, lifetime: 1000, bootID: "boot", deadline: 5)

/// A vault with one credential "main" of provider "p" whose refresh token is "rt-1".
func vault(_ folder: Folder, keys: KeyRing = .make()) throws -> Vault {
    let vault = try Vault(path: folder.file("vault.db"), keys: keys)
    try vault.register(CredentialSpec(name: "main", provider: "p", kind: .oauth2), now: 1)
    try vault.setSecrets(
        "main", ["refresh": Secret("rt-1")], accountID: nil, event: "import", note: "", now: 1)
    return vault
}
