// SPDX-License-Identifier: Apache-2.0
// Where the logins of other programs are, and how ccr's own are written for them.
// Source: the programs' own readers, 2026: codex-proxy (--creds-store, order of its migration), Codex ($CODEX_HOME),
// codex-code-router (COPILOT_TOKEN_FILE, COPILOT_BEARER_TOKEN); openai/codex codex-rs login/src/auth/storage.rs and
// secrets/src/local.rs (its items in a keyring, and the file to which one of them is the key).

import Config
import CredentialStore
import Credentials
import Crypto
import Glibc
import JSON
import SecretService

/// A place where another program keeps a login.
enum LoginStore: String, CaseIterable, Sendable {
    /// What the vault holds; else the first of the others that holds something.
    case auto
    /// codex-proxy/auth.json below $XDG_CONFIG_HOME or ~/.config.
    case xdg
    /// $CODEX_HOME/auth.json or ~/.codex/auth.json; of Copilot $COPILOT_TOKEN_FILE or ~/.copilot-tokens.json.
    case legacy
    /// Codex's login in the desktop's keyring, or in a file of Codex's to which the keyring holds the key.
    case keychain
    /// ACCESS_TOKEN and ACCOUNT_ID; of Copilot COPILOT_BEARER_TOKEN.
    case env
    /// ccr's own vault, where nothing has to be imported.
    case vault
}

/// What was found.
enum FoundLogin: Equatable {
    /// A file to be imported.
    case file(String)
    /// What such a file would hold.
    case contents(Secret)
    /// Tokens as `StoredTokens` reads them.
    case tokens(Secret)
}

struct LoginSources {
    let kind: CredentialKind
    let environment: [String: String]
    var keyring = SecretService.lookUp

    /// The first store that holds something, in the order in which codex-proxy migrates.
    func find(_ store: LoginStore) throws(SecretService.Failure) -> FoundLogin? {
        switch store {
        case .auto: try first
        case .keychain: try keychain
        case .vault: nil
        case .env: variables
        case .xdg: existing(xdgPath, unless: .copilot)
        case .legacy: existing(legacyPath)
        }
    }

    private var first: FoundLogin? {
        get throws(SecretService.Failure) {
            if let file = existing(xdgPath, unless: .copilot) ?? existing(legacyPath) { return file }
            do {
                if let found = try keychain { return found }
            } catch {
                if let variables { return variables }
                // Most machines have no keyring, which is no reason to complain.
                guard error == .noBus || error == .noService else { throw error }
            }
            return variables
        }
    }

    private var keychain: FoundLogin? {
        get throws(SecretService.Failure) {
            guard kind != .copilot else { return nil }
            // Codex uses one of the two; the other one may hold a login of former times.
            let logins = [try keyring(item("Codex Auth", "cli|")), try encrypted]
            let newest = logins.compactMap { $0 }.max { Self.renewed($0) < Self.renewed($1) }
            return newest.map { .contents(Secret(bytes: $0)) }
        }
    }

    /// What Codex keeps in a file of its own if told to ("secrets" in place of "direct").
    private var encrypted: [UInt8]? {
        get throws(SecretService.Failure) {
            let path = codexHome + "/secrets/cli_auth.age"
            guard access(path, F_OK) == 0, let key = try keyring(item("codex", "secrets|")) else {
                return nil
            }
            let file: [UInt8]
            do throws(StoreError) {
                // Codex leaves its mode to the umask.
                file = try PrivateFile.read(
                    path, limit: SecretService.maximumBytes, acceptsOpenMode: true)
            } catch {
                throw .refused("\(error)")
            }
            let parser = JSONParser()
            guard let text = AgeFile.open(file, passphrase: key), let root = parser.object(text) else {
                throw .refused("\(path) does not open with the key that it holds; log in with Codex")
            }
            return root.member("secrets")?.member("global/CLI_AUTH")?.string.map { Array($0.utf8) }
        }
    }

    /// When Codex renewed a login, in seconds since 1970.
    private static func renewed(_ login: [UInt8]) -> Int {
        let parser = JSONParser()
        return parser.object(login)?.member("last_refresh")?.string.flatMap { Timestamp.rfc3339($0) } ?? 0
    }

    /// The name of an item, which Codex derives from its directory.
    private func item(_ service: String, _ prefix: String) -> [(name: String, value: String)] {
        let resolved = realpath(codexHome, nil)
        defer { free(resolved) }
        let path = resolved.map { String(cString: $0) } ?? codexHome
        let digits = Array("0123456789abcdef")
        let hash = SHA256.digest(Array(path.utf8)).withBytes { digest in
            digest.prefix(8).map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
        }
        return [(name: "service", value: service), (name: "username", value: prefix + hash)]
    }

    /// The places, for people.
    func description(_ store: LoginStore) -> String {
        switch store {
        case .auto:
            [LoginStore.xdg, .legacy, .keychain, .env].map(description).filter { !$0.isEmpty }.joined(
                separator: ", ")
        case .vault: "the vault"
        case .env: kind == .copilot ? "COPILOT_BEARER_TOKEN" : "ACCESS_TOKEN"
        case .xdg: kind == .copilot ? "" : xdgPath
        case .keychain: kind == .copilot ? "" : "the desktop's keyring"
        case .legacy: legacyPath
        }
    }

    private func value(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    private var home: String { value("HOME") ?? "/" }

    private var xdgPath: String { (value("XDG_CONFIG_HOME") ?? "\(home)/.config") + "/codex-proxy/auth.json" }

    private var legacyPath: String {
        if kind == .copilot { return value("COPILOT_TOKEN_FILE") ?? "\(home)/.copilot-tokens.json" }
        return codexHome + "/auth.json"
    }

    private var codexHome: String { value("CODEX_HOME") ?? "\(home)/.codex" }

    private func existing(_ path: String, unless other: CredentialKind? = nil) -> FoundLogin? {
        kind != other && access(path, F_OK) == 0 ? .file(path) : nil
    }

    private var variables: FoundLogin? {
        let name = kind == .copilot ? "COPILOT_BEARER_TOKEN" : "ACCESS_TOKEN"
        guard let token = value(name) else { return nil }
        var json = JSONWriter()
        json.object { json in
            json.member("accessToken", token)
            if kind != .copilot, let account = value("ACCOUNT_ID") { json.member("userID", account) }
        }
        return .tokens(Secret(bytes: json.bytes))
    }
}

/// auth.json as codex-proxy reads it.
enum LoginFile {
    private static let maximumBytes = 128 << 10

    /// Puts tokens into a file in place of those that it holds; everything else that stands in it stays. The file is
    /// replaced as a whole, with mode 0600.
    ///
    /// - Parameter tokens: a JSON object.
    static func write(_ path: String, tokens: [UInt8]) throws(StoreError) {
        var old: [UInt8] = []
        if access(path, F_OK) == 0 { old = try PrivateFile.read(path, limit: maximumBytes) }
        guard let merged = merged(old, tokens) else {
            throw .file("\(path) holds something else than a JSON object; it stays as it is")
        }
        try PrivateFile.write(path, merged)
    }

    static func merged(_ old: [UInt8], _ tokens: [UInt8]) -> [UInt8]? {
        var json = JSONWriter()
        guard let others = members(old.isEmpty ? Array("{}".utf8) : old), let new = members(tokens) else {
            return nil
        }
        let held = others.first { $0.name == "tokens" }.flatMap { members($0.text) } ?? []
        json.object { json in
            for member in others where member.name != "tokens" {
                json.key(member.name)
                json.raw(member.text)
            }
            json.key("tokens")
            json.object { json in
                for member in held where !new.contains(where: { $0.name == member.name }) {
                    json.key(member.name)
                    json.raw(member.text)
                }
                for member in new {
                    json.key(member.name)
                    json.raw(member.text)
                }
            }
        }
        return json.bytes + [0x0A]
    }

    /// The members of an object with their text; nil for anything else.
    private static func members(_ text: [UInt8]) -> [(name: String, text: [UInt8])]? {
        let parser = JSONParser()
        return text.withUnsafeBytes { bytes in
            guard let root = try? parser.parse(bytes), root.isObject,
                let map = SourceMap(parser)
            else { return nil }
            return root.members.map {
                (String(decoding: $0.key, as: UTF8.self), Array(map.bytes(of: $0.value)))
            }
        }
    }
}
