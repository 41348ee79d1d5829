// SPDX-License-Identifier: Apache-2.0
// The subset of OpenAPI 3.0 in which Gemini's clients describe parameters, as JSON Schema for everybody else.
// Source: Gemini API reference (Schema), 2026: types in capitals, `nullable`, counts as texts.

import Bytes
import Gateway
import JSON

extension GeminiSchema {
    /// The schema with types as JSON Schema names them. Nothing that JSON Schema knows is lost.
    static func jsonSchema(_ schema: JSONValue) -> JSONText {
        var writer = JSONWriter()
        writeJSONSchema(schema, to: &writer)
        return JSONText(writer.bytes)
    }

    private static let counts: [StaticString] = [
        "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "min_items",
        "max_items", "min_length", "max_length", "min_properties", "max_properties",
    ]

    /// Depth is bounded by the parser's.
    private static func writeJSONSchema(_ schema: JSONValue, to writer: inout JSONWriter) {
        guard schema.isObject else { return schema.copy(to: &writer) }
        let isNullable = schema.member("nullable")?.bool == true
        writer.object { writer in
            for (key, value) in schema.members {
                if key.equals("nullable") || key.equals("propertyOrdering") || key.equals("property_ordering")
                {
                    continue
                }
                if key.equals("type"), let type = value.string {
                    writeType(type.lowercased(), isNullable: isNullable, to: &writer)
                    continue
                }
                if key.equals("any_of") { writer.key("anyOf") } else { writer.key(name(key)) }
                if key.equals("properties"), value.isObject {
                    writer.object { writer in
                        for (name, property) in value.members {
                            writer.key(String(decoding: name, as: UTF8.self))
                            writeJSONSchema(property, to: &writer)
                        }
                    }
                } else if key.equals("anyOf") || key.equals("any_of"), value.isArray {
                    writer.array { writer in
                        for choice in value.elements { writeJSONSchema(choice, to: &writer) }
                    }
                } else if key.equals("items") {
                    writeJSONSchema(value, to: &writer)
                } else if counts.contains(where: key.equals), let count = value.string.flatMap({ Int($0) }) {
                    writer.int(count)
                } else {
                    value.copy(to: &writer)
                }
            }
        }
    }

    private static func writeType(_ type: String, isNullable: Bool, to writer: inout JSONWriter) {
        // Unspecified means any.
        guard type != "type_unspecified" else { return }
        writer.key("type")
        guard isNullable, type != "null" else { return writer.string(type) }
        writer.array { writer in
            writer.string(type)
            writer.string("null")
        }
    }

    /// "min_items" is "minItems".
    private static func name(_ key: UnsafeRawBufferPointer) -> String {
        let name = String(decoding: key, as: UTF8.self)
        guard counts.contains(where: key.equals), name.contains("_") else { return name }
        let words = name.split(separator: "_")
        return words[0] + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}
