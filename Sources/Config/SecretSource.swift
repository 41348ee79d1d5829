// SPDX-License-Identifier: Apache-2.0
// Where the secret of a credential comes from. The configuration names the place; only the refresher looks there.
// Source: systemd.exec(5), "LoadCredential=".

/// Where a secret comes from.
package enum SecretSource: Equatable, Sendable {
    /// Only the vault: put there by a login or an import.
    case vault
    /// An environment variable of the refresher.
    case environment(String)
    /// A file, read again when it changes.
    case file(String)
    /// A credential that the service manager passed to the refresher.
    case systemd(String)

    /// Reads "vault", "env:NAME", "file:PATH" or "credential:NAME"; nil for anything else.
    package init?(_ text: String) {
        if text == "vault" {
            self = .vault
            return
        }
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let rest = String(text[text.index(after: colon)...])
        guard !rest.isEmpty, !rest.utf8.contains(0) else { return nil }
        switch text[..<colon] {
        case "env": self = .environment(rest)
        case "file" where rest.hasPrefix("/"): self = .file(rest)
        case "credential" where !rest.contains("/") && rest != "." && rest != "..": self = .systemd(rest)
        default: return nil
        }
    }

    /// As it is configured.
    package var text: String {
        switch self {
        case .vault: "vault"
        case .environment(let name): "env:\(name)"
        case .file(let path): "file:\(path)"
        case .systemd(let name): "credential:\(name)"
        }
    }
}
