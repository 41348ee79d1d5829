// SPDX-License-Identifier: Apache-2.0
// OpenRouter's reasoning_details: pieces of a stream put together to the list that goes back with the conversation.
// Source: OpenRouter API reference (reasoning tokens, preserving reasoning blocks), 2026: pieces of one entry share type and
// index, and the list goes back as it was given.

import Bytes
import Gateway
import JSON

struct ReasoningDetails {
    private struct Entry {
        var type: String
        var index: Int?
        /// The text so far, under its member.
        var text = ""
        var member: StaticString?
        var signature: String?
        /// All other members, of the first piece.
        var rest: [ExtraMember] = []
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }

    /// Adds the pieces of a chunk and returns what of them may be shown, or nil.
    mutating func add(_ list: JSONValue) -> String? {
        var shown: String?
        for piece in list.elements where piece.isObject {
            var entry = Entry(type: piece.member("type")?.string ?? "", index: piece.member("index")?.int)
            for (key, value) in piece.members {
                if key.equals("text") || key.equals("summary"), let text = value.string {
                    entry.text = text
                    entry.member = key.equals("text") ? "text" : "summary"
                    shown = (shown ?? "") + text
                } else if key.equals("signature") {
                    entry.signature = value.string
                } else if !key.equals("type"), !key.equals("index") {
                    entry.rest.append(ExtraMember(String(decoding: key, as: UTF8.self), value.compactJSON))
                }
            }
            append(entry)
        }
        return shown
    }

    private mutating func append(_ entry: Entry) {
        guard let last = entries.indices.last, entries[last].type == entry.type,
            entries[last].index == entry.index,
            entry.member != nil || entry.signature != nil, entries[last].signature == nil
        else { return entries.append(entry) }
        entries[last].text += entry.text
        entries[last].member = entries[last].member ?? entry.member
        entries[last].signature = entry.signature
    }

    /// The list as JSON; it is empty afterwards.
    mutating func take() -> [UInt8] {
        var writer = JSONWriter()
        writer.array { writer in
            for entry in entries {
                writer.object { writer in
                    writer.member("type", entry.type)
                    if let member = entry.member { writer.member(member, entry.text) }
                    writer.optional("signature", entry.signature)
                    writer.members(entry.rest)
                    writer.optional("index", entry.index)
                }
            }
        }
        entries = []
        return writer.bytes
    }
}
