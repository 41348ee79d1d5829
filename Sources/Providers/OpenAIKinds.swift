// SPDX-License-Identifier: Apache-2.0
// OpenAI and those who serve OpenAI's API under terms of their own: Azure, the ChatGPT backend, GitHub Copilot.
// Sources, read 2026-11-21: openai-python 3.52.0 (types, lib/azure.py, _base_client.py); openai/codex
// (codex-rs/model-provider-info, codex-api); litellm 1.109.1; router-for-me/CLIProxyAPI a7e3596b;
// ericc-ch/copilot-api 0.7.0; microsoft/vscode-copilot-chat (stream.ts, endpointProvider.ts).

import Gateway

extension ProviderTable {
    private static let openAIQuirks: Quirks = [.cacheKey, .webSearch]

    static let openAIKinds: [ProviderProfile] = [
        ProviderProfile(
            "openai",
            [
                // openai-python: paths below https://api.openai.com/v1.
                Surface(.chat, version: "/v1", also: [.completions, .embeddings, .images]),
                Surface(.responses, version: "/v1", also: [.responsesCompact]),
            ],
            rules: rules(openAIQuirks) {
                // Refused by reasoning models under the old name, taken by all under the new one (unconfirmed).
                $0.maxTokens = .maxCompletionTokens
            }),
        ProviderProfile(
            "azure",
            [
                // lib/azure.py; the surface without api-version (unconfirmed). The model is the deployment's name.
                Surface(.chat, base: "/openai", version: "/v1", also: [.completions, .embeddings, .images]),
                Surface(.responses, base: "/openai", version: "/v1"),
            ],
            auth: .azureKey, rules: rules([.cacheKey]) { $0.maxTokens = .maxCompletionTokens }),
        ProviderProfile(
            "azure-deployments",
            [
                // lib/azure.py: the deployment stands in the path, api-version in the query of the configured URL;
                // Responses is not scoped to a deployment.
                Surface(
                    .chat, base: "/openai", also: [.completions, .embeddings, .images],
                    paths: [
                        Surface.Path(.chatCompletions, "/deployments/{model}/chat/completions"),
                        Surface.Path(.completions, "/deployments/{model}/completions"),
                        Surface.Path(.embeddings, "/deployments/{model}/embeddings"),
                        Surface.Path(.images, "/deployments/{model}/images/generations"),
                    ]),
                Surface(.responses, base: "/openai"),
            ],
            auth: .azureKey, rules: rules([.cacheKey]) { $0.maxTokens = .maxCompletionTokens }),
        ProviderProfile(
            "chatgpt",
            [
                // codex-api, CLIProxyAPI, litellm: what the backend demands and what it refuses. CLIProxyAPI and litellm
                // disagree on previous_response_id and truncation (unconfirmed); both are left out.
                Surface(
                    .responses, base: "/backend-api/codex", also: [.responsesCompact],
                    required: [
                        RequiredMember("stream", "true", forced: true),
                        RequiredMember("store", "false", forced: true),
                        RequiredMember("instructions", #""""#),
                        RequiredMember("include", #"["reasoning.encrypted_content"]"#),
                    ],
                    forbidden: [
                        "previous_response_id", "prompt_cache_retention", "safety_identifier",
                        "stream_options",
                        "generate", "truncation", "temperature", "top_p", "max_output_tokens", "max_tokens",
                        "user",
                        "metadata",
                    ])
            ],
            // codex-rs: every request says what it expects.
            headers: ["openai-beta": "responses=experimental", "accept": "text/event-stream"],
            rules: rules([
                .streamOnly, .storeFalse, .stateless, .needsInstructions, .emptyFinalOutput, .noTemperature,
                .noTopP,
                .noMaxTokens, .noMetadata, .cacheKey, .webSearch,
            ]) {
                // litellm: an input item with role system gets a 400.
                $0.systemRole = .developer
            },
            // codex-api: the version decides which models are told; hermes-agent saw the whole list with this one.
            listing: ModelListing(.codex, "/models?client_version=1.0.0")),
        ProviderProfile(
            "copilot",
            [
                // copilot-api, vscode-copilot-chat: which model is on which path differs; see /models.
                Surface(.chat, also: [.embeddings]),
                Surface(.responses, required: [RequiredMember("store", "false")]),
                Surface(.messages, version: "/v1"),
            ],
            // copilot-api 0.7.0; stale versions of editors are refused, so extra_headers may replace them.
            headers: [
                "copilot-integration-id": "vscode-chat", "editor-version": "vscode/1.109.0",
                "editor-plugin-version": "copilot-chat/0.37.0", "openai-intent": "conversation-agent",
                "x-github-api-version": "2025-10-01",
            ],
            rules: rules([.unstableItemIDs, .storeFalse, .stateless, .editorFields]),
            // litellm 1.109.1, its catalog of Copilot's models by supported_endpoints.
            modelDialects: [
                ModelDialects("*codex*", [.responses]), ModelDialects("gpt-5-mini*", []),
                ModelDialects("gpt-5*", [.responses]), ModelDialects("claude*", [.chat, .messages]),
                ModelDialects("gemini*", [.chat]), ModelDialects("kimi*", [.chat]),
            ],
            listing: ModelListing(.copilot, "/models")),
    ]
}
