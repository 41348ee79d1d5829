// SPDX-License-Identifier: Apache-2.0
// Takes a provider's URL apart and cuts off the endpoint, so that other endpoints can be reached from it.
// Source: RFC 3986 §3; the endpoint paths of the OpenAI and Anthropic API references (2026).

/// The part of a provider's URL that all its endpoints share.
package struct BaseURL: Equatable, Sendable {
    /// "https://host:port/path" without a slash at the end; no user, no query, no fragment.
    package let text: String
    /// Lower case, without brackets and port.
    package let host: String
    /// As written, or nil.
    package let port: Int?
    /// What follows the host, without a slash at the end: "/api/v1" or "".
    package let path: String
    /// "?name=value", or empty; secret because some providers take their key there.
    package let query: Secret
    /// The dialect of the endpoint that the configured URL named, if it named one.
    package let endpointDialect: ProviderDialect?

    /// Why a text is no usable URL, as the end of a sentence; shows nothing of the text.
    package struct Fault: Error, Equatable {
        package let message: String
    }

    /// Endpoints that configurations of other programs put at the end of the URL; longer ones first.
    private static let endpoints: [(suffix: String, dialect: ProviderDialect)] = [
        ("/messages/count_tokens", .messages),
        ("/responses/compact", .responses),
        ("/chat/completions", .chat),
        ("/completions", .chat),
        ("/responses", .responses),
        ("/messages", .messages),
        ("/models", .gemini),
    ]

    /// - Throws: why the text is no usable URL.
    package init(_ text: String) throws(Fault) {
        let allowed = "allowed is http://HOST[:PORT][/PATH] or https://…"
        guard text.utf8.count <= 2_048 else { throw Fault(message: "is longer than 2048 bytes") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Fault(message: "holds a blank, a control character or one outside ASCII; \(allowed)")
        }
        let scheme = text.prefix { $0 != ":" }.lowercased()
        guard scheme == "http" || scheme == "https", text.dropFirst(scheme.count).hasPrefix("://") else {
            throw Fault(message: "is no http or https URL; \(allowed) or “builtin:echo”")
        }
        guard !text.contains("#") else { throw Fault(message: "has a fragment (“#…”); \(allowed)") }
        let rest = text.dropFirst(scheme.count + 3)
        let beforeQuery = rest.prefix { $0 != "?" }
        query = Secret(String(rest.dropFirst(beforeQuery.count)))
        let authority = beforeQuery.prefix { $0 != "/" }
        guard !authority.contains("@") else {
            throw Fault(message: "holds a user name or password; put the key into api_key")
        }
        (host, port) = try Self.host(of: authority, allowed)

        var path = String(beforeQuery.dropFirst(authority.count))
        while path.hasSuffix("/") { path.removeLast() }
        var endpointDialect: ProviderDialect?
        if let endpoint = Self.endpoints.first(where: { path.hasSuffix($0.suffix) }) {
            path.removeLast(endpoint.suffix.count)
            endpointDialect = endpoint.dialect
            while path.hasSuffix("/") { path.removeLast() }
        }
        self.path = path
        self.endpointDialect = endpointDialect
        self.text = "\(scheme)://\(authority)\(path)"
    }

    /// Scheme, host and port: the text without the path.
    package var origin: String { String(text.dropLast(path.utf8.count)) }

    /// Host and port of "host", "host:port" or "[address]:port".
    private static func host(of authority: Substring, _ allowed: String) throws(Fault) -> (String, Int?) {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let bracket = authority.firstIndex(of: "]") else {
                throw Fault(message: "has no “]”; \(allowed)")
            }
            host = authority[authority.index(after: authority.startIndex)..<bracket]
            let tail = authority[authority.index(after: bracket)...]
            guard tail.isEmpty || tail.hasPrefix(":") else {
                throw Fault(message: "has no valid host; \(allowed)")
            }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { throw Fault(message: "has no host; \(allowed)") }
        guard let port else { return (host.lowercased(), nil) }
        guard port.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let number = Int(port), 1...65_535 ~= number else {
            throw Fault(message: "has no valid port (1 to 65535)")
        }
        return (host.lowercased(), number)
    }

    /// Whether the last part of the path is a version: "v", a digit, and digits or letters, as in "/v1" and "/v1beta".
    package var endsInVersion: Bool {
        guard let last = path.split(separator: "/").last, last.hasPrefix("v") else { return false }
        let rest = last.dropFirst().utf8
        guard let digit = rest.first, digit &- 0x30 < 10 else { return false }
        return rest.allSatisfy { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 }
    }
}
