// SPDX-License-Identifier: Apache-2.0
// Tools and the choice between them in Messages.
// Source: Anthropic API reference (tool use: names of at most 128 bytes, tool_choice), 2026.

import Gateway
import JSON

extension MessagesRequestWriter {
    mutating func encodableTools() -> [EncodableTool] {
        if isSameDialect {
            return request.tools.map { tool in
                EncodableTool(tool: tool, name: name(tool.fullName, tool.callForm, false), isWrapped: false)
            }
        }
        var encodable: [EncodableTool] = []
        for offered in request.offeredTools {
            if case .hosted(.webSearch(let search), _) = offered.kind, rules.has(.webSearch) {
                let definition = Self.webSearch(search)
                encodable.append(
                    EncodableTool(tool: offered, name: "web_search", isWrapped: false, definition: definition)
                )
                continue
            }
            guard let tool = offered.isBuiltIn ? offered.asFunction : offered, !tool.isHosted else {
                notes.losses.add(.hostedTool)
                continue
            }
            if !tool.extra.isEmpty { notes.losses.add(.member, tool.extra.count) }
            var isWrapped = false
            if case .custom = tool.kind { isWrapped = true }
            let name = name(tool.fullName, offered.callForm, isWrapped)
            encodable.append(EncodableTool(tool: tool, name: name, isWrapped: isWrapped))
        }
        guard case .subset(let names, _)? = request.toolChoice else { return encodable }
        return encodable.filter { names.contains($0.tool.fullName) }
    }

    mutating func name(_ tool: ToolName, _ form: CallForm, _ isWrapped: Bool) -> String {
        notes.toolNames.register(
            tool, form: form, isWrapped: isWrapped, maximum: isSameDialect ? 128 : rules.toolNameBytes)
    }

    mutating func writeTools(_ tools: [EncodableTool], _ writer: inout JSONWriter) {
        // A choice without anything to choose from is refused.
        guard !tools.isEmpty else { return }
        writer.member("tools", array: { writer in for tool in tools { write(tool, &writer) } })
        writeChoice(&writer)
    }

    private func write(_ encodable: EncodableTool, _ writer: inout JSONWriter) {
        if let definition = encodable.definition { return writer.raw(definition.bytes) }
        let tool = encodable.tool
        switch tool.kind {
        case .hosted(_, let definition), .builtIn(_, let definition): return writer.raw(definition.bytes)
        case .function, .custom, .toolSearch: break
        }
        writer.object { writer in
            writer.member("name", encodable.name)
            if encodable.isWrapped {
                writer.member("description", WrappedTool.description(tool))
                writer.member("input_schema", json: WrappedTool.schema)
                return
            }
            writer.optional("description", tool.description)
            guard isSameDialect else {
                return writer.member("input_schema", json: Self.objectSchema(tool))
            }
            if let schema = tool.schema { writer.member("input_schema", json: schema) }
            writer.optional("strict", tool.strict)
            if tool.isDeferred { writer.member("defer_loading", true) }
            if let cacheControl = tool.cacheControl { writer.member("cache_control", json: cacheControl) }
            writer.members(tool.extra)
        }
    }

    /// The search that the provider runs, as the client of another dialect asked for it.
    private static func webSearch(_ search: WebSearch) -> JSONText {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("type", "web_search_20250305")
            writer.member("name", "web_search")
            writer.optional("max_uses", search.maxUses)
            let domains: [(StaticString, [String])] = [
                ("allowed_domains", search.allowedDomains),
                // Only one of the two may be there.
                ("blocked_domains", search.allowedDomains.isEmpty ? search.blockedDomains : []),
            ]
            for (name, list) in domains where !list.isEmpty {
                writer.member(name, array: { writer in for domain in list { writer.string(domain) } })
            }
            if let location = search.userLocation { writer.member("user_location", json: location) }
        }
        return JSONText(writer.bytes)
    }

    /// Messages takes schemas of objects only, and says so of everything else.
    private static func objectSchema(_ tool: Tool) -> JSONText {
        let schema = tool.schemaOrEmpty
        let isObject = schema.withValue { $0.member("type")?.isString("object") == true } ?? false
        return isObject ? schema : JSONText(#"{"type":"object","properties":{}}"#)
    }

    private mutating func writeChoice(_ writer: inout JSONWriter) {
        let type: String
        var name: String?
        switch request.toolChoice {
        case nil:
            guard request.allowsParallelCalls == false else { return }
            type = "auto"
        case .any where rules.toolChoice == .autoOnly, .tool where rules.toolChoice == .autoOnly,
            .subset(_, isRequired: true) where rules.toolChoice == .autoOnly:
            notes.losses.add(.toolChoice)
            type = "auto"
        case .auto: type = "auto"
        case ToolChoice.none?: type = "none"
        case .any: type = "any"
        case .subset(_, let isRequired): type = isRequired ? "any" : "auto"
        case .tool(let tool):
            name = notes.toolNames.upstreamName(tool)
            guard name != nil else {
                // A tool that was dropped cannot be demanded.
                notes.losses.add(.toolChoice)
                return
            }
            type = "tool"
        }
        let members = members(under: "tool_choice.")
        writer.member(
            "tool_choice",
            object: { writer in
                writer.member("type", type)
                writer.optional("name", name)
                if let allows = request.allowsParallelCalls, type != "none", isSameDialect || !allows {
                    writer.member("disable_parallel_tool_use", !allows)
                }
                writer.members(members)
            })
    }
}

extension Tool {
    fileprivate var isBuiltIn: Bool { if case .builtIn = kind { true } else { false } }
    fileprivate var isHosted: Bool { if case .hosted = kind { true } else { false } }
}
