// SPDX-License-Identifier: Apache-2.0
// From a configured URL to the URL of every endpoint.

import Config
import Gateway
import Providers
import Testing

@Suite("A provider's URL")
struct ProviderURLTests {
    private func resolve(_ url: String, _ more: String = "") throws -> ResolvedProvider {
        ResolvedProvider(try provider(#"{"name": "p", "api_base_url": "\#(url)"\#(more)}"#))
    }

    @Test(
        "leads to the models of an account where the kind tells them",
        arguments: [
            (
                "https://chatgpt.com/backend-api/codex", "",
                "https://chatgpt.com/backend-api/codex/models?client_version=1.0.0"
            ),
            ("https://chatgpt.com/backend-api/codex", #", "live_models": false"#, nil),
            ("https://api.githubcopilot.com", "", "https://api.githubcopilot.com/models"),
            ("https://api.githubcopilot.com/chat/completions", "", "https://api.githubcopilot.com/models"),
            ("https://api.openai.com/v1", "", nil),
        ])
    func models(url: String, more: String, expected: String?) throws {
        #expect(try resolve(url, more).modelsURL == expected)
    }

    @Test(
        "leads to every endpoint, whatever endpoint was configured",
        arguments: [
            (
                "https://api.openai.com/v1", Endpoint.chatCompletions,
                "https://api.openai.com/v1/chat/completions"
            ),
            ("https://api.openai.com", .chatCompletions, "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1/", .responsesCompact, "https://api.openai.com/v1/responses/compact"),
            (
                "https://api.openai.com/v1/chat/completions", .embeddings,
                "https://api.openai.com/v1/embeddings"
            ),
            (
                "https://api.openai.com/v1/responses", .chatCompletions,
                "https://api.openai.com/v1/chat/completions"
            ),
            ("https://api.deepseek.com", .chatCompletions, "https://api.deepseek.com/chat/completions"),
            ("https://api.deepseek.com", .messages, "https://api.deepseek.com/anthropic/v1/messages"),
            ("https://api.deepseek.com/v1", .chatCompletions, "https://api.deepseek.com/v1/chat/completions"),
            ("https://api.deepseek.com/v1", .messages, "https://api.deepseek.com/anthropic/v1/messages"),
            (
                "https://api.deepseek.com/anthropic", .messages,
                "https://api.deepseek.com/anthropic/v1/messages"
            ),
            (
                "https://api.deepseek.com/anthropic", .chatCompletions,
                "https://api.deepseek.com/chat/completions"
            ),
            ("https://api.anthropic.com", .messages, "https://api.anthropic.com/v1/messages"),
            ("https://api.anthropic.com/v1", .messages, "https://api.anthropic.com/v1/messages"),
            (
                "https://api.anthropic.com/v1/messages", .countTokens,
                "https://api.anthropic.com/v1/messages/count_tokens"
            ),
            ("https://api.groq.com", .chatCompletions, "https://api.groq.com/openai/v1/chat/completions"),
            (
                "https://openrouter.ai/api/v1/chat/completions", .messages,
                "https://openrouter.ai/api/v1/messages"
            ),
            (
                "https://api.minimax.io/anthropic/v1/messages/", .messages,
                "https://api.minimax.io/anthropic/v1/messages"
            ),
            (
                "https://api.minimax.io/anthropic/v1/messages/", .chatCompletions,
                "https://api.minimax.io/v1/chat/completions"
            ),
            (
                "https://api.z.ai/api/coding/paas/v4", .chatCompletions,
                "https://api.z.ai/api/coding/paas/v4/chat/completions"
            ),
            ("https://api.z.ai/api/coding/paas/v4", .messages, "https://api.z.ai/api/anthropic/v1/messages"),
            (
                "https://generativelanguage.googleapis.com/v1beta/models/", .geminiCountTokens,
                "https://generativelanguage.googleapis.com/v1beta/models/{model}:countTokens"
            ),
            (
                "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", .chatCompletions,
                "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"
            ),
            (
                "https://generativelanguage.googleapis.com/v1beta/openai", .streamGenerateContent,
                "https://generativelanguage.googleapis.com/v1beta/models/{model}:streamGenerateContent?alt=sse"
            ),
            (
                "https://generativelanguage.googleapis.com?k=1", .streamGenerateContent,
                "https://generativelanguage.googleapis.com/v1beta/models/{model}:streamGenerateContent?alt=sse&k=1"
            ),
            (
                "https://us-aiplatform.googleapis.com/v1/projects/p/locations/us", .generateContent,
                "https://us-aiplatform.googleapis.com/v1/projects/p/locations/us/publishers/google/models/"
                    + "{model}:generateContent"
            ),
            (
                "https://r.openai.azure.com/openai/v1?api-version=preview", .responses,
                "https://r.openai.azure.com/openai/v1/responses?api-version=preview"
            ),
            ("https://chatgpt.com", .responses, "https://chatgpt.com/backend-api/codex/responses"),
            (
                "https://api.githubcopilot.com", .chatCompletions,
                "https://api.githubcopilot.com/chat/completions"
            ),
            ("https://api.githubcopilot.com", .messages, "https://api.githubcopilot.com/v1/messages"),
        ])
    func known(url: String, endpoint: Endpoint, full: String) throws {
        #expect(try resolve(url).urls[endpoint] == full)
    }

    @Test(
        "of an unknown host is taken as it is",
        arguments: [
            (
                "http://[::1]:8080/v1", #", "dialects": ["messages"]"#, Endpoint.messages,
                "http://[::1]:8080/v1/messages"
            ),
            ("HTTPS://h.example", #", "dialects": ["messages"]"#, .messages, "https://h.example/v1/messages"),
            (
                "https://h.example/v1beta2", #", "dialects": ["messages"]"#, .messages,
                "https://h.example/v1beta2/messages"
            ),
            (
                "https://h.example/vertex", #", "dialects": ["messages"]"#, .messages,
                "https://h.example/vertex/v1/messages"
            ),
            (
                "https://h.example/v", #", "dialects": ["messages"]"#, .messages,
                "https://h.example/v/v1/messages"
            ),
            (
                "https://h.example", #", "protocol": "gemini""#, .generateContent,
                "https://h.example/v1beta/models/{model}:generateContent"
            ),
            (
                "https://r.example/openai/deployments/d/chat/completions?api-version=1&k=2", "",
                .chatCompletions,
                "https://r.example/openai/deployments/d/chat/completions?api-version=1&k=2"
            ),
            (
                "https://r.example/openai?api-version=1", #", "kind": "azure-deployments""#, .chatCompletions,
                "https://r.example/openai/deployments/{model}/chat/completions?api-version=1"
            ),
            (
                "https://proxy.example/deepseek/anthropic", #", "kind": "deepseek""#, .chatCompletions,
                "https://proxy.example/deepseek/chat/completions"
            ),
            (
                "http://h/v1",
                #", "base_urls": {"messages": "http://m/x/v1"}, "dialects": ["chat", "messages"]"#,
                .messages, "http://m/x/v1/messages"
            ),
            (
                "http://h/v1", #", "profile": {"paths": {"chat/completions": "/{model}/chat"}}"#,
                .chatCompletions,
                "http://h/v1/{model}/chat"
            ),
        ])
    func unknown(url: String, more: String, endpoint: Endpoint, full: String) throws {
        #expect(try resolve(url, more).urls[endpoint] == full)
    }

    @Test("differs for streams where the provider has another path for them")
    func streams() throws {
        let vertex = try resolve("https://aiplatform.googleapis.com/v1/projects/p/locations/l")
        let path =
            "https://aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/{model}"
        #expect(vertex.urls[.messages] == path + ":rawPredict")
        #expect(vertex.streamURLs == [.messages: path + ":streamRawPredict"])
        #expect(try resolve("https://api.openai.com").streamURLs.isEmpty)
    }

    @Test("of the embedded provider does not exist")
    func echo() throws {
        let echo = try resolve("builtin:echo")
        #expect(echo.urls.isEmpty)
        #expect(echo.profile.dialects == [.chat, .responses, .messages])
    }
}
