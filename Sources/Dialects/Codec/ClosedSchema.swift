// SPDX-License-Identifier: Apache-2.0
// A schema as Anthropic's structured outputs take it: no object with further properties, no limits.
// Source: Anthropic API reference (structured outputs: JSON Schema limitations), 2026.

import Bytes
import Gateway
import JSON

enum ClosedSchema {
    private static let limits: [StaticString] = [
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "minProperties", "maxProperties",
    ]
    /// Members whose value holds schemas by name, and not by keyword.
    private static let holders: [StaticString] = ["properties", "$defs", "definitions"]
    private static let literals: [StaticString] = ["enum", "const", "default", "examples"]

    /// The schema with every object closed and without the limits; those are counted.
    static func closed(_ schema: JSONText, _ losses: inout Losses) -> JSONText {
        var writer = JSONWriter()
        var dropped = 0
        let isReadable: Void? = schema.withValue { write($0, &writer, &dropped) }
        losses.add(.schemaKeyword, dropped)
        return isReadable == nil ? schema : JSONText(writer.bytes)
    }

    /// Depth is bounded by the parser's.
    private static func write(_ schema: JSONValue, _ writer: inout JSONWriter, _ dropped: inout Int) {
        if schema.isArray {
            return writer.array { writer in
                for element in schema.elements { write(element, &writer, &dropped) }
            }
        }
        guard schema.isObject else { return schema.copy(to: &writer) }
        writer.object { writer in
            for (key, value) in schema.members where !key.equals("additionalProperties") {
                guard !limits.contains(where: key.equals), !isLargeMinimum(key, value) else {
                    dropped += 1
                    continue
                }
                writer.key(String(decoding: key, as: UTF8.self))
                if holders.contains(where: key.equals), value.isObject {
                    writer.object { writer in
                        for (name, inner) in value.members {
                            writer.key(String(decoding: name, as: UTF8.self))
                            write(inner, &writer, &dropped)
                        }
                    }
                } else if literals.contains(where: key.equals) {
                    value.copy(to: &writer)
                } else {
                    write(value, &writer, &dropped)
                }
            }
            if schema.member("type")?.isString("object") == true || schema.member("properties") != nil {
                writer.member("additionalProperties", false)
            }
        }
    }

    /// Only 0 and 1 are known.
    private static func isLargeMinimum(_ key: UnsafeRawBufferPointer, _ value: JSONValue) -> Bool {
        key.equals("minItems") && (value.int ?? 0) > 1
    }
}
