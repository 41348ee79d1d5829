// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Config

@Suite("A provider's URL")
struct ProviderURLTests {
    private func provider(_ url: String, _ more: String = "") throws -> Provider {
        let loaded = load(#"{"Providers": [{"name": "p", "api_base_url": "\#(url)"\#(more)}]}"#)
        return try #require(loaded.configuration?.providers.first)
    }

    @Test(
        "leads to every endpoint, whatever endpoint was configured",
        arguments: [
            (
                "https://api.openai.com/v1", "/chat/completions", .chat,
                "https://api.openai.com/v1/chat/completions"
            ),
            (
                "https://api.openai.com/v1/", "/responses/compact", .responses,
                "https://api.openai.com/v1/responses/compact"
            ),
            (
                "https://api.openai.com/v1/chat/completions", "/embeddings", .chat,
                "https://api.openai.com/v1/embeddings"
            ),
            (
                "https://api.openai.com/v1/responses", "/chat/completions", .chat,
                "https://api.openai.com/v1/chat/completions"
            ),
            (
                "https://api.deepseek.com", "/chat/completions", .chat,
                "https://api.deepseek.com/chat/completions"
            ),
            ("https://api.anthropic.com", "/messages", .messages, "https://api.anthropic.com/v1/messages"),
            ("https://api.anthropic.com/v1", "/messages", .messages, "https://api.anthropic.com/v1/messages"),
            (
                "https://api.anthropic.com/v1/messages", "/messages/count_tokens", .messages,
                "https://api.anthropic.com/v1/messages/count_tokens"
            ),
            (
                "https://api.deepseek.com/anthropic", "/messages", .messages,
                "https://api.deepseek.com/anthropic/v1/messages"
            ),
            (
                "https://api.minimax.io/anthropic/v1/messages/", "/messages", .messages,
                "https://api.minimax.io/anthropic/v1/messages"
            ),
            ("http://[::1]:8080/v1", "/messages", .messages, "http://[::1]:8080/v1/messages"),
            (
                "https://r.example/openai/deployments/d/chat/completions?api-version=1&k=2",
                "/chat/completions", .chat,
                "https://r.example/openai/deployments/d/chat/completions?api-version=1&k=2"
            ),
            ("HTTPS://h.example", "/messages", .messages, "https://h.example/v1/messages"),
            ("https://h.example/v1beta2", "/messages", .messages, "https://h.example/v1beta2/messages"),
            ("https://h.example/vertex", "/messages", .messages, "https://h.example/vertex/v1/messages"),
            ("https://h.example/v", "/messages", .messages, "https://h.example/v/v1/messages"),
            (
                "https://generativelanguage.googleapis.com/v1beta/models/", "/models/{model}:countTokens",
                .gemini,
                "https://generativelanguage.googleapis.com/v1beta/models/{model}:countTokens"
            ),
            (
                "https://h.example?k=1", "/models/{model}:generateContent", .gemini,
                "https://h.example/v1beta/models/{model}:generateContent?k=1"
            ),
        ] as [(String, String, ProviderDialect, String)])
    func endpoints(url: String, path: String, dialect: ProviderDialect, full: String) throws {
        #expect(try provider(url).url(for: path, dialect) == full)
    }

    @Test("keeps the configured query behind the endpoint's own")
    func query() throws {
        let provider = try provider("https://h.example/v1?k=1")
        #expect(provider.url(for: "/x", query: "alt=sse", .chat) == "https://h.example/v1/x?alt=sse&k=1")
    }

    @Test(
        "decides family and dialects where the configuration does not",
        arguments: [
            ("http://127.0.0.1:9/v1", "", .openai, [.chat, .responses]),
            ("http://127.0.0.1:9/v1/chat/completions", "", .openai, [.chat]),
            ("http://127.0.0.1:9/v1/responses", "", .openai, [.responses]),
            ("http://127.0.0.1:9/v1/messages", "", .anthropic, [.messages]),
            (
                "http://127.0.0.1:9/v1/messages", #", "protocol": "openai", "dialects": ["chat"]"#, .openai,
                [.chat]
            ),
            ("https://api.openai.com/v1/chat/completions", "", .openai, [.chat, .responses]),
            ("https://api.mistral.ai/v1", "", .openai, [.chat]),
            ("https://api.anthropic.com", "", .anthropic, [.messages]),
            ("https://api.deepseek.com/anthropic", "", .anthropic, [.messages]),
            ("https://api.deepseek.com", "", .openai, [.chat]),
            ("http://h/v1", #", "protocol": "anthropic""#, .anthropic, [.messages]),
            ("http://h/v1", #", "protocol": "gemini""#, .gemini, [.gemini]),
            ("http://h/v1beta/models", "", .openai, [.gemini]),
            ("http://h/v1", #", "dialects": ["messages", "chat", "messages"]"#, .openai, [.chat, .messages]),
            ("http://h/v1", #", "transformer": {"use": ["Anthropic"]}"#, .anthropic, [.messages]),
            ("builtin:echo", "", .openai, [.chat, .responses, .messages]),
        ] as [(String, String, ProviderProtocol, [ProviderDialect])])
    func families(url: String, more: String, family: ProviderProtocol, dialects: [ProviderDialect]) throws {
        let provider = try provider(url, more)
        #expect(provider.protocol == family)
        #expect(provider.dialects == dialects)
    }

    @Test(
        "is refused when it is none",
        arguments: [
            ("", "is no http or https URL"), ("h.example/v1", "is no http or https URL"),
            ("http:/h", "is no http"),
            ("builtin:ech", "is no http or https URL"), ("http://", "has no host"),
            ("http:///v1", "has no host"),
            ("http://h:0/v1", "has no valid port"), ("http://h:65536", "has no valid port"),
            ("http://h:x", "has no valid port"),
            ("http://h:", "has no valid port"), ("http://[::1", "has no “]”"),
            ("http://[::1]x", "has no valid host"),
            ("http://u:secret@h/v1", "holds a user name or password"), ("http://h/v1#x", "has a fragment"),
            ("http://h/a b", "holds a blank"),
            ("http://é/", "holds a blank, a control character or one outside ASCII"),
        ])
    func faults(url: String, message: String) {
        let fault = #expect(throws: BaseURL.Fault.self) { try BaseURL(url) }
        #expect(fault?.message.hasPrefix(message) == true, "\(String(describing: fault))")
        #expect(fault?.message.contains("secret") == false)
    }

    @Test(
        "that probably misses a part is accepted with a warning",
        arguments: [
            (
                "https://api.groq.com", "",
                "has no path; most providers answer below /v1 (requests go to …/chat/completions)"
            ),
            (
                "https://h.example/v1/messages", #", "protocol": "openai""#,
                "ends in /messages, but protocol is openai"
            ),
        ])
    func warnings(url: String, more: String, message: String) {
        let loaded = load(#"{"Providers": [{"name": "p", "api_base_url": "\#(url)"\#(more)}]}"#)
        #expect(loaded.lines == ["c.json:1:46: warning: Providers[0].api_base_url: " + message])
    }
}
