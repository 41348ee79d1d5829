// SPDX-License-Identifier: Apache-2.0
// Tools that a provider ran itself, on an MCP server or its own, in words: what a model of another dialect is told of them.

import Gateway
import JSON

enum ProviderRun {
    /// - Parameter input: an object, or the text of one.
    static func use(_ name: String, input: JSONValue?) -> String {
        "[\(name) was run by the provider\(suffix(input))]"
    }

    /// A call that waits for the user's consent.
    static func question(_ name: String, input: JSONValue?) -> String {
        "[asked whether \(name) may be run\(suffix(input))]"
    }

    static func result(isError: Bool, _ lines: [String]) -> String {
        ([isError ? "[a tool run by the provider failed]" : "[result of a tool run by the provider]"] + lines)
            .joined(separator: "\n")
    }

    private static func suffix(_ input: JSONValue?) -> String {
        guard let input, let text = input.string ?? (input.count > 0 ? input.compactJSON.text : nil),
            !text.isEmpty, text != "{}"
        else { return "" }
        return " with \(text)"
    }
}
