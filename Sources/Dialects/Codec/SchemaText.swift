// SPDX-License-Identifier: Apache-2.0
// Small questions about JSON that travels as text: whether a schema is strict, what an output is called, whether arguments
// are an object.
// Source: OpenAI API reference (structured outputs: all properties required, additionalProperties false), 2026.

import Gateway
import JSON

extension JSONText {
    /// Calls `body` with the value; nil when the text is none that the parser takes.
    func withValue<Result>(_ body: (JSONValue) -> Result) -> Result? {
        let parser = JSONParser()
        // Whoever asks has an answer for a text that cannot be read.
        guard let root = try? parser.parse(bytes) else { return nil }
        return withExtendedLifetime(parser) { body(root) }
    }

    /// Whether this is an object.
    /// The names of an object's members; empty for anything else.
    var memberNames: [String] {
        withValue { $0.members.map { String(decoding: $0.key, as: UTF8.self) } } ?? []
    }

    var isObject: Bool { withValue { $0.isObject } ?? false }

    /// Whether this is an object with such a member.
    func hasMember(_ name: StaticString) -> Bool { withValue { $0.member(name) != nil } ?? false }

    /// The arguments of a call as an object. Models write what is none: what only lacks a bracket gets it, of the rest
    /// nothing is lost or guessed at.
    static func object(ofArguments text: String) -> JSONText {
        let isBlank = text.utf8.allSatisfy { $0 <= 0x20 }
        if isBlank { return JSONText("{}") }
        let json = JSONText(text)
        if json.isObject { return json }
        if let repaired = RepairedArguments.object(text) { return repaired }
        var writer = JSONWriter()
        writer.object { $0.member("_raw", text) }
        return JSONText(writer.bytes)
    }
}

extension JSONWriter {
    /// Writes the members of an object that is JSON already, in compact form.
    mutating func members(of object: JSONText) {
        if object.bytes.count > 2 { raw(object.bytes.dropFirst().dropLast()) }
    }
}

enum StrictSchema {
    /// Whether OpenAI takes the schema as a strict one: every object lists all its properties as required and forbids
    /// others.
    static func accepts(_ schema: JSONText) -> Bool { schema.withValue(accepts) ?? false }

    private static func accepts(_ schema: JSONValue) -> Bool {
        if schema.isArray { return schema.elements.allSatisfy(accepts) }
        guard schema.isObject else { return true }
        let properties = schema.member("properties")
        if properties != nil || schema.member("type")?.isString("object") == true {
            guard schema.member("additionalProperties")?.bool == false else { return false }
            let required = Set(schema.member("required")?.elements.compactMap(\.string) ?? [])
            if let properties {
                for (key, _) in properties.members
                where !required.contains(String(decoding: key, as: UTF8.self)) {
                    return false
                }
            }
        }
        return schema.members.allSatisfy { accepts($0.value) }
    }
}

enum OutputName {
    /// What a model is told that cannot be held to an output format.
    static func instruction(_ schema: JSONText?) -> String {
        "Unless you call a function, answer with one JSON object and nothing else"
            + (schema.map { ". It must fit this JSON Schema: \($0.text)" } ?? ".")
    }

    /// The name that a schema goes by: the client's, else its title, else "response"; letters, digits, `_` and `-`.
    static func name(_ name: String?, schema: JSONText) -> String {
        let given = name ?? schema.withValue { $0.member("title")?.string } ?? nil
        var letters: [UInt8] = []
        for byte in (given ?? "").utf8.prefix(64) {
            letters.append(ResponsesItemID.isLetter(byte) ? byte : UInt8(ascii: "_"))
        }
        return letters.isEmpty ? "response" : String(decoding: letters, as: UTF8.self)
    }
}

extension TextPart {
    /// What Claude Code puts first for Anthropic's accounting and Anthropic removes; noise to everybody else.
    var isBillingHeader: Bool { content.hasPrefix("x-anthropic-billing-header") }
}
