// SPDX-License-Identifier: Apache-2.0
// Tools and the choice between them in Chat Completions.
// Source: OpenAI API reference (chat completions: tools, tool_choice; function names of at most 64 bytes), 2026.

import Gateway
import JSON

/// A tool as it goes to the provider.
struct EncodableTool {
    let tool: Tool
    /// The name the provider sees.
    let name: String
    let isWrapped: Bool
    /// Goes as it was written.
    var definition: JSONText?
}

extension ChatRequestWriter {
    /// The tools that can be offered, named. What the provider of another dialect would run is dropped and counted.
    mutating func encodableTools() -> [EncodableTool] {
        var encodable: [EncodableTool] = []
        for offered in request.offeredTools {
            var tool = offered
            switch tool.kind {
            case .function, .custom, .toolSearch: break
            case .hosted(_, let definition) where isSameDialect && !rules.has(.functionToolsOnly):
                encodable.append(
                    EncodableTool(tool: tool, name: tool.name, isWrapped: false, definition: definition))
                continue
            case .builtIn:
                guard let function = tool.asFunction else {
                    notes.losses.add(.hostedTool)
                    continue
                }
                tool = function
            case .hosted:
                notes.losses.add(.hostedTool)
                continue
            }
            if !isSameDialect {
                if tool.cacheControl != nil, !keepsCacheHints { notes.losses.add(.cacheHint) }
                if !tool.extra.isEmpty { notes.losses.add(.member, tool.extra.count) }
            }
            let isWrapped = isWrapped(tool.kind)
            let name = notes.toolNames.register(
                tool.fullName, form: offered.callForm, isWrapped: isWrapped, maximum: rules.toolNameBytes)
            encodable.append(EncodableTool(tool: tool, name: name, isWrapped: isWrapped))
        }
        return allowed(encodable)
    }

    /// Only the tools of a subset: providers other than OpenAI know no `allowed_tools`.
    private mutating func allowed(_ tools: [EncodableTool]) -> [EncodableTool] {
        guard case .subset(let names, _)? = request.toolChoice, !isSameDialect else { return tools }
        return tools.filter { names.contains($0.tool.fullName) }
    }

    private func isWrapped(_ kind: ToolKind) -> Bool {
        guard case .custom = kind else { return false }
        return !isSameDialect || rules.has(.functionToolsOnly)
    }

    mutating func writeTools(_ tools: [EncodableTool], _ writer: inout JSONWriter) {
        // A choice without anything to choose from is refused.
        guard !tools.isEmpty else { return }
        writer.member("tools", array: { writer in for tool in tools { write(tool, &writer) } })
        if let choice = request.toolChoice { write(choice, &writer) }
        if let allows = request.allowsParallelCalls,
            takes("parallel_tool_calls", unless: .noParallelToolCalls)
        {
            writer.member("parallel_tool_calls", allows)
        }
    }

    private func write(_ encodable: EncodableTool, _ writer: inout JSONWriter) {
        if let definition = encodable.definition { return writer.raw(definition.bytes) }
        let tool = encodable.tool
        writer.object { writer in
            if case .custom(let format) = tool.kind, !encodable.isWrapped {
                writer.member("type", "custom")
                writer.member(
                    "custom",
                    object: { writer in
                        writer.member("name", encodable.name)
                        writer.optional("description", tool.description)
                        if let format { writer.member("format", json: GrammarFormat.nested(format)) }
                    })
                return
            }
            writer.member("type", "function")
            writer.member(
                "function",
                object: { writer in
                    writer.member("name", encodable.name)
                    if encodable.isWrapped {
                        writer.member("description", WrappedTool.description(tool))
                        writer.member("parameters", json: WrappedTool.schema)
                        return
                    }
                    writer.optional("description", tool.description)
                    if isSameDialect {
                        if let schema = tool.schema { writer.member("parameters", json: fitted(schema)) }
                        if !rules.has(.noStrict) { writer.optional("strict", tool.strict) }
                    } else {
                        writer.member("parameters", json: fitted(tool.schemaOrEmpty))
                        if tool.strict == true, !rules.has(.noStrict),
                            StrictSchema.accepts(tool.schemaOrEmpty)
                        {
                            writer.member("strict", true)
                        }
                    }
                })
            if keepsCacheHints, let cacheControl = tool.cacheControl {
                writer.member("cache_control", json: cacheControl)
            }
            if isSameDialect { writer.members(tool.extra) }
        }
    }

    /// Providers that demand no tool let the model choose.
    private mutating func expressible(_ choice: ToolChoice) -> ToolChoice {
        guard rules.toolChoice == .autoOnly else { return choice }
        switch choice {
        case .auto, .none, .subset(_, isRequired: false): return choice
        case .any, .tool, .subset(_, isRequired: true):
            notes.losses.add(.toolChoice)
            return .auto
        }
    }

    private var requiredWord: String { rules.toolChoice == .anyWord ? "any" : "required" }

    private mutating func write(_ choice: ToolChoice, _ writer: inout JSONWriter) {
        switch expressible(choice) {
        case .auto: writer.member("tool_choice", "auto")
        case .none: writer.member("tool_choice", "none")
        case .any: writer.member("tool_choice", requiredWord)
        case .tool(let name):
            guard let name = notes.toolNames.upstreamName(name) else {
                // A tool that was dropped cannot be demanded.
                notes.losses.add(.toolChoice)
                return
            }
            writer.member("tool_choice", object: { Self.writeReference(name, &$0) })
        case .subset(let names, let isRequired):
            guard isSameDialect else {
                return writer.member("tool_choice", isRequired ? requiredWord : "auto")
            }
            let known = names.compactMap { notes.toolNames.upstreamName($0) }
            writer.member(
                "tool_choice",
                object: { writer in
                    writer.member("type", "allowed_tools")
                    writer.member(
                        "allowed_tools",
                        object: { writer in
                            writer.member("mode", isRequired ? "required" : "auto")
                            writer.member(
                                "tools",
                                array: { writer in
                                    for name in known { writer.object { Self.writeReference(name, &$0) } }
                                })
                        })
                })
        }
    }

    private static func writeReference(_ name: String, _ writer: inout JSONWriter) {
        writer.member("type", "function")
        writer.member("function", object: { $0.member("name", name) })
    }
}
