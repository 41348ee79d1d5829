// SPDX-License-Identifier: Apache-2.0
// Builds the request to a token endpoint. Secrets travel in the body or a header, never in the URL.
// Source: RFC 6749 §2.3.1 (client authentication), §4.4.2, §6; RFC 7523 §2.1, §3; RFC 8628 §3.1, §3.4.

package import Config
import Crypto
import JSON

/// One HTTP request; its text holds secrets.
package struct TokenRequest: Sendable {
    package var url: String
    /// nil for GET.
    package var body: [UInt8]?
    /// Name and value in order.
    package var headers: [(name: String, value: String)]

    /// Where it goes, for people: without what stands behind "?".
    package var address: String { String(url.prefix { $0 != "?" }) }

    /// - Parameters:
    ///   - secret: the refresh token, GitHub token…; unused for metadata.
    ///   - now: seconds since 1970 by the server's clock, for signed assertions.
    /// - Returns: nil when the secret is not of the kind that the profile needs.
    package init?(
        _ profile: TokenProfile, secret: Secret, clientSecret: Secret?, settings: [String: String], now: Int
    ) {
        url = profile.tokenURL
        headers = [("Accept", "application/json")]
        for (name, value) in profile.headers.sorted(by: { $0.key < $1.key }) { headers.append((name, value)) }
        var fields: [(String, String)] = []
        let token = String(decoding: secret.expose(), as: UTF8.self)
        switch profile.grant {
        case .metadata:
            return
        case .exchange:
            headers.append(("Authorization", "token " + token))
            return
        case .refreshToken:
            fields = [("grant_type", "refresh_token"), ("refresh_token", token)]
        case .clientCredentials:
            fields = [("grant_type", "client_credentials")]
        case .signedAssertion:
            guard let account = ServiceAccount(secret.expose()),
                let assertion = account.assertion(scope: profile.scope, now: now)
            else { return nil }
            fields = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion),
            ]
        }
        if profile.grant != .signedAssertion {
            if !profile.scope.isEmpty { fields.append(("scope", profile.scope)) }
            authenticate(profile, clientSecret, settings, &fields)
        }
        for (name, value) in profile.fields.sorted(by: { $0.key < $1.key }) { fields.append((name, value)) }
        encode(fields, profile.encoding)
    }

    /// A request with these fields, for logins.
    package init(
        url: String, fields: [(String, String)], encoding: TokenProfile.Encoding, headers: [String: String]
    ) {
        self.url = url
        self.headers = [("Accept", "application/json")]
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { self.headers.append((name, value)) }
        encode(fields, encoding)
    }

    private mutating func authenticate(
        _ profile: TokenProfile, _ clientSecret: Secret?, _ settings: [String: String],
        _ fields: inout [(String, String)]
    ) {
        let password = clientSecret.map { String(decoding: $0.expose(), as: UTF8.self) }
        if settings["client_auth"] == "basic", let password {
            let pair = Self.percentEncoded(profile.clientID) + ":" + Self.percentEncoded(password)
            headers.append(("Authorization", "Basic " + Base64.encode(Array(pair.utf8))))
            return
        }
        if !profile.clientID.isEmpty { fields.append(("client_id", profile.clientID)) }
        if let password { fields.append(("client_secret", password)) }
    }

    private mutating func encode(_ fields: [(String, String)], _ encoding: TokenProfile.Encoding) {
        switch encoding {
        case .json:
            headers.append(("Content-Type", "application/json"))
            var writer = JSONWriter()
            writer.object { writer in
                for (name, value) in fields {
                    writer.key(name)
                    writer.string(value)
                }
            }
            body = writer.bytes
        case .form:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            let pairs = fields.map { Self.percentEncoded($0.0) + "=" + Self.percentEncoded($0.1) }
            body = Array(pairs.joined(separator: "&").utf8)
        }
    }

    /// Everything but RFC 3986's unreserved characters as %XX.
    static func percentEncoded(_ text: String) -> String {
        var out: [UInt8] = []
        for byte in text.utf8 {
            if isLetter(byte) || byte &- 0x30 < 10 || "-._~".utf8.contains(byte) {
                out.append(byte)
            } else {
                out.append(UInt8(ascii: "%"))
                for digit in [byte >> 4, byte & 15] { out.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }
}
