// SPDX-License-Identifier: Apache-2.0
// Vendors of models with an API in the manner of OpenAI's.
// Sources, read 2026-11-21: litellm 1.109.1 (llms/deepseek, mistral, xai, moonshot, zai, minimax, dashscope);
// mistralai 3.7.0 (models); router-for-me/CLIProxyAPI a7e3596b (Kimi). Documents of DeepSeek, 2026.

import Gateway

extension ProviderTable {
    /// What servers of Chat have in common that are not OpenAI's.
    private static let foreign: Quirks = [
        .functionToolsOnly, .noVerbosity, .noServiceTier, .noDocuments, .noMetadata,
    ]

    static let vendorKinds: [ProviderProfile] = [
        ProviderProfile(
            "deepseek",
            [
                Surface(.chat, forbidden: ["store", "metadata", "parallel_tool_calls"]),
                Surface(.messages, base: "/anthropic", version: "/v1"),
            ],
            rules: rules(foreign.union([.noImages, .noParallelToolCalls, .noStrict])) {
                $0.output = .jsonObject
                $0.reasoning = .reasoningContent
                // Documents and litellm: 400 "must be passed back" on each turn after a call.
                $0.replay = .afterCalls
                // litellm: thinking{type}, no budget; forced choices are refused while thinking.
                $0.chatThinking = .thinkingType
                $0.messagesThinking = .budget
                $0.toolChoice = .autoOnly
                $0.stopCount = 16
            }),
        ProviderProfile(
            "mistral",
            [
                Surface(
                    .chat, version: "/v1", also: [.embeddings],
                    forbidden: ["store", "stream_options", "logit_bias"])
            ],
            errors: .detail,
            rules: rules(foreign.union([.randomSeed, .noStreamOptions, .noStrict])) {
                // mistralai: ToolChoiceEnum has "any"; ids of nine letters and digits (unconfirmed).
                $0.toolChoice = .anyWord
                $0.callIDs = .nineAlphanumerics
                $0.systemPlacement = .leading
                $0.schema = .noMeta
                $0.chatThinking = .none
                $0.temperatureMilli = 1_500
            }),
        ProviderProfile(
            "xai",
            [
                Surface(.chat, version: "/v1", also: [.embeddings, .images]),
                Surface(.responses, version: "/v1"),
            ],
            rules: rules([.noStrict, .noPenalties, .usageExcludesReasoning, .functionToolsOnly, .noVerbosity])
            {
                $0.reasoning = .reasoningContent
                $0.maxTokens = .maxCompletionTokens
            }),
        ProviderProfile(
            "moonshot",
            [
                Surface(.chat, version: "/v1", forbidden: ["store", "functions", "function_call"]),
                // Served below /anthropic (unconfirmed).
                Surface(.messages, base: "/anthropic", version: "/v1"),
            ],
            rules: rules(foreign.union([.stringContent])) {
                $0.reasoning = .reasoningContent
                // litellm: assistant messages with calls need it.
                $0.replay = .afterCalls
                $0.toolChoice = .autoOnly
                $0.temperatureMilli = 1_000
                $0.chatThinking = .thinkingType
                $0.messagesThinking = .budget
            }),
        ProviderProfile(
            "kimi-coding",
            [
                Surface(
                    .chat, base: "/coding", version: "/v1",
                    forbidden: ["store", "functions", "function_call"]),
                Surface(.messages, base: "/coding", version: "/v1"),
            ],
            rules: rules(foreign.union([.stringContent])) {
                $0.reasoning = .reasoningContent
                $0.replay = .afterCalls
                $0.toolChoice = .autoOnly
                $0.temperatureMilli = 1_000
                $0.chatThinking = .thinkingType
                $0.messagesThinking = .budget
            }),
        ProviderProfile(
            "zai",
            [
                Surface(.chat, base: "/api/paas/v4", forbidden: ["store", "metadata", "seed", "logit_bias"]),
                // Served below /api/anthropic (unconfirmed).
                Surface(.messages, base: "/api/anthropic", version: "/v1"),
            ],
            rules: rules(foreign.union([.noSeed, .noPenalties])) {
                $0.output = .jsonObject
                $0.reasoning = .reasoningContent
                $0.replay = .optional
                $0.chatThinking = .thinkingType
                $0.messagesThinking = .budget
                $0.toolChoice = .autoOnly
                $0.stopCount = 1
                $0.temperatureMilli = 1_000
            }),
        ProviderProfile(
            "minimax",
            [
                // litellm: reasoning_split parts the thoughts from the text.
                Surface(
                    .chat, version: "/v1", required: [RequiredMember("reasoning_split", "true")],
                    forbidden: ["store"]),
                Surface(.messages, base: "/anthropic", version: "/v1"),
            ],
            rules: rules(foreign) {
                $0.reasoning = .reasoningDetails
                $0.replay = .optional
                $0.chatThinking = .none
                $0.messagesThinking = .budget
                $0.temperatureMilli = 1_000
            }),
        ProviderProfile(
            "qwen",
            [
                Surface(
                    .chat, base: "/compatible-mode", version: "/v1", also: [.embeddings], forbidden: ["store"]
                )
            ],
            rules: rules(foreign.union([.topK])) {
                $0.reasoning = .reasoningContent
                $0.replay = .never
                $0.chatThinking = .enableThinking
                $0.systemPlacement = .leading
                $0.toolChoice = .autoOnly
            }),
    ]
}
