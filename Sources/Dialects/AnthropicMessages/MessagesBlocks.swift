// SPDX-License-Identifier: Apache-2.0
// Blocks of Messages that have no counterpart elsewhere: which there are, and what models of other dialects are told
// in their place.
// Source: Anthropic API reference (server tools, tool search, MCP connector, compaction), anthropic-python 2.11, 2026.

import Bytes
import Gateway
import JSON

enum MessagesBlocks {
    private static let types: Set<String> = [
        "search_result", "container_upload", "compaction", "tool_reference", "tool_addition", "tool_removal",
        "fallback", "mcp_tool_listing",
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
            return ProviderRun.use(block.member("name")?.string ?? type, input: block.member("input"))
        }
        guard type.hasSuffix("_tool_result") else { return nil }
        return ProviderRun.result(
            isError: block.member("is_error")?.bool == true, block.field("content").map(lines) ?? [])
    }

    /// What a result of the provider's own tool says: the texts of an MCP server, the pages of a search, the output of code.
    private static func lines(_ content: JSONValue) -> [String] {
        if let text = content.string { return [text] }
        if content.isObject {
            return (["stdout", "stderr", "error_code"] as [StaticString]).compactMap {
                content.field($0)?.string
            }
        }
        return content.elements.compactMap { result in
            if let text = result.member("text")?.string { return text }
            let words = [result.member("title")?.string, result.member("url")?.string].compactMap { $0 }
            return words.isEmpty ? nil : words.joined(separator: " ")
        }
    }

    /// The texts of a content, which is a string or blocks; nil when there are none.
    static func texts(_ content: JSONValue?) -> String? {
        guard let content else { return nil }
        if let text = content.string { return text }
        let texts = content.elements.compactMap { $0.member("text")?.string }
        return texts.isEmpty ? nil : texts.joined(separator: "\n")
    }

    /// A block as a stream begins it, and the delta that the rest comes in: clients take inputs and summaries from there.
    static func parted(_ block: JSONText) -> (start: JSONText, delta: JSONText?) {
        block.withValue { value -> (start: JSONText, delta: JSONText?) in
            let type = value.member("type")?.string ?? ""
            var delta = JSONWriter()
            if type == "compaction" {
                delta.object { writer in
                    writer.member("type", "compaction_delta")
                    for name in compactionDelta {
                        if let content = value.member(name) { writer.member(name, json: content.compactJSON) }
                    }
                }
                let held = compactionDelta.filter { value.member($0) != nil }
                return (value.with(held.map { ($0, JSONText("null")) }), JSONText(delta.bytes))
            }
            guard type.hasSuffix("_tool_use"), let input = value.member("input"), input.count > 0 else {
                return (block, nil)
            }
            delta.object { writer in
                writer.member("type", "input_json_delta")
                writer.member("partial_json", input.compactJSON.text)
            }
            return (value.with([("input", JSONText("{}"))]), JSONText(delta.bytes))
        } ?? (block, nil)
    }

    /// Members of a compaction that a stream replaces.
    static let compactionDelta: [StaticString] = ["content", "encrypted_content"]
}

extension JSONValue {
    /// An object with other values for these members, or with the members if it lacks them.
    func with(_ changed: [(name: StaticString, value: JSONText)]) -> JSONText {
        var writer = JSONWriter()
        writer.object { writer in
            for (key, value) in members where !changed.contains(where: { key.equals($0.name) }) {
                writer.key(String(decoding: key, as: UTF8.self))
                value.copy(to: &writer)
            }
            for (name, value) in changed { writer.member(name, json: value) }
        }
        return JSONText(writer.bytes)
    }
}
