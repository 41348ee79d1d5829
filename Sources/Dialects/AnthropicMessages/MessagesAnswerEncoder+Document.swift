// SPDX-License-Identifier: Apache-2.0
// Writes answers as documents of Messages.
// Source: Anthropic API reference (messages: the Message object), 2026.

package import Gateway
import JSON

extension MessagesAnswerEncoder {
    package mutating func encode(_ document: AnswerDocument) -> [UInt8] {
        var search = MessagesSearch()
        for case .opaque(let part) in document.parts { search.searched(part) }
        for (_, citation) in document.citations { search.found(citation) }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("id", messageID)
            writer.member("type", "message")
            writer.member("role", "assistant")
            writer.member("model", model)
            writer.member(
                "content",
                array: { writer in
                    for (index, part) in document.parts.enumerated() {
                        let citations = document.citations.filter { $0.partIndex == index }.map(\.citation)
                        Self.write(part, citations, to: &writer)
                    }
                    guard search.hasResult else { return }
                    let id = ids.next(MessagesSearch.idPrefix)
                    writer.object { MessagesSearch.writeUse(id, input: search.input, to: &$0) }
                    writer.object { search.writeResult(id, to: &$0) }
                })
            writer.member("stop_reason", MessagesOutcome.name(document.stop ?? .endTurn))
            writer.member("stop_sequence", document.stopSequence)
            writer.member(
                "usage",
                object: { writer in
                    MessagesOutcome.write(document.usage, to: &writer)
                    search.writeCount(to: &writer)
                })
        }
        return writer.bytes
    }

    private static func write(_ part: Part, _ citations: [Citation], to writer: inout JSONWriter) {
        switch part {
        case .text(let text) where !text.text.isEmpty || !citations.isEmpty:
            write(text.text, citations, to: &writer)
        case .refusal(let text): write(text, [], to: &writer)
        case .reasoning(let reasoning): write(reasoning, to: &writer)
        case .toolCall(let call):
            writer.object { writer in
                writer.member("type", "tool_use")
                writer.member("id", call.id)
                writer.member("name", call.name)
                writer.member("input", json: JSONText.object(ofArguments: call.arguments))
            }
        case .opaque(let opaque) where opaque.dialect == .messages: writer.raw(opaque.json.bytes)
        case .text, .opaque, .image, .document, .toolResult: break
        }
    }

    private static func write(_ text: String, _ citations: [Citation], to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "text")
            writer.member("text", text)
            guard !citations.isEmpty else { return }
            writer.member(
                "citations",
                array: { writer in
                    for citation in citations { writer.object { MessagesOutcome.write(citation, to: &$0) } }
                })
        }
    }

    private static func write(_ reasoning: ReasoningPart, to writer: inout JSONWriter) {
        if let state = reasoning.state, state.form == .redacted, reasoning.text.isEmpty {
            return writer.object { writer in
                writer.member("type", "redacted_thinking")
                writer.member("data", String(decoding: state.bytes, as: UTF8.self))
            }
        }
        guard !reasoning.text.isEmpty || reasoning.state != nil else { return }
        writer.object { writer in
            writer.member("type", "thinking")
            writer.member("thinking", reasoning.text)
            writer.member("signature", MessagesOutcome.signature(reasoning.state))
        }
    }
}
