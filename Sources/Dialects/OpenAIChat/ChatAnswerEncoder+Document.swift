// SPDX-License-Identifier: Apache-2.0
// Writes answers as documents of Chat Completions.
// Source: OpenAI API reference (chat completions: the chat completion object), 2026.

package import Gateway
import JSON

extension ChatAnswerEncoder {
    package mutating func encode(_ document: AnswerDocument) -> [UInt8] {
        let message = Message(document)
        var writer = JSONWriter()
        writer.object { writer in
            Self.writeIdentity("chat.completion", id, created, model, &writer)
            writer.member(
                "choices",
                array: { writer in
                    writer.object { writer in
                        writer.member("index", 0)
                        writer.member("message", object: { message.write(to: &$0) })
                        writer.member("logprobs", nil)
                        writer.member("finish_reason", "\(ChatOutcome.name(document.stop ?? .endTurn))")
                    }
                })
            writer.member("usage", object: { ChatOutcome.write(document.usage, to: &$0) })
        }
        return writer.bytes
    }

    /// The parts of an answer sorted into the members of one message.
    private struct Message {
        private var text = ""
        private var thoughts = ""
        private var refusal: String?
        private var speech: JSONText?
        private var calls: [ToolCall] = []
        private var states: [(state: ReasoningState, text: String)] = []
        private let citations: [Citation]

        init(_ document: AnswerDocument) {
            citations = document.citations.map(\.citation)
            for part in document.parts {
                switch part {
                case .text(let part): text += part.text
                case .refusal(let part): refusal = (refusal ?? "") + part
                case .toolCall(let call): calls.append(call)
                case .reasoning(let reasoning):
                    thoughts += reasoning.text
                    if let state = reasoning.state, ChatOutcome.isCarried(state) {
                        states.append((state, reasoning.text))
                    }
                case .opaque(let opaque): if opaque.isSpokenAnswer { speech = opaque.json }
                case .image, .document, .toolResult: break
                }
            }
        }

        func write(to writer: inout JSONWriter) {
            writer.member("role", "assistant")
            let isNull = text.isEmpty && (!calls.isEmpty || refusal != nil || speech != nil)
            writer.member("content", isNull ? nil : text)
            writer.member("refusal", refusal)
            if let speech { writer.member(SpokenAnswer.member, json: speech) }
            if !thoughts.isEmpty { writer.member("reasoning_content", thoughts) }
            if !states.isEmpty { writer.member("reasoning_details", array: { writeStates(to: &$0) }) }
            if !citations.isEmpty {
                writer.member(
                    "annotations",
                    array: { writer in for citation in citations { ChatOutcome.write(citation, to: &writer) }
                    })
            }
            guard !calls.isEmpty else { return }
            writer.member(
                "tool_calls",
                array: { writer in
                    for call in calls {
                        let arguments = call.arguments.isEmpty && call.form != .custom ? "{}" : call.arguments
                        writer.object { ChatOutcome.writeCall(call, arguments: arguments, to: &$0) }
                    }
                })
        }

        /// The lists of all states as one.
        private func writeStates(to writer: inout JSONWriter) {
            for (state, text) in states {
                var list = JSONWriter()
                ChatOutcome.write(state, text: text, to: &list)
                guard list.bytes.count > 2 else { continue }
                writer.raw(list.bytes.dropFirst().dropLast())
            }
        }
    }
}
