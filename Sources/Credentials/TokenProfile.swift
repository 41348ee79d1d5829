// SPDX-License-Identifier: Apache-2.0
// What differs between the kinds that renew a token over HTTP, as data: endpoints, form of the request, meaning of
// the errors, times. The configuration may replace the endpoints, so that tests and private clouds use their own.
// Source: RFC 6749 §4.4, §6; RFC 7523 §2.1; RFC 8628; the clients of each service as of November 2026.

package import Config

/// How a kind asks for a token.
package struct TokenProfile: Equatable, Sendable {
    /// What proves who asks.
    package enum Grant: Equatable, Sendable {
        /// grant_type=refresh_token.
        case refreshToken
        /// grant_type=client_credentials.
        case clientCredentials
        /// A JSON web token signed with the private key (RFC 7523).
        case signedAssertion
        /// GET with the long-lived token in "Authorization: token …".
        case exchange
        /// GET at the virtual machine's own address.
        case metadata
    }

    package enum Encoding: Sendable {
        case form
        case json
    }

    /// How the end of a token's life is found.
    package enum Expiry: Sendable {
        /// expires_in, in seconds.
        case lifetime
        /// The claim exp of the access token, which is a JSON web token; else expires_in.
        case tokenClaims
        /// refresh_in, in seconds, and expires_at.
        case refreshHint
    }

    /// What HTTP status 404 of the token endpoint says.
    package enum NotFound: Sendable {
        case configError
        case denied
    }

    package var grant: Grant
    package var tokenURL: String
    package var encoding = Encoding.form
    package var clientID = ""
    package var scope = ""
    /// Further fields of the request.
    package var fields: [String: String] = [:]
    /// Further header fields of the request.
    package var headers: [String: String] = [:]
    /// The server may replace the long-lived secret with every answer, after which the old one is dead.
    package var rotates = false
    package var expiry = Expiry.lifetime
    /// Seconds assumed when the server does not say; 0 refuses such an answer.
    package var defaultLifetime = 300
    /// Seconds before the end of the token's life at which it is renewed; nil derives it from the life.
    package var advisoryLead: Int?
    /// Seconds before the end at which it should have been.
    package var mandatoryLead: Int?
    /// Error codes that mean that the secret is dead.
    package var permanentCodes: [String: LoginReason] = ["invalid_grant": .revoked]
    /// The same for servers that only say it in words.
    package var permanentTexts: [String] = []
    package var notFound = NotFound.configError
    package var device: DeviceProfile?
    package var browser: BrowserProfile?
    /// Where a refresh token is revoked at a logout; nil when the service has no such place.
    package var revokeURL: String?
}

/// A login in a browser on this machine (RFC 8252 §7.3, RFC 7636).
package struct BrowserProfile: Equatable, Sendable {
    /// The authorization endpoint.
    package var pageURL: String
    package var scope: String
    /// Further fields of the page's address.
    package var fields: [String: String] = [:]
    /// Ports of the loopback interface to which the service may send the browser back, in order of preference.
    package var ports: [UInt16] = [1455]
    /// How the redirect names the interface: services compare the text.
    package var host = "localhost"
    package var path = "/auth/callback"

    package init(pageURL: String, scope: String) {
        self.pageURL = pageURL
        self.scope = scope
    }
}

/// A login on another device (RFC 8628, or OpenAI's variant of it).
package struct DeviceProfile: Equatable, Sendable {
    package enum Variant: Sendable {
        case standard
        /// The server makes the PKCE pair and answers with an authorization code.
        case openAI
    }
    package var variant = Variant.standard
    /// Where the code comes from.
    package var codeURL: String
    /// Where is asked whether the person has agreed.
    package var pollURL: String
    /// Where the person goes when the server does not say; "" if it always does.
    package var pageURL = ""
    package var encoding = TokenProfile.Encoding.form
    package var scope = ""
}

extension CredentialKind {
    /// The built-in profile; nil for the kinds that ask no token endpoint.
    package var profile: TokenProfile? {
        switch self {
        case .staticKey, .command, .awsSigV4: nil
        case .oauth2:
            TokenProfile(grant: .refreshToken, tokenURL: "", rotates: true)
        case .clientCredentials:
            TokenProfile(grant: .clientCredentials, tokenURL: "")
        case .codex: Self.codexProfile
        case .copilot: Self.copilotProfile
        case .googleServiceAccount:
            TokenProfile(
                grant: .signedAssertion, tokenURL: "https://oauth2.googleapis.com/token",
                scope: "https://www.googleapis.com/auth/cloud-platform", defaultLifetime: 3600,
                advisoryLead: 300,
                mandatoryLead: 60, permanentCodes: [:])
        case .googleUser: Self.googleUserProfile
        case .googleMetadata:
            TokenProfile(
                grant: .metadata,
                tokenURL:
                    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token",
                headers: ["Metadata-Flavor": "Google"], advisoryLead: 225, mandatoryLead: 60)
        case .entra:
            TokenProfile(
                grant: .clientCredentials,
                tokenURL: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
                scope: "https://cognitiveservices.azure.com/.default", advisoryLead: 300, mandatoryLead: 60)
        case .azureMetadata:
            TokenProfile(
                grant: .metadata,
                tokenURL: "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
                    + "&resource=https://cognitiveservices.azure.com/",
                headers: ["Metadata": "true"], advisoryLead: 300, mandatoryLead: 60)
        }
    }

    private static var googleUserProfile: TokenProfile {
        var browser = BrowserProfile(
            pageURL: "https://accounts.google.com/o/oauth2/v2/auth",
            scope: "https://www.googleapis.com/auth/cloud-platform")
        // Google gives a refresh token only to who asks for it, and again only after another consent.
        browser.fields = ["access_type": "offline", "prompt": "consent"]
        (browser.host, browser.path) = ("127.0.0.1", "/")
        return TokenProfile(
            grant: .refreshToken, tokenURL: "https://oauth2.googleapis.com/token", defaultLifetime: 3600,
            advisoryLead: 300, mandatoryLead: 60, browser: browser,
            revokeURL: "https://oauth2.googleapis.com/revoke")
    }

    private static var codexProfile: TokenProfile {
        var browser = BrowserProfile(
            pageURL: "https://auth.openai.com/oauth/authorize", scope: "openid profile email offline_access")
        browser.fields = ["id_token_add_organizations": "true", "codex_cli_simplified_flow": "true"]
        browser.ports = [1455, 1457]
        return TokenProfile(
            grant: .refreshToken, tokenURL: "https://auth.openai.com/oauth/token", encoding: .json,
            clientID: "app_EMoamEEZ73f0CkXaXp7hrann", rotates: true, expiry: .tokenClaims,
            defaultLifetime: 3600,
            advisoryLead: 86_400, mandatoryLead: 300,
            permanentCodes: [
                "refresh_token_expired": .expired, "refresh_token_reused": .reusedByOther,
                "refresh_token_invalidated": .revoked, "invalid_grant": .revoked,
            ],
            device: DeviceProfile(
                variant: .openAI, codeURL: "https://auth.openai.com/api/accounts/deviceauth/usercode",
                pollURL: "https://auth.openai.com/api/accounts/deviceauth/token",
                pageURL: "https://auth.openai.com/codex/device", encoding: .json), browser: browser,
            revokeURL: "https://auth.openai.com/oauth/revoke")
    }

    private static var copilotProfile: TokenProfile {
        TokenProfile(
            grant: .exchange, tokenURL: "https://api.github.com/copilot_internal/v2/token", encoding: .json,
            clientID: "Iv1.b507a08c87ecfe98", headers: ["X-GitHub-Api-Version": "2025-04-01"],
            expiry: .refreshHint, defaultLifetime: 0, advisoryLead: 60, mandatoryLead: 60,
            permanentCodes: [:],
            notFound: .denied,
            device: DeviceProfile(
                codeURL: "https://github.com/login/device/code",
                pollURL: "https://github.com/login/oauth/access_token", encoding: .json, scope: "read:user"))
    }
}
