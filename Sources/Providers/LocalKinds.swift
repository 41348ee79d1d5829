// SPDX-License-Identifier: Apache-2.0
// Servers that the operator runs, and whoever imitates a known API without being known by name.
// Sources, read 2026-11-21: documents of Ollama and llama.cpp; avikalpa/codex-litellm (LiteLLM as an upstream); the rows
// for vLLM and llama.cpp are unconfirmed where no other source is named.

import Gateway

extension ProviderTable {
    static let localKinds: [ProviderProfile] = [
        ProviderProfile(
            "ollama",
            [
                Surface(.chat, version: "/v1", also: [.completions, .embeddings]),
                // Documents: since 0.13.3, without state.
                Surface(.responses, version: "/v1"),
                Surface(.messages, version: "/v1"),
            ],
            rules: rules([
                .functionToolsOnly, .stateless, .noEncryptedReasoning, .topK, .noImageURLs, .noVerbosity,
                .noDocuments,
                .noParallelToolCalls,
            ]) {
                $0.reasoning = .reasoning
                $0.replay = .optional
                $0.messagesThinking = .budget
                $0.toolChoice = .autoOnly
            }),
        ProviderProfile(
            "vllm",
            [
                Surface(.chat, version: "/v1", also: [.completions, .embeddings]),
                Surface(.responses, version: "/v1"),
            ],
            errors: .flat,
            rules: rules([
                .functionToolsOnly, .topK, .stateless, .noEncryptedReasoning, .noVerbosity, .noDocuments,
            ]) {
                $0.reasoning = .reasoningContent
                $0.replay = .optional
                $0.systemPlacement = .leading
            }),
        ProviderProfile(
            "llama.cpp",
            [
                Surface(.chat, version: "/v1", also: [.completions, .embeddings]),
                Surface(.messages, version: "/v1", also: [.countTokens]),
            ],
            rules: rules([
                .functionToolsOnly, .topK, .noStrict, .noVerbosity, .noDocuments, .noImageURLs,
                .noParallelToolCalls,
            ]) {
                $0.reasoning = .reasoningContent
                $0.replay = .optional
                $0.systemPlacement = .leading
                $0.messagesThinking = .budget
                $0.chatThinking = .none
            }),
        ProviderProfile(
            "litellm",
            [
                Surface(.chat, version: "/v1", also: [.completions, .embeddings, .images]),
                Surface(.responses, version: "/v1", forbidden: ["client_metadata"]),
                Surface(.messages, version: "/v1", also: [.countTokens]),
            ],
            // codex-litellm: function tools only; client_metadata breaks models behind Bedrock.
            rules: rules([.functionToolsOnly, .cacheControl, .topK]) {
                $0.reasoning = .reasoningContent
                $0.replay = .optional
            }),
    ]

    static let compatibleKinds: [ProviderProfile] = [
        ProviderProfile(
            "openai-compatible",
            [
                Surface(.chat, also: [.completions, .embeddings, .images]),
                Surface(.responses, also: [.responsesCompact]),
                Surface(.messages, version: "/v1", also: [.countTokens]),
                Surface(.gemini, version: "/v1beta", also: [.geminiCountTokens]),
            ],
            rules: rules([.functionToolsOnly]) {
                $0.reasoning = .reasoningContent
                $0.replay = .optional
            }),
        ProviderProfile(
            "anthropic-compatible", [Surface(.messages, version: "/v1", also: [.countTokens])], auth: .apiKey,
            errors: .anthropic,
            rules: rules([.cacheControl]) {
                $0.messagesThinking = .budget
                $0.temperatureMilli = 1_000
            }),
        ProviderProfile(
            "gemini-compatible", [Surface(.gemini, version: "/v1beta", also: [.geminiCountTokens])],
            auth: .googleKey, errors: .google, rules: geminiCompatibleRules),
    ]

    private static let geminiCompatibleRules = rules([.noFormatWithTools, .topK, .noImageURLs, .noPrefill]) {
        $0.systemPlacement = .leading
        $0.toolNames = .dotted
        $0.stopCount = 5
    }
}
