// SPDX-License-Identifier: Apache-2.0
// Reads the tools of a Messages request.
// Source: Anthropic API reference (tool use, server tools, client tools of Anthropic's making), 2026.

import Gateway
import JSON

struct MessagesToolReader {
    let source: RequestSource

    func tool(_ value: JSONValue) throws(FieldError) -> Tool {
        guard value.isObject else { throw FieldError("", "must be an object") }
        let type = try value.text("type") ?? "custom"
        guard type != "custom" else { return try function(value) }
        var tool = Tool(try kind(type, value), name: try value.text("name") ?? type)
        tool.cacheControl = try source.objectJSON("cache_control", of: value)
        tool.isDeferred = try value.flag("defer_loading") ?? false
        return tool
    }

    private func function(_ value: JSONValue) throws(FieldError) -> Tool {
        var tool = Tool(.function, name: try value.identifier("name"))
        tool.description = try value.text("description")
        tool.schema = try source.objectJSON("input_schema", of: value)
        tool.strict = try value.flag("strict")
        tool.isDeferred = try value.flag("defer_loading") ?? false
        tool.cacheControl = try source.objectJSON("cache_control", of: value)
        tool.extra = source.extraMembers(
            of: value,
            besides: [
                "type", "name", "description", "input_schema", "strict", "defer_loading", "cache_control",
            ])
        return tool
    }

    /// Types end in a date; those that the client runs begin with one of these words.
    private static let runByClient = ["bash_", "text_editor_", "computer_", "memory_"]

    private func kind(_ type: String, _ value: JSONValue) throws(FieldError) -> ToolKind {
        guard type == "mcp_toolset" || MessagesToolReader.endsInDate(type) else {
            throw FieldError("type", "is no known type of a tool")
        }
        let definition = source.json(value)
        if type.hasPrefix("web_search_") {
            return .hosted(.webSearch(try webSearch(value)), definition: definition)
        }
        if Self.runByClient.contains(where: type.hasPrefix) {
            return .builtIn(type: type, definition: definition)
        }
        return .hosted(.other(type), definition: definition)
    }

    private func webSearch(_ value: JSONValue) throws(FieldError) -> WebSearch {
        var search = WebSearch()
        search.maxUses = try value.integer("max_uses")
        search.allowedDomains = try value.texts("allowed_domains")
        search.blockedDomains = try value.texts("blocked_domains")
        search.userLocation = try source.objectJSON("user_location", of: value)
        return search
    }

    /// "_20250305" at the end.
    private static func endsInDate(_ type: String) -> Bool {
        let tail = type.utf8.suffix(9)
        return tail.count == 9 && tail.first == UInt8(ascii: "_")
            && tail.dropFirst().allSatisfy { $0 &- 0x30 < 10 }
    }
}
