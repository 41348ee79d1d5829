// SPDX-License-Identifier: Apache-2.0
// Judges the answer of a token endpoint.
// Source: RFC 6749 §5.1, §5.2; GitHub's and OpenAI's error bodies as their own clients read them, November 2026.

import Config
import Gateway
package import JSON

/// What came back over HTTP.
package struct TokenAnswer: Sendable {
    package var status: Int
    package var body: [UInt8]
    /// More than `maximumBytes` came.
    package var isOversized = false
    package var retryAfter: String?
    package var date: String?
    package var contentType = ""
    /// The answer carries Cloudflare's mark.
    package var isFromCloudflare = false

    /// An answer beyond this is none.
    package static let maximumBytes = 256 << 10
    /// The longest life a token is believed to have, in seconds.
    package static let maximumLifetime = 30 * 86_400
    /// The largest token.
    package static let maximumTokenBytes = 16 << 10

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    /// What the answer means for a credential with this profile.
    ///
    /// - Parameter now: seconds since 1970, for absolute times in the answer.
    package func outcome(_ profile: TokenProfile, now: Int, parser: JSONParser) -> TokenOutcome {
        if isOversized { return .protocolError("the answer is larger than \(Self.maximumBytes >> 10) KiB") }
        switch status {
        case 200..<300: return success(profile, now: now, parser)
        case 300..<400: return .protocolError("the token endpoint redirects; redirects are not followed")
        case 408, 425, 500...599:
            return .transient(
                "HTTP \(status)", retryAfter: HTTPTime.retryAfter(retryAfter, date: date, fallback: nil))
        case 429:
            return .transient(
                "HTTP 429", retryAfter: HTTPTime.retryAfter(retryAfter, date: date, fallback: 60))
        case 403 where isHTML: return .wall
        case 404 where profile.grant == .metadata: return .transient("HTTP 404", retryAfter: nil)
        default: break
        }
        let error = ErrorCode(body, parser)
        if let judged = judged(error, profile, now: now) { return judged }
        switch status {
        case 401: return profile.grant == .exchange ? .permanent(.revoked) : .suspectPermanent
        case 404:
            return profile.notFound == .denied
                ? .denied("the account has no access (HTTP 404)", mayProbe: true) : .configError("HTTP 404")
        case 403 where profile.grant == .exchange:
            return error.message.contains("rate limit")
                ? .transient(
                    "rate limit", retryAfter: HTTPTime.retryAfter(retryAfter, date: date, fallback: 60))
                : .denied(error.shown("HTTP 403"), mayProbe: true)
        default: return .configError(error.code.isEmpty ? "HTTP \(status)" : error.code)
        }
    }

    private var isHTML: Bool {
        contentType.lowercased().hasPrefix("text/html") || body.first == UInt8(ascii: "<")
    }

    /// Error codes that mean wrong settings (RFC 6749 §5.2).
    private static let configCodes: Set<String> = [
        "invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type", "invalid_request",
        "incorrect_client_credentials",
    ]
    private static let transientCodes: Set<String> = [
        "temporarily_unavailable", "server_error", "internal_failure", "slow_down",
    ]
    /// GitHub's reasons that object to the client itself; asking again makes it worse.
    private static let clientObjections: Set<String> = ["go_http_client", "programmatic_token_generation"]

    private func judged(_ error: ErrorCode, _ profile: TokenProfile, now: Int) -> TokenOutcome? {
        if !error.notification.isEmpty {
            if error.notification == "server_error" { return .transient("server_error", retryAfter: nil) }
            let mayProbe = !Self.clientObjections.contains(error.notification)
            return .denied(error.explanation, mayProbe: mayProbe)
        }
        if profile.grant == .signedAssertion, error.code == "invalid_grant" {
            if error.message.contains("reasonable timeframe"),
                let server = date.flatMap({ HTTPTime.parse($0) })
            {
                return .clockSkew(server - now)
            }
            return .configError("invalid_grant: the key was refused")
        }
        if let reason = profile.permanentCodes[error.code] { return .permanent(reason) }
        if profile.permanentTexts.contains(where: { error.message.contains($0) }) {
            return .permanent(.revoked)
        }
        if Self.configCodes.contains(error.code) { return .configError(error.code) }
        if Self.transientCodes.contains(error.code) { return .transient(error.code, retryAfter: nil) }
        if error.code == "access_denied" { return .configError("access_denied") }
        return nil
    }

    private func success(_ profile: TokenProfile, now: Int, _ parser: JSONParser) -> TokenOutcome {
        guard !body.isEmpty else { return .protocolError("the answer is empty") }
        guard let root = parser.object(body) else {
            return .protocolError(isHTML ? "the answer is HTML" : "the answer is no JSON object")
        }
        // GitHub and some others report errors with status 200.
        if root.member("error") != nil, root.member("access_token") == nil {
            let error = ErrorCode(body, parser)
            return judged(error, profile, now: now)
                ?? .protocolError("status 200 with error \(error.shown("unknown"))")
        }
        let name: StaticString = profile.expiry == .refreshHint ? "token" : "access_token"
        guard let token = root.member(name)?.string, Self.isUsable(token) else {
            return .protocolError("the answer has no usable \(name)")
        }
        if let type = root.member("token_type")?.string, type.lowercased() != "bearer" {
            return .protocolError("the token is of another type than Bearer")
        }
        var grant = TokenGrant(token: Secret(token), lifetime: nil)
        if let refresh = root.member("refresh_token")?.string, !refresh.isEmpty {
            guard Self.isUsable(refresh) else { return .protocolError("the refresh_token is not usable") }
            grant.refresh = Secret(refresh)
        }
        // Views of the answer end with the next parse, which reading a web token is.
        let expiresIn = root.member("expires_in").map { Self.number($0) }
        let refreshIn = root.member("refresh_in").flatMap { Self.number($0) }
        let expiresAt = root.member("expires_at").flatMap { Self.number($0) }
        let endpoint = root.member("endpoints")?.member("api")?.string
        let identity = root.member("id_token")?.string
        switch profile.expiry {
        case .refreshHint:
            guard let lifetime = lifetime(refreshIn: refreshIn, expiresAt: expiresAt, now: now) else {
                return .protocolError("the answer does not say when the token ends")
            }
            grant.lifetime = lifetime
            grant.renewAfter = refreshIn
        case .lifetime, .tokenClaims:
            if case .some(let value) = expiresIn {
                guard let value, value > 0 else { return .protocolError("expires_in is no positive number") }
                grant.lifetime = min(value, Self.maximumLifetime)
            } else if profile.expiry == .lifetime {
                grant.lifetime = profile.defaultLifetime
            }
        }
        if profile.expiry == .tokenClaims {
            let claims = WebToken(Array(token.utf8), parser: parser)
            if claims?.isSigned == false { return .protocolError("the token is not signed") }
            if let end = claims?.expiresAt, let server = date.flatMap({ HTTPTime.parse($0) }), end <= server {
                return .protocolError("the token has expired already")
            }
            if let lifetime = claims?.lifetime ?? claims?.expiresAt.map({ $0 - now }) {
                guard lifetime > 0 else { return .protocolError("the token has expired already") }
                grant.lifetime = min(lifetime, Self.maximumLifetime)
            }
            grant.lifetime = grant.lifetime ?? profile.defaultLifetime
            let account =
                claims?.accountID == nil
                ? identity.flatMap { WebToken(Array($0.utf8), parser: parser) } : claims
            grant.accountID = account?.accountID
            if account?.isFedRAMP == true { grant.headers["X-OpenAI-Fedramp"] = "true" }
        }
        if let endpoint {
            guard SafeURL.isAllowed(endpoint) else {
                return .protocolError("the endpoint in the answer is not https")
            }
            grant.baseURL = endpoint
        }
        return .granted(grant)
    }

    /// refresh_in is right whatever the local clock says; expires_at only narrows it when both clocks agree.
    private func lifetime(refreshIn: Int?, expiresAt: Int?, now: Int) -> Int? {
        let server = date.flatMap { HTTPTime.parse($0) } ?? now
        if let refreshIn, refreshIn > 0 {
            let hinted = min(refreshIn + 60, Self.maximumLifetime)
            guard let expiresAt, abs(server - now) <= 60, expiresAt > now else { return hinted }
            return min(hinted, expiresAt - now)
        }
        guard let expiresAt, expiresAt > server else { return nil }
        return min(expiresAt - server, Self.maximumLifetime)
    }

    /// Whether a token can travel in a header.
    static func isUsable(_ token: String) -> Bool {
        !token.isEmpty && token.utf8.count <= maximumTokenBytes && token.utf8.allSatisfy { 0x21...0x7E ~= $0 }
    }

    /// A number, or a string that holds one.
    static func number(_ value: JSONValue) -> Int? {
        if let number = value.int { return number }
        // 10^30 is a number too, and larger than anything that is believed.
        if let number = value.double { return number > 0 ? Int.max : nil }
        return value.string.flatMap { Int($0) }
    }

    /// error, error.code, code and what goes with them.
    private struct ErrorCode {
        var code = ""
        var message = ""
        /// GitHub's error_details.notification_id, and the page that tells more.
        var notification = ""
        var page = ""

        init(_ body: [UInt8], _ parser: JSONParser) {
            guard let root = parser.object(body) else { return }
            let error = root.member("error")
            code = error?.string ?? error?.member("code")?.string ?? root.member("code")?.string ?? ""
            message =
                root.member("error_description")?.string ?? error?.member("message")?.string
                ?? root.member("message")?.string ?? ""
            if let details = root.member("error_details") {
                notification = details.member("notification_id")?.string ?? ""
                message = details.member("message")?.string ?? message
                page = details.member("url")?.string ?? ""
            }
            // What is shown to people comes from outside: short, and nothing that could be a token.
            if !Self.isPlain(code) { code = "" }
            if !Self.isPlain(notification) { notification = "" }
        }

        private static func isPlain(_ text: String) -> Bool {
            text.utf8.count <= 64
                && text.utf8.allSatisfy { $0 == 0x5F || ($0 | 0x20) &- 0x61 < 26 || $0 &- 0x30 < 10 }
        }

        /// The notification in the service's own words, for people.
        var explanation: String {
            let words = Redaction.line(Array(message.utf8.prefix(Self.maximumShown)))
            let text = words.isEmpty ? notification : "\(notification): \(words)"
            // A query may hold anything.
            let isShown =
                page.utf8.count <= Self.maximumShown && SafeURL.isAllowed(page) && !page.contains("?")
            return isShown ? "\(text) (\(page))" : text
        }

        /// Bytes of a text from outside.
        private static let maximumShown = 120

        /// The code, for people.
        func shown(_ fallback: String) -> String { code.isEmpty ? fallback : code }
    }
}
