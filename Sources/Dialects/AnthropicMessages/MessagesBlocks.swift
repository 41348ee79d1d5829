// SPDX-License-Identifier: Apache-2.0
// Blocks of Messages that have no counterpart elsewhere: which there are, and what models of other dialects are told
// in their place.
// Source: Anthropic API reference (server tools, tool search, MCP connector, compaction), anthropic-python 2.11, 2026.

import Gateway
import JSON

enum MessagesBlocks {
    private static let types: Set<String> = [
        "search_result", "container_upload", "compaction", "tool_reference", "tool_addition", "tool_removal",
        "fallback",
    ]

    /// Whether a type is one of Messages that passes unread. New server tools bring types of these two endings.
    static func isKnown(_ type: String) -> Bool {
        types.contains(type) || type.hasSuffix("_tool_use") || type.hasSuffix("_tool_result")
    }

    /// What stands for a block where it is not understood; nil when nothing is lost without it.
    static func summary(of block: JSONValue) -> String? {
        guard let type = block.member("type")?.string else { return nil }
        switch type {
        case "tool_reference":
            return block.member("tool_name")?.string.map { "tool \($0) is now available" }
        case "compaction": return texts(block.field("content"))
        case "search_result":
            let title = [block.member("title")?.string, block.member("source")?.string].compactMap { $0 }
            return (title + [texts(block.field("content"))].compactMap { $0 }).joined(separator: "\n")
        default: break
        }
        if type.hasSuffix("_tool_use") {
            return "[\(block.member("name")?.string ?? type) was run by the provider]"
        }
        guard type.hasSuffix("_tool_result") else { return nil }
        let lines = block.field("content")?.elements.compactMap { result -> String? in
            let words = [result.member("title")?.string, result.member("url")?.string].compactMap { $0 }
            return words.isEmpty ? nil : words.joined(separator: " ")
        }
        return (["[result of a tool run by the provider]"] + (lines ?? [])).joined(separator: "\n")
    }

    /// The texts of a content, which is a string or blocks; nil when there are none.
    static func texts(_ content: JSONValue?) -> String? {
        guard let content else { return nil }
        if let text = content.string { return text }
        let texts = content.elements.compactMap { $0.member("text")?.string }
        return texts.isEmpty ? nil : texts.joined(separator: "\n")
    }
}
