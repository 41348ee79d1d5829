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
        "decides kind and dialects where the configuration does not",
        arguments: [
            ("http://127.0.0.1:9/v1", "", "openai-compatible", [.chat, .responses]),
            ("http://127.0.0.1:9/v1/chat/completions", "", "openai-compatible", [.chat]),
            ("http://127.0.0.1:9/v1/responses", "", "openai-compatible", [.responses]),
            ("http://127.0.0.1:9/v1/messages", "", "anthropic-compatible", []),
            (
                "http://127.0.0.1:9/v1/messages", #", "protocol": "openai", "dialects": ["chat"]"#,
                "openai-compatible", [.chat]
            ),
            ("https://api.openai.com/v1/chat/completions", "", "openai", []),
            ("https://api.anthropic.com", "", "anthropic", []),
            (
                "https://api.anthropic.com/v1", #", "protocol": "openai""#, "openai-compatible",
                [.chat, .responses]
            ),
            ("https://api.deepseek.com/anthropic", "", "deepseek", []),
            ("https://api.deepseek.com/anthropic", #", "protocol": "anthropic""#, "deepseek", [.messages]),
            ("https://relay.example/anthropic", "", "anthropic-compatible", []),
            ("https://r.openai.azure.com/openai/v1", "", "azure", []),
            ("https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/l", "", "vertex", []),
            ("https://api.business.githubcopilot.com", "", "copilot", []),
            ("https://evilapi.openai.com", "", "openai-compatible", [.chat, .responses]),
            ("http://localhost:11434", "", "ollama", []),
            (
                "http://localhost:11434/v1", #", "protocol": "openai""#, "openai-compatible",
                [.chat, .responses]
            ),
            ("http://h/v1", #", "protocol": "anthropic""#, "anthropic-compatible", [.messages]),
            ("http://h/v1", #", "protocol": "gemini""#, "gemini-compatible", [.gemini]),
            ("http://h/v1beta/models", "", "gemini-compatible", []),
            (
                "http://h/v1", #", "dialects": ["messages", "chat", "messages"]"#, "openai-compatible",
                [.chat, .messages]
            ),
            ("http://h/v1", #", "transformer": {"use": ["Anthropic"]}"#, "anthropic-compatible", [.messages]),
            ("http://h/v1", #", "kind": "deepseek""#, "deepseek", []),
            ("builtin:echo", "", "openai-compatible", [.chat, .responses, .messages]),
        ] as [(String, String, String, [ProviderDialect])])
    func kinds(url: String, more: String, kind: String, dialects: [ProviderDialect]) throws {
        let provider = try provider(url, more)
        #expect(provider.kind == kind)
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
                "https://h.example", "",
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
