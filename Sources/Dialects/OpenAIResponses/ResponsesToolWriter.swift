// SPDX-License-Identifier: Apache-2.0
// Writes the tools of a Responses request and the choice among them.
// Source: OpenAI API reference (responses/create, tools), openai-python 3.52, 2026-08.

import Gateway
import JSON

struct ResponsesToolWriter {
    private let tools: [Tool]
    private let choice: ToolChoice?
    /// The client speaks this dialect: tools go as they came, namespaces and deferred ones included.
    private let isOwn: Bool
    private var kinds: [ToolName: ToolKind] = [:]
    private var names: [ToolName: String] = [:]

    var isEmpty: Bool { tools.isEmpty && !isOwn }

    init(_ request: CanonicalRequest, _ notes: inout RequestNotes) {
        isOwn = request.dialect == .responses
        var tools: [Tool] = []
        if isOwn {
            tools = request.tools.filter { !$0.isInline }
        } else {
            for tool in request.offeredTools {
                guard let tool = ResponsesToolWriter.offered(tool) else {
                    notes.losses.add(.hostedTool)
                    continue
                }
                notes.losses.add(.member, tool.extra.count)
                if tool.cacheControl != nil { notes.losses.add(.cacheHint) }
                tools.append(tool)
                if case .hosted = tool.kind { continue }
                names[tool.fullName] = notes.toolNames.register(
                    tool.fullName, form: tool.callForm, isWrapped: false)
            }
        }
        self.tools = tools
        for tool in request.tools + tools { kinds[tool.fullName] = tool.kind }
        choice = request.toolChoice
        if !isOwn, let choice, !canWrite(choice) { notes.losses.add(.toolChoice) }
    }

    /// The tool as this dialect knows it; nil when it has none like it.
    private static func offered(_ tool: Tool) -> Tool? {
        switch tool.kind {
        case .function, .custom, .toolSearch, .hosted(.webSearch, _): return tool
        case .hosted(.other, _): return nil
        case .builtIn:
            guard var function = tool.asFunction else { return nil }
            function.extra = []
            return function
        }
    }

    // MARK: - Names of calls

    /// How a call of the history is written.
    func form(of call: ToolCall) -> CallForm {
        if isOwn { return call.form }
        if case .custom? = kinds[ToolName(call.name, namespace: call.namespace)] { return .custom }
        return .function
    }

    /// The name of a call; one of a tool that is no longer offered gets a name as well.
    func name(of call: ToolCall, _ notes: inout RequestNotes) -> ToolName {
        let name = ToolName(call.name, namespace: call.namespace)
        if isOwn { return name }
        return ToolName(notes.toolNames.register(name, form: call.form, isWrapped: false))
    }

    // MARK: - Writing

    /// Writes `tools` and `tool_choice`.
    func write(to writer: inout JSONWriter) {
        if !tools.isEmpty { writer.member("tools", array: { write(tools, to: &$0) }) }
        guard let choice, isOwn || canWrite(choice) else { return }
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
            guard isOwn, let namespace = tools[index].namespace else {
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
        case .builtIn(_, let definition) where isOwn: writer.raw(definition.bytes)
        case .hosted(_, let definition) where isOwn: writer.raw(definition.bytes)
        case .hosted(.webSearch(let search), _): write(search, to: &writer)
        case .function, .custom, .toolSearch, .builtIn, .hosted:
            writer.object { writeClientTool(tool, to: &$0) }
        }
    }

    private func writeClientTool(_ tool: Tool, to writer: inout JSONWriter) {
        switch tool.kind {
        case .toolSearch where isOwn:
            writer.member("type", "tool_search")
            writer.member("execution", "client")
            writer.optional("description", tool.description)
            if let schema = tool.schema { writer.member("parameters", json: schema) }
        case .custom(let format):
            writer.member("type", "custom")
            writer.member("name", names[tool.fullName] ?? tool.name)
            writer.optional("description", tool.description)
            if let format { writer.member("format", json: format) }
        case .function, .toolSearch, .builtIn, .hosted:
            writer.member("type", "function")
            writer.member("name", names[tool.fullName] ?? tool.name)
            writer.optional("description", tool.description)
            if isOwn {
                writer.optional("strict", tool.strict)
            } else {
                writer.member("strict", tool.strict == true && StrictSchema.accepts(tool.schemaOrEmpty))
            }
            writer.member("parameters", json: isOwn ? tool.schema ?? JSONText("null") : tool.schemaOrEmpty)
        }
        guard isOwn else { return }
        if tool.isDeferred { writer.member("defer_loading", true) }
        writer.members(tool.extra)
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
        case .hosted(.webSearch, _) where !isOwn: return writer.member("type", "web_search")
        case .hosted where isOwn, .builtIn where isOwn, .toolSearch where isOwn:
            return writer.member("type", name.name)
        case .function, .toolSearch, .builtIn, .hosted, nil: writer.member("type", "function")
        }
        writer.member("name", names[name] ?? name.name)
        if isOwn { writer.optional("namespace", name.namespace) }
    }
}
