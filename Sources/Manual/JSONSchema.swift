// SPDX-License-Identifier: Apache-2.0
// The JSON Schema of the configuration, for editors: what SchemaCheck accepts without a word.
// Source: JSON Schema draft 2020-12, core and validation; Sources/Config/SchemaCheck.swift.

import Config
import JSON

/// A key that `ccr validate` warns about (unknown, or without effect) is refused or marked as deprecated here; the
/// schema describes the value, after comments and trailing commas are gone.
package enum JSONSchema {
    /// Where the package installs it; its identity as well.
    package static let uri = "file:///usr/share/ccr/config.schema.json"

    /// A string that takes its value from elsewhere can be anything.
    private static let reference = "\\$"

    /// The schema as one JSON text.
    package static func text() -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("$schema", "https://json-schema.org/draft/2020-12/schema")
            writer.member("$id", uri)
            writer.member("title", "Configuration of ccr")
            object("", &writer)
        }
        return indented(writer.bytes)
    }

    /// The members of a schema of an object whose keys are the rows below `path`.
    private static func object(_ path: String, _ writer: inout JSONWriter) {
        let keys = Schema.children[path] ?? []
        writer.member("type", "object")
        writer.member("additionalProperties", false)
        writer.key("properties")
        writer.object { writer in
            for key in keys {
                for name in [key.name] + key.spellings {
                    writer.key(name)
                    writer.object { property(key, isSpelling: name != key.name, &$0) }
                }
            }
        }
        let required = keys.filter(\.isRequired)
        guard !required.isEmpty else { return }
        writer.member(
            "allOf",
            array: { writer in
                for key in required {
                    let names = [key.name] + key.spellings
                    let forms = names.map { name in
                        { (writer: inout JSONWriter) in writer.member("required", array: { $0.string(name) })
                        }
                    }
                    writer.object { oneOf(forms, &$0) }
                }
            })
    }

    private static func property(_ key: SchemaKey, isSpelling: Bool, _ writer: inout JSONWriter) {
        switch key.status {
        case .used: writer.member("description", key.help)
        case .ignored(let reason): writer.member("description", "\(key.help) Has no effect: \(reason).")
        }
        if isSpelling || key.status != .used {
            writer.member("deprecated", true)
        }
        if let fallback = key.fallback {
            writer.key("default")
            switch key.kind {
            case .integer, .number, .boolean, .list: writer.raw(Array(fallback.utf8))
            default: writer.string(fallback)
            }
        }
        if case .anything = key.kind { return }
        var forms = forms(of: key.kind, key.path)
        // null stands for a missing key, which a required one may not be.
        if !key.isRequired { forms.append { $0.member("type", "null") } }
        oneOf(forms, &writer)
    }

    /// Writes the members of one schema.
    private typealias Form = (inout JSONWriter) -> Void

    /// The schemas of which a value has to fit one; none of them for a value that can be anything.
    private static func forms(of kind: SchemaKind, _ path: String) -> [Form] {
        switch kind {
        case .anything: [{ _ in }]
        case .text, .secret: [string(nil)]
        case .route:
            [
                {
                    $0.member("type", "string"); $0.member("minLength", 1)
                }
            ]
        case .integer(let range):
            [
                { writer in
                    writer.member("type", "integer")
                    writer.member("minimum", range.lowerBound)
                    writer.member("maximum", range.upperBound)
                }, string("^-?[0-9]|\(reference)"),
            ]
        case .number(let range):
            [
                { writer in
                    writer.member("type", "number")
                    writer.key("minimum")
                    writer.double(range.lowerBound)
                    writer.key("maximum")
                    writer.double(range.upperBound)
                }, string("^-?[0-9]|\(reference)"),
            ]
        case .boolean: [{ $0.member("type", "boolean") }, string("^(true|false)$|\(reference)")]
        case .choice(let names):
            [{ $0.member("enum", array: { for name in names { $0.string(name) } }) }, string(reference)]
        case .list(let element):
            [
                { writer in
                    writer.member("type", "array")
                    writer.member("items", object: { oneOf(forms(of: element, path), &$0) })
                }
            ]
        case .objects:
            [
                { writer in
                    writer.member("type", "array")
                    writer.member("items", object: { object("\(path)[]", &$0) })
                }
            ]
        case .object: [{ object(path, &$0) }]
        case .map(let element):
            [
                { writer in
                    writer.member("type", "object")
                    writer.member(
                        "additionalProperties", object: { oneOf(forms(of: element, "\(path).*"), &$0) })
                }
            ]
        case .either(let a, let b): forms(of: a, path) + forms(of: b, path)
        }
    }

    /// A string, of this form if one is given.
    private static func string(_ pattern: String?) -> Form {
        { writer in
            writer.member("type", "string")
            if let pattern { writer.member("pattern", pattern) }
        }
    }

    /// The members of a schema that one of these has to fit.
    private static func oneOf(_ forms: [Form], _ writer: inout JSONWriter) {
        if forms.count == 1 { return forms[0](&writer) }
        writer.member(
            "anyOf",
            array: { writer in
                for form in forms { writer.object(form) }
            })
    }

    /// Breaks lines behind commas and brackets, for people.
    private static func indented(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var depth = 0
        var isQuoted = false
        var isEscaped = false
        func newline() {
            text.append(UInt8(ascii: "\n"))
            text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * 2))
        }
        for byte in bytes {
            if isQuoted {
                text.append(byte)
                if !isEscaped, byte == UInt8(ascii: "\"") { isQuoted = false }
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                text.append(byte)
                depth += 1
                newline()
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                newline()
                text.append(byte)
            case UInt8(ascii: ","):
                text.append(byte)
                newline()
            case UInt8(ascii: ":"): text += [byte, UInt8(ascii: " ")]
            default:
                isQuoted = byte == UInt8(ascii: "\"")
                text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self) + "\n"
    }
}
