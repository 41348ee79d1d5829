// SPDX-License-Identifier: Apache-2.0
// One credential of a provider, as configured. It says where secrets are and holds none.

/// An entry of Providers[].credentials.
package struct ProviderCredential: Equatable, Sendable {
    /// Unique among all providers.
    package var name: String
    package var kind: CredentialKind
    package var secret: SecretSource
    package var clientSecret: SecretSource?
    /// 1…1000.
    package var weight: Int
    /// Lower ones are used first.
    package var priority: Int
    package var limit: PerMinute
    /// The header that carries the token; nil for what the kind or the provider has.
    package var header: String?
    package var headers: [String: String]
    /// By their keys; every one is checked.
    package var settings: [String: String]
    package var tokenFields: [String: String]
    package var tokenHeaders: [String: String]
    /// The program that prints the token, with its arguments; empty when there is none.
    package var command: [String]
    /// Variables of the refresher's environment that the program gets.
    package var commandEnvironment: [String]
    /// How long a request waits for a token, in milliseconds.
    package var waitMsec: Int
}

/// Reads one entry.
struct CredentialReader {
    let section: ConfigSection

    /// Settings that are addresses.
    private static let urls = [
        "token_url", "device_url", "device_token_url", "device_page_url", "authorize_url", "revoke_url",
    ]
    private static let texts = [
        "client_id", "scope", "tenant", "client_auth", "body", "mode", "command_format", "region", "service",
    ]
    private static let integers = [
        "default_ttl", "advisory", "mandatory", "command_timeout", "redirect_port",
    ]
    private static let lists = ["permanent_codes", "permanent_texts"]

    func read(_ problems: inout ConfigProblems) -> ProviderCredential? {
        guard let (nameNode, namePath) = section.value("name"), let name = nameNode.text,
            let kind = section.text("kind").flatMap({ CredentialKind(rawValue: $0) })
        else { return nil }
        guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy({ Self.isNameByte($0) }) else {
            problems.error(nameNode, namePath, "allowed are 1 to 64 letters, digits, “.”, “_” and “-”")
            return nil
        }
        let settings = settings(kind, &problems)
        if [.oauth2, .clientCredentials].contains(kind), settings["token_url"] == nil {
            problems.error(nameNode, namePath, "the kind \(kind.rawValue) needs token_url")
        }
        if kind == .entra, settings["tenant"] == nil, settings["token_url"] == nil {
            problems.error(nameNode, namePath, "the kind \(kind.rawValue) needs tenant")
        }
        if kind == .awsSigV4, settings["region"] == nil {
            problems.error(nameNode, namePath, "the kind \(kind.rawValue) needs region")
        }
        let secret = source("secret", &problems) ?? .vault
        if settings["mode"] == "follow", !Self.mayFollow(kind, secret) {
            problems.error(
                nameNode, namePath, "follow needs a login file of another program: secret “file:/PATH”")
        }
        let clientSecret = source("client_secret", &problems)
        if [.clientCredentials, .entra].contains(kind), clientSecret == nil {
            problems.error(nameNode, namePath, "the kind \(kind.rawValue) needs client_secret")
        }
        return ProviderCredential(
            name: name, kind: kind, secret: secret, clientSecret: clientSecret,
            weight: section.integerOrDefault("weight"), priority: section.integerOrDefault("priority"),
            limit: PerMinute(requests: section.integer("rpm"), tokens: section.integer("tpm")),
            header: header(&problems), headers: map("headers", &problems), settings: settings,
            tokenFields: map("token_fields", &problems), tokenHeaders: map("token_headers", &problems),
            command: command(kind, &problems), commandEnvironment: section.texts("command_env") ?? [],
            waitMsec: section.integerOrDefault("wait_ms"))
    }

    private static func mayFollow(_ kind: CredentialKind, _ secret: SecretSource) -> Bool {
        guard case .file = secret else { return false }
        return [.codex, .oauth2, .googleUser].contains(kind)
    }

    private func command(_ kind: CredentialKind, _ problems: inout ConfigProblems) -> [String] {
        guard let (node, path) = section.value("command") else {
            if kind == .command, let (node, path) = section.value("name") {
                problems.error(node, path, "the kind \(kind.rawValue) needs command")
            }
            return []
        }
        let words = section.texts("command") ?? []
        if ![.command, .awsSigV4].contains(kind) {
            problems.error(node, path, "only the kinds command and aws_sigv4 run a program")
        } else if words.first?.hasPrefix("/") != true || words.contains(where: { $0.utf8.contains(0) }) {
            problems.error(node, path, "must begin with the absolute path of a program")
        }
        return words
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || ".-_".utf8.contains(byte)
    }

    private func source(_ key: String, _ problems: inout ConfigProblems) -> SecretSource? {
        guard let (node, path) = section.value(key), let text = node.text else { return nil }
        guard let source = SecretSource(text) else {
            // The text may be the secret itself, so it is not repeated.
            problems.error(
                node, path,
                "allowed are “env:NAME”, “file:/PATH”, “credential:NAME” and “vault”; the secret itself does not "
                    + "stand in the configuration")
            return nil
        }
        return source
    }

    private func header(_ problems: inout ConfigProblems) -> String? {
        guard let (node, path) = section.value("header"), let name = node.text else { return nil }
        guard ProviderReader.isToken(name) else {
            problems.error(node, path, "is no header name")
            return nil
        }
        return name
    }

    private func settings(_ kind: CredentialKind, _ problems: inout ConfigProblems) -> [String: String] {
        var settings: [String: String] = [:]
        for key in Self.urls {
            guard let (node, path) = section.value(key), let url = node.text else { continue }
            let isAllowed =
                [.googleMetadata, .azureMetadata].contains(kind)
                ? SafeURL.isAllowedMetadata(url) : SafeURL.isAllowed(url)
            if isAllowed {
                settings[key] = url
            } else {
                problems.error(node, path, "allowed are https URLs, and http on this machine's loopback")
            }
        }
        for key in Self.texts where section.text(key) != nil { settings[key] = section.text(key) }
        for key in Self.integers { settings[key] = section.integer(key).map(String.init) }
        for key in Self.lists { settings[key] = section.texts(key)?.joined(separator: "\n") }
        return settings
    }

    private func map(_ key: String, _ problems: inout ConfigProblems) -> [String: String] {
        guard let (node, path) = section.value(key) else { return [:] }
        var map: [String: String] = [:]
        for member in node.uniqueMembers {
            guard let text = member.node.text else { continue }
            let isValue = text.utf8.allSatisfy { 0x20...0x7E ~= $0 }
            if isValue, key == "token_fields" || ProviderReader.isToken(member.key) {
                map[member.key] = text
            } else {
                problems.error(member.node, "\(path).\(member.key)", "allowed is printable ASCII")
            }
        }
        return map
    }
}
