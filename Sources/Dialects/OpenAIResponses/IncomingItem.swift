// SPDX-License-Identifier: Apache-2.0
// One output item of a provider's Responses answer while it arrives.
// Source: OpenAI API reference (responses, output items), openai-python 3.52, 2026-08.

import Bytes
import Gateway
import JSON

struct IncomingItem {
    enum PartKind: Hashable {
        case text
        case refusal
        case summary
        case thought
        case arguments
    }

    private enum Kind {
        case message(phase: String?)
        case reasoning
        case call(ToolCall)
        /// Something the provider did itself, known when it is done.
        case opaque
    }

    private struct PartKey: Hashable {
        let kind: PartKind
        let number: Int
    }

    private let kind: Kind
    let id: String?
    private(set) var isDone = false
    /// Bytes that each part has had so far.
    private var received: [PartKey: Int] = [:]
    /// The part that the last text belonged to.
    private var last: PartKey?

    init(_ item: JSONValue) {
        id = item.member("id")?.string
        let type = item.member("type")?.string
        switch type {
        case "message": kind = .message(phase: item.member("phase")?.string)
        case "reasoning": kind = .reasoning
        case "function_call": kind = .call(IncomingItem.call(item, .function))
        case "custom_tool_call": kind = .call(IncomingItem.call(item, .custom))
        case "tool_search_call" where item.field("call_id") != nil:
            kind = .call(IncomingItem.call(item, .toolSearch, name: "tool_search"))
        case "local_shell_call": kind = .call(IncomingItem.call(item, .localShell, name: "local_shell"))
        default: kind = .opaque
        }
    }

    /// An item whose beginning the provider left out; nil when nobody can know what it is.
    init?(missing part: PartKind) {
        id = nil
        switch part {
        case .text, .refusal: kind = .message(phase: nil)
        case .summary, .thought: kind = .reasoning
        case .arguments: return nil
        }
    }

    private static func call(_ item: JSONValue, _ form: CallForm, name: String? = nil) -> ToolCall {
        let id = item.member("id")?.string
        return ToolCall(
            id: item.member("call_id")?.string ?? id ?? "", name: name ?? item.member("name")?.string ?? "",
            namespace: item.member("namespace")?.string, form: form, arguments: "", itemID: id)
    }

    var isCall: Bool { if case .call = kind { true } else { false } }

    /// What begins the part, where that is known before its first text. Messages and thoughts begin with it.
    var opening: AnswerEvent? {
        if case .call(let call) = kind { .callBegan(call) } else { nil }
    }

    /// Whether a part before this one has had text, and this one not.
    func wasBegun(part kind: PartKind, _ number: Int) -> Bool {
        guard let last else { return false }
        return last.kind == kind && last.number != number
    }

    /// The events that a piece of text becomes.
    mutating func received(_ piece: String, _ kind: PartKind, _ number: Int) -> [AnswerEvent] {
        let key = PartKey(kind: kind, number: number)
        received[key, default: 0] += piece.utf8.count
        defer { last = key }
        switch (self.kind, kind) {
        case (.message(let phase), .text):
            guard last != key else { return [.text(piece)] }
            return (last?.kind == .text ? [.textEnded] : []) + [.textBegan(phase: phase), .text(piece)]
        case (.message, .refusal):
            return (last?.kind == .text ? [.textEnded] : []) + [.refusal(piece)]
        case (.reasoning, .summary), (.reasoning, .thought):
            guard let last else { return [.reasoningBegan(isSummary: kind == .summary), .reasoning(piece)] }
            // Thoughts behind their summary say the same at greater length.
            guard last.kind == kind else {
                received[key, default: 0] -= piece.utf8.count
                return []
            }
            return [.reasoning(piece)]
        case (.call, .arguments): return [.arguments(piece)]
        default: return []
        }
    }

    /// The texts of a finished item with their places.
    func texts(of item: JSONValue) -> [(PartKind, Int, String)] {
        switch kind {
        case .message:
            return parts(item, "content") { part in
                if part.member("type")?.isString("refusal") == true {
                    return (.refusal, part.member("refusal")?.string)
                }
                return (.text, part.member("text")?.string)
            }
        case .reasoning:
            let summary = parts(item, "summary") { (.summary, $0.member("text")?.string) }
            return summary.isEmpty
                ? parts(item, "content") { (.thought, $0.member("text")?.string) } : summary
        case .call(let call):
            switch call.form {
            case .function:
                return [(.arguments, 0, item.member("arguments").map(IncomingItem.text) ?? "")]
            case .custom: return [(.arguments, 0, item.member("input")?.string ?? "")]
            case .toolSearch: return [(.arguments, 0, item.member("arguments").map(IncomingItem.text) ?? "")]
            case .localShell: return [(.arguments, 0, item.member("action").map(IncomingItem.text) ?? "")]
            }
        case .opaque: return []
        }
    }

    private func parts(
        _ item: JSONValue, _ name: StaticString, _ read: (JSONValue) -> (PartKind, String?)
    ) -> [(PartKind, Int, String)] {
        var texts: [(PartKind, Int, String)] = []
        var number = 0
        for part in item.elements(of: name) {
            let (kind, text) = read(part)
            if let text { texts.append((kind, number, text)) }
            number += 1
        }
        return texts
    }

    /// A string, or the text of an object.
    private static func text(_ value: JSONValue) -> String {
        if let string = value.string { return string }
        return value.isObject ? value.compactJSON.text : ""
    }

    /// What of a text has not come in deltas. A text that differs from its deltas is left as it came.
    func rest(of text: String, _ kind: PartKind, _ number: Int) -> String {
        let seen = received[PartKey(kind: kind, number: number)] ?? 0
        guard seen > 0 else { return text }
        return String(decoding: text.utf8.dropFirst(seen), as: UTF8.self)
    }

    /// The event that ends the item.
    func closing(_ state: ReasoningState?) -> AnswerEvent {
        switch kind {
        case .message, .opaque: .textEnded
        case .reasoning: .reasoningEnded(state: state)
        case .call: .callEnded
        }
    }

    /// What the provider wants back of a finished item.
    func state(of item: JSONValue?, _ origin: Origin) -> ReasoningState? {
        guard case .reasoning = kind, let item, let bytes = item.field("encrypted_content")?.stringBytes
        else {
            return nil
        }
        return ReasoningState(
            .encryptedContent, origin: origin, bytes: Array(bytes), itemID: item.member("id")?.string)
    }

    /// A finished item that only this dialect understands.
    func opaque(_ item: JSONValue?) -> OpaquePart? {
        guard case .opaque = kind, let item else { return nil }
        let type = item.member("type")?.string ?? ""
        let query = item.member("action")?.member("query")?.string
        return OpaquePart(
            .responses, type: type, json: item.compactJSON,
            search: type == "web_search_call" ? query ?? "" : nil)
    }

    /// The item is over; of what it held, only its id is still needed.
    mutating func finish() {
        isDone = true
        received = [:]
    }
}

extension Citation {
    /// An annotation of a text; nil for one that has no address.
    init?(responses annotation: JSONValue) {
        guard annotation.member("type")?.isString("url_citation") == true,
            let url = annotation.member("url")?.string
        else { return nil }
        self.init(url: url, title: annotation.member("title")?.string)
    }
}
