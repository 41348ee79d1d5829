// SPDX-License-Identifier: Apache-2.0
// The echo provider's Chat Completions and completions answers.
// Source: OpenAI API reference, chat/object, chat/streaming and completions/object, 2026-08.

import Gateway
import JSON

struct EchoChat {
    let turn: EchoTurn
    /// The client asked for a last chunk with the usage.
    private let includesUsage: Bool

    init(turn: EchoTurn, request: JSONValue) {
        self.turn = turn
        includesUsage = request.member("stream_options")?.member("include_usage")?.bool == true
    }

    func answer(streaming: Bool) -> EchoAnswer {
        streaming ? .stream(events()) : .document(document)
    }

    private var finishReason: String {
        switch turn.content {
        case .text: "stop"
        case .call: "tool_calls"
        }
    }

    private func document(_ writer: inout JSONWriter) {
        writer.object { writer in
            head("chat.completion", &writer)
            writer.member(
                "choices",
                array: { writer in
                    writer.object { writer in
                        writer.member("index", 0)
                        writer.member("message", object: message)
                        writer.member("logprobs", nil)
                        writer.member("finish_reason", finishReason)
                    }
                })
            writer.member("usage", object: usage)
        }
    }

    private func message(_ writer: inout JSONWriter) {
        writer.member("role", "assistant")
        if let reasoning = turn.reasoning {
            writer.member("reasoning_content", reasoning)
        }
        switch turn.content {
        case .text(let text): writer.member("content", text)
        case .call(let tool, let arguments):
            writer.member("content", nil)
            writer.member(
                "tool_calls",
                array: { writer in
                    writer.object { call(tool, arguments, &$0) }
                })
        }
        writer.member("refusal", nil)
    }

    private func call(_ tool: String, _ arguments: String, _ writer: inout JSONWriter) {
        writer.member("id", turn.ids.part("call_", 0))
        writer.member("type", "function")
        writer.member(
            "function",
            object: { writer in
                writer.member("name", tool)
                writer.member("arguments", arguments)
            })
    }

    private func events() -> [[UInt8]] {
        var events = [
            delta { writer in
                writer.member("role", "assistant")
                writer.member("content", "")
            }
        ]
        for piece in turn.reasoning.map(EchoTurn.pieces) ?? [] {
            events.append(delta { $0.member("reasoning_content", piece) })
        }
        switch turn.content {
        case .text(let text):
            for piece in EchoTurn.pieces(text) {
                events.append(delta { $0.member("content", piece) })
            }
        case .call(let tool, let arguments):
            events.append(toolDelta { call(tool, "", &$0) })
            for piece in EchoTurn.pieces(arguments) {
                events.append(
                    toolDelta { writer in
                        writer.member("function", object: { $0.member("arguments", piece) })
                    })
            }
        }
        events.append(delta(finishReason: finishReason) { _ in })
        if includesUsage {
            events.append(
                EchoAnswer.event { writer in
                    writer.object { writer in
                        head("chat.completion.chunk", &writer)
                        writer.member("choices", array: { _ in })
                        writer.member("usage", object: usage)
                    }
                })
        }
        events.append(Array("data: [DONE]\n\n".utf8))
        return events
    }

    private func delta(finishReason: String? = nil, _ body: (inout JSONWriter) -> Void) -> [UInt8] {
        EchoAnswer.event { writer in
            writer.object { writer in
                head("chat.completion.chunk", &writer)
                writer.member(
                    "choices",
                    array: { writer in
                        writer.object { writer in
                            writer.member("index", 0)
                            writer.member("delta", object: body)
                            writer.member("finish_reason", finishReason)
                        }
                    })
            }
        }
    }

    private func toolDelta(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        delta { writer in
            writer.member(
                "tool_calls",
                array: { writer in
                    writer.object { writer in
                        writer.member("index", 0)
                        body(&writer)
                    }
                })
        }
    }

    private func head(_ object: String, _ writer: inout JSONWriter) {
        writer.member("id", turn.ids.whole("chatcmpl-"))
        writer.member("object", object)
        writer.member("created", 0)
        writer.member("model", turn.model)
    }

    private func usage(_ writer: inout JSONWriter) {
        writer.member("prompt_tokens", turn.inputTokens)
        writer.member("completion_tokens", turn.outputTokens)
        writer.member("total_tokens", turn.inputTokens + turn.outputTokens)
        writer.member(
            "completion_tokens_details", object: { $0.member("reasoning_tokens", turn.reasoningTokens) })
    }
}

/// The older endpoint: a prompt and its continuation.
struct EchoCompletions {
    let turn: EchoTurn
    private let includesUsage: Bool

    init(turn: EchoTurn, request: JSONValue) {
        self.turn = turn
        includesUsage = request.member("stream_options")?.member("include_usage")?.bool == true
    }

    func answer(streaming: Bool) -> EchoAnswer {
        // A completion has no tools, whatever the request holds.
        guard case .text(let text) = turn.content else {
            return .document { completion("", "stop", true, &$0) }
        }
        guard streaming else { return .document { completion(text, "stop", true, &$0) } }
        var events = EchoTurn.pieces(text).map { piece in
            EchoAnswer.event { completion(piece, nil, false, &$0) }
        }
        events.append(EchoAnswer.event { completion("", "stop", includesUsage, &$0) })
        events.append(Array("data: [DONE]\n\n".utf8))
        return .stream(events)
    }

    private func completion(
        _ text: String, _ finishReason: String?, _ withUsage: Bool, _ writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("id", turn.ids.whole("cmpl-"))
            writer.member("object", "text_completion")
            writer.member("created", 0)
            writer.member("model", turn.model)
            writer.member(
                "choices",
                array: { writer in
                    writer.object { writer in
                        writer.member("index", 0)
                        writer.member("text", text)
                        writer.member("logprobs", nil)
                        writer.member("finish_reason", finishReason)
                    }
                })
            if withUsage {
                writer.member(
                    "usage",
                    object: { writer in
                        writer.member("prompt_tokens", turn.inputTokens)
                        writer.member("completion_tokens", turn.outputTokens)
                        writer.member("total_tokens", turn.inputTokens + turn.outputTokens)
                    })
            }
        }
    }
}
