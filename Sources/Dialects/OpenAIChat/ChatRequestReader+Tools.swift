// SPDX-License-Identifier: Apache-2.0
// Reads the tools of a Chat Completions request and the choice between them.
// Source: OpenAI API reference (chat completions: tools, tool_choice, and the earlier functions, function_call), 2026.

import Gateway
import JSON

extension ChatRequestReader {
    func readTools(_ root: JSONValue, _ request: inout CanonicalRequest) throws(FieldError) {
        try root.readList("tools") { (tool) throws(FieldError) in
            request.tools.append(try self.tool(tool))
        }
        try root.readList("functions") { (function) throws(FieldError) in
            guard function.isObject else { throw FieldError("", "must be an object") }
            request.tools.append(try self.function(function))
        }
        request.allowsParallelCalls = try root.flag("parallel_tool_calls")
        if let choice = root.field("tool_choice") {
            do throws(FieldError) {
                request.toolChoice = try self.choice(choice)
            } catch {
                throw error.within("tool_choice")
            }
        } else if let choice = root.field("function_call") {
            do throws(FieldError) {
                request.toolChoice =
                    choice.isObject
                    ? .tool(ToolName(try choice.identifier("name"))) : try word(choice)
            } catch {
                throw error.within("function_call")
            }
        }
    }

    private func tool(_ value: JSONValue) throws(FieldError) -> Tool {
        guard value.isObject else { throw FieldError("", "must be an object") }
        let type = try value.requiredText("type")
        var tool: Tool
        switch type {
        case "function":
            guard let described = try value.object("function") else {
                throw FieldError("function", "is missing")
            }
            do throws(FieldError) {
                tool = try function(described)
            } catch {
                throw error.within("function")
            }
        case "custom":
            guard let described = try value.object("custom") else { throw FieldError("custom", "is missing") }
            do throws(FieldError) {
                tool = Tool(
                    .custom(format: try source.objectJSON("format", of: described).map(GrammarFormat.flat)),
                    name: try described.identifier("name"), description: try described.text("description"))
            } catch {
                throw error.within("custom")
            }
        default:
            // Some servers run tools of their own; they name them by type.
            guard type == "mcp" || type.contains("_") || type.contains(":") || type.contains("$") else {
                throw FieldError("type", "is no known type of a tool")
            }
            return Tool(.hosted(.other(type), definition: source.json(value)), name: type)
        }
        tool.cacheControl = try source.objectJSON("cache_control", of: value)
        tool.extra += source.extraMembers(
            of: value, besides: ["type", "function", "custom", "cache_control"])
        return tool
    }

    private func function(_ value: JSONValue) throws(FieldError) -> Tool {
        var tool = Tool(
            .function, name: try value.identifier("name"), description: try value.text("description"),
            schema: try source.objectJSON("parameters", of: value))
        tool.strict = try value.flag("strict")
        return tool
    }

    private func word(_ choice: JSONValue) throws(FieldError) -> ToolChoice {
        switch choice.string {
        case "auto": return .auto
        case "none": return .none
        // Mistral's word.
        case "required", "any": return .any
        default: throw FieldError("", "must be \"auto\", \"none\", \"required\" or an object")
        }
    }

    private func choice(_ choice: JSONValue) throws(FieldError) -> ToolChoice {
        guard choice.isObject else { return try word(choice) }
        switch try choice.requiredText("type") {
        case "function": return .tool(try reference(choice, "function"))
        case "custom": return .tool(try reference(choice, "custom"))
        case "allowed_tools":
            // The object stands inside another one here and alone in Responses; both are seen.
            let nested = try choice.object("allowed_tools")
            let allowed = nested ?? choice
            var names: [ToolName] = []
            try allowed.readList("tools") { (tool) throws(FieldError) in
                guard tool.isObject else { throw FieldError("", "must be an object") }
                names.append(try reference(tool, "function"))
            }
            return .subset(names, isRequired: try allowed.text("mode") == "required")
        default: throw FieldError("type", "is no known choice")
        }
    }

    private func reference(_ value: JSONValue, _ member: StaticString) throws(FieldError) -> ToolName {
        var holder = try value.object(member)
        if holder == nil { holder = try value.object("custom") }
        guard let holder else { throw FieldError("\(member)", "is missing") }
        do throws(FieldError) {
            return ToolName(try holder.identifier("name"))
        } catch {
            throw error.within("\(member)")
        }
    }
}
