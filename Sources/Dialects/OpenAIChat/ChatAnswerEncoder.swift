// SPDX-License-Identifier: Apache-2.0
// Writes answers as streams of Chat Completions.
// Source: OpenAI API reference (chat completion chunks), openai-python 3.52; DeepSeek (reasoning_content), OpenRouter
// (reasoning_details: clients that know it give it back), 2026.

import Bytes
package import Gateway
import JSON

/// The state machine of one answer.
package struct ChatAnswerEncoder: AnswerEncoder {
    let model: String
    let created: Int
    let id: String
    private let wantsUsage: Bool
    /// What every chunk with a delta begins with, up to the delta.
    private let head: [UInt8]
    private var hasStarted = false
    private var isOver = false
    private var calls = 0
    private var isInCall = false
    /// Of the call that is open: a piece of its arguments was written; they are free text.
    private var hasArguments = false
    private var isCustom = false
    /// Of the reasoning that is open.
    private var thoughts = ""
    private var usage = Usage()

    private static let tail: StaticString = ",\"finish_reason\":null}]}\n\n"

    package init(_ context: AnswerContext) {
        var ids = context.ids
        model = context.model
        created = context.createdUnix
        id = ids.next("chatcmpl-")
        wantsUsage = context.wantsStreamUsage
        var writer = JSONWriter(after: Array("data: ".utf8))
        writer.object { [id, created, model] writer in
            Self.writeIdentity("chat.completion.chunk", id, created, model, &writer)
        }
        // The object goes on with its choices.
        head = writer.bytes.dropLast() + Array(",\"choices\":[{\"index\":0,\"delta\":".utf8)
    }

    package mutating func encode(_ event: AnswerEvent, into bytes: inout [UInt8]) {
        guard !isOver else { return }
        switch event {
        case .started: start(&bytes)
        case .usage(let usage): self.usage = usage
        case .text(let piece): delta("content", piece, &bytes)
        case .refusal(let piece): delta("refusal", piece, &bytes)
        case .reasoningBegan: thoughts = ""
        case .reasoning(let piece):
            thoughts += piece
            delta("reasoning_content", piece, &bytes)
        case .reasoningPartEnded:
            guard !thoughts.isEmpty else { return }
            thoughts += "\n\n"
            delta("reasoning_content", "\n\n", &bytes)
        case .reasoningEnded(let state): carry(state, &bytes)
        case .callBegan(let call): begin(call, &bytes)
        case .arguments(let piece): add(piece, &bytes)
        case .callEnded:
            // Clients parse the arguments, also of a call that needs none.
            if isInCall, !hasArguments, !isCustom { add("{}", &bytes) }
            isInCall = false
        case .citation(let citation):
            chunk(&bytes) { writer in
                writer.member("annotations", array: { ChatOutcome.write(citation, to: &$0) })
            }
        case .finished(let reason, _): finish(reason, &bytes)
        case .failed(let error): fail(error, &bytes)
        case .opaque(let part):
            guard shows(part) else { return }
            chunk(&bytes) { $0.member(SpokenAnswer.member, json: part.json) }
        case .textBegan, .textEnded: break
        }
    }

    package func shows(_ part: OpaquePart) -> Bool { part.isSpokenAnswer }

    static func writeIdentity(
        _ object: StaticString, _ id: String, _ created: Int, _ model: String, _ writer: inout JSONWriter
    ) {
        writer.member("id", id)
        writer.member("object", "\(object)")
        writer.member("created", created)
        writer.member("model", model)
    }

    // MARK: - Deltas

    private mutating func start(_ bytes: inout [UInt8]) {
        guard !hasStarted else { return }
        hasStarted = true
        bytes.append(contentsOf: head)
        bytes.append("{\"role\":\"assistant\",\"content\":\"\"}")
        bytes.append(Self.tail)
    }

    /// The chunk of which there are many.
    private mutating func delta(_ member: StaticString, _ text: String, _ bytes: inout [UInt8]) {
        guard !text.isEmpty else { return }
        start(&bytes)
        bytes.append(contentsOf: head)
        bytes.append("{\"")
        bytes.append(member)
        bytes.append("\":")
        JSONWriter.append(string: text, to: &bytes)
        bytes.append("}")
        bytes.append(Self.tail)
    }

    private mutating func chunk(_ bytes: inout [UInt8], _ members: (inout JSONWriter) -> Void) {
        start(&bytes)
        var writer = JSONWriter()
        writer.object(members)
        bytes.append(contentsOf: head)
        bytes.append(contentsOf: writer.bytes)
        bytes.append(Self.tail)
    }

    private mutating func carry(_ state: ReasoningState?, _ bytes: inout [UInt8]) {
        guard let state, ChatOutcome.isCarried(state) else { return }
        let text = thoughts
        thoughts = ""
        chunk(&bytes) { writer in
            writer.key("reasoning_details")
            ChatOutcome.write(state, text: text, to: &writer)
        }
    }

    private mutating func begin(_ call: ToolCall, _ bytes: inout [UInt8]) {
        let index = calls
        calls += 1
        isInCall = true
        hasArguments = !call.arguments.isEmpty
        isCustom = call.form == .custom
        chunk(&bytes) { writer in
            writer.member(
                "tool_calls",
                array: { writer in
                    writer.object { writer in
                        writer.member("index", index)
                        ChatOutcome.writeCall(call, arguments: call.arguments, to: &writer)
                    }
                })
        }
    }

    private mutating func add(_ piece: String, _ bytes: inout [UInt8]) {
        guard isInCall, !piece.isEmpty else { return }
        hasArguments = true
        bytes.append(contentsOf: head)
        bytes.append("{\"tool_calls\":[{\"index\":")
        bytes.append(decimal: calls - 1)
        bytes.append(isCustom ? ",\"custom\":{\"input\":" : ",\"function\":{\"arguments\":")
        JSONWriter.append(string: piece, to: &bytes)
        bytes.append("}}]}")
        bytes.append(Self.tail)
    }

    // MARK: - The end

    private mutating func finish(_ reason: StopReason, _ bytes: inout [UInt8]) {
        start(&bytes)
        isOver = true
        bytes.append(contentsOf: head)
        bytes.append("{},\"finish_reason\":\"")
        bytes.append(ChatOutcome.name(reason))
        bytes.append("\"}]}\n\n")
        if wantsUsage {
            var writer = JSONWriter(after: Array("data: ".utf8))
            writer.object { writer in
                Self.writeIdentity("chat.completion.chunk", id, created, model, &writer)
                writer.member("choices", array: { _ in })
                writer.member("usage", object: { ChatOutcome.write(usage, to: &$0) })
            }
            bytes.append(contentsOf: writer.bytes)
            bytes.append("\n\n")
        }
        bytes.append("data: [DONE]\n\n")
    }

    /// The error is the last event: an answer without [DONE] is one that did not end.
    private mutating func fail(_ error: GatewayError, _ bytes: inout [UInt8]) {
        isOver = true
        var writer = JSONWriter(after: Array("data: ".utf8))
        writer.object { writer in
            writer.member("error", object: { ErrorBody.writeOpenAI(error, .chat, to: &$0) })
        }
        bytes.append(contentsOf: writer.bytes)
        bytes.append("\n\n")
    }
}
