// SPDX-License-Identifier: Apache-2.0
// Changes of a provider's profile that its entry asks for. The words are those of docs/providers.md; what they mean is
// Gateway's and Providers', which this layer does not know. Tests hold the lists against them.

/// The object Providers[].profile. Nil and empty: as the kind has it.
package struct ProfileOverrides: Equatable, Sendable {
    /// Single peculiarities, switched on or off.
    package var quirks: [String: Bool] = [:]
    /// Choices by the name of their key: "system_role": "developer".
    package var choices: [String: String] = [:]
    package var toolNameBytes: Int?
    package var stopCount: Int?
    package var maxTemperature: Double?
    /// Members of every request with their JSON; they replace the client's.
    package var required: [(name: String, json: String)] = []
    /// Members that are left out of every request.
    package var forbidden: [String] = []
    /// Fields of clients that are not passed on.
    package var forbiddenHeaders: [String] = []
    /// Paths by the name of their endpoint: "chat/completions".
    package var paths: [String: String] = [:]

    package init() {}

    package static func == (left: Self, right: Self) -> Bool {
        left.quirks == right.quirks && left.choices == right.choices
            && left.toolNameBytes == right.toolNameBytes
            && left.stopCount == right.stopCount && left.maxTemperature == right.maxTemperature
            && left.required.map(\.name) == right.required.map(\.name)
            && left.required.map(\.json) == right.required.map(\.json) && left.forbidden == right.forbidden
            && left.forbiddenHeaders == right.forbiddenHeaders && left.paths == right.paths
    }
}

/// The words that a profile may hold.
package enum ProfileWords {
    /// Peculiarities that are there or not.
    package static let quirks = [
        "strict_alternation", "string_content", "no_nulls", "no_images", "no_result_images", "no_documents",
        "no_image_urls", "mid_system", "no_prefill", "cache_control", "cache_key", "no_strict",
        "no_parallel_tool_calls", "function_tools_only", "web_search", "no_format_with_tools", "call_ids",
        "no_stream_options", "no_temperature", "no_top_p", "top_k", "no_stop", "no_penalties", "no_seed",
        "random_seed",
        "no_metadata", "no_service_tier", "no_verbosity", "no_max_tokens", "usage_excludes_cached",
        "usage_excludes_reasoning", "stream_only", "document_only", "unstable_item_ids", "empty_final_output",
        "store_false", "stateless", "needs_instructions", "no_encrypted_reasoning", "needs_strict",
        "editor_fields",
    ]

    /// Keys with a choice, and what may be chosen.
    package static let choices: [(key: String, words: [String], help: String)] = [
        ("max_tokens", ["max_tokens", "max_completion_tokens"], "Member that limits a Chat answer."),
        ("system_placement", ["anywhere", "leading"], "Where the operator's words may stand."),
        ("system_role", ["system", "developer"], "Role of the operator's words."),
        ("tool_choice", ["full", "any_word", "auto_only"], "What tool_choice may say."),
        ("schema", ["json_schema", "no_meta", "open_api"], "What schemas may hold."),
        ("output", ["json_schema", "json_object", "none"], "What can be asked of an answer's form."),
        (
            "reasoning", ["none", "reasoning_content", "reasoning", "reasoning_details", "think_tags"],
            "Where Chat carries thoughts."
        ),
        ("replay", ["never", "optional", "after_calls"], "When thoughts go back with the history of Chat."),
        (
            "chat_thinking", ["none", "effort", "reasoning_object", "thinking_type", "enable_thinking"],
            "How Chat is told how much to think."
        ),
        ("messages_thinking", ["none", "budget", "adaptive"], "The same for Messages."),
        ("gemini_thinking", ["none", "thinking_budget", "thinking_level"], "The same for Gemini."),
        ("call_ids", ["any", "nine_alphanumerics"], "Form of the ids of calls."),
        ("tool_names", ["plain", "dotted"], "What names of tools may be made of."),
        ("errors", ["openai", "anthropic", "google", "detail", "flat"], "How errors are written."),
    ]

    /// Endpoints whose path can be given.
    package static let endpoints = [
        "chat/completions", "completions", "embeddings", "images/generations", "responses",
        "responses/compact",
        "messages", "messages/count_tokens", "generateContent", "streamGenerateContent", "countTokens",
    ]
}
