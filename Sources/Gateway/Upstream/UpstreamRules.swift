// SPDX-License-Identifier: Apache-2.0
// How an upstream wants its requests and how its answers are to be read: what encoders and decoders take as a parameter
// beside the canonical form.
// Source: see Quirks.swift.

package import IPC

/// The member that limits a Chat answer.
package enum MaxTokensMember: String, CaseIterable, Sendable {
    case maxTokens = "max_tokens"
    case maxCompletionTokens = "max_completion_tokens"
}

/// Where a conversation may hold words of the operator.
package enum SystemPlacement: String, CaseIterable, Sendable {
    case anywhere
    /// In front only; others become a user's turn.
    case leading
}

/// The role of the operator's words among messages and input items.
package enum SystemRole: String, CaseIterable, Sendable {
    case system
    case developer
}

/// What `tool_choice` may say.
package enum ToolChoiceForm: String, CaseIterable, Sendable {
    /// All that the dialect has.
    case full
    /// As `full`, with the word "any" in place of "required".
    case anyWord = "any_word"
    /// "auto" and "none"; a forced choice becomes "auto".
    case autoOnly = "auto_only"
}

/// What a schema of arguments or of an answer may hold.
package enum SchemaForm: String, CaseIterable, Sendable {
    /// All of JSON Schema.
    case jsonSchema = "json_schema"
    /// All but the keywords about the document itself: `$schema`, `$id`, `$comment`.
    case noMeta = "no_meta"
    /// The subset of OpenAPI 3.0 that Gemini's `parameters` take.
    case openAPI = "open_api"
}

/// What can be asked of the form of an answer's text.
package enum OutputForm: String, CaseIterable, Sendable {
    case jsonSchema = "json_schema"
    case jsonObject = "json_object"
    case none
}

/// Where Chat carries thoughts, in answers and in the history.
package enum ReasoningMember: String, CaseIterable, Sendable {
    case none
    case reasoningContent = "reasoning_content"
    case reasoning
    /// `reasoning_details`, an array, beside the text in `reasoning`.
    case reasoningDetails = "reasoning_details"
    /// `<think>…</think>` inside of the content.
    case thinkTags = "think_tags"
}

/// When thoughts go back with the history (Chat).
package enum ReasoningReplay: String, CaseIterable, Sendable {
    case never
    /// Taken, not demanded.
    case optional
    /// Demanded on each assistant message with calls, in every later request; "" or a blank if none are known.
    case afterCalls = "after_calls"
}

/// How the amount of thinking is said.
package enum ThinkingForm: String, CaseIterable, Sendable {
    /// Not at all: the parameter is refused.
    case none
    /// Chat: `reasoning_effort`; Responses: `reasoning.effort`.
    case effort
    /// Chat: `reasoning: {effort | max_tokens | enabled}`.
    case reasoningObject = "reasoning_object"
    /// Chat: `thinking: {type: enabled | disabled}`, without a budget.
    case thinkingType = "thinking_type"
    /// Chat: `enable_thinking`, true or false.
    case enableThinking = "enable_thinking"
    /// Messages: `thinking: {type: enabled, budget_tokens}`.
    case budget
    /// Messages: `thinking: {type: adaptive}` and `output_config.effort`.
    case adaptive
    /// Gemini: `thinkingConfig.thinkingBudget`.
    case thinkingBudget = "thinking_budget"
    /// Gemini: `thinkingConfig.thinkingLevel`.
    case thinkingLevel = "thinking_level"
}

/// What identifiers of calls must look like.
package enum CallIDForm: String, CaseIterable, Sendable {
    case any
    /// Exactly nine letters and digits.
    case nineAlphanumerics = "nine_alphanumerics"
}

/// What names of tools may be made of.
package enum ToolNameForm: String, CaseIterable, Sendable {
    /// Letters, digits, "_" and "-".
    case plain
    /// As `plain`, and "." and ":"; begins with a letter or "_".
    case dotted
}

/// How a provider wants things, beyond what its dialect says.
package struct UpstreamRules: Equatable, Sendable {
    package var quirks: Quirks = []
    package var maxTokens = MaxTokensMember.maxTokens
    package var systemPlacement = SystemPlacement.anywhere
    package var systemRole = SystemRole.system
    package var toolChoice = ToolChoiceForm.full
    package var schema = SchemaForm.jsonSchema
    package var output = OutputForm.jsonSchema
    package var reasoning = ReasoningMember.none
    package var replay = ReasoningReplay.never
    /// Of the dialects' forms those that fit; see `thinking(_:)`.
    package var chatThinking = ThinkingForm.effort
    /// `effort` or `none`.
    package var responsesThinking = ThinkingForm.effort
    package var messagesThinking = ThinkingForm.adaptive
    package var geminiThinking = ThinkingForm.thinkingLevel
    package var callIDs = CallIDForm.any
    package var toolNames = ToolNameForm.plain
    /// Bytes of a tool's name, 16…256.
    package var toolNameBytes = 64
    /// Stop sequences at most.
    package var stopCount = 4
    /// The highest temperature, in thousandths.
    package var temperatureMilli = 2_000

    package init() {}

    /// How the amount of thinking is said in a dialect.
    package func thinking(_ dialect: Dialect) -> ThinkingForm {
        switch dialect {
        case .chat: chatThinking
        case .responses: responsesThinking
        case .messages: messagesThinking
        case .gemini: geminiThinking
        }
    }

    package func has(_ quirk: Quirks) -> Bool { quirks.contains(quirk) }
}

extension UpstreamRules: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(quirks)
        for name in [
            maxTokens.rawValue, systemPlacement.rawValue, systemRole.rawValue, toolChoice.rawValue,
            schema.rawValue, output.rawValue, reasoning.rawValue, replay.rawValue, chatThinking.rawValue,
            responsesThinking.rawValue,
            messagesThinking.rawValue, geminiThinking.rawValue, callIDs.rawValue, toolNames.rawValue,
        ] { writer.put(name) }
        for number in [toolNameBytes, stopCount, temperatureMilli] { writer.put(UInt32(clamping: number)) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        quirks = try reader.get()
        maxTokens = try reader.getNamed()
        systemPlacement = try reader.getNamed()
        systemRole = try reader.getNamed()
        toolChoice = try reader.getNamed()
        schema = try reader.getNamed()
        output = try reader.getNamed()
        reasoning = try reader.getNamed()
        replay = try reader.getNamed()
        chatThinking = try reader.getNamed()
        responsesThinking = try reader.getNamed()
        messagesThinking = try reader.getNamed()
        geminiThinking = try reader.getNamed()
        callIDs = try reader.getNamed()
        toolNames = try reader.getNamed()
        toolNameBytes = Int(try reader.get(UInt32.self))
        stopCount = Int(try reader.get(UInt32.self))
        temperatureMilli = Int(try reader.get(UInt32.self))
    }
}

extension WireReader {
    /// A value that travels by its name.
    mutating func getNamed<Value: RawRepresentable>(_: Value.Type = Value.self) throws(WireError) -> Value
    where Value.RawValue == String {
        let name = try getString()
        guard let value = Value(rawValue: name) else { throw .invalidValue(name) }
        return value
    }
}
