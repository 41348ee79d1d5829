// SPDX-License-Identifier: Apache-2.0
// The echo provider's Responses answers.
// Source: OpenAI API reference, responses/object and responses-streaming, 2026-08; codex-cli 0.163.0 takes items from
// `output_item.done`, needs `response.completed` with an id, and usage in integers.

import Gateway
import JSON

struct EchoResponses {
    let turn: EchoTurn

    /// A part of the output: reasoning comes first.
    private enum Item {
        case reasoning(String)
        case message(String)
        case call(tool: String, arguments: String)
    }

    func answer(streaming: Bool) -> EchoAnswer {
        guard streaming else { return .document { $0.object { response("completed", isWhole: true, &$0) } } }
        var stream = EventList()
        for type in ["response.created", "response.in_progress"] {
            stream.add(type) { writer in
                writer.member("response", object: { response("in_progress", isWhole: false, &$0) })
            }
        }
        for (index, item) in items.enumerated() {
            add(item, index, to: &stream)
        }
        stream.add("response.completed") { writer in
            writer.member("response", object: { response("completed", isWhole: true, &$0) })
        }
        return .stream(stream.events)
    }

    private var items: [Item] {
        let reasoning = turn.reasoning.map { [Item.reasoning($0)] } ?? []
        switch turn.content {
        case .text(let text): return reasoning + [.message(text)]
        case .call(let tool, let arguments): return reasoning + [.call(tool: tool, arguments: arguments)]
        }
    }

    private func response(_ status: String, isWhole: Bool, _ writer: inout JSONWriter) {
        writer.member("id", turn.ids.whole("resp_"))
        writer.member("object", "response")
        writer.member("created_at", 0)
        writer.member("status", status)
        writer.member("error", nil)
        writer.member("incomplete_details", nil)
        writer.member("instructions", nil)
        writer.member("model", turn.model)
        writer.member(
            "output",
            array: { writer in
                for (index, item) in (isWhole ? items : []).enumerated() {
                    writer.object { write(item, index, isWhole: true, &$0) }
                }
            })
        writer.member("parallel_tool_calls", true)
        writer.member("tool_choice", "auto")
        writer.member("tools", array: { _ in })
        writer.key("usage")
        if isWhole { writer.object(usage) } else { writer.null() }
    }

    private func usage(_ writer: inout JSONWriter) {
        writer.member("input_tokens", turn.inputTokens)
        writer.member("input_tokens_details", object: { $0.member("cached_tokens", 0) })
        writer.member("output_tokens", turn.outputTokens)
        writer.member(
            "output_tokens_details", object: { $0.member("reasoning_tokens", turn.reasoningTokens) })
        writer.member("total_tokens", turn.inputTokens + turn.outputTokens)
    }

    private func id(_ item: Item, _ index: Int) -> String {
        switch item {
        case .reasoning: turn.ids.part("rs_", index)
        case .message: turn.ids.part("msg_", index)
        case .call: turn.ids.part("fc_", index)
        }
    }

    private func write(_ item: Item, _ index: Int, isWhole: Bool, _ writer: inout JSONWriter) {
        writer.member("id", id(item, index))
        switch item {
        case .reasoning(let text):
            writer.member("type", "reasoning")
            writer.member(
                "summary",
                array: { writer in
                    if isWhole { writer.object { part("summary_text", text, &$0) } }
                })
            writer.member("encrypted_content", isWhole ? turn.ids.whole("echo_") : nil)
        case .message(let text):
            writer.member("type", "message")
            writer.member("status", isWhole ? "completed" : "in_progress")
            writer.member("role", "assistant")
            writer.member(
                "content",
                array: { writer in
                    if isWhole { writer.object { part("output_text", text, &$0) } }
                })
        case .call(let tool, let arguments):
            writer.member("type", "function_call")
            writer.member("status", isWhole ? "completed" : "in_progress")
            writer.member("call_id", turn.ids.part("call_", index))
            writer.member("name", tool)
            writer.member("arguments", isWhole ? arguments : "")
        }
    }

    private func part(_ type: String, _ text: String, _ writer: inout JSONWriter) {
        writer.member("type", type)
        writer.member("text", text)
        if type == "output_text" {
            writer.member("annotations", array: { _ in })
            writer.member("logprobs", array: { _ in })
        }
    }

    private func add(_ item: Item, _ index: Int, to stream: inout EventList) {
        stream.add("response.output_item.added") { writer in
            writer.member("output_index", index)
            writer.member("item", object: { write(item, index, isWhole: false, &$0) })
        }
        let place = { (writer: inout JSONWriter) in
            writer.member("item_id", id(item, index))
            writer.member("output_index", index)
        }
        switch item {
        case .reasoning(let text):
            addText(
                text, part: "summary_text", events: ["reasoning_summary_part", "reasoning_summary_text"],
                indexName: "summary_index", place, to: &stream)
        case .message(let text):
            addText(
                text, part: "output_text", events: ["content_part", "output_text"],
                indexName: "content_index", place,
                to: &stream)
        case .call(let tool, let arguments):
            for piece in EchoTurn.pieces(arguments) {
                stream.add("response.function_call_arguments.delta") { writer in
                    place(&writer)
                    writer.member("delta", piece)
                }
            }
            stream.add("response.function_call_arguments.done") { writer in
                place(&writer)
                writer.member("name", tool)
                writer.member("arguments", arguments)
            }
        }
        stream.add("response.output_item.done") { writer in
            writer.member("output_index", index)
            writer.member("item", object: { write(item, index, isWhole: true, &$0) })
        }
    }

    /// The events of one text part; `events` names those of the part and those of its text.
    private func addText(
        _ text: String, part type: String, events: [String], indexName: StaticString,
        _ place: (inout JSONWriter) -> Void, to stream: inout EventList
    ) {
        let isOutput = type == "output_text"
        stream.add("response.\(events[0]).added") { writer in
            place(&writer)
            writer.member(indexName, 0)
            writer.member("part", object: { part(type, "", &$0) })
        }
        for piece in EchoTurn.pieces(text) {
            stream.add("response.\(events[1]).delta") { writer in
                place(&writer)
                writer.member(indexName, 0)
                writer.member("delta", piece)
                if isOutput { writer.member("logprobs", array: { _ in }) }
            }
        }
        stream.add("response.\(events[1]).done") { writer in
            place(&writer)
            writer.member(indexName, 0)
            writer.member("text", text)
            if isOutput { writer.member("logprobs", array: { _ in }) }
        }
        stream.add("response.\(events[0]).done") { writer in
            place(&writer)
            writer.member(indexName, 0)
            writer.member("part", object: { part(type, text, &$0) })
        }
    }
}

/// Events with their type and an ascending sequence number.
private struct EventList {
    private(set) var events: [[UInt8]] = []

    mutating func add(_ type: String, _ members: (inout JSONWriter) -> Void) {
        let number = events.count
        events.append(
            EchoAnswer.event(type) { writer in
                writer.object { writer in
                    writer.member("type", type)
                    writer.member("sequence_number", number)
                    members(&writer)
                }
            })
    }
}
