// SPDX-License-Identifier: Apache-2.0
// Reads the claims of a JSON web token without checking its signature: they are hints about times and accounts, never
// a reason to trust somebody.
// Source: RFC 7519 §4; the claims of OpenAI's tokens as the Codex command line reads them, November 2026.

import Crypto
package import JSON

/// The claims that matter here.
package struct WebToken: Equatable, Sendable {
    /// exp, in seconds since 1970.
    package var expiresAt: Int?
    /// iat, in seconds since 1970.
    package var issuedAt: Int?
    /// chatgpt_account_id.
    package var accountID: String?
    /// chatgpt_plan_type.
    package var plan: String?
    /// The account lives in the FedRAMP cloud.
    package var isFedRAMP = false
    /// There is a signature, of whatever kind: no service gives out a token that says of itself that it has none.
    package var isSigned: Bool

    /// The largest token that is looked at.
    private static let maximumBytes = 64 << 10

    /// - Returns: nil when the text has not the form of a JSON web token.
    package init?(_ text: [UInt8], parser: JSONParser) {
        guard text.count <= Self.maximumBytes else { return nil }
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let body = Base64.decodeURL(parts[1].filter { $0 != UInt8(ascii: "=") }),
            let claims = parser.object(body)
        else { return nil }
        isSigned = !parts[2].isEmpty
        expiresAt = claims.member("exp")?.int
        issuedAt = claims.member("iat")?.int
        if let auth = claims.member("https://api.openai.com/auth") {
            accountID = auth.member("chatgpt_account_id")?.string
            plan = auth.member("chatgpt_plan_type")?.string
            isFedRAMP = auth.member("chatgpt_account_is_fedramp")?.bool ?? false
        }
        // Views of the claims end with this parse.
        let header = Base64.decodeURL(parts[0]).flatMap { parser.object($0) }
        if header?.member("alg")?.string?.lowercased() == "none" { isSigned = false }
    }

    /// The whole life in seconds, if the token says when it began: independent of anybody's clock.
    package var lifetime: Int? {
        guard let expiresAt, let issuedAt, expiresAt > issuedAt else { return nil }
        return expiresAt - issuedAt
    }
}
