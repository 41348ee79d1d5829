// SPDX-License-Identifier: Apache-2.0
// Tokens that somebody hands over as JSON: the body of POST /admin/credentials and what the command line makes of
// environment variables.
// Source: dvcrn/codex-proxy, POST /admin/credentials, as of April 2026.

package import Config
package import JSON

/// {accessToken, refreshToken?, expiresAt?, userID?, credential?}; times in milliseconds, seconds or RFC 3339.
package struct StoredTokens: Equatable, Sendable {
    package var access: Secret
    package var refresh: Secret?
    package var accountID: String?
    /// Seconds since 1970; the token's own claim wins over what the text says.
    package var expiresAt: Int?

    /// What is wrong, without a word of the content.
    package struct Fault: Error, Equatable {
        package let message: String
    }

    package init(_ text: [UInt8], parser: JSONParser) throws(Fault) {
        guard let root = parser.object(text) else { throw Fault(message: "the body is no JSON object") }
        guard let token = root.member("accessToken")?.string, TokenAnswer.isUsable(token) else {
            throw Fault(message: "accessToken is missing or not usable")
        }
        if let secret = root.member("refreshToken"), !secret.isNull {
            guard let secret = secret.string, TokenAnswer.isUsable(secret) else {
                throw Fault(message: "refreshToken is not usable")
            }
            refresh = Secret(secret)
        }
        if let end = root.member("expiresAt"), !end.isNull {
            guard let seconds = Timestamp.seconds(end) else {
                throw Fault(message: "expiresAt is no point in time")
            }
            expiresAt = seconds
        }
        access = Secret(token)
        let account = root.member("userID")?.string
        let claims = WebToken(Array(token.utf8), parser: parser)
        guard claims?.isSigned ?? true else { throw Fault(message: "accessToken is not signed") }
        accountID = claims?.accountID ?? account
        expiresAt = claims?.expiresAt ?? expiresAt
    }

    /// The credential that such a body names; nil when it names none.
    package static func credentialName(_ text: [UInt8], parser: JSONParser) -> String? {
        parser.object(text)?.member("credential")?.string
    }
}
