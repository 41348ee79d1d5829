// SPDX-License-Identifier: Apache-2.0
// The echo provider's Anthropic Messages answers.
// Source: Anthropic API reference, messages and messages-streaming, 2026-08; Claude Code 2.1 skips events without an
// event line, loses blocks without a stop, and takes a tool's input from its deltas only.

import Gateway
import JSON

struct EchoMessages {
    let turn: EchoTurn

    func answer(streaming: Bool) -> EchoAnswer {
        streaming ? .stream(events()) : .document(document)
    }

    private var stopReason: String {
        switch turn.content {
        case .text: "end_turn"
        case .call: "tool_use"
        }
    }

    /// What a thinking block is signed with.
    private var signature: String { turn.ids.whole("echo_") }

    private func document(_ writer: inout JSONWriter) {
        writer.object { writer in
            message(stopReason: stopReason, outputTokens: turn.outputTokens, &writer) { writer in
                if let reasoning = turn.reasoning {
                    writer.object { thinking(reasoning, signature, &$0) }
                }
                switch turn.content {
                case .text(let text): writer.object { self.text(text, &$0) }
                case .call(let tool, let arguments): writer.object { toolUse(tool, arguments, &$0) }
                }
            }
        }
    }

    private func events() -> [[UInt8]] {
        var events = [
            event("message_start") { writer in
                writer.member("message", object: { message(stopReason: nil, outputTokens: 1, &$0) { _ in } })
            }
        ]
        events.append(event("ping") { _ in })
        var index = 0
        if let reasoning = turn.reasoning {
            let deltas =
                EchoTurn.pieces(reasoning).map { ("thinking_delta", "thinking" as StaticString, $0) }
                + [("signature_delta", "signature", signature)]
            events += block(index, deltas) { thinking("", "", &$0) }
            index += 1
        }
        switch turn.content {
        case .text(let text):
            let deltas = EchoTurn.pieces(text).map { ("text_delta", "text" as StaticString, $0) }
            events += block(index, deltas) { self.text("", &$0) }
        case .call(let tool, let arguments):
            let deltas = EchoTurn.pieces(arguments).map {
                ("input_json_delta", "partial_json" as StaticString, $0)
            }
            events += block(index, deltas) { toolUse(tool, "{}", &$0) }
        }
        events.append(
            event("message_delta") { writer in
                writer.member(
                    "delta",
                    object: { writer in
                        writer.member("stop_reason", stopReason)
                        writer.member("stop_sequence", nil)
                    })
                writer.member("usage", object: { usage(turn.outputTokens, &$0) })
            })
        events.append(event("message_stop") { _ in })
        return events
    }

    /// A block from its start to its stop; each delta is a type, the name of its text and the text.
    private func block(
        _ index: Int, _ deltas: [(type: String, name: StaticString, text: String)],
        _ start: (inout JSONWriter) -> Void
    ) -> [[UInt8]] {
        var events = [
            event("content_block_start") { writer in
                writer.member("index", index)
                writer.member("content_block", object: start)
            }
        ]
        for delta in deltas {
            events.append(
                event("content_block_delta") { writer in
                    writer.member("index", index)
                    writer.member(
                        "delta",
                        object: { writer in
                            writer.member("type", delta.type)
                            writer.member(delta.name, delta.text)
                        })
                })
        }
        events.append(event("content_block_stop") { $0.member("index", index) })
        return events
    }

    private func event(_ type: String, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        EchoAnswer.event(type) { writer in
            writer.object { writer in
                writer.member("type", type)
                members(&writer)
            }
        }
    }

    private func message(
        stopReason: String?, outputTokens: Int, _ writer: inout JSONWriter,
        content: (inout JSONWriter) -> Void
    ) {
        writer.member("id", turn.ids.whole("msg_"))
        writer.member("type", "message")
        writer.member("role", "assistant")
        writer.member("model", turn.model)
        writer.member("content", array: content)
        writer.member("stop_reason", stopReason)
        writer.member("stop_sequence", nil)
        writer.member("usage", object: { usage(outputTokens, &$0) })
    }

    private func usage(_ outputTokens: Int, _ writer: inout JSONWriter) {
        writer.member("input_tokens", turn.inputTokens)
        writer.member("cache_creation_input_tokens", 0)
        writer.member("cache_read_input_tokens", 0)
        writer.member("output_tokens", outputTokens)
    }

    private func text(_ text: String, _ writer: inout JSONWriter) {
        writer.member("type", "text")
        writer.member("text", text)
    }

    private func thinking(_ text: String, _ signature: String, _ writer: inout JSONWriter) {
        writer.member("type", "thinking")
        writer.member("thinking", text)
        writer.member("signature", signature)
    }

    private func toolUse(_ tool: String, _ input: String, _ writer: inout JSONWriter) {
        writer.member("type", "tool_use")
        writer.member("id", turn.ids.part("toolu_", 0))
        writer.member("name", tool)
        writer.key("input")
        writer.raw(input.utf8)
    }
}
