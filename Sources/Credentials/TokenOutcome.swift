// SPDX-License-Identifier: Apache-2.0
// What an attempt to get a token came to.

package import Config

/// A new token and what came with it.
package struct TokenGrant: Equatable, Sendable {
    package var token: Secret
    /// The long-lived secret that replaces the one that was used; nil keeps it.
    package var refresh: Secret?
    /// Seconds from now to the end of the token's life; nil when it has none.
    package var lifetime: Int?
    /// Seconds from now after which the server wants it renewed.
    package var renewAfter: Int?
    /// The account it is for, as far as the answer says.
    package var accountID: String?
    /// Where the provider serves this account; nil for the configured place.
    package var baseURL: String?
    /// Header fields that belong to the token.
    package var headers: [String: String]
    /// AWS keys in place of a token.
    package var keys: SigningKeys?

    package init(
        token: Secret, refresh: Secret? = nil, lifetime: Int?, renewAfter: Int? = nil,
        accountID: String? = nil,
        baseURL: String? = nil, headers: [String: String] = [:], keys: SigningKeys? = nil
    ) {
        self.keys = keys
        self.token = token
        self.refresh = refresh
        self.lifetime = lifetime
        self.renewAfter = renewAfter
        self.accountID = accountID
        self.baseURL = baseURL
        self.headers = headers
    }
}

/// Classes of outcomes; each has its own consequence.
package enum TokenOutcome: Equatable, Sendable {
    case granted(TokenGrant)
    /// No byte of the request was written: the secret was not used.
    case notSent(String)
    /// The request may have been taken, the answer is not known.
    case indeterminate(String)
    /// An answer that is none: HTML, nothing, no token in it, a redirect.
    case protocolError(String)
    /// The secret is dead.
    case permanent(LoginReason)
    /// HTTP 401 without a known code: once more, then permanent.
    case suspectPermanent
    /// ccr's settings are wrong; the text is the server's code.
    case configError(String)
    /// A wall in front of the server turned the request away.
    case wall
    /// For now; `retryAfter` in seconds when the server said.
    case transient(String, retryAfter: Int?)
    /// The account may not have a token. `mayProbe` is false when asking again would make it worse.
    case denied(String, mayProbe: Bool)
    /// The local clock is wrong by these seconds (positive: the server is ahead).
    case clockSkew(Int)

    /// For the audit table, metrics and logs; never holds a secret.
    package var name: String {
        switch self {
        case .granted: "ok"
        case .notSent: "not_sent"
        case .indeterminate: "indeterminate"
        case .protocolError: "protocol_error"
        case .permanent: "permanent"
        case .suspectPermanent: "suspect_permanent"
        case .configError: "config_error"
        case .wall: "waf"
        case .transient: "transient"
        case .denied: "denied"
        case .clockSkew: "clock_skew"
        }
    }

    /// A reason for people; never holds a secret.
    package var reason: String {
        switch self {
        case .granted: ""
        case .notSent(let text), .indeterminate(let text), .protocolError(let text): text
        case .permanent(let reason): reason.rawValue
        case .suspectPermanent: "the token endpoint answered 401 without a reason"
        case .configError(let code): code
        case .wall: "a firewall in front of the token endpoint answered"
        case .transient(let text, _): text
        case .denied(let text, _): text
        case .clockSkew(let seconds): "the local clock differs by \(seconds) s"
        }
    }
}
