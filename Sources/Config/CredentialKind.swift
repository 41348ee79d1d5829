// SPDX-License-Identifier: Apache-2.0
// The kinds of credentials. What each needs is in Credentials/TokenProfile.swift.

/// How a credential is obtained and kept alive; raw values are those of the configuration.
package enum CredentialKind: String, CaseIterable, Sendable {
    /// A key that never expires.
    case staticKey = "static"
    /// OAuth 2.0 with a refresh token; every endpoint comes from the configuration.
    case oauth2
    /// OAuth 2.0 client credentials.
    case clientCredentials = "oauth2_cc"
    /// A ChatGPT account, as the Codex command line uses it.
    case codex = "codex_oauth"
    /// GitHub Copilot: a GitHub token is exchanged for a short-lived one.
    case copilot
    /// A Google service account's private key.
    case googleServiceAccount = "google_sa"
    /// Application default credentials of a Google user.
    case googleUser = "google_adc_user"
    /// The metadata server of a Google virtual machine.
    case googleMetadata = "gce_metadata"
    /// An application of Microsoft Entra.
    case entra = "azure_entra"
    /// The metadata server of an Azure virtual machine.
    case azureMetadata = "azure_imds"
    /// A program prints the token.
    case command
    /// AWS keys that sign each request.
    case awsSigV4 = "aws_sigv4"
}
