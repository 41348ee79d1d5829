// SPDX-License-Identifier: Apache-2.0
// Writes an answer as Responses events, or as one response object.
// Source: OpenAI API reference (responses streaming) and openai-python 3.52 (one response id, ascending sequence numbers,
// an output index of its own for each item), 2026-08; codex-cli 0.163.0 takes items from `output_item.done`, starts tools
// there, ends with `response.completed`, and does not try again after `response.failed` with `invalid_prompt` or
// `context_length_exceeded`.

import Bytes
package import Gateway
import JSON

/// The state machine of one answer. No I/O.
package struct ResponsesAnswerEncoder: AnswerEncoder {
    private var context: AnswerContext
    private var responseID: String?
    private var nextSequence = 0
    /// Finished items as JSON; the last event repeats them all.
    private var items: [[UInt8]] = []
    private var open: ResponsesItem?
    private var usage: Usage?
    private var hasText = false
    private var refusal: String?
    private var isOver = false

    package init(_ context: AnswerContext) {
        self.context = context
    }

    package mutating func encode(_ event: AnswerEvent, into bytes: inout [UInt8]) {
        guard !isOver else { return }
        begin(&bytes)
        switch event {
        case .started, .textEnded: break
        case .textBegan(let phase):
            close(&bytes)
            add(.message(phase: phase), &bytes)
        case .text(let piece):
            if open?.isMessage != true {
                close(&bytes)
                add(.message(phase: nil), &bytes)
            }
            hasText = true
            appendText(piece, .text, &bytes)
        case .refusal(let piece):
            if open?.isMessage != true {
                close(&bytes)
                add(.message(phase: nil), &bytes)
            }
            refusal = (refusal ?? "") + piece
            appendText(piece, .refusal, &bytes)
        case .citation(let citation): annotate(citation, &bytes)
        case .reasoningBegan(let isSummary):
            close(&bytes)
            add(.reasoning(isSummary: isSummary), &bytes)
        case .reasoning(let piece):
            ensureReasoning(&bytes)
            appendText(piece, open?.isSummary == false ? .thought : .summary, &bytes)
        case .reasoningPartEnded: endPart(&bytes)
        case .reasoningEnded(let state):
            ensureReasoning(&bytes)
            open?.state = state
            close(&bytes)
        case .callBegan(let call):
            close(&bytes)
            add(.call(call), &bytes)
            if !call.arguments.isEmpty { appendArguments(call.arguments, &bytes) }
        case .arguments(let piece): appendArguments(piece, &bytes)
        case .callEnded: if open?.isCall == true { close(&bytes) }
        case .opaque(let part):
            close(&bytes)
            addOpaque(part, &bytes)
        case .usage(let usage): self.usage = usage
        case .finished(let reason, _):
            close(&bytes)
            finish(reason, &bytes)
        case .failed(let error):
            fail(code: ResponsesAnswerEncoder.code(error), error.clientMessage, &bytes)
        }
    }

    package func shows(_ part: OpaquePart) -> Bool { part.dialect == .responses }

    package mutating func encode(_ document: AnswerDocument) -> [UInt8] {
        let id = context.ids.next("resp_")
        var outcome = ResponsesOutcome(document.stop ?? .endTurn)
        // A document has no client that tries a filtered answer again and again.
        if case .failed = outcome { outcome = .incomplete("content_filter") }
        for (index, part) in document.parts.enumerated() {
            let citations = document.citations.filter { $0.partIndex == index }.map(\.citation)
            if let item = ResponsesItem(part, citations, &context.ids) {
                items.append(item.json(isDone: true))
            }
            if case .opaque(let opaque) = part, opaque.dialect == .responses {
                items.append(opaque.json.bytes)
            }
        }
        var writer = JSONWriter()
        writer.object { writeResponse(id: id, outcome, usage: document.usage, &$0) }
        return writer.bytes
    }

    // MARK: - Items

    private mutating func begin(_ bytes: inout [UInt8]) {
        guard responseID == nil else { return }
        let id = context.ids.next("resp_")
        responseID = id
        for type in ["response.created", "response.in_progress"] as [StaticString] {
            send(type, &bytes) { encoder, writer in
                writer.member(
                    "response", object: { encoder.writeResponse(id: id, .inProgress, usage: nil, &$0) })
            }
        }
    }

    private mutating func add(_ kind: ResponsesItem.Kind, _ bytes: inout [UInt8]) {
        let item = ResponsesItem(kind, id: context.ids.next(kind.idPrefix))
        open = item
        send("response.output_item.added", &bytes) { encoder, writer in
            writer.member("output_index", encoder.items.count)
            writer.member("item", json: JSONText(item.json(isDone: false)))
        }
    }

    private mutating func ensureReasoning(_ bytes: inout [UInt8]) {
        guard open?.isReasoning != true else { return }
        close(&bytes)
        add(.reasoning(isSummary: true), &bytes)
    }

    private mutating func close(_ bytes: inout [UInt8]) {
        endPart(&bytes)
        guard var item = open else { return }
        open = nil
        if case .call(let call) = item.kind {
            if item.arguments.isEmpty, call.form == .function {
                // Clients parse the arguments, and nothing is no JSON.
                open = item
                appendArguments("{}", &bytes)
                item.arguments = "{}"
                open = nil
            }
            endArguments(item, call, &bytes)
        }
        let json = item.json(isDone: true)
        send("response.output_item.done", &bytes) { encoder, writer in
            writer.member("output_index", encoder.items.count)
            writer.member("item", json: JSONText(json))
        }
        items.append(json)
    }

    private mutating func addOpaque(_ part: OpaquePart, _ bytes: inout [UInt8]) {
        guard part.dialect == .responses else { return }
        for type in ["response.output_item.added", "response.output_item.done"] as [StaticString] {
            send(type, &bytes) { encoder, writer in
                writer.member("output_index", encoder.items.count)
                writer.member("item", json: part.json)
            }
        }
        items.append(part.json.bytes)
    }

    // MARK: - Texts

    /// Appends to the open part of that kind, beginning one if there is none.
    private mutating func appendText(_ piece: String, _ kind: ResponsesPart.Kind, _ bytes: inout [UInt8]) {
        guard !piece.isEmpty, open != nil else { return }
        if open?.openPart?.kind != kind {
            endPart(&bytes)
            open?.parts.append(ResponsesPart(kind))
            open?.isPartOpen = true
            sendPart("added", ResponsesPart(kind), &bytes)
        }
        open?.append(piece)
        send(kind.events.delta, &bytes) { encoder, writer in
            encoder.writePlace(kind, to: &writer)
            writer.member("delta", piece)
            if kind == .text { writer.member("logprobs", array: { _ in }) }
        }
    }

    private mutating func endPart(_ bytes: inout [UInt8]) {
        guard let part = open?.openPart else { return }
        send(part.kind.events.done, &bytes) { encoder, writer in
            encoder.writePlace(part.kind, to: &writer)
            writer.member(part.kind.textName, part.text)
            if part.kind == .text { writer.member("logprobs", array: { _ in }) }
        }
        sendPart("done", part, &bytes)
        open?.isPartOpen = false
    }

    private mutating func sendPart(_ step: String, _ part: ResponsesPart, _ bytes: inout [UInt8]) {
        let isAdded = step == "added"
        let type: StaticString
        switch part.kind {
        case .text, .refusal: type = isAdded ? "response.content_part.added" : "response.content_part.done"
        case .summary:
            type = isAdded ? "response.reasoning_summary_part.added" : "response.reasoning_summary_part.done"
        case .thought: type = isAdded ? "response.content_part.added" : "response.content_part.done"
        }
        send(type, &bytes) { encoder, writer in
            encoder.writePlace(part.kind, to: &writer)
            writer.member("part", object: { part.write(to: &$0) })
        }
    }

    private mutating func annotate(_ citation: Citation, _ bytes: inout [UInt8]) {
        // A source can only stand behind a text that is still open.
        guard open?.openPart?.kind == .text else { return }
        let index = open?.openPart?.citations.count ?? 0
        let end = open?.openPart?.text.unicodeScalars.count ?? 0
        open?.cite(citation)
        send("response.output_text.annotation.added", &bytes) { encoder, writer in
            encoder.writePlace(.text, to: &writer)
            writer.member("annotation_index", index)
            writer.member("annotation", object: { ResponsesPart.write(citation, end: end, to: &$0) })
        }
    }

    private func writePlace(_ kind: ResponsesPart.Kind, to writer: inout JSONWriter) {
        writer.member("item_id", open?.id ?? "")
        writer.member("output_index", items.count)
        writer.member(
            kind == .summary ? "summary_index" : "content_index", max((open?.parts.count ?? 0) - 1, 0))
    }

    // MARK: - Calls

    private mutating func appendArguments(_ piece: String, _ bytes: inout [UInt8]) {
        guard !piece.isEmpty, case .call(let call)? = open?.kind else { return }
        open?.arguments += piece
        guard let events = call.form.argumentEvents else { return }
        send(events.delta, &bytes) { encoder, writer in
            writer.member("item_id", encoder.open?.id ?? "")
            writer.member("output_index", encoder.items.count)
            writer.member("delta", piece)
        }
    }

    private mutating func endArguments(_ item: ResponsesItem, _ call: ToolCall, _ bytes: inout [UInt8]) {
        guard let events = call.form.argumentEvents else { return }
        send(events.done, &bytes) { encoder, writer in
            writer.member("item_id", item.id)
            writer.member("output_index", encoder.items.count)
            if call.form == .function { writer.member("name", call.name) }
            writer.member(call.form == .function ? "arguments" : "input", item.arguments)
        }
    }

    // MARK: - The end

    private mutating func finish(_ reason: StopReason, _ bytes: inout [UInt8]) {
        if reason == .refusal, !hasText {
            // Codex shows a part of type refusal to nobody, but the message of this failure to its user.
            return fail(code: "invalid_prompt", refusal ?? "the model refused to answer", &bytes)
        }
        let outcome = ResponsesOutcome(reason)
        if case .failed(let code, let message) = outcome { return fail(code: code, message, &bytes) }
        isOver = true
        sendResponse(outcome.event, outcome, &bytes)
    }

    /// Items that have not ended stay so: what was cut short must not look complete.
    private mutating func fail(code: String, _ message: String, _ bytes: inout [UInt8]) {
        isOver = true
        sendResponse("response.failed", .failed(code: code, message: message), &bytes)
    }

    private mutating func sendResponse(
        _ type: StaticString, _ outcome: ResponsesOutcome, _ bytes: inout [UInt8]
    ) {
        send(type, &bytes) { encoder, writer in
            writer.member(
                "response",
                object: {
                    encoder.writeResponse(
                        id: encoder.responseID ?? "", outcome, usage: encoder.usage, &$0)
                })
        }
    }

    private static func code(_ error: GatewayError) -> String {
        error.isContextOverflow ? "context_length_exceeded" : ErrorName(error.kind).failedCode
    }

    // MARK: - Framing

    private mutating func send(
        _ type: StaticString, _ bytes: inout [UInt8],
        _ members: (borrowing ResponsesAnswerEncoder, inout JSONWriter) -> Void
    ) {
        bytes.append("event: ")
        bytes.append(type)
        bytes.append("\ndata: ")
        var writer = JSONWriter(after: bytes)
        bytes = []
        writer.object { writer in
            writer.member("type", "\(type)")
            writer.member("sequence_number", nextSequence)
            members(self, &writer)
        }
        nextSequence += 1
        bytes = writer.bytes
        bytes.append("\n\n")
    }

    private func writeResponse(
        id: String, _ outcome: ResponsesOutcome, usage: Usage?, _ writer: inout JSONWriter
    ) {
        writer.member("id", id)
        writer.member("object", "response")
        writer.member("created_at", context.createdUnix)
        outcome.write(to: &writer)
        writer.member("instructions", nil)
        writer.member("max_output_tokens", nil)
        writer.member("model", context.model)
        writer.member(
            "output",
            array: { writer in
                for item in outcome.isRunning ? [] : items { writer.raw(item) }
            })
        writer.member("parallel_tool_calls", true)
        writer.member("previous_response_id", nil)
        writer.member("store", false)
        writer.member("temperature", nil)
        writer.member("tool_choice", "auto")
        writer.member("tools", array: { _ in })
        writer.member("top_p", nil)
        writer.key("usage")
        guard let usage else { return writer.null() }
        writer.object { ResponsesOutcome.write(usage, to: &$0) }
    }
}
