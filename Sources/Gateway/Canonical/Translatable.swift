// SPDX-License-Identifier: Apache-2.0
// Which requests a provider can answer that does not speak their dialect.

extension Endpoint {
    /// Requests and answers of this path have a canonical form, so that a provider of any dialect can answer.
    package var isTranslatable: Bool {
        switch self {
        case .chatCompletions, .responses, .messages, .generateContent, .streamGenerateContent: true
        case .responsesCompact, .countTokens, .completions, .embeddings, .images, .geminiCountTokens: false
        }
    }

    /// What the provider does not answer itself is estimated.
    package var isEstimable: Bool { self == .countTokens || self == .geminiCountTokens }

    /// Whether a provider of these dialects can answer requests of this path.
    package func isAnswered(by dialects: [Dialect]) -> Bool {
        dialects.contains(dialect) || ((isTranslatable || isEstimable) && !dialects.isEmpty)
    }
}
