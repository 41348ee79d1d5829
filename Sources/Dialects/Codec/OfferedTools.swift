// SPDX-License-Identifier: Apache-2.0
// The tools of a request as providers see them that know neither deferred tools nor tools of other dialects' making.
// Source: Anthropic API reference (defer_loading, tool_reference), OpenAI API reference (tool_search), codex-cli 0.163.0.

import Gateway

extension CanonicalRequest {
    /// The tools a model is shown from the start, in the order of the request, and behind them those that the
    /// conversation has made known since: so the prefix that prompt caches see stays the same.
    var offeredTools: [Tool] {
        var offered: [Tool] = []
        var names: Set<ToolName> = []
        for tool in tools where !tool.isDeferred && names.insert(tool.fullName).inserted {
            offered.append(tool)
        }
        for tool in loadedTools where names.insert(tool.fullName).inserted { offered.append(tool) }
        return offered
    }

    /// Takes the declarations of tools out of the conversation, for providers that know none there: the tools are among
    /// the others, so nothing is lost.
    mutating func takeOutInlineTools() {
        guard tools.contains(where: \.isInline) else { return }
        let isDeclaration = { (part: Part) -> Bool in
            if case .opaque(let opaque) = part { opaque.type == "additional_tools" } else { false }
        }
        system.removeAll(where: isDeclaration)
        for index in turns.indices { turns[index].parts.removeAll(where: isDeclaration) }
    }

    /// Deferred tools that the conversation refers to and tools that results brought along, in the order in which they
    /// became known. A mere reference stands for the tool of that name among the deferred ones.
    private var loadedTools: [Tool] {
        var deferred: [ToolName: Tool] = [:]
        for tool in tools where tool.isDeferred { deferred[tool.fullName] = tool }
        var loaded: [Tool] = []
        for turn in turns {
            for part in turn.parts {
                switch part {
                case .toolCall(let call):
                    if let tool = deferred[ToolName(call.name, namespace: call.namespace)] {
                        loaded.append(tool)
                    }
                case .toolResult(let result):
                    for tool in result.loadedTools {
                        if let known = deferred[tool.fullName] {
                            loaded.append(known)
                        } else if tool.schema != nil || tool.description != nil {
                            loaded.append(tool)
                        }
                    }
                case .text, .image, .document, .reasoning, .refusal, .opaque: break
                }
            }
        }
        if case .tool(let name)? = toolChoice, let tool = deferred[name] { loaded.append(tool) }
        return loaded
    }
}

extension Tool {
    var fullName: ToolName { ToolName(name, namespace: namespace) }

    /// The schema of the arguments, for dialects that demand one.
    var schemaOrEmpty: JSONText { schema ?? JSONText(#"{"type":"object","properties":{}}"#) }

    /// A tool with a type of its own as the function that stands for it elsewhere; nil when it has no counterpart.
    /// Calls of it keep their form, see `callForm`.
    var asFunction: Tool? {
        guard case .builtIn(let type, _) = kind,
            let row = Tool.builtIns.first(where: { type.hasPrefix($0.type) })
        else { return nil }
        var tool = self
        tool.kind = .function
        tool.description = description ?? row.description
        tool.schema = JSONText(row.schema)
        tool.extra = []
        return tool
    }

    /// The form in which the client expects calls of this tool.
    var callForm: CallForm {
        switch kind {
        case .function, .hosted: .function
        case .custom: .custom
        case .toolSearch: .toolSearch
        case .builtIn(let type, _): type == "local_shell" ? .localShell : .function
        }
    }

    private struct BuiltIn {
        let type: String
        let description: String
        let schema: String
    }

    /// By the beginning of the type; versions of Messages' tools differ in their date only.
    private static let builtIns = [
        BuiltIn(
            type: "local_shell", description: "Runs a command on the user's machine.",
            schema: #"""
                {"type":"object","properties":{"type":{"type":"string","enum":["exec"]},\#
                "command":{"type":"array","items":{"type":"string"},"description":"Program and arguments."},\#
                "working_directory":{"type":"string"},"timeout_ms":{"type":"integer"},\#
                "env":{"type":"object"}},"required":["type","command"]}
                """#),
        BuiltIn(
            type: "bash_", description: "Runs a command in a shell that stays open.",
            schema: #"""
                {"type":"object","properties":{"command":{"type":"string","description":"The command."},\#
                "restart":{"type":"boolean","description":"Start the shell anew."}}}
                """#),
        BuiltIn(
            type: "text_editor_", description: "Views, creates and edits text files.",
            schema: #"""
                {"type":"object","properties":{\#
                "command":{"type":"string","enum":["view","create","str_replace","insert"]},\#
                "path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},\#
                "new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},\#
                "view_range":{"type":"array","items":{"type":"integer"}}},"required":["command","path"]}
                """#),
    ]
}
