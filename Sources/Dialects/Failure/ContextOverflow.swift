// SPDX-License-Identifier: Apache-2.0
// Recognises by its wording that a conversation is too long for the model: clients then compact it, if they are told in
// their dialect's way.
// Source: error texts of OpenAI, Anthropic, Google, llama.cpp, vLLM, Ollama and Mistral, 2026.

import Gateway

enum ContextOverflow {
    /// Whether an error's text says that the input is too long.
    static func isTold(by text: String) -> Bool {
        let text = text.lowercased()
        return wordings.contains { text.contains($0) }
    }

    private static let wordings = [
        "context_length_exceeded", "context length", "context limit", "context window", "context size",
        "prompt is too long", "input is too long", "maximum prompt length",
        "exceeds the maximum number of tokens",
        "input token count", "too many tokens", "exceeds the limit of", "reduce the length",
    ]
}

extension GatewayError {
    /// The provider refused the request because its input is too long.
    var isContextOverflow: Bool {
        switch kind {
        case .contextTooLong: true
        case .invalidRequest, .tooLarge: ContextOverflow.isTold(by: quote.isEmpty ? message : quote)
        default: false
        }
    }
}
