// SPDX-License-Identifier: Apache-2.0
// What the OpenAI-style surfaces of well-known hosts speak, where a configuration does not say it.
// Source: the API references of these providers as of November 2026; Providers[].dialects overrides every row.

enum KnownHosts {
    private static let chatOnly: [ProviderDialect] = [.chat]
    private static let chatAndResponses: [ProviderDialect] = [.chat, .responses]

    /// By exact host name.
    static let dialects: [String: [ProviderDialect]] = [
        "api.openai.com": chatAndResponses,
        "openrouter.ai": chatAndResponses,
        "api.groq.com": chatAndResponses,
        "api.x.ai": chatAndResponses,
        "api.deepseek.com": chatOnly,
        "api.mistral.ai": chatOnly,
        "api.moonshot.ai": chatOnly,
        "api.moonshot.cn": chatOnly,
        "api.z.ai": chatOnly,
        "api.minimax.io": chatOnly,
        "api.minimaxi.com": chatOnly,
        "api.cerebras.ai": chatOnly,
        "dashscope.aliyuncs.com": chatOnly,
        "dashscope-intl.aliyuncs.com": chatOnly,
        "generativelanguage.googleapis.com": chatOnly,
    ]

    /// Whether a URL without a protocol is Anthropic's API or an imitation of it.
    static func isAnthropic(_ url: BaseURL) -> Bool {
        url.endpointDialect == .messages || url.host == "api.anthropic.com"
            || url.path.split(separator: "/").contains("anthropic")
    }

    /// The dialects of a provider that does not name them.
    static func dialects(of url: BaseURL, _ family: ProviderProtocol) -> [ProviderDialect] {
        switch family {
        case .anthropic: return [.messages]
        case .gemini: return [.gemini]
        case .openai: break
        }
        if let known = dialects[url.host] { return known }
        if let named = url.endpointDialect { return [named] }
        return chatAndResponses
    }
}
