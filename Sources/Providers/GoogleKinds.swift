// SPDX-License-Identifier: Apache-2.0
// Google: the Gemini API and Vertex AI.
// Sources, read 2026-11-21: google-genai 3.4.0 (_api_client.py, types.py); anthropic-python 2.11.0 (lib/vertex);
// litellm 1.109.1 (vertex_ai).

import Gateway

extension ProviderTable {
    private static let geminiRules = rules([.noFormatWithTools, .webSearch, .topK, .noImageURLs, .noPrefill])
    {
        $0.systemPlacement = .leading
        $0.toolNames = .dotted
        // generateContent: stopSequences up to 5 (unconfirmed).
        $0.stopCount = 5
    }

    static let googleKinds: [ProviderProfile] = [
        ProviderProfile(
            "gemini",
            [
                // google-genai uses v1 by default and v1beta on demand; only v1beta has all fields in use.
                Surface(.gemini, version: "/v1beta", also: [.geminiCountTokens]),
                // The compatible surface for OpenAI's clients (unconfirmed).
                Surface(
                    .chat, base: "/v1beta/openai", also: [.embeddings],
                    forbidden: ["store", "prompt_cache_key"]),
            ],
            auth: .googleKey, errors: .google, rules: geminiRules),
        ProviderProfile(
            "vertex",
            [
                // The configured URL ends in /v1/projects/PROJECT/locations/LOCATION; paths of google-genai and
                // anthropic-python (lib/vertex).
                Surface(
                    .gemini, also: [.geminiCountTokens],
                    paths: [
                        Surface.Path(.generateContent, "/publishers/google/models/{model}:generateContent"),
                        Surface.Path(
                            .streamGenerateContent, "/publishers/google/models/{model}:streamGenerateContent"),
                        Surface.Path(.geminiCountTokens, "/publishers/google/models/{model}:countTokens"),
                    ]),
                Surface(
                    .messages,
                    paths: [
                        Surface.Path(
                            .messages, "/publishers/anthropic/models/{model}:rawPredict",
                            stream: "/publishers/anthropic/models/{model}:streamRawPredict"),
                        Surface.Path(.countTokens, "/publishers/anthropic/models/count-tokens:rawPredict"),
                    ], required: [RequiredMember("anthropic_version", #""vertex-2023-10-16""#)],
                    forbidden: ["model"]),
            ],
            auth: .bearer, errors: .google,
            rules: {
                var rules = geminiRules
                rules.quirks.formUnion([.callIDs, .cacheControl])
                return rules
            }()),
    ]
}
