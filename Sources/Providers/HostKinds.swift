// SPDX-License-Identifier: Apache-2.0
// Those who serve models of others: OpenRouter, Groq, Cerebras.
// Sources, read 2026-11-21: litellm 1.109.1 (llms/openrouter, groq, cerebras); groq-python 1.7.0; OpenRouter's documents.

import Gateway

extension ProviderTable {
    static let hostKinds: [ProviderProfile] = [
        ProviderProfile(
            "openrouter",
            [
                Surface(.chat, base: "/api", version: "/v1", also: [.completions, .embeddings]),
                Surface(.responses, base: "/api", version: "/v1"),
                // Documents: https://openrouter.ai/api is a base URL for Anthropic's clients.
                Surface(.messages, base: "/api", version: "/v1"),
            ],
            rules: rules([.cacheControl, .topK, .functionToolsOnly, .stateless, .noVerbosity]) {
                $0.reasoning = .reasoningDetails
                $0.replay = .optional
                $0.chatThinking = .reasoningObject
            }),
        ProviderProfile(
            "groq",
            [
                Surface(
                    .chat, base: "/openai", version: "/v1", also: [.embeddings],
                    forbidden: ["store", "logprobs", "top_logprobs", "logit_bias"]),
                // In beta (unconfirmed).
                Surface(.responses, base: "/openai", version: "/v1"),
            ],
            rules: rules([.noNulls, .functionToolsOnly, .noVerbosity, .noDocuments, .noStrict, .stateless]) {
                $0.reasoning = .reasoning
                $0.replay = .never
                $0.schema = .noMeta
                $0.maxTokens = .maxCompletionTokens
            }),
        ProviderProfile(
            "cerebras",
            [
                Surface(
                    .chat, version: "/v1", also: [.completions],
                    forbidden: ["store", "frequency_penalty", "presence_penalty"])
            ],
            rules: rules([
                .functionToolsOnly, .noVerbosity, .noDocuments, .noImages, .noPenalties, .noMetadata,
            ]) {
                $0.reasoning = .reasoning
                $0.replay = .never
                $0.schema = .noMeta
                $0.maxTokens = .maxCompletionTokens
                $0.temperatureMilli = 1_500
            }),
    ]
}
