// SPDX-License-Identifier: Apache-2.0
// Reads the tools of a Gemini request and how they may be used.
// Source: Gemini API reference (Tool, FunctionDeclaration, ToolConfig) and google-genai 3.4.0 (types.py), 2026.

import Bytes
import Gateway
import JSON

struct GeminiTools {
    private let source: RequestSource
    private(set) var tools: [Tool] = []

    init(_ source: RequestSource) {
        self.source = source
    }

    /// One element of `tools`: declarations, or a tool of Google's.
    mutating func read(_ value: JSONValue) throws(FieldError) {
        guard value.isObject else { throw FieldError("", "must be an object") }
        for (key, content) in value.members where !content.isNull {
            if key.equals("functionDeclarations") || key.equals("function_declarations") {
                let name = value.spelling("functionDeclarations", "function_declarations")
                try value.readList(name) { (declaration) throws(FieldError) in
                    tools.append(try function(declaration))
                }
                continue
            }
            let name = String(decoding: key, as: UTF8.self)
            var writer = JSONWriter()
            writer.object { writer in
                writer.key(name)
                writer.raw(source.json(content).bytes)
            }
            let isSearch = key.equals("googleSearch") || key.equals("google_search")
            tools.append(
                Tool(
                    .hosted(
                        isSearch ? .webSearch(WebSearch()) : .other(name), definition: JSONText(writer.bytes)),
                    name: name))
        }
    }

    private func function(_ value: JSONValue) throws(FieldError) -> Tool {
        guard value.isObject else { throw FieldError("", "must be an object") }
        var tool = Tool(
            .function, name: try value.identifier("name"), description: try value.text("description"))
        tool.extra = source.extraMembers(
            of: value, besides: ["name", "description", "parametersJsonSchema", "parameters_json_schema"])
        if let schema = try source.objectJSON(
            value.spelling("parametersJsonSchema", "parameters_json_schema"), of: value)
        {
            tool.schema = schema
        } else if let schema = try value.object("parameters") {
            // The original stays among the extra members: Gemini gets it back as it was.
            tool.schema = GeminiSchema.jsonSchema(schema)
        }
        return tool
    }

    /// The choice of `toolConfig`; what it has no place for is returned as well.
    static func choice(_ root: JSONValue, _ source: RequestSource) throws(FieldError) -> (
        ToolChoice?, JSONText?
    ) {
        let name = root.spelling("toolConfig", "tool_config")
        guard let config = try root.object(name) else { return (nil, nil) }
        let inner = config.spelling("functionCallingConfig", "function_calling_config")
        do throws(FieldError) {
            guard let calling = try config.object(inner) else { return (nil, source.json(config)) }
            do throws(FieldError) {
                let names = try calling.texts(
                    calling.spelling("allowedFunctionNames", "allowed_function_names"))
                let isPlain = config.count == 1
                switch try calling.text("mode")?.uppercased() ?? "AUTO" {
                case "AUTO" where names.isEmpty, "MODE_UNSPECIFIED":
                    return (.auto, isPlain ? nil : source.json(config))
                case "NONE": return (ToolChoice.none, isPlain ? nil : source.json(config))
                case "ANY" where names.isEmpty: return (.any, isPlain ? nil : source.json(config))
                case "ANY" where names.count == 1:
                    return (.tool(ToolName(names[0])), isPlain ? nil : source.json(config))
                case "ANY":
                    return (
                        .subset(names.map { ToolName($0) }, isRequired: true),
                        isPlain ? nil : source.json(config)
                    )
                // VALIDATED: calls of these tools or a text.
                default:
                    let choice =
                        names.isEmpty
                        ? ToolChoice.auto : .subset(names.map { ToolName($0) }, isRequired: false)
                    return (choice, source.json(config))
                }
            } catch {
                throw error.within("\(inner)")
            }
        } catch {
            throw error.within("\(name)")
        }
    }
}
