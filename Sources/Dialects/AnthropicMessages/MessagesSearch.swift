// SPDX-License-Identifier: Apache-2.0
// A search of the web by a provider of another dialect as Messages shows one: the call, the pages, the count. Claude Code
// takes the results of its search from these blocks.
// Source: Anthropic API reference (web search tool), Claude Code 2.1.329, 2026.

import Bytes
import Gateway
import JSON

struct MessagesSearch {
    /// Pages that are shown at most.
    private static let maximumSources = 100
    /// Of blocks that ccr writes: Anthropic would miss in them what it sealed itself, so they do not go back there.
    static let idPrefix: StaticString = "srvtoolu_ccr_"

    private var queries: [String] = []
    private var sources: [Citation] = []

    /// Notes a part that is a search; no other.
    mutating func searched(_ part: OpaquePart) {
        guard let query = part.search, part.dialect != .messages else { return }
        queries.append(query)
    }

    mutating func found(_ citation: Citation) {
        guard sources.count < Self.maximumSources, !sources.contains(where: { $0.url == citation.url }) else {
            return
        }
        sources.append(citation)
    }

    var hasResult: Bool { !queries.isEmpty && !sources.isEmpty }

    /// The input of the call.
    var input: JSONText {
        var writer = JSONWriter()
        writer.object { $0.member("query", queries.filter { !$0.isEmpty }.joined(separator: "; ")) }
        return JSONText(writer.bytes)
    }

    /// - Parameter input: nil in a stream, where it follows in a delta.
    static func writeUse(_ id: String, input: JSONText?, to writer: inout JSONWriter) {
        writer.member("type", "server_tool_use")
        writer.member("id", id)
        writer.member("name", "web_search")
        writer.member("input", json: input ?? JSONText("{}"))
    }

    func writeResult(_ id: String, to writer: inout JSONWriter) {
        writer.member("type", "web_search_tool_result")
        writer.member("tool_use_id", id)
        writer.member(
            "content",
            array: { writer in
                for source in sources {
                    writer.object { writer in
                        writer.member("type", "web_search_result")
                        writer.member("url", source.url)
                        writer.member("title", source.title ?? source.url)
                        // An envelope with nothing in it: the block is known by it when it comes back.
                        writer.member("encrypted_content", "\(ReasoningEnvelope.prefix)")
                        writer.member("page_age", nil)
                    }
                }
            })
    }

    func writeCount(to writer: inout JSONWriter) {
        guard !queries.isEmpty else { return }
        writer.member("server_tool_use", object: { $0.member("web_search_requests", queries.count) })
    }

    /// Whether a block of the history is one of these.
    static func isOwn(_ block: JSONValue) -> Bool {
        let id = block.member("tool_use_id") ?? block.member("id")
        return id?.stringBytes?.hasPrefix(idPrefix) == true
    }
}
