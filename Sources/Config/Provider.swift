// SPDX-License-Identifier: Apache-2.0
// One configured provider and the URLs of its endpoints.

/// A wire format family that a provider speaks; named as in configuration, logs and metrics.
package enum ProviderDialect: String, CaseIterable, Sendable {
    case chat
    case responses
    case messages
    case gemini
}

/// The family of a provider's API; decides the defaults of dialects and of the key's header.
package enum ProviderProtocol: String, Sendable {
    case openai
    case anthropic
    case gemini
}

/// The header that carries the provider's key.
package enum AuthHeader: String, Sendable {
    /// Authorization: Bearer KEY
    case bearer
    /// x-api-key: KEY
    case xAPIKey = "x-api-key"
    /// x-goog-api-key: KEY
    case xGoogAPIKey = "x-goog-api-key"
    /// api-key: KEY
    case apiKey = "api-key"
}

/// A header added to every request.
package struct ExtraHeader: Equatable, Sendable {
    package var name: String
    package var value: Secret
}

/// US dollars per million tokens.
package struct Pricing: Equatable, Sendable {
    package var input: Double
    package var output: Double
    /// Input tokens read from and written to the provider's prompt cache; nil: as input.
    package var cacheRead: Double?
    package var cacheWrite: Double?
}

/// Where requests go.
package struct Provider: Equatable, Sendable {
    package var name: String
    /// The label in metrics.
    package var tierName: String
    /// Where it is; nil for the embedded provider "builtin:echo".
    package var baseURL: BaseURL?
    package var apiKey: Secret?
    /// What the refresher keeps alive; used instead of `apiKey` if there are any.
    package var credentials: [ProviderCredential]
    /// In the order of the configuration, without repetitions.
    package var models: [String]
    /// Whether the models that its account may use are asked for and served too, where its kind can tell.
    package var liveModels = true
    /// One of `ProviderKind.names`, configured or recognised from the URL.
    package var kind: String
    /// What it is said to speak; empty: whatever its kind speaks.
    package var dialects: [ProviderDialect]
    /// Addresses of single dialects, with their versions.
    package var baseURLs: [ProviderDialect: BaseURL]
    package var anthropicVersion: String
    /// Nil: as its kind wants it.
    package var authHeader: AuthHeader?
    package var overrides: ProfileOverrides
    package var transformers: TransformerUses
    package var extraHeaders: [ExtraHeader]
    /// 1…64.
    package var workers: Int
    /// A proxy URL; secret because it may carry a password.
    package var proxy: Secret?
    package var timeouts: UpstreamTimeouts
    package var pricing: Pricing?
    /// Prices of single models, by model.
    package var modelPricing: [String: Pricing]

    /// Share among providers of the same model; 0 leaves them in their order.
    package var weight: Int
    /// Lower ones come first among providers of the same model.
    package var priority: Int
    /// Of the key in `apiKey`.
    package var limit: PerMinute
    /// Of single models, by model.
    package var modelLimits: [String: PerMinute]
    /// A key that has nothing left, as its answers say, is not used until it has.
    package var honorsRateHeaders: Bool

    /// Whether this is the provider inside ccr.
    package var isEcho: Bool { baseURL == nil }
}
