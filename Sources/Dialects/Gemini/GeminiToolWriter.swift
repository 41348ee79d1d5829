// SPDX-License-Identifier: Apache-2.0
// Writes the tools of a Gemini request and how they may be used. Everything a client runs is a function here.
// Source: Gemini API reference (Tool, FunctionDeclaration, ToolConfig) and google-genai 3.4.0 (types.py), 2026.

import Gateway
import JSON

struct GeminiToolWriter {
    /// Functions that are declared, with their names.
    private var functions: [(tool: Tool, name: String)] = []
    private var hosted: [JSONText] = []
    private let choice: ToolChoice?
    private let isOwn: Bool
    private let rules: UpstreamRules
    /// Tools whose calls hold free text.
    private var wrapped: Set<ToolName> = []

    var hasFunctions: Bool { !functions.isEmpty }

    init(_ request: CanonicalRequest, _ model: GeminiModel, _ notes: inout RequestNotes) {
        isOwn = request.dialect == .gemini
        rules = model.rules
        choice = request.toolChoice
        for tool in isOwn ? request.tools : request.offeredTools {
            switch tool.kind {
            case .function, .toolSearch, .custom: add(tool, &notes)
            case .builtIn:
                if let function = tool.asFunction {
                    add(function, &notes)
                } else {
                    notes.losses.add(.hostedTool)
                }
            case .hosted(.webSearch, let definition) where isOwn || rules.has(.webSearch):
                hosted.append(isOwn ? definition : JSONText(#"{"googleSearch":{}}"#))
            case .hosted(.webSearch, _): notes.losses.add(.hostedTool)
            case .hosted(.other, let definition):
                if isOwn { hosted.append(definition) } else { notes.losses.add(.hostedTool) }
            }
        }
        if !isOwn, !hosted.isEmpty, hasFunctions, !model.takesFormatWithFunctions {
            // The functions are what the client cannot do without.
            notes.losses.add(.hostedTool, hosted.count)
            hosted = []
        }
        if !isOwn, let choice, !canWrite(choice) { notes.losses.add(.toolChoice) }
    }

    private mutating func add(_ tool: Tool, _ notes: inout RequestNotes) {
        if isOwn {
            functions.append((tool, tool.name))
            return
        }
        if tool.cacheControl != nil { notes.losses.add(.cacheHint) }
        notes.losses.add(.member, tool.extra.count)
        let isWrapped = if case .custom = tool.kind { true } else { false }
        if isWrapped { wrapped.insert(tool.fullName) }
        let name = notes.toolNames.register(
            tool.fullName, form: tool.callForm, isWrapped: isWrapped, maximum: rules.toolNameBytes)
        var tool = tool
        if rules.schema == .openAPI {
            var dropped = 0
            tool.schema = GeminiSchema.cleaned(
                isWrapped ? WrappedTool.schema : tool.schemaOrEmpty, dropped: &dropped)
            notes.losses.add(.schemaKeyword, dropped)
        }
        functions.append((tool, name))
    }

    // MARK: - Calls

    /// The name of a call of the history; one of a tool that is no longer offered gets a name as well.
    func name(of call: ToolCall, _ notes: inout RequestNotes) -> String {
        if isOwn { return call.name }
        return notes.toolNames.register(
            ToolName(call.name, namespace: call.namespace), form: call.form, isWrapped: call.form == .custom,
            maximum: rules.toolNameBytes)
    }

    func arguments(of call: ToolCall) -> JSONText {
        guard call.form == .custom || wrapped.contains(ToolName(call.name, namespace: call.namespace)) else {
            return JSONText.object(ofArguments: call.arguments)
        }
        return JSONText(WrappedTool.arguments(call.arguments))
    }

    // MARK: - Writing

    /// Writes `tools` and `toolConfig`.
    ///
    /// - Parameter kept: the client's own `toolConfig`, if the canonical form does not hold all of it.
    func write(to writer: inout JSONWriter, kept: JSONText?) {
        if hasFunctions || !hosted.isEmpty {
            writer.member(
                "tools",
                array: { writer in
                    if hasFunctions {
                        writer.object { writer in
                            writer.member(
                                "functionDeclarations",
                                array: { for entry in functions { write(entry.tool, entry.name, to: &$0) } })
                        }
                    }
                    for tool in hosted { writer.raw(tool.bytes) }
                })
        }
        if let kept { return writer.member("toolConfig", json: kept) }
        guard let choice, isOwn || canWrite(choice) else { return }
        writer.member(
            "toolConfig",
            object: { writer in
                writer.member("functionCallingConfig", object: { write(choice, to: &$0) })
            })
    }

    private func write(_ tool: Tool, _ name: String, to writer: inout JSONWriter) {
        let isNative = isOwn && tool.extra.contains { $0.name == "parameters" }
        writer.object { writer in
            writer.member("name", name)
            let isWrapped = if case .custom = tool.kind { true } else { false }
            writer.optional("description", isWrapped ? WrappedTool.description(tool) : tool.description)
            if rules.schema == .openAPI, !isOwn {
                if let schema = tool.schema { writer.member("parameters", json: schema) }
            } else if isWrapped {
                writer.member("parametersJsonSchema", json: WrappedTool.schema)
            } else if !isNative, !isOwn || tool.schema != nil {
                writer.member("parametersJsonSchema", json: tool.schemaOrEmpty)
            }
            if isOwn { writer.members(tool.extra) }
        }
    }

    private func write(_ choice: ToolChoice, to writer: inout JSONWriter) {
        switch choice {
        case .auto: writer.member("mode", "AUTO")
        case .none: writer.member("mode", "NONE")
        case .any: writer.member("mode", "ANY")
        case .tool(let name): write([name], "ANY", to: &writer)
        case .subset(let names, let isRequired): write(names, isRequired ? "ANY" : "VALIDATED", to: &writer)
        }
    }

    private func write(_ names: [ToolName], _ mode: String, to writer: inout JSONWriter) {
        writer.member("mode", mode)
        writer.member(
            "allowedFunctionNames", array: { for name in names { $0.string(written(name) ?? name.name) } })
    }

    private func written(_ name: ToolName) -> String? { functions.first { $0.tool.fullName == name }?.name }

    private func canWrite(_ choice: ToolChoice) -> Bool {
        guard hasFunctions else { return false }
        switch choice {
        case .auto, .none, .any: return true
        case .tool(let name): return written(name) != nil
        case .subset(let names, _): return !names.isEmpty && names.allSatisfy { written($0) != nil }
        }
    }
}
