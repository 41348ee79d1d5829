// SPDX-License-Identifier: Apache-2.0
// The keys of one entry of Providers.
// Source: see SchemaTable.swift.

extension Schema {
    static let providerKeys: [SchemaKey] =
        [
            SchemaKey(
                "Providers[].name", .text, required: true,
                "Name in routes, logs and metrics; unique, no comma."),
            SchemaKey(
                "Providers[].api_base_url", .text, spellings: ["base_url", "api_base"], required: true,
                "Base URL, or the full URL of an endpoint; “builtin:echo” is the embedded provider."),
            SchemaKey(
                "Providers[].api_key", .secret, "Key sent to the provider; none for servers that want none."),
            SchemaKey(
                "Providers[].models", .list(.text), default: "[]",
                "Models it answers. Default of builtin:echo: echo, echo:tools, echo:think."),
            SchemaKey(
                "Providers[].live_models", .boolean, default: "true",
                "Of chatgpt and copilot: serve and list what the account may use, which the provider is asked for."
            ),
            SchemaKey(
                "Providers[].kind", .choice(ProviderKind.names),
                "Whose API it is; see docs/providers.md. Default: recognised from api_base_url."),
            SchemaKey(
                "Providers[].protocol", .choice(["openai", "anthropic", "gemini"]),
                "Family of its API where its kind is not known: openai-compatible, anthropic-compatible, "
                    + "gemini-compatible. Default: what its URL ends in, else openai."),
            SchemaKey(
                "Providers[].dialects", .list(.choice(ProviderDialect.allCases.map(\.rawValue))),
                "What it speaks. Default: what its kind speaks; for unknown hosts what the end of the URL says, "
                    + "else chat and responses."),
            SchemaKey(
                "Providers[].base_urls", .object,
                "Base URLs of single dialects, where its kind is wrong about them."),
            SchemaKey("Providers[].base_urls.chat", .text, "For Chat Completions."),
            SchemaKey("Providers[].base_urls.responses", .text, "For Responses."),
            SchemaKey("Providers[].base_urls.messages", .text, "For Messages."),
            SchemaKey("Providers[].base_urls.gemini", .text, "For Gemini."),
            SchemaKey(
                "Providers[].anthropic_version", .text, default: "2023-06-01",
                "Header anthropic-version for clients that send none."),
            SchemaKey(
                "Providers[].auth_header",
                .choice([
                    "x-api-key", "x-goog-api-key", "api-key", "authorization", "bearer",
                    "authorization-bearer",
                ]),
                "How the key is sent; the last three mean “Authorization: Bearer”. "
                    + "Default: as its kind wants it."),
            SchemaKey("Providers[].extra_headers", .map(.secret), "Headers added to every request."),
            SchemaKey("Providers[].workers", .integer(1...64), default: "1", "Worker processes."),
            SchemaKey("Providers[].tier_name", .text, "Label in metrics. Default: the name."),
            SchemaKey("Providers[].proxy", .secret, "HTTP or SOCKS proxy. Default: PROXY_URL."),
            SchemaKey("Providers[].timeouts", .object, "Replaces values of Timeouts for this provider."),
            SchemaKey("Providers[].timeouts.connectMs", .integer(1...86_400_000), "As Timeouts.connectMs."),
            SchemaKey(
                "Providers[].timeouts.firstEventMs", .integer(1...86_400_000), "As Timeouts.firstEventMs."),
            SchemaKey("Providers[].timeouts.idleMs", .integer(1...86_400_000), "As Timeouts.idleMs."),
            SchemaKey("Providers[].timeouts.totalMs", .integer(1...86_400_000), "As Timeouts.totalMs."),
            SchemaKey("Providers[].pricing", .object, "What its tokens cost, in US dollars per million."),
            SchemaKey(
                "Providers[].model_pricing", .map(.object), spellings: ["modelPricing"],
                "As pricing, for single models."),
        ]
        + ["Providers[].pricing", "Providers[].model_pricing.*"].flatMap { path -> [SchemaKey] in
            [
                SchemaKey(
                    path + ".input_per_million_tokens", .number(0...1_000_000),
                    spellings: ["inputPerMillionTokens"], "Input tokens."),
                SchemaKey(
                    path + ".output_per_million_tokens", .number(0...1_000_000),
                    spellings: ["outputPerMillionTokens"], "Output tokens, reasoning included."),
                SchemaKey(
                    path + ".cache_read_per_million_tokens", .number(0...1_000_000),
                    spellings: ["cacheReadPerMillionTokens"],
                    "Input tokens read from the prompt cache. Default: as input."),
                SchemaKey(
                    path + ".cache_write_per_million_tokens", .number(0...1_000_000),
                    spellings: ["cacheWritePerMillionTokens"],
                    "Input tokens written to the prompt cache. Default: as input."),
            ]
        } + [
            SchemaKey(
                "Providers[].transformer", .map(.anything),
                "Transformers of claude-code-router by name: {“use”: [NAME or [NAME, OPTIONS]], MODEL: {“use”: […]}}; "
                    + "see docs/providers.md."),
            SchemaKey(
                ignored: "Providers[].tokenizer", "Token counter.", "ccr reports the provider's own counts"),
            SchemaKey(
                "Providers[].allow_streaming", .boolean, default: "false",
                "Exception from Router.forceNonStreaming: it is asked for streams."),
        ] + profileKeys

    /// The rows of Providers[].profile: changes of what the kind says.
    private static let profileKeys: [SchemaKey] =
        [
            SchemaKey(
                "Providers[].profile", .object, "Changes of the kind's profile; see docs/providers.md."),
            SchemaKey(
                "Providers[].profile.quirks", .map(.boolean),
                "Single peculiarities, switched on or off: “no_strict”: true."),
        ]
        + ProfileWords.choices.map { choice in
            SchemaKey("Providers[].profile.\(choice.key)", .choice(choice.words), choice.help)
        } + [
            SchemaKey("Providers[].profile.tool_name_bytes", .integer(16...256), "Longest name of a tool."),
            SchemaKey("Providers[].profile.stop_count", .integer(0...8_192), "Stop sequences at most."),
            SchemaKey("Providers[].profile.max_temperature", .number(0...100), "Highest temperature."),
            SchemaKey(
                "Providers[].profile.required", .map(.anything),
                "Members that every request gets, in place of the client's."),
            SchemaKey(
                "Providers[].profile.forbidden", .list(.text), "Members that are left out of every request."),
            SchemaKey(
                "Providers[].profile.forbidden_headers", .list(.text),
                "Header fields of clients that are not passed on."),
            SchemaKey(
                "Providers[].profile.paths", .object,
                "Paths below the base URL; “{model}” stands for the model."),
        ]
        + ProfileWords.endpoints.map { name in
            SchemaKey("Providers[].profile.paths.\(name)", .text, "In place of /\(name).")
        }
}
