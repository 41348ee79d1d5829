// SPDX-License-Identifier: Apache-2.0
// How an answer ended and what it cost, in the words of Responses.
// Source: OpenAI API reference (response object: status, incomplete_details, error, usage), 2026-08. Codex tries an answer
// again that is incomplete for another reason than its length, and asks at once to go on after `end_turn: false`.

import Gateway
import JSON

enum ResponsesOutcome: Equatable {
    case inProgress
    case completed
    /// The provider paused and wants to be asked again.
    case paused
    case incomplete(String)
    case failed(code: String, message: String)

    init(_ reason: StopReason) {
        switch reason {
        case .endTurn, .stopSequence, .toolUse, .refusal, .compaction: self = .completed
        case .maxTokens, .contextWindowExceeded: self = .incomplete("max_output_tokens")
        case .pauseTurn: self = .paused
        case .contentFilter:
            self = .failed(
                code: "invalid_prompt", message: "the provider's content filter stopped the answer")
        }
    }

    var isRunning: Bool { self == .inProgress }

    /// The event that ends the stream.
    var event: StaticString {
        switch self {
        case .inProgress: "response.in_progress"
        case .completed, .paused: "response.completed"
        case .incomplete: "response.incomplete"
        case .failed: "response.failed"
        }
    }

    private var status: String {
        switch self {
        case .inProgress: "in_progress"
        case .completed, .paused: "completed"
        case .incomplete: "incomplete"
        case .failed: "failed"
        }
    }

    /// Writes status, error and reason as members of the response.
    func write(to writer: inout JSONWriter) {
        writer.member("status", status)
        writer.key("error")
        if case .failed(let code, let message) = self {
            writer.object { writer in
                writer.member("code", code)
                writer.member("message", message)
            }
        } else {
            writer.null()
        }
        writer.key("incomplete_details")
        if case .incomplete(let reason) = self {
            writer.object { $0.member("reason", reason) }
        } else {
            writer.null()
        }
        if self == .paused { writer.member("end_turn", false) }
    }

    /// Writes the members of `usage`.
    static func write(_ usage: Usage, to writer: inout JSONWriter) {
        let input = usage.input + usage.cacheRead + usage.cacheWrite
        writer.member("input_tokens", input)
        writer.member(
            "input_tokens_details",
            object: { writer in
                writer.member("cached_tokens", usage.cacheRead)
                writer.member("cache_write_tokens", usage.cacheWrite)
            })
        writer.member("output_tokens", usage.output)
        writer.member("output_tokens_details", object: { $0.member("reasoning_tokens", usage.reasoning) })
        writer.member("total_tokens", input + usage.output)
    }
}
