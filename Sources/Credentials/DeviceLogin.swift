// SPDX-License-Identifier: Apache-2.0
// A login on another device, step by step: ask for a code, show it, ask until the person has agreed.
// Source: RFC 8628 §3; GitHub's and OpenAI's variants as their own clients speak them, November 2026.

package import Config
package import JSON

/// One login; a value without I/O.
package struct DeviceLogin: Sendable {
    private let profile: TokenProfile
    private let device: DeviceProfile
    private let clientSecret: Secret?
    private var code: Secret?
    private var userCode = ""
    /// Seconds between two questions.
    package private(set) var interval = 5
    /// Seconds after which the login is given up.
    package private(set) var lifetime = 900
    private var isExchanging = false

    /// What to do next.
    package enum Step: Sendable {
        case send(TokenRequest)
        /// Show this to the person, then ask after `interval` seconds.
        case show(url: String, code: String)
        /// Ask again after `interval` seconds.
        case wait
        case granted(TokenGrant)
        /// The long-lived token of a service that exchanges it for short ones.
        case secret(Secret)
        case failed(String)
    }

    /// - Returns: nil for a kind that has no such login.
    package init?(_ profile: TokenProfile, clientSecret: Secret?) {
        guard let device = profile.device else { return nil }
        self.profile = profile
        self.device = device
        self.clientSecret = clientSecret
    }

    /// The request for a code.
    package func start() -> TokenRequest {
        var fields = [("client_id", profile.clientID)]
        if !device.scope.isEmpty { fields.append(("scope", device.scope)) }
        return request(device.codeURL, fields)
    }

    /// The question whether the person has agreed.
    package func poll() -> TokenRequest {
        let code = code.map { String(decoding: $0.expose(), as: UTF8.self) } ?? ""
        if device.variant == .openAI {
            return request(device.pollURL, [("device_auth_id", code), ("user_code", userCode)])
        }
        var fields = [
            ("client_id", profile.clientID), ("device_code", code),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ]
        if let clientSecret {
            fields.append(("client_secret", String(decoding: clientSecret.expose(), as: UTF8.self)))
        }
        return request(device.pollURL, fields)
    }

    private func request(_ url: String, _ fields: [(String, String)]) -> TokenRequest {
        TokenRequest(url: url, fields: fields, encoding: device.encoding, headers: profile.headers)
    }

    /// Takes the answer to the request for a code.
    package mutating func codeAnswered(_ answer: TokenAnswer, parser: JSONParser) -> Step {
        if answer.status == 404 {
            return .failed(
                "\(device.codeURL) knows no logins by device code (HTTP 404): the service or the workspace does not allow "
                    + "them, or device_url is wrong")
        }
        guard answer.status == 200, !answer.isOversized, let root = parser.object(answer.body),
            let code = root.member(device.variant == .openAI ? "device_auth_id" : "device_code")?.string,
            let userCode = root.member("user_code")?.string ?? root.member("usercode")?.string,
            userCode.utf8.count <= 64, userCode.utf8.allSatisfy({ 0x20...0x7E ~= $0 })
        else { return .failed("\(device.codeURL) gave no code (HTTP \(answer.status)); check device_url") }
        self.code = Secret(code)
        self.userCode = userCode
        if let seconds = root.member("interval").flatMap({ TokenAnswer.number($0) }) {
            interval = min(max(seconds, 1), 60)
        }
        if let seconds = root.member("expires_in").flatMap({ TokenAnswer.number($0) }) {
            lifetime = min(max(seconds, 30), 1800)
        }
        let page =
            root.member("verification_uri")?.string ?? root.member("verification_url")?.string
            ?? device.pageURL
        guard SafeURL.isAllowed(page) else { return .failed("the service names no https page for the login") }
        return .show(url: page, code: userCode)
    }

    /// Takes the answer to a question, or to the exchange of an authorization code.
    ///
    /// - Parameter now: seconds since 1970.
    package mutating func pollAnswered(_ answer: TokenAnswer, now: Int, parser: JSONParser) -> Step {
        if isExchanging { return Self.exchanged(answer, profile, now: now, parser) }
        guard device.variant == .openAI else { return standard(answer, now: now, parser) }
        if answer.status == 403 || answer.status == 404 { return .wait }
        guard answer.status == 200, !answer.isOversized, let root = parser.object(answer.body),
            let code = root.member("authorization_code")?.string,
            let verifier = root.member("code_verifier")?.string
        else {
            return .failed("\(device.pollURL) broke the login off (HTTP \(answer.status)); start it again")
        }
        isExchanging = true
        let origin = device.codeURL.replacing("/api/accounts/deviceauth/usercode", with: "")
        return .send(
            TokenRequest(
                url: profile.tokenURL,
                fields: [
                    ("grant_type", "authorization_code"), ("code", code),
                    ("redirect_uri", origin + "/deviceauth/callback"), ("client_id", profile.clientID),
                    ("code_verifier", verifier),
                ], encoding: .form, headers: profile.headers))
    }

    private mutating func standard(_ answer: TokenAnswer, now: Int, _ parser: JSONParser) -> Step {
        guard !answer.isOversized, let root = parser.object(answer.body) else {
            return answer.status >= 500
                ? .wait
                : .failed("\(device.pollURL) gave no answer (HTTP \(answer.status)); check device_token_url")
        }
        switch root.member("error")?.string {
        case nil: break
        case "authorization_pending": return .wait
        case "slow_down":
            interval = min(max(interval + 5, root.member("interval")?.int ?? 0), 120)
            return .wait
        case "expired_token": return .failed("the code has expired; start the login again")
        case "access_denied": return .failed("the login was refused")
        case .some(let other):
            let shown =
                other.utf8.count <= 64 && other.utf8.allSatisfy { 0x21...0x7E ~= $0 } ? other : "an error"
            return .failed("the service refuses the login: \(shown)")
        }
        if profile.grant == .exchange {
            guard let token = root.member("access_token")?.string, TokenAnswer.isUsable(token) else {
                return .failed("\(device.pollURL) gave no token")
            }
            return .secret(Secret(token))
        }
        return Self.exchanged(answer, profile, now: now, parser)
    }

    /// What the answer to the last request of a login brings.
    static func exchanged(_ answer: TokenAnswer, _ profile: TokenProfile, now: Int, _ parser: JSONParser)
        -> Step
    {
        switch answer.outcome(profile, now: now, parser: parser) {
        case .granted(let grant) where grant.refresh != nil: .granted(grant)
        case .granted: .failed("\(profile.tokenURL) gave no refresh token, without which no login lasts")
        case let other: .failed("\(profile.tokenURL) gave no token: \(other.reason)")
        }
    }
}
