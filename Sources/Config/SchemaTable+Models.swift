// SPDX-License-Identifier: Apache-2.0
// The keys of one entry of Models.
// Source: see SchemaTable.swift.

extension Schema {
    static let modelKeys: [SchemaKey] =
        [
            SchemaKey(
                "Models[].match", .text, required: true, "Name of a model; “*” stands for any characters."),
            SchemaKey(
                "Models[].kinds", .list(.choice(ProviderKind.names)),
                "Kinds of providers it is about. Default: all."),
            SchemaKey("Models[].family", .text, "A word for models that behave alike."),
            SchemaKey(
                "Models[].name", .text, "Name that the provider is asked for, in place of the client's."),
            SchemaKey(
                "Models[].dialects", .list(.choice(["chat", "responses", "messages", "gemini"])),
                "Dialects in which the model is answered, where that is not all that its provider speaks."),
            SchemaKey("Models[].efforts", .list(.text), "Efforts the model takes, the lowest first."),
            SchemaKey(
                "Models[].default_effort", .text,
                "Asked for when a client says nothing, and in place of efforts that the model does not take."),
            SchemaKey(
                "Models[].reasoning_effort_map", .map(.text),
                "The provider's words for efforts; “default” for all that are neither here nor in efforts."),
            SchemaKey(
                "Models[].variants", .boolean, default: "false",
                "“MODEL-EFFORT” can be asked for as a model and is listed in /v1/models."),
            SchemaKey("Models[].budgets", .map(.integer(0...10_000_000)), "Tokens of thinking by effort."),
            SchemaKey(
                "Models[].thresholds", .map(.integer(0...10_000_000)),
                "Efforts that budgets of thinking up to these tokens stand for; larger ones are “high”."),
            SchemaKey(
                "Models[].min_budget", .integer(0...10_000_000), default: "1024",
                "Smallest budget of thinking."),
            SchemaKey(
                "Models[].max_budget", .integer(0...10_000_000), default: "32768",
                "Largest budget of thinking."),
            SchemaKey(
                "Models[].can_disable_thinking", .boolean, default: "true", "Thinking can be switched off."),
            SchemaKey(
                "Models[].context_window", .integer(1...1_000_000_000), "Tokens of input and output together."
            ),
            SchemaKey("Models[].max_input", .integer(1...1_000_000_000), "Tokens of input at most."),
            SchemaKey("Models[].max_output", .integer(1...1_000_000_000), "Tokens of output at most."),
            SchemaKey(
                "Models[].thinking", .choice(ModelEntry.thinkingWords),
                "How the model is told how much to think."),
        ]
        + ProfileWords.choices.filter { ModelEntry.choiceKeys.contains($0.key) }.map { choice in
            SchemaKey(
                "Models[].\(choice.key)", .choice(choice.words), "As Providers[].profile.\(choice.key).")
        } + [
            SchemaKey("Models[].quirks", .map(.boolean), "As Providers[].profile.quirks."),
            SchemaKey("Models[].forbidden", .list(.text), "Members that are left out of requests."),
            SchemaKey(
                "Models[].required", .map(.anything), "Members that requests get unless they have them."),
        ]
}
