// SPDX-License-Identifier: Apache-2.0
// What streams and documents of Messages share: reasons, usage, signatures, citations.
// Source: Anthropic API reference (stop reasons, usage, extended thinking, citations), 2026.

import Gateway
import JSON

enum MessagesOutcome {
    static func name(_ reason: StopReason) -> String {
        switch reason {
        case .endTurn: "end_turn"
        case .stopSequence: "stop_sequence"
        case .maxTokens: "max_tokens"
        case .toolUse: "tool_use"
        case .refusal, .contentFilter: "refusal"
        case .pauseTurn: "pause_turn"
        case .contextWindowExceeded: "model_context_window_exceeded"
        case .compaction: "compaction"
        }
    }

    /// A reason as the provider names it; one that is not known is the end of the turn.
    static func reason(_ name: String) -> StopReason {
        switch name {
        case "stop_sequence": .stopSequence
        case "max_tokens": .maxTokens
        case "tool_use": .toolUse
        case "refusal": .refusal
        case "pause_turn": .pauseTurn
        case "model_context_window_exceeded": .contextWindowExceeded
        case "compaction": .compaction
        default: .endTurn
        }
    }

    static func write(_ usage: Usage, to writer: inout JSONWriter) {
        writer.member("input_tokens", usage.input)
        writer.member("cache_creation_input_tokens", usage.cacheWrite)
        writer.member("cache_read_input_tokens", usage.cacheRead)
        writer.member("output_tokens", usage.output)
        if usage.reasoning > 0 {
            writer.member("output_tokens_details", object: { $0.member("thinking_tokens", usage.reasoning) })
        }
    }

    /// What a client carries for a state: the provider's own text where it is one of Messages, else an envelope; empty for
    /// none.
    static func signature(_ state: ReasoningState?) -> String {
        guard let state else { return "" }
        if state.form == .signature { return String(decoding: state.bytes, as: UTF8.self) }
        return ReasoningEnvelope.seal(state) ?? ""
    }

    /// A web page as source. The index is what Anthropic would verify; there is none, and `MessagesBlockReader` knows the
    /// citation by that when it comes back.
    static func write(_ citation: Citation, to writer: inout JSONWriter) {
        writer.member("type", "web_search_result_location")
        writer.member("url", citation.url)
        writer.member("title", citation.title)
        writer.member("encrypted_index", "")
        writer.member("cited_text", citation.text ?? "")
    }
}
