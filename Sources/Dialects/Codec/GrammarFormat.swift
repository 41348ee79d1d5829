// SPDX-License-Identifier: Apache-2.0
// The grammar of a custom tool's text. Responses writes it flat, which is the canonical form; Chat puts it into an object
// of its own.
// Source: OpenAI API reference, `tools` of Responses and of Chat Completions (custom tools, grammars), 2026.

import Bytes
import Gateway
import JSON

enum GrammarFormat {
    /// The canonical form of Chat's; another format as it is.
    static func flat(_ format: JSONText) -> JSONText {
        rewritten(format) { root, writer in
            guard let grammar = root.member("grammar"), grammar.isObject else { return false }
            writer.object { writer in
                writer.member("type", "grammar")
                copy(grammar, to: &writer)
            }
            return true
        }
    }

    /// Chat's form of the canonical one; another format as it is.
    static func nested(_ format: JSONText) -> JSONText {
        rewritten(format) { root, writer in
            guard root.member("grammar") == nil else { return false }
            writer.object { writer in
                writer.member("type", "grammar")
                writer.member("grammar", object: { copy(root, to: &$0) })
            }
            return true
        }
    }

    private static func copy(_ members: JSONValue, to writer: inout JSONWriter) {
        for (key, value) in members.members where !key.equals("type") {
            writer.key(String(decoding: key, as: UTF8.self))
            value.copy(to: &writer)
        }
    }

    private static func rewritten(
        _ format: JSONText, _ write: (JSONValue, inout JSONWriter) -> Bool
    ) -> JSONText {
        var writer = JSONWriter()
        let isWritten = format.withValue { root in
            root.isObject && root.member("type")?.isString("grammar") == true && write(root, &writer)
        }
        return isWritten == true ? JSONText(writer.bytes) : format
    }
}
