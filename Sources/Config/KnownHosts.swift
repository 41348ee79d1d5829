// SPDX-License-Identifier: Apache-2.0
// Kinds of providers by name, and which of them a URL belongs to where a configuration does not say it.
// Source: the API references of these providers as of November 2026. What a kind means is in Providers.

package enum ProviderKind {
    package static let openAICompatible = "openai-compatible"
    package static let anthropicCompatible = "anthropic-compatible"
    package static let geminiCompatible = "gemini-compatible"

    /// Every kind, in the order of docs/providers.md.
    package static let names = [
        "openai", "azure", "azure-deployments", "chatgpt", "copilot", "anthropic", "gemini", "vertex",
        "deepseek",
        "mistral", "xai", "moonshot", "kimi-coding", "zai", "minimax", "qwen", "openrouter", "groq",
        "cerebras",
        "ollama", "vllm", "llama.cpp", "litellm", openAICompatible, anthropicCompatible, geminiCompatible,
    ]

    /// Hosts by which a kind is recognised; one that begins with "." or "-" stands for all that end so.
    package static func hosts(_ kind: String) -> [String] {
        KnownHosts.kinds.filter { $0.kind == kind }.map(\.host)
    }
}

enum KnownHosts {
    /// By exact host name, or by the end of it when it begins with ".".
    static let kinds: [(host: String, kind: String)] = [
        ("api.openai.com", "openai"), (".openai.azure.com", "azure"), ("chatgpt.com", "chatgpt"),
        ("api.githubcopilot.com", "copilot"), (".githubcopilot.com", "copilot"),
        ("api.anthropic.com", "anthropic"),
        ("generativelanguage.googleapis.com", "gemini"), ("aiplatform.googleapis.com", "vertex"),
        ("-aiplatform.googleapis.com", "vertex"), (".rep.googleapis.com", "vertex"),
        ("api.deepseek.com", "deepseek"), ("api.mistral.ai", "mistral"), ("api.x.ai", "xai"),
        ("api.moonshot.ai", "moonshot"), ("api.moonshot.cn", "moonshot"), ("api.kimi.com", "kimi-coding"),
        ("api.z.ai", "zai"), ("open.bigmodel.cn", "zai"), ("api.minimax.io", "minimax"),
        ("api.minimaxi.com", "minimax"), ("dashscope.aliyuncs.com", "qwen"),
        ("dashscope-intl.aliyuncs.com", "qwen"), ("openrouter.ai", "openrouter"), ("api.groq.com", "groq"),
        ("api.cerebras.ai", "cerebras"), ("ollama.com", "ollama"),
    ]

    /// The kind of a provider that does not name it.
    static func kind(of url: BaseURL, _ family: ProviderProtocol?) -> String {
        let known = kinds.first { row in
            row.host == url.host
                || (row.host.hasPrefix(".") || row.host.hasPrefix("-")) && url.host.hasSuffix(row.host)
        }
        // Anthropic's host may serve OpenAI's API as well; what is asked for in so many words counts.
        if let known, known.kind != "anthropic" || family != .openai { return known.kind }
        // Ollama's own port; nothing else is known by it.
        if family == nil, url.port == 11_434 { return "ollama" }
        switch family ?? self.family(of: url) {
        case .openai: return ProviderKind.openAICompatible
        case .anthropic: return ProviderKind.anthropicCompatible
        case .gemini: return ProviderKind.geminiCompatible
        }
    }

    /// The API that a URL of an unknown host looks like.
    private static func family(of url: BaseURL) -> ProviderProtocol {
        switch url.endpointDialect {
        case .messages: .anthropic
        case .gemini: .gemini
        case .chat, .responses: .openai
        case nil: url.path.split(separator: "/").contains("anthropic") ? .anthropic : .openai
        }
    }
}
