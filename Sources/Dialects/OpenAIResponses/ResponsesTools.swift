// SPDX-License-Identifier: Apache-2.0
// Reads the tools of a Responses request and the choice among them. Namespaces are dissolved into their tools.
// Source: OpenAI API reference (responses/create, tools), openai-python 3.52; tools of codex-cli 0.163.0.

import Gateway
import JSON

struct ResponsesTools {
    private let source: RequestSource
    private(set) var tools: [Tool] = []

    init(_ source: RequestSource) {
        self.source = source
    }

    mutating func read(_ tool: JSONValue) throws(FieldError) {
        try read(tool, namespace: nil)
    }

    private mutating func read(_ value: JSONValue, namespace: String?) throws(FieldError) {
        guard value.isObject else { throw FieldError("", "must be an object") }
        let type = try value.identifier("type")
        switch type {
        case "function": tools.append(try function(value, .function, namespace))
        case "custom":
            let format = try source.objectJSON("format", of: value)
            tools.append(try function(value, .custom(format: format), namespace))
        case "namespace":
            guard namespace == nil else { throw FieldError("type", "namespace cannot stand in a namespace") }
            try readNamespace(value)
        case "tool_search" where value.member("execution")?.isString("client") == true:
            var tool = Tool(
                .toolSearch, name: type, namespace: namespace, description: try value.text("description"),
                schema: try source.objectJSON("parameters", of: value))
            tool.extra = source.extraMembers(
                of: value, besides: ["type", "execution", "description", "parameters"])
            tools.append(tool)
        case "local_shell", "shell", "apply_patch", "computer_use_preview", "computer":
            tools.append(Tool(.builtIn(type: type, definition: source.json(value)), name: type))
        case _ where type.hasPrefix("web_search"):
            tools.append(
                Tool(.hosted(.webSearch(try webSearch(value)), definition: source.json(value)), name: type))
        default:
            tools.append(Tool(.hosted(.other(type), definition: source.json(value)), name: type))
        }
    }

    private func function(_ value: JSONValue, _ kind: ToolKind, _ namespace: String?) throws(FieldError)
        -> Tool
    {
        var tool = Tool(
            kind, name: try value.identifier("name"), namespace: namespace,
            description: try value.text("description"),
            schema: try source.objectJSON("parameters", of: value))
        tool.strict = try value.flag("strict")
        tool.isDeferred = try value.flag("defer_loading") ?? false
        tool.extra = source.extraMembers(
            of: value,
            besides: ["type", "name", "description", "parameters", "strict", "defer_loading", "format"])
        return tool
    }

    private mutating func readNamespace(_ value: JSONValue) throws(FieldError) {
        let name = try value.identifier("name")
        let first = tools.count
        try value.readList("tools") { (tool) throws(FieldError) in try read(tool, namespace: name) }
        if first < tools.count { tools[first].namespaceDescription = try value.text("description") }
    }

    private func webSearch(_ value: JSONValue) throws(FieldError) -> WebSearch {
        var search = WebSearch()
        if let filters = try value.object("filters") {
            do throws(FieldError) {
                search.allowedDomains = try filters.texts("allowed_domains")
                search.blockedDomains = try filters.texts("blocked_domains")
            } catch {
                throw error.within("filters")
            }
        }
        search.userLocation = try source.objectJSON("user_location", of: value)
        return search
    }

    /// The member `tool_choice`.
    static func choice(_ root: JSONValue) throws(FieldError) -> ToolChoice? {
        guard let value = root.field("tool_choice") else { return nil }
        do throws(FieldError) {
            return try choice(value: value)
        } catch {
            throw error.within("tool_choice")
        }
    }

    private static func choice(value: JSONValue) throws(FieldError) -> ToolChoice? {
        if let name = value.string {
            switch name {
            case "auto": return .auto
            case "none": return ToolChoice.none
            case "required": return .any
            default: throw FieldError("", "must be auto, none, required or an object")
            }
        }
        guard value.isObject else { throw FieldError("", "must be a string or an object") }
        guard try value.identifier("type") == "allowed_tools" else {
            return isServer(value) ? nil : .tool(try name(value))
        }
        var names: [ToolName] = []
        try value.readList("tools") { (tool) throws(FieldError) in
            if !isServer(tool) { names.append(try name(tool)) }
        }
        return .subset(names, isRequired: value.member("mode")?.isString("required") == true)
    }

    /// Whether a choice is one of tools on MCP servers, which only this dialect can name: it is kept as it was written,
    /// and what else it names holds for others.
    static func namesServers(_ choice: JSONValue) -> Bool {
        isServer(choice) || choice.elements(of: "tools").contains(where: isServer)
    }

    private static func isServer(_ value: JSONValue) -> Bool { value.member("type")?.isString("mcp") == true }

    /// Tools that have no name are known by their type.
    private static func name(_ value: JSONValue) throws(FieldError) -> ToolName {
        let type = try value.identifier("type")
        return ToolName(try value.text("name") ?? type, namespace: try value.text("namespace"))
    }
}
