// SPDX-License-Identifier: Apache-2.0
// JSON Schema as the subset of OpenAPI 3.0 that Gemini's `parameters` and `responseSchema` take.
// Source: Gemini API reference (Schema) and google-genai 3.4.0 (types.py), 2026; issues of clients that met its refusals.

import Bytes
import Gateway
import JSON

enum GeminiSchema {
    /// Levels of objects and arrays that are written; what lies deeper is any object.
    static let maximumDepth = 32
    /// Schemas that are written in all, each use of a definition counted: definitions that use each other twice grow fast.
    static let maximumNodes = 10_000

    /// The schema in that subset.
    ///
    /// - Parameter dropped: is raised by each keyword that was left out.
    static func cleaned(_ schema: JSONText, dropped: inout Int) -> JSONText {
        var cleaner = GeminiSchemaCleaner()
        let bytes = schema.withValue { root -> [UInt8] in
            cleaner.root = root
            var writer = JSONWriter()
            cleaner.write(root, to: &writer, depth: 0)
            return writer.bytes
        }
        dropped += cleaner.dropped
        return bytes.map { JSONText($0) } ?? JSONText(#"{"type":"OBJECT"}"#)
    }
}

/// The state of one cleaning. Values are valid while their parser is.
private struct GeminiSchemaCleaner {
    var root: JSONValue?
    private(set) var dropped = 0
    private var nodes = 0
    /// References that are being followed.
    private var following: [String] = []

    /// A schema with its references followed and its parts (`allOf`) put together.
    private struct Merged {
        var types: [String] = []
        var isNullable = false
        /// Keywords that are taken over, in the order in which they came.
        var plain: [(name: StaticString, value: JSONValue)] = []
        var properties: [(name: String, schema: JSONValue)] = []
        var required: [String] = []
        var items: JSONValue?
        var choices: [JSONValue] = []
        var values: [JSONValue] = []
        var format: String?
        var minimum: Double?
        var maximum: Double?
        /// References that led here, for what is inside.
        var followed: [String] = []
    }

    private static let plainNames: [StaticString] = [
        "title", "description", "minItems", "maxItems", "minLength", "maxLength", "minProperties",
        "maxProperties", "pattern", "default", "example", "propertyOrdering",
    ]

    mutating func write(_ schema: JSONValue, to writer: inout JSONWriter, depth: Int) {
        nodes += 1
        var merged = Merged()
        let depthBefore = following.count
        defer { following.removeLast(following.count - depthBefore) }
        guard depth < GeminiSchema.maximumDepth, nodes < GeminiSchema.maximumNodes,
            gather(schema, into: &merged, depth: 0)
        else {
            dropped += 1
            return writer.object { $0.member("type", "OBJECT") }
        }
        following += merged.followed
        writer.object { write(merged, to: &$0, depth: depth) }
    }

    // MARK: - Gathering

    /// - Returns: false when a reference leads back to where it is used.
    private mutating func gather(_ schema: JSONValue, into merged: inout Merged, depth: Int) -> Bool {
        // `true` and `{}` allow anything; so does what is no schema at all.
        guard schema.isObject, depth < GeminiSchema.maximumDepth else { return true }
        if let reference = schema.member("$ref")?.string {
            guard !following.contains(reference), !merged.followed.contains(reference) else { return false }
            merged.followed.append(reference)
            if let target = definition(reference) {
                guard gather(target, into: &merged, depth: depth + 1) else { return false }
            } else {
                dropped += 1
            }
        }
        for (key, value) in schema.members {
            guard gather(key, value, in: schema, into: &merged, depth: depth) else { return false }
        }
        return true
    }

    private mutating func gather(
        _ key: UnsafeRawBufferPointer, _ value: JSONValue, in schema: JSONValue, into merged: inout Merged,
        depth: Int
    ) -> Bool {
        if let name = GeminiSchemaCleaner.plainNames.first(where: key.equals) {
            merged.plain.removeAll { "\($0.name)" == "\(name)" }
            merged.plain.append((name, value))
        } else if key.equals("type") {
            let names = value.isArray ? value.elements.compactMap(\.string) : [value.string].compactMap { $0 }
            for name in names.map({ $0.lowercased() }) {
                if name == "null" {
                    merged.isNullable = true
                } else if !merged.types.contains(name) {
                    merged.types.append(name)
                }
            }
        } else if key.equals("nullable") {
            merged.isNullable = merged.isNullable || value.bool == true
        } else if key.equals("properties") {
            for (name, property) in value.members {
                let name = String(decoding: name, as: UTF8.self)
                merged.properties.removeAll { $0.name == name }
                merged.properties.append((name, property))
            }
        } else if key.equals("required") {
            for name in value.elements.compactMap(\.string) where !merged.required.contains(name) {
                merged.required.append(name)
            }
        } else if key.equals("items") {
            // An array is the old way to describe tuples.
            merged.items = value.isArray ? value.elements.first { _ in true } : value
        } else if key.equals("enum") {
            merged.values = Array(value.elements)
        } else if key.equals("const") {
            merged.values = [value]
        } else if key.equals("format") {
            merged.format = value.string
        } else if key.equals("minimum") || key.equals("maximum") || key.equals("exclusiveMinimum")
            || key.equals("exclusiveMaximum")
        {
            gatherBound(key, value, in: schema, into: &merged)
        } else if key.equals("anyOf") || key.equals("oneOf") {
            merged.choices += value.elements
        } else if key.equals("allOf") {
            for part in value.elements {
                guard gather(part, into: &merged, depth: depth + 1) else { return false }
            }
        } else if key.equals("examples") {
            dropped += 1
        } else if !key.equals("$ref"), !key.equals("$defs"), !key.equals("definitions"),
            !key.equals("$schema"),
            !key.equals("$id"), !key.equals("$comment")
        {
            dropped += 1
        }
        return true
    }

    private func gatherBound(
        _ key: UnsafeRawBufferPointer, _ value: JSONValue, in schema: JSONValue, into merged: inout Merged
    ) {
        guard var bound = value.double else { return }
        let isExclusive = key.hasPrefix("exclusive")
        // Of real numbers, the one beside a bound has no name; the bound itself is close enough.
        let step: Double = isExclusive && schema.member("type")?.isString("integer") == true ? 1 : 0
        let isMinimum = key.hasSuffix("inimum")
        bound += isMinimum ? step : -step
        // Claude Code writes the limits of what a double holds exactly; they say nothing, and overflow readers.
        guard abs(bound) < 9_007_199_254_740_991 else { return }
        if isMinimum { merged.minimum = bound } else { merged.maximum = bound }
    }

    /// The schema that a reference within the document names.
    private func definition(_ reference: String) -> JSONValue? {
        guard var value = root, reference.hasPrefix("#") else { return nil }
        for step in reference.dropFirst().split(separator: "/") {
            let name = step.replacing("~1", with: "/").replacing("~0", with: "~")
            guard let next = value.members.first(where: { String(decoding: $0.key, as: UTF8.self) == name })
            else { return nil }
            value = next.value
        }
        return value
    }

    // MARK: - Writing

    private mutating func write(_ merged: Merged, to writer: inout JSONWriter, depth: Int) {
        var merged = merged
        let choices = merged.choices.filter { choice in
            guard choice.member("type")?.isString("null") == true else { return true }
            merged.isNullable = true
            return false
        }
        for value in merged.values where value.isNull { merged.isNullable = true }
        if choices.count == 1 {
            // A choice of one is no choice, so its own members stand here.
            var single = merged
            single.choices = []
            guard gather(choices[0], into: &single, depth: depth) else {
                dropped += 1
                return writer.member("type", "OBJECT")
            }
            following += single.followed.filter { !following.contains($0) }
            return write(single, to: &writer, depth: depth)
        }
        let type = type(of: merged, hasChoices: !choices.isEmpty)
        if let type { writer.member("type", type.uppercased()) }
        for (name, value) in merged.plain {
            writer.key("\(name)")
            value.copy(to: &writer)
        }
        if merged.isNullable { writer.member("nullable", true) }
        writeFormat(merged.format, type, to: &writer)
        writeValues(merged.values, type, to: &writer)
        if type == "integer" || type == "number" {
            writer.optional("minimum", merged.minimum)
            writer.optional("maximum", merged.maximum)
        }
        if type == "array" {
            writer.key("items")
            if let items = merged.items, items.isObject, items.count > 0 {
                write(items, to: &writer, depth: depth + 1)
            } else {
                // Google demands one; texts are what coding tools mostly mean.
                writer.object { $0.member("type", "STRING") }
            }
        }
        if type == "object" { writeProperties(merged, to: &writer, depth: depth) }
        guard choices.count > 1 else { return }
        writer.member(
            "anyOf", array: { for choice in choices { write(choice, to: &$0, depth: depth + 1) } })
    }

    /// Of several types the first counts; without one it follows from the other members.
    private mutating func type(of merged: Merged, hasChoices: Bool) -> String? {
        if merged.types.count > 1 { dropped += merged.types.count - 1 }
        if let type = merged.types.first { return type }
        if hasChoices { return nil }
        if !merged.properties.isEmpty { return "object" }
        if merged.items != nil { return "array" }
        if merged.values.contains(where: { $0.kind == .string }) { return "string" }
        return merged.values.isEmpty ? "object" : "string"
    }

    private mutating func writeFormat(_ format: String?, _ type: String?, to writer: inout JSONWriter) {
        guard let format else { return }
        let known: [String] =
            switch type {
            case "string": ["date-time", "enum"]
            case "integer": ["int32", "int64"]
            case "number": ["float", "double"]
            default: []
            }
        if known.contains(format) { writer.member("format", format) } else { dropped += 1 }
    }

    /// Only texts can be enumerated, and none of them may be empty.
    private mutating func writeValues(_ values: [JSONValue], _ type: String?, to writer: inout JSONWriter) {
        guard !values.isEmpty else { return }
        let texts = values.compactMap(\.string).filter { !$0.isEmpty }
        guard type == "string", !texts.isEmpty else {
            dropped += 1
            return
        }
        writer.member("enum", array: { for text in texts { $0.string(text) } })
    }

    private mutating func writeProperties(_ merged: Merged, to writer: inout JSONWriter, depth: Int) {
        guard !merged.properties.isEmpty else { return }
        writer.member(
            "properties",
            object: { writer in
                for (name, schema) in merged.properties {
                    writer.key(name)
                    write(schema, to: &writer, depth: depth + 1)
                }
            })
        let required = merged.required.filter { name in merged.properties.contains { $0.name == name } }
        if !required.isEmpty {
            writer.member("required", array: { for name in required { $0.string(name) } })
        }
    }
}
