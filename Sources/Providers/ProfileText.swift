// SPDX-License-Identifier: Apache-2.0
// A profile in words: for `ccr provider show` and docs/providers.md.

package import Gateway

package enum ProfileText {
    /// What differs from the first vendor of the dialect, each as "key value" in the words of Providers[].profile.
    package static func differences(_ profile: ProviderProfile) -> [String] {
        let usual = UpstreamRules()
        let rules = profile.rules
        var texts = [
            rules.quirks.names.isEmpty ? nil : "quirks " + rules.quirks.names.joined(separator: ", ")
        ]
        texts.append(word("max_tokens", rules.maxTokens, usual.maxTokens))
        texts.append(word("system_placement", rules.systemPlacement, usual.systemPlacement))
        texts.append(word("system_role", rules.systemRole, usual.systemRole))
        texts.append(word("tool_choice", rules.toolChoice, usual.toolChoice))
        texts.append(word("schema", rules.schema, usual.schema))
        texts.append(word("output", rules.output, usual.output))
        texts.append(word("reasoning", rules.reasoning, usual.reasoning))
        texts.append(word("replay", rules.replay, usual.replay))
        if profile.surface(.chat) != nil {
            texts.append(word("chat_thinking", rules.chatThinking, usual.chatThinking))
        }
        if profile.surface(.messages) != nil {
            texts.append(word("messages_thinking", rules.messagesThinking, usual.messagesThinking))
        }
        texts.append(word("gemini_thinking", rules.geminiThinking, usual.geminiThinking))
        texts.append(word("call_ids", rules.callIDs, usual.callIDs))
        texts.append(word("tool_names", rules.toolNames, usual.toolNames))
        texts.append(word("errors", profile.errors, .openai))
        texts.append(number("tool_name_bytes", rules.toolNameBytes, usual.toolNameBytes))
        texts.append(number("stop_count", rules.stopCount, usual.stopCount))
        if rules.temperatureMilli != usual.temperatureMilli {
            texts.append("max_temperature \(Double(rules.temperatureMilli) / 1_000)")
        }
        for surface in profile.surfaces {
            let required = surface.required.map { "\($0.name) \($0.json)" }
            if !required.isEmpty {
                texts.append("\(surface.dialect.name) requires " + required.joined(separator: ", "))
            }
            if !surface.forbidden.isEmpty {
                texts.append("\(surface.dialect.name) forbids " + surface.forbidden.joined(separator: ", "))
            }
        }
        if let listing = profile.listing { texts.append("models told by GET \(listing.path)") }
        if !profile.headers.isEmpty {
            texts.append("fields " + profile.headers.keys.sorted().joined(separator: ", "))
        }
        return texts.compactMap { $0 }
    }

    private static func word<Value: RawRepresentable & Equatable>(
        _ key: String, _ value: Value, _ usual: Value
    ) -> String? where Value.RawValue == String {
        value == usual ? nil : "\(key) \(value.rawValue)"
    }

    private static func number(_ key: String, _ value: Int, _ usual: Int) -> String? {
        value == usual ? nil : "\(key) \(value)"
    }
}

extension AuthScheme {
    /// The header field that carries the key, or "none".
    package var fieldName: String {
        switch self {
        case .none: "none"
        case .bearer: "Authorization: Bearer"
        case .apiKey: "x-api-key"
        case .googleKey: "x-goog-api-key"
        case .azureKey: "api-key"
        }
    }
}
