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
    /// The header that carries the token; nil for what the kind or the provider has.
    package var header: String?
    package var headers: [String: String]
    /// By their keys; every one is checked.
    package var settings: [String: String]
    package var tokenFields: [String: String]
    package var tokenHeaders: [String: String]
}

/// Reads one entry.
struct CredentialReader {
    let section: ConfigSection

    /// Settings that are addresses.
    private static let urls = ["token_url", "device_url", "device_token_url", "device_page_url"]
    private static let texts = ["client_id", "scope", "tenant", "client_auth", "body"]
    private static let seconds = ["default_ttl", "advisory", "mandatory"]
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
        let clientSecret = source("client_secret", &problems)
        if [.clientCredentials, .entra].contains(kind), clientSecret == nil {
            problems.error(nameNode, namePath, "the kind \(kind.rawValue) needs client_secret")
        }
        return ProviderCredential(
            name: name, kind: kind, secret: source("secret", &problems) ?? .vault, clientSecret: clientSecret,
            weight: section.integerOrDefault("weight"), priority: section.integerOrDefault("priority"),
            header: header(&problems), headers: map("headers", &problems), settings: settings,
            tokenFields: map("token_fields", &problems), tokenHeaders: map("token_headers", &problems))
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
        for key in Self.seconds { settings[key] = section.integer(key).map(String.init) }
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
