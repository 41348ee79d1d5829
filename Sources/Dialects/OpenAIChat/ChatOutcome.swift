// SPDX-License-Identifier: Apache-2.0
// What streams and documents of Chat Completions share: reasons, usage, calls, reasoning state, sources.
// Source: OpenAI API reference (chat completions: finish_reason, usage, annotations), OpenRouter (reasoning_details), 2026.

import Bytes
import Gateway
import JSON

enum ChatOutcome {
    static func name(_ reason: StopReason) -> StaticString {
        switch reason {
        case .endTurn, .stopSequence, .pauseTurn, .compaction: "stop"
        case .maxTokens, .contextWindowExceeded: "length"
        case .toolUse: "tool_calls"
        case .refusal, .contentFilter: "content_filter"
        }
    }

    static func write(_ usage: Usage, to writer: inout JSONWriter) {
        let prompt = usage.input + usage.cacheRead + usage.cacheWrite
        writer.member("prompt_tokens", prompt)
        writer.member("completion_tokens", usage.output)
        writer.member("total_tokens", prompt + usage.output)
        writer.member(
            "prompt_tokens_details",
            object: { writer in
                writer.member("cached_tokens", usage.cacheRead)
                if usage.cacheWrite > 0 { writer.member("cache_write_tokens", usage.cacheWrite) }
            })
        writer.member("completion_tokens_details", object: { $0.member("reasoning_tokens", usage.reasoning) })
    }

    /// Writes the members of a call.
    static func writeCall(_ call: ToolCall, arguments: String, to writer: inout JSONWriter) {
        let isCustom = call.form == .custom
        writer.member("id", call.id)
        writer.member("type", isCustom ? "custom" : "function")
        writer.member(
            isCustom ? "custom" : "function",
            object: { writer in
                writer.member("name", call.name)
                writer.member(isCustom ? "input" : "arguments", arguments)
            })
    }

    /// Whether a state needs a place besides the text: plain thoughts are their own state.
    static func isCarried(_ state: ReasoningState) -> Bool {
        state.form != .reasoningContent && state.origin != nil
    }

    /// Writes the value of `reasoning_details` in which a client carries a state.
    ///
    /// - Parameter text: the thoughts that the state is about; a signature is worth nothing without them.
    static func write(_ state: ReasoningState, text: String, to writer: inout JSONWriter) {
        // The list of a provider of this dialect is the client's as it is.
        if state.form == .reasoningDetails { return writer.raw(state.bytes) }
        guard let sealed = ReasoningEnvelope.seal(state) else { return writer.array { _ in } }
        writer.array { writer in
            writer.object { writer in
                if state.form == .signature {
                    writer.member("type", "reasoning.text")
                    writer.member("text", text)
                    writer.member("signature", sealed)
                } else {
                    writer.member("type", "reasoning.encrypted")
                    writer.member("data", sealed)
                }
                writer.member("format", "unknown")
                writer.member("index", 0)
            }
        }
    }

    /// The state that an entry of `reasoning_details` carries for ccr, with its text if that belongs to it.
    static func state(of detail: JSONValue) -> (state: ReasoningState, text: String?)? {
        for name in ["signature", "data"] as [StaticString] {
            if let state = detail.member(name)?.string.flatMap(ReasoningEnvelope.open) {
                return (state, detail.member("text")?.string)
            }
        }
        return nil
    }

    /// Whether an entry claims to be one of ccr's.
    static func isEnvelope(_ detail: JSONValue) -> Bool {
        for name in ["signature", "data"] as [StaticString] {
            if detail.member(name)?.stringBytes?.hasPrefix("ccr1:") == true { return true }
        }
        return false
    }

    static func write(_ citation: Citation, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "url_citation")
            writer.member(
                "url_citation",
                object: { writer in
                    writer.member("url", citation.url)
                    writer.member("title", citation.title ?? "")
                    writer.member("start_index", 0)
                    writer.member("end_index", 0)
                    writer.optional("content", citation.text)
                })
        }
    }
}
