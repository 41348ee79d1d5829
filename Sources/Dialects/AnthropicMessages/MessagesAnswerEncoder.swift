// SPDX-License-Identifier: Apache-2.0
// Writes answers as streams of Messages: every event with its event line, blocks with contiguous indexes, arguments in
// deltas only.
// Source: Anthropic API reference (messages streaming), anthropic-python 2.11 (accumulates by index), Claude Code 2.1.329
// (skips events without an event line, loses blocks without a stop, takes a tool's input from its deltas), 2026.

import Bytes
package import Gateway
import JSON

/// The state machine of one answer.
package struct MessagesAnswerEncoder: AnswerEncoder {
    private enum Block {
        case none
        case text
        /// `hasBegun`: the start is written; before that it is not known whether there is anything to show.
        case thinking(hasBegun: Bool)
        case toolUse(hasArguments: Bool)
    }

    let model: String
    private let estimatedInput: Int
    /// Told in errors.
    private let requestID: String
    let messageID: String
    var ids: AnswerIDs
    private var hasStarted = false
    private var isOver = false
    private var block = Block.none
    private var index = 0
    private var usage: Usage?
    /// What a provider of another dialect searched the web for, and what it found.
    private var search = MessagesSearch()

    package init(_ context: AnswerContext) {
        model = context.model
        estimatedInput = context.estimatedInput
        ids = context.ids
        requestID = ids.next("req_")
        messageID = ids.next("msg_")
    }

    package mutating func encode(_ event: AnswerEvent, into bytes: inout [UInt8]) {
        guard !isOver else { return }
        switch event {
        case .started: start(&bytes)
        case .usage(let usage): self.usage = usage
        case .textBegan: break
        case .text(let piece):
            guard !piece.isEmpty else { return }
            openText(&bytes)
            delta("text_delta", "text", piece, &bytes)
        case .textEnded: if case .text = block { close(&bytes) }
        case .refusal(let piece):
            openText(&bytes)
            delta("text_delta", "text", piece, &bytes)
        case .reasoningBegan:
            close(&bytes)
            block = .thinking(hasBegun: false)
        case .reasoning(let piece): think(piece, &bytes)
        case .reasoningPartEnded: if case .thinking(true) = block { think("\n\n", &bytes) }
        case .reasoningEnded(let state): endThinking(state, &bytes)
        case .callBegan(let call): beginCall(call, &bytes)
        case .arguments(let piece):
            guard case .toolUse = block, !piece.isEmpty else { return }
            block = .toolUse(hasArguments: true)
            delta("input_json_delta", "partial_json", piece, &bytes)
        case .callEnded: if case .toolUse = block { close(&bytes) }
        case .citation(let citation): cite(citation, &bytes)
        case .opaque(let part): pass(part, &bytes)
        case .finished(let reason, let sequence): finish(reason, sequence, &bytes)
        case .failed(let error): fail(error, &bytes)
        }
    }

    package func shows(_ part: OpaquePart) -> Bool { part.dialect == .messages || part.search != nil }

    // MARK: - The message

    private mutating func start(_ bytes: inout [UInt8]) {
        guard !hasStarted else { return }
        hasStarted = true
        let usage = self.usage ?? Usage(input: estimatedInput)
        Self.event("message_start", &bytes) { writer in
            writer.member(
                "message",
                object: { writer in
                    writer.member("id", messageID)
                    writer.member("type", "message")
                    writer.member("role", "assistant")
                    writer.member("model", model)
                    writer.member("content", array: { _ in })
                    writer.member("stop_reason", nil)
                    writer.member("stop_sequence", nil)
                    writer.member("usage", object: { MessagesOutcome.write(usage, to: &$0) })
                })
        }
    }

    private mutating func finish(_ reason: StopReason, _ sequence: String?, _ bytes: inout [UInt8]) {
        start(&bytes)
        close(&bytes)
        showSearch(&bytes)
        isOver = true
        let usage = self.usage ?? Usage(input: estimatedInput)
        Self.event("message_delta", &bytes) { writer in
            writer.member(
                "delta",
                object: { writer in
                    writer.member("stop_reason", MessagesOutcome.name(reason))
                    writer.member("stop_sequence", sequence)
                })
            writer.member(
                "usage",
                object: { writer in
                    MessagesOutcome.write(usage, to: &writer)
                    search.writeCount(to: &writer)
                })
        }
        Self.event("message_stop", &bytes) { _ in }
    }

    private mutating func fail(_ error: GatewayError, _ bytes: inout [UInt8]) {
        isOver = true
        bytes.append("event: error\ndata: ")
        Self.write(&bytes) { ErrorBody.writeAnthropic(error, requestID: requestID, to: &$0) }
    }

    // MARK: - Blocks

    private mutating func openText(_ bytes: inout [UInt8]) {
        if case .text = block { return }
        close(&bytes)
        block = .text
        begin(&bytes) { writer in
            writer.member("type", "text")
            writer.member("text", "")
        }
    }

    private mutating func think(_ piece: String, _ bytes: inout [UInt8]) {
        guard !piece.isEmpty else { return }
        beginThinking(&bytes)
        delta("thinking_delta", "thinking", piece, &bytes)
    }

    private mutating func beginThinking(_ bytes: inout [UInt8]) {
        if case .thinking(true) = block { return }
        if case .thinking = block {} else { close(&bytes) }
        block = .thinking(hasBegun: true)
        begin(&bytes) { writer in
            writer.member("type", "thinking")
            writer.member("thinking", "")
            writer.member("signature", "")
        }
    }

    private mutating func endThinking(_ state: ReasoningState?, _ bytes: inout [UInt8]) {
        guard case .thinking(let hasBegun) = block else { return }
        if let state, state.form == .redacted, !hasBegun {
            block = .none
            return whole(&bytes) { writer in
                writer.member("type", "redacted_thinking")
                writer.member("data", String(decoding: state.bytes, as: UTF8.self))
            }
        }
        guard hasBegun || state != nil else {
            block = .none
            return
        }
        beginThinking(&bytes)
        sign(state, &bytes)
        end(&bytes)
    }

    /// One signature closes a block of thoughts: the provider's own if it is one of Messages, else an envelope.
    private mutating func sign(_ state: ReasoningState?, _ bytes: inout [UInt8]) {
        delta("signature_delta", "signature", MessagesOutcome.signature(state), &bytes)
    }

    private mutating func beginCall(_ call: ToolCall, _ bytes: inout [UInt8]) {
        close(&bytes)
        block = .toolUse(hasArguments: false)
        begin(&bytes) { writer in
            writer.member("type", "tool_use")
            writer.member("id", call.id)
            writer.member("name", call.name)
            writer.member("input", object: { _ in })
        }
        if !call.arguments.isEmpty { encode(.arguments(call.arguments), into: &bytes) }
    }

    private mutating func cite(_ citation: Citation, _ bytes: inout [UInt8]) {
        search.found(citation)
        openText(&bytes)
        Self.event("content_block_delta", &bytes) { writer in
            writer.member("index", index)
            writer.member(
                "delta",
                object: { writer in
                    writer.member("type", "citations_delta")
                    writer.member("citation", object: { MessagesOutcome.write(citation, to: &$0) })
                })
        }
    }

    /// A block of Messages passes; what another dialect did itself has no place here.
    private mutating func pass(_ part: OpaquePart, _ bytes: inout [UInt8]) {
        guard part.dialect == .messages else { return search.searched(part) }
        close(&bytes)
        start(&bytes)
        let (begun, rest) = MessagesBlocks.parted(part.json)
        Self.event("content_block_start", &bytes) { writer in
            writer.member("index", index)
            writer.member("content_block", json: begun)
        }
        if let rest {
            Self.event("content_block_delta", &bytes) { writer in
                writer.member("index", index)
                writer.member("delta", json: rest)
            }
        }
        end(&bytes)
    }

    private mutating func showSearch(_ bytes: inout [UInt8]) {
        let search = search
        guard search.hasResult else { return }
        let id = ids.next(MessagesSearch.idPrefix)
        begin(&bytes) { MessagesSearch.writeUse(id, input: nil, to: &$0) }
        delta("input_json_delta", "partial_json", search.input.text, &bytes)
        end(&bytes)
        whole(&bytes) { search.writeResult(id, to: &$0) }
    }

    // MARK: - Events

    private mutating func begin(_ bytes: inout [UInt8], _ members: (inout JSONWriter) -> Void) {
        start(&bytes)
        Self.event("content_block_start", &bytes) { writer in
            writer.member("index", index)
            writer.member("content_block", object: members)
        }
    }

    private mutating func whole(_ bytes: inout [UInt8], _ members: (inout JSONWriter) -> Void) {
        begin(&bytes, members)
        end(&bytes)
    }

    /// Ends the open block, if there is one.
    private mutating func close(_ bytes: inout [UInt8]) {
        switch block {
        case .none: return
        case .thinking(let hasBegun):
            guard hasBegun else {
                block = .none
                return
            }
            sign(nil, &bytes)
        case .toolUse(let hasArguments):
            if !hasArguments { delta("input_json_delta", "partial_json", "{}", &bytes) }
        case .text: break
        }
        end(&bytes)
    }

    private mutating func end(_ bytes: inout [UInt8]) {
        block = .none
        Self.event("content_block_stop", &bytes) { $0.member("index", index) }
        index += 1
    }

    /// The event of which there are many: written without a closure a member.
    private func delta(_ type: StaticString, _ member: StaticString, _ text: String, _ bytes: inout [UInt8]) {
        bytes.append("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":")
        bytes.append(decimal: index)
        bytes.append(",\"delta\":{\"type\":\"")
        bytes.append(type)
        bytes.append("\",\"")
        bytes.append(member)
        bytes.append("\":")
        JSONWriter.append(string: text, to: &bytes)
        bytes.append("}}\n\n")
    }

    private static func event(
        _ type: StaticString, _ bytes: inout [UInt8], _ members: (inout JSONWriter) -> Void
    ) {
        bytes.append("event: ")
        bytes.append(type)
        bytes.append("\ndata: ")
        write(&bytes) { writer in
            writer.object { writer in
                writer.key("type")
                writer.string("\(type)")
                members(&writer)
            }
        }
    }

    private static func write(_ bytes: inout [UInt8], _ body: (inout JSONWriter) -> Void) {
        // Moved into the writer and back, so that the bytes are not copied.
        let taken = bytes
        bytes = []
        var writer = JSONWriter(after: taken)
        body(&writer)
        bytes = writer.bytes
        bytes.append("\n\n")
    }
}
