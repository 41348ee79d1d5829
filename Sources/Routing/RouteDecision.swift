// SPDX-License-Identifier: Apache-2.0
// What routing decides: who is asked in which order, and with which parameters.

package import Gateway

/// A provider and the model it is asked for.
package struct RouteCandidate: Equatable, Sendable {
    /// The provider's name, for logs and errors.
    package let provider: String
    /// The provider's place in the configuration, from 0.
    package let providerIndex: Int
    /// The name the provider knows.
    package let model: String
}

/// Parameters for requests that do not set them.
package struct ParameterOverrides: Equatable, Sendable {
    package var maxTokens: Int?
    package var temperature: Double?

    package init(maxTokens: Int? = nil, temperature: Double? = nil) {
        self.maxTokens = maxTokens
        self.temperature = temperature
    }

    package var isEmpty: Bool { maxTokens == nil && temperature == nil }
}

/// The outcome for one request.
package struct RouteDecision: Equatable, Sendable {
    /// In the order in which they are asked; at least one, none twice.
    package let candidates: [RouteCandidate]
    package let overrides: ParameterOverrides
}

/// The outcome with the way that led there, for `ccr route explain`.
package struct RouteExplanation: Sendable {
    /// One sentence for each step.
    package let steps: [String]
    package let result: Result<RouteDecision, GatewayError>
}
