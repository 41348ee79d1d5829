// SPDX-License-Identifier: Apache-2.0
// One item of a Responses answer while it is being written, and the parts inside it.
// Source: OpenAI API reference (responses, output items and their streaming events), 2026-08.

import Gateway
import JSON

/// A text inside an item.
struct ResponsesPart {
    enum Kind {
        /// `output_text` of a message.
        case text
        case refusal
        /// A summary of thoughts.
        case summary
        /// The thoughts themselves.
        case thought

        var type: StaticString {
            switch self {
            case .text: "output_text"
            case .refusal: "refusal"
            case .summary: "summary_text"
            case .thought: "reasoning_text"
            }
        }

        /// The member that holds the text.
        var textName: StaticString { self == .refusal ? "refusal" : "text" }

        var events: (delta: StaticString, done: StaticString) {
            switch self {
            case .text: ("response.output_text.delta", "response.output_text.done")
            case .refusal: ("response.refusal.delta", "response.refusal.done")
            case .summary: ("response.reasoning_summary_text.delta", "response.reasoning_summary_text.done")
            case .thought: ("response.reasoning_text.delta", "response.reasoning_text.done")
            }
        }
    }

    let kind: Kind
    var text = ""
    /// Each with the place in the text up to which it speaks, in Unicode scalars.
    var citations: [(citation: Citation, end: Int)] = []

    init(_ kind: Kind, _ text: String = "") {
        self.kind = kind
        self.text = text
    }

    /// Writes the members of the part.
    func write(to writer: inout JSONWriter) {
        writer.member("type", "\(kind.type)")
        writer.member(kind.textName, text)
        guard kind == .text else { return }
        writer.member(
            "annotations",
            array: { writer in
                for (citation, end) in citations {
                    writer.object { ResponsesPart.write(citation, end: end, to: &$0) }
                }
            })
        writer.member("logprobs", array: { _ in })
    }

    /// Writes the members of an annotation. Which of the words before it are meant is not known of other dialects.
    static func write(_ citation: Citation, end: Int, to writer: inout JSONWriter) {
        writer.member("type", "url_citation")
        writer.member("start_index", end)
        writer.member("end_index", end)
        writer.member("url", citation.url)
        writer.member("title", citation.title ?? "")
    }
}

struct ResponsesItem {
    enum Kind {
        case message(phase: String?)
        case reasoning(isSummary: Bool)
        case call(ToolCall)

        var idPrefix: StaticString {
            switch self {
            case .message: "msg_"
            case .reasoning: "rs_"
            case .call(let call): ResponsesItemID.staticPrefix(call.form)
            }
        }
    }

    let kind: Kind
    let id: String
    var parts: [ResponsesPart] = []
    /// The last of `parts` goes on.
    var isPartOpen = false
    var arguments = ""
    var state: ReasoningState?

    init(_ kind: Kind, id: String) {
        self.kind = kind
        self.id = id
    }

    /// A finished item of a document; nil for what has no item here.
    init?(_ part: Part, _ citations: [Citation], _ ids: inout AnswerIDs) {
        let kind: Kind
        switch part {
        case .text(let text): kind = .message(phase: text.phase)
        case .refusal: kind = .message(phase: nil)
        case .reasoning(let reasoning): kind = .reasoning(isSummary: reasoning.isSummary)
        case .toolCall(let call): kind = .call(call)
        case .image, .document, .toolResult, .opaque: return nil
        }
        self.init(kind, id: ids.next(kind.idPrefix))
        switch part {
        case .text(let text):
            var part = ResponsesPart(.text, text.text)
            let end = text.text.unicodeScalars.count
            part.citations = citations.map { ($0, end) }
            parts = [part]
        case .refusal(let text): parts = [ResponsesPart(.refusal, text)]
        case .reasoning(let reasoning):
            state = reasoning.state
            if !reasoning.text.isEmpty {
                parts = [ResponsesPart(reasoning.isSummary ? .summary : .thought, reasoning.text)]
            }
        case .toolCall(let call):
            arguments = call.arguments.isEmpty && call.form == .function ? "{}" : call.arguments
        case .image, .document, .toolResult, .opaque: break
        }
    }

    var isMessage: Bool { if case .message = kind { true } else { false } }
    var isReasoning: Bool { isSummary != nil }
    var isCall: Bool { if case .call = kind { true } else { false } }
    var isSummary: Bool? { if case .reasoning(let isSummary) = kind { isSummary } else { nil } }

    var openPart: ResponsesPart? { isPartOpen ? parts.last : nil }

    mutating func append(_ piece: String) {
        guard !parts.isEmpty else { return }
        parts[parts.count - 1].text += piece
    }

    mutating func cite(_ citation: Citation) {
        guard !parts.isEmpty else { return }
        let end = parts[parts.count - 1].text.unicodeScalars.count
        parts[parts.count - 1].citations.append((citation, end))
    }

    /// The item as it is announced, empty, or as it is when it has ended.
    func json(isDone: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("id", id)
            switch kind {
            case .message(let phase):
                writer.member("type", "message")
                writer.member("status", isDone ? "completed" : "in_progress")
                writer.member("role", "assistant")
                writeParts("content", parts, isDone, &writer)
                writer.optional("phase", phase)
            case .reasoning:
                writer.member("type", "reasoning")
                writeParts("summary", parts.filter { $0.kind == .summary }, isDone, &writer)
                let thoughts = parts.filter { $0.kind == .thought }
                if !thoughts.isEmpty { writeParts("content", thoughts, isDone, &writer) }
                writer.member("encrypted_content", isDone ? encryptedContent : nil)
            case .call(let call): writeCall(call, isDone, &writer)
            }
        }
        return writer.bytes
    }

    private func writeParts(
        _ name: StaticString, _ parts: [ResponsesPart], _ isDone: Bool, _ writer: inout JSONWriter
    ) {
        writer.member(
            name,
            array: { writer in
                for part in isDone ? parts : [] { writer.object { part.write(to: &$0) } }
            })
    }

    /// State of a provider that is known travels in an envelope, any other as it came.
    private var encryptedContent: String? {
        state.map { ReasoningEnvelope.seal($0) ?? String(decoding: $0.bytes, as: UTF8.self) }
    }

    private func writeCall(_ call: ToolCall, _ isDone: Bool, _ writer: inout JSONWriter) {
        let text = isDone ? arguments : ""
        switch call.form {
        case .function:
            writer.member("type", "function_call")
            writer.member("name", call.name)
            writer.optional("namespace", call.namespace)
            writer.member("arguments", text)
        case .custom:
            writer.member("type", "custom_tool_call")
            writer.member("name", call.name)
            writer.optional("namespace", call.namespace)
            writer.member("input", text)
        case .toolSearch:
            writer.member("type", "tool_search_call")
            writer.member("execution", "client")
            writer.member("arguments", json: JSONText.object(ofArguments: text))
        case .localShell:
            writer.member("type", "local_shell_call")
            writer.member("action", json: JSONText.object(ofArguments: text))
        }
        writer.member("call_id", call.id)
        writer.member("status", isDone ? "completed" : "in_progress")
    }
}

extension CallForm {
    /// Events that carry the arguments; forms whose arguments are an object have none.
    var argumentEvents: (delta: StaticString, done: StaticString)? {
        switch self {
        case .function: ("response.function_call_arguments.delta", "response.function_call_arguments.done")
        case .custom: ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done")
        case .toolSearch, .localShell: nil
        }
    }
}
