// SPDX-License-Identifier: Apache-2.0
// Writes the tools of a Responses request and the choice among them.
// Source: OpenAI API reference (responses/create, tools), openai-python 3.52, 2026-08.

import Gateway
import JSON

struct ResponsesToolWriter {
    private let tools: [Tool]
    private let choice: ToolChoice?
    private let rules: UpstreamRules
    /// Client and provider know all that this dialect has: tools go as they came, namespaces and deferred ones included.
    let isNative: Bool
    private var kinds: [ToolName: ToolKind] = [:]
    private var names: [ToolName: String] = [:]

    var isEmpty: Bool { tools.isEmpty && !isNative }

    init(_ request: CanonicalRequest, _ rules: UpstreamRules, _ notes: inout RequestNotes) {
        self.rules = rules
        isNative = request.dialect == .responses && !rules.has(.functionToolsOnly)
        var tools: [Tool] = []
        if isNative {
            tools = request.tools.filter { !$0.isInline }
        } else {
            for tool in request.offeredTools {
                guard let tool = ResponsesToolWriter.offered(tool, rules) else {
                    notes.losses.add(.hostedTool)
                    continue
                }
                notes.losses.add(.member, tool.extra.count)
                if tool.cacheControl != nil { notes.losses.add(.cacheHint) }
                tools.append(tool)
                if case .hosted = tool.kind { continue }
                names[tool.fullName] = notes.toolNames.register(
                    tool.fullName, form: tool.callForm,
                    isWrapped: tool.callForm == .custom && rules.has(.functionToolsOnly),
                    maximum: rules.toolNameBytes)
            }
        }
        self.tools = tools
        for tool in request.tools + tools { kinds[tool.fullName] = tool.kind }
        choice = ResponsesToolWriter.possible(request.toolChoice, rules, &notes)
        if !isNative, let choice, !canWrite(choice) { notes.losses.add(.toolChoice) }
    }

    /// The tool as the provider knows it; nil when it has none like it.
    private static func offered(_ tool: Tool, _ rules: UpstreamRules) -> Tool? {
        switch tool.kind {
        case .function, .custom, .toolSearch: return tool
        case .hosted(.webSearch, _):
            return rules.has(.webSearch) && !rules.has(.functionToolsOnly) ? tool : nil
        case .hosted(.other, _): return nil
        case .builtIn: return tool.asFunction
        }
    }

    private static func possible(
        _ choice: ToolChoice?, _ rules: UpstreamRules, _ notes: inout RequestNotes
    ) -> ToolChoice? {
        guard rules.toolChoice == .autoOnly else { return choice }
        switch choice {
        case .any, .tool, .subset(_, isRequired: true):
            notes.losses.add(.toolChoice)
            return .auto
        case .auto, .none?, .subset, nil: return choice
        }
    }

    // MARK: - Calls of the history

    /// How a call is written.
    func form(of call: ToolCall) -> CallForm {
        if isNative { return call.form }
        guard !rules.has(.functionToolsOnly) else { return .function }
        if case .custom? = kinds[ToolName(call.name, namespace: call.namespace)] { return .custom }
        return call.form == .custom ? .custom : .function
    }

    /// The name of a call; one of a tool that is no longer offered gets a name as well.
    func name(of call: ToolCall, _ notes: inout RequestNotes) -> ToolName {
        let name = ToolName(call.name, namespace: call.namespace)
        if isNative { return name }
        return ToolName(
            notes.toolNames.register(
                name, form: call.form, isWrapped: call.form == .custom && rules.has(.functionToolsOnly),
                maximum: rules.toolNameBytes))
    }

    /// The text of a call's arguments as a function.
    func arguments(of call: ToolCall) -> String {
        if !isNative, call.form == .custom { return WrappedTool.arguments(call.arguments) }
        return call.arguments.isEmpty ? "{}" : call.arguments
    }

    // MARK: - Writing

    /// Writes `tools` and `tool_choice`.
    ///
    /// - Parameter kept: the client's own choice, if the canonical form does not hold all of it.
    func write(to writer: inout JSONWriter, choice kept: JSONText?) {
        if !tools.isEmpty { writer.member("tools", array: { write(tools, to: &$0) }) }
        if let kept, isNative, rules.toolChoice != .autoOnly {
            return writer.member("tool_choice", json: kept)
        }
        guard let choice, isNative || canWrite(choice) else { return }
        writer.key("tool_choice")
        switch choice {
        case .auto: writer.string("auto")
        case .none: writer.string("none")
        case .any: writer.string("required")
        case .tool(let name): writer.object { writeReference(name, to: &$0) }
        case .subset(let names, let isRequired):
            writer.object { writer in
                writer.member("type", "allowed_tools")
                writer.member("mode", isRequired ? "required" : "auto")
                writer.member(
                    "tools",
                    array: { writer in
                        for name in names { writer.object { writeReference(name, to: &$0) } }
                    })
            }
        }
    }

    /// Writes tools as elements of an array; those of one namespace that stand together become one.
    func write(_ tools: [Tool], to writer: inout JSONWriter) {
        var index = 0
        while index < tools.count {
            guard isNative, let namespace = tools[index].namespace else {
                write(tools[index], to: &writer)
                index += 1
                continue
            }
            var end = index + 1
            while end < tools.count, tools[end].namespace == namespace, tools[end].namespaceDescription == nil
            {
                end += 1
            }
            writer.object { writer in
                writer.member("type", "namespace")
                writer.member("name", namespace)
                writer.optional("description", tools[index].namespaceDescription)
                writer.member("tools", array: { for tool in tools[index..<end] { write(tool, to: &$0) } })
            }
            index = end
        }
    }

    private func write(_ tool: Tool, to writer: inout JSONWriter) {
        switch tool.kind {
        case .builtIn(_, let definition) where isNative: writer.raw(definition.bytes)
        case .hosted(_, let definition) where isNative: writer.raw(definition.bytes)
        case .hosted(.webSearch(let search), _): write(search, to: &writer)
        case .function, .custom, .toolSearch, .builtIn, .hosted:
            writer.object { writeClientTool(tool, to: &$0) }
        }
    }

    private func writeClientTool(_ tool: Tool, to writer: inout JSONWriter) {
        switch tool.kind {
        case .toolSearch where isNative:
            writer.member("type", "tool_search")
            writer.member("execution", "client")
            writer.optional("description", tool.description)
            if let schema = tool.schema { writer.member("parameters", json: schema) }
        case .custom(let format) where !rules.has(.functionToolsOnly):
            writer.member("type", "custom")
            writer.member("name", names[tool.fullName] ?? tool.name)
            writer.optional("description", tool.description)
            if let format { writer.member("format", json: format) }
        case .custom:
            writeFunction(tool, WrappedTool.description(tool), WrappedTool.schema, to: &writer)
        case .function, .toolSearch, .builtIn, .hosted:
            let schema = isNative ? tool.schema ?? JSONText("null") : tool.schemaOrEmpty
            writeFunction(tool, tool.description, schema, to: &writer)
        }
        guard isNative else { return }
        if tool.isDeferred { writer.member("defer_loading", true) }
        writer.members(tool.extra)
    }

    private func writeFunction(
        _ tool: Tool, _ description: String?, _ schema: JSONText, to writer: inout JSONWriter
    ) {
        writer.member("type", "function")
        writer.member("name", names[tool.fullName] ?? tool.name)
        writer.optional("description", description)
        if !rules.has(.noStrict) {
            let isStrict =
                isNative ? tool.strict : tool.strict == true && StrictSchema.accepts(tool.schemaOrEmpty)
            writer.optional("strict", rules.has(.needsStrict) ? isStrict ?? false : isStrict)
        }
        writer.member(
            "parameters", json: rules.schema == .jsonSchema ? schema : MetaFreeSchema.schema(schema))
    }

    private func write(_ search: WebSearch, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "web_search")
            if !search.allowedDomains.isEmpty || !search.blockedDomains.isEmpty {
                writer.member(
                    "filters",
                    object: { writer in
                        write(search.allowedDomains, as: "allowed_domains", to: &writer)
                        write(search.blockedDomains, as: "blocked_domains", to: &writer)
                    })
            }
            if let location = search.userLocation { writer.member("user_location", json: location) }
        }
    }

    private func write(_ domains: [String], as name: StaticString, to writer: inout JSONWriter) {
        guard !domains.isEmpty else { return }
        writer.member(name, array: { for domain in domains { $0.string(domain) } })
    }

    // MARK: - Choice

    /// A choice is refused without tools, and one of a tool that is not offered.
    private func canWrite(_ choice: ToolChoice) -> Bool {
        guard !tools.isEmpty else { return false }
        switch choice {
        case .auto, .none, .any: return true
        case .tool(let name): return isOffered(name)
        case .subset(let names, _): return !names.isEmpty && names.allSatisfy(isOffered)
        }
    }

    private func isOffered(_ name: ToolName) -> Bool { tools.contains { $0.fullName == name } }

    private func writeReference(_ name: ToolName, to writer: inout JSONWriter) {
        switch kinds[name] {
        case .custom: writer.member("type", "custom")
        case .hosted(.webSearch, _) where !isNative: return writer.member("type", "web_search")
        case .hosted where isNative, .builtIn where isNative, .toolSearch where isNative:
            return writer.member("type", name.name)
        case .function, .toolSearch, .builtIn, .hosted, nil: writer.member("type", "function")
        }
        writer.member("name", names[name] ?? name.name)
        if isNative { writer.optional("namespace", name.namespace) }
    }
}
