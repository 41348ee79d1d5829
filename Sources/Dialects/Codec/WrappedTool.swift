// SPDX-License-Identifier: Apache-2.0
// A tool of free text as the function that stands for it where there are functions only.
// Source: OpenAI API reference (custom tools, grammars), 2026.

import Gateway
import JSON

enum WrappedTool {
    static let schema = JSONText(
        #"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#
    )

    /// The tool's description and, since nobody enforces it there, the format of its text.
    static func description(_ tool: Tool) -> String {
        var text = tool.description ?? ""
        if case .custom(let format?) = tool.kind {
            text += "\n\nThe member \"input\" is free text of this format: \(format.text)"
        }
        return text
    }

    /// The arguments of the function for the text of a call.
    static func arguments(_ text: String) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(ToolNameTable.wrappedMember)
            writer.string(text)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
