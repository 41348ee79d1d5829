// SPDX-License-Identifier: Apache-2.0
// A login in a browser on this machine: the page's address, the browser's way back to a loopback port, the exchange of
// the code. A value without I/O.
// Source: RFC 8252 §7.3 (loopback redirect), RFC 7636 (PKCE, S256), RFC 6749 §4.1.

package import Config
import Crypto
package import JSON

/// One login.
package struct BrowserLogin: Sendable {
    private let profile: TokenProfile
    private let browser: BrowserProfile
    private let clientSecret: Secret?
    private let verifier: String
    private let state: String
    private let port: UInt16

    /// What the browser's way back says.
    package enum Return: Equatable, Sendable {
        /// Not the redirect of this login: another path, or without its state. The login goes on.
        case unknown
        /// The code that is exchanged for tokens.
        case code(String)
        /// The person or the service said no.
        case refused(String)
    }

    /// - Parameters:
    ///   - port: the loopback port that is listened on.
    ///   - random: 32 bytes for the verifier and 32 for the state, from the kernel.
    /// - Returns: nil for a kind that has no such login.
    package init?(
        _ profile: TokenProfile, clientSecret: Secret?, port: UInt16, random: [UInt8] = Random.bytes(64)
    ) {
        guard let browser = profile.browser, random.count == 64 else { return nil }
        self.profile = profile
        self.browser = browser
        self.clientSecret = clientSecret
        self.port = port
        verifier = Base64.encodeURL(Array(random[..<32]))
        state = Base64.encodeURL(Array(random[32...]))
    }

    private var redirect: String { "http://\(browser.host):\(port)\(browser.path)" }

    /// The address that the person opens.
    package var pageURL: String {
        let challenge = SHA256.digest(Array(verifier.utf8)).withBytes { Base64.encodeURL(Array($0)) }
        var fields = [
            ("response_type", "code"), ("client_id", profile.clientID), ("redirect_uri", redirect),
            ("scope", browser.scope), ("code_challenge", challenge), ("code_challenge_method", "S256"),
            ("state", state),
        ]
        fields += browser.fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        let query = fields.map { "\($0.0)=\(TokenRequest.percentEncoded($0.1))" }.joined(separator: "&")
        return browser.pageURL + (browser.pageURL.contains("?") ? "&" : "?") + query
    }

    /// Reads the path and query with which the browser came back.
    package func returned(path: String, query: String) -> Return {
        guard path == browser.path else { return .unknown }
        var fields: [Substring: String] = [:]
        for pair in query.split(separator: "&") {
            let cut = pair.firstIndex(of: "=") ?? pair.endIndex
            guard let value = Self.decoded(pair[cut...].dropFirst()) else { return .unknown }
            fields[pair[..<cut]] = value
        }
        // Whoever does not know the state did not come from the page of this login.
        guard let given = fields["state"], Self.isEqual(given, state) else { return .unknown }
        if let error = fields["error"] {
            if fields["error_description"]?.contains("missing_codex_entitlement") == true {
                return .refused("the account has no access to Codex")
            }
            return .refused(
                error == "access_denied" ? "the login was refused" : "the service refuses the login")
        }
        guard let code = fields["code"], TokenAnswer.isUsable(code) else { return .unknown }
        return .code(code)
    }

    /// The request that exchanges the code.
    package func exchange(_ code: String) -> TokenRequest {
        var fields = [
            ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect),
            ("client_id", profile.clientID), ("code_verifier", verifier),
        ]
        if let clientSecret {
            fields.append(("client_secret", String(decoding: clientSecret.expose(), as: UTF8.self)))
        }
        return TokenRequest(
            url: profile.tokenURL, fields: fields, encoding: .form, headers: profile.headers)
    }

    /// Takes the answer to that request.
    ///
    /// - Parameter now: seconds since 1970.
    package func exchanged(_ answer: TokenAnswer, now: Int, parser: JSONParser) -> DeviceLogin.Step {
        DeviceLogin.exchanged(answer, profile, now: now, parser)
    }

    private static func isEqual(_ a: String, _ b: String) -> Bool {
        Array(a.utf8).withUnsafeBytes { a in
            Array(b.utf8).withUnsafeBytes { ConstantTime.equal(a, $0) }
        }
    }

    /// Undoes %XX and "+"; nil for a broken escape or text that is no UTF-8.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                bytes.append(0x20)
            } else if byte == UInt8(ascii: "%") {
                guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                    rest.count >= 2
                else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
