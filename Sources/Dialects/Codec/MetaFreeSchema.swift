// SPDX-License-Identifier: Apache-2.0
// A schema without what some providers refuse: the keywords about the document itself, and bounds that mean no more than
// “an integer of JavaScript's”, which Claude Code writes and parsers of 32 bits overflow at.
// Source: JSON Schema 2020-12 §8 (core vocabulary); refusals of Mistral, Groq and Cerebras, 2026; Number.MAX_SAFE_INTEGER.

import Bytes
import Gateway
import JSON

enum MetaFreeSchema {
    private static let keywords: [StaticString] = ["$schema", "$id", "$comment"]
    private static let bounds: [StaticString] = [
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    ]
    private static let largestInteger = 9_007_199_254_740_991

    /// The schema itself when there is nothing to leave out.
    static func schema(_ schema: JSONText) -> JSONText {
        let hasKeyword = schema.bytes.withUnsafeBytes { text in
            text.firstIndex(of: "\"$schema\"") != nil || text.firstIndex(of: "\"$id\"") != nil
                || text.firstIndex(of: "\"$comment\"") != nil
                || text.firstIndex(of: "9007199254740991") != nil
        }
        guard hasKeyword else { return schema }
        var writer = JSONWriter()
        let isRead: Void? = schema.withValue { write($0, &writer) }
        return isRead == nil ? schema : JSONText(writer.bytes)
    }

    /// Depth is bounded by the parser's. A property may have such a name: it holds a schema and stays.
    private static func write(_ value: JSONValue, _ writer: inout JSONWriter) {
        if value.isArray {
            return writer.array { writer in for element in value.elements { write(element, &writer) } }
        }
        guard value.isObject else { return value.copy(to: &writer) }
        writer.object { writer in
            for (key, value) in value.members {
                if value.isString, keywords.contains(where: key.equals) { continue }
                if let bound = value.int, abs(bound) == largestInteger, bounds.contains(where: key.equals) {
                    continue
                }
                writer.key(String(decoding: key, as: UTF8.self))
                write(value, &writer)
            }
        }
    }
}
