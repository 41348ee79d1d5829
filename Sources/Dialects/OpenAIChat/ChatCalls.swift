// SPDX-License-Identifier: Apache-2.0
// The calls of one Chat answer while they arrive: which chunk belongs to which, and when one is complete. The dialect has no
// sign for the end of a call.
// Source: OpenAI API reference (chat completion chunks: tool_calls), observed streams of Gemini's and Kimi's compatible
// endpoints, Groq, Ollama and vLLM, 2026.

import Gateway

struct ChatCalls {
    private struct Slot {
        let index: Int?
        /// As the provider gave it.
        var givenID: String?
        var name = ""
        var isCustom = false
        var hasBegun = false
        var hasEnded = false
        var completeness = JSONCompleteness()
    }

    /// Calls of one answer at most.
    static let maximum = 1024
    private static let maximumNameBytes = 4096

    private var slots: [Slot] = []
    private var ids: AnswerIDs
    private var usedIDs: Set<String> = []
    private(set) var isOverfull = false

    init(ids: AnswerIDs) { self.ids = ids }

    var isEmpty: Bool { slots.isEmpty }

    /// A call whose arguments are no whole JSON value yet.
    var hasUnfinished: Bool {
        slots.contains { $0.hasBegun && !$0.hasEnded && !$0.isCustom && $0.completeness.isInside }
    }

    /// The call that a chunk belongs to: by its index, else by its id, else the latest one. An id that differs from the one
    /// that the index has begins another call: some count every call from 0.
    mutating func resolve(index: Int?, id: String?) -> Int {
        let id = id.flatMap { $0.isEmpty ? nil : $0 }
        let known: Int? =
            if let index {
                slots.lastIndex { $0.index == index }
            } else if let id {
                slots.lastIndex { $0.givenID == id }
            } else {
                slots.indices.last
            }
        if let known {
            if let id, let given = slots[known].givenID, given != id { return add(index: index, id: id) }
            if slots[known].givenID == nil, !slots[known].hasBegun { slots[known].givenID = id }
            return known
        }
        return add(index: index, id: id)
    }

    private mutating func add(index: Int?, id: String?) -> Int {
        guard slots.count < Self.maximum else {
            isOverfull = true
            return slots.count - 1
        }
        slots.append(Slot(index: index, givenID: id))
        return slots.count - 1
    }

    /// A name, which some send in pieces and some again and again.
    mutating func name(_ slot: Int, _ name: String?, isCustom: Bool) {
        if isCustom { slots[slot].isCustom = true }
        guard let name, !slots[slot].hasBegun, slots[slot].name != name else { return }
        guard slots[slot].name.utf8.count + name.utf8.count <= Self.maximumNameBytes else {
            isOverfull = true
            return
        }
        slots[slot].name += name
    }

    func hasBegun(_ slot: Int) -> Bool { slots[slot].hasBegun }

    /// Calls before `slot` that have not begun.
    func waiting(before slot: Int) -> [Int] {
        slots.indices.prefix { $0 < slot }.filter { !slots[$0].hasBegun }
    }

    /// The call as it begins.
    mutating func begin(_ slot: Int) -> ToolCall {
        slots[slot].hasBegun = true
        return ToolCall(
            id: id(slots[slot].givenID), name: slots[slot].name,
            form: slots[slot].isCustom ? .custom : .function,
            arguments: "")
    }

    /// Clients need ids that are unique in the conversation. Short ones ("call_0", "1") count within one answer.
    private mutating func id(_ given: String?) -> String {
        if let given, given.utf8.count > 8, usedIDs.insert(given).inserted { return given }
        let made = ids.next("call_")
        usedIDs.insert(made)
        return made
    }

    mutating func add(_ slot: Int, _ piece: String) { slots[slot].completeness.received(piece) }

    /// The calls whose arguments are a whole JSON value; they have ended.
    mutating func takeComplete() -> [Int] { take { $0.completeness.isComplete || $0.isCustom } }

    /// All calls that have begun; they have ended.
    mutating func takeOpen() -> [Int] { take { _ in true } }

    private mutating func take(_ isWanted: (Slot) -> Bool) -> [Int] {
        var taken: [Int] = []
        for index in slots.indices
        where slots[index].hasBegun && !slots[index].hasEnded && isWanted(slots[index]) {
            slots[index].hasEnded = true
            taken.append(index)
        }
        return taken
    }
}

/// Watches whether the bytes so far are a whole JSON object or array. Nothing else of JSON is looked at.
struct JSONCompleteness {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var hasBegun = false

    var isComplete: Bool { hasBegun && depth <= 0 && !isInString }
    /// Something has begun that is not complete.
    var isInside: Bool { hasBegun && !isComplete }

    mutating func received(_ piece: String) {
        var piece = piece
        piece.withUTF8 { bytes in
            for byte in bytes { step(byte) }
        }
    }

    private mutating func step(_ byte: UInt8) {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
            }
            return
        }
        switch byte {
        case UInt8(ascii: "\""):
            isInString = true
            hasBegun = true
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            hasBegun = true
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
    }
}
