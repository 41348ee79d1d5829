// SPDX-License-Identifier: Apache-2.0
// The transformers that files of claude-code-router and CCR-Rust name at a provider and its models. What a name does is
// data in Providers, which a test holds against this list.
// Source: musistudio/claude-code-router 2.0.0 (README, packages/core/src/transformer); musistudio/llms 1.0.53;
// CCR-Rust (src/transformer/mod.rs), read 2026-11-21.

/// One transformer with its options.
package struct TransformerUse: Equatable, Sendable {
    /// Lower case; one of `TransformerUses.names`.
    package var name: String
    /// Members of the options object, each with its JSON.
    package var options: [String: String]
}

/// The transformers of one provider.
package struct TransformerUses: Equatable, Sendable {
    /// In the order of the file.
    package var common: [TransformerUse] = []
    /// For single models, behind the common ones.
    package var models: [String: [TransformerUse]] = [:]

    package init() {}

    /// Every name that is known, lower case: files differ in how they write them.
    package static let names = [
        "anthropic", "openai", "openai-responses", "gemini", "vertex-gemini", "vertex-claude",
        "vertex-openai",
        "anthropic-to-openai", "openai-to-anthropic", "identity", "deepseek", "openrouter", "groq",
        "cerebras",
        "vercel", "minimax", "glm", "kimi", "maxtoken", "maxcompletiontokens", "sampling", "customparams",
        "reasoning", "extrathinktag", "thinktag", "cleancache", "streamoptions", "enhancetool",
    ]

    /// Names of these programs that ccr does nothing for, and why.
    package static let withoutEffect: [String: String] = [
        "forcereasoning": "prompts are not changed", "tooluse": "no tools are added to requests",
        "toolcompress": "descriptions of tools are not shortened",
        "output_compress": "results of tools are not shortened",
        "longcat-thinking": "thoughts are not turned into answers",
        "schema_validate": "schemas are not validated",
        "turn_capture": "conversations are not recorded",
    ]

    /// The kind of provider that a transformer was made for, where the host says nothing.
    static let kinds: [String: String] = [
        "deepseek": "deepseek", "openrouter": "openrouter", "groq": "groq", "cerebras": "cerebras",
        "minimax": "minimax", "glm": "zai", "kimi": "moonshot", "vertex-gemini": "vertex",
        "vertex-claude": "vertex",
        "vertex-openai": "vertex",
    ]

    /// The family of API that a transformer was made for.
    static let families: [String: ProviderProtocol] = ["anthropic": .anthropic, "gemini": .gemini]

    /// Reads `{"use": [NAME | [NAME, OPTIONS]…], MODEL: {"use": […]}}`.
    init(_ value: (node: ConfigNode, path: String)?, _ problems: inout ConfigProblems) {
        guard let (node, path) = value else { return }
        for member in node.uniqueMembers {
            let memberPath = "\(path).\(member.key)"
            if member.key == "use" {
                common = Self.list(member.node, memberPath, &problems)
            } else if let use = member.node["use"] {
                models[member.key] = Self.list(use, memberPath + ".use", &problems)
            } else {
                problems.error(member.node, memberPath, "allowed is an object with the key “use”")
            }
        }
    }

    private static func list(
        _ node: ConfigNode, _ path: String, _ problems: inout ConfigProblems
    ) -> [TransformerUse] {
        guard case .array(let elements) = node.value else {
            problems.error(node, path, "is \(node.kindName), allowed is an array")
            return []
        }
        var uses: [TransformerUse] = []
        for (index, element) in elements.enumerated() {
            let place = "\(path)[\(index)]"
            let parts = element.elements
            guard let written = element.text ?? parts.first?.text, parts.count <= 2 else {
                problems.error(
                    element, place, "allowed is a name, or an array of a name and an object of options")
                continue
            }
            let name = written.lowercased()
            if let reason = withoutEffect[name] {
                problems.warning(element, place, "\(quoted(written)) has no effect: \(reason)")
            } else if !names.contains(name) {
                let hint = Spelling.hint(name, in: names + withoutEffect.keys.sorted(), limit: 2)
                problems.error(
                    element, place, "\(quoted(written)) is no transformer\(hint); see docs/providers.md")
            } else {
                var options: [String: String] = [:]
                for member in parts.last?.uniqueMembers ?? [] { options[member.key] = member.node.json }
                uses.append(TransformerUse(name: name, options: options))
            }
        }
        return uses
    }
}
