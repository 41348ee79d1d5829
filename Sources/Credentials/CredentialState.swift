// SPDX-License-Identifier: Apache-2.0
// The states that a credential goes through.

/// Where a credential stands; raw values are shown to people.
package enum CredentialState: String, CaseIterable, Sendable {
    /// Configured, nothing obtained yet.
    case empty
    /// Has no expiry.
    case `static`
    /// Valid; the time to renew has not come.
    case fresh
    /// Valid; the time to renew has come.
    case due
    /// A request to the token endpoint is under way.
    case refreshing
    /// The last attempt failed and there will be another.
    case backoff
    /// A request was sent and its outcome was never recorded.
    case indeterminate
    /// The provider refused a token that should be valid.
    case suspect
    /// The provider refuses new tokens too: the account, the plan or a right is missing.
    case denied
    /// The token endpoint refuses ccr's settings.
    case configError = "config_error"
    /// The long-lived secret is dead; a person must log in.
    case needsLogin = "needs_login"
    /// A new secret waits to be stored.
    case storageBlocked = "storage_blocked"
    /// The stored secret does not open with the master key.
    case crypto
    /// Switched off by the operator.
    case disabled

    /// Whether nothing changes any more without a person.
    package var needsPerson: Bool {
        switch self {
        case .denied, .configError, .needsLogin, .crypto, .disabled: true
        default: false
        }
    }
}

/// Why a person must log in again.
package enum LoginReason: String, Sendable {
    case expired
    case revoked
    case reusedByOther = "reused_by_other"
    /// The server may have answered a request whose answer was lost.
    case lostRotation = "lost_rotation"
    case unknown
}
