// SPDX-License-Identifier: Apache-2.0
// Recognises by its wording that a conversation is too long for the model: clients then compact it, if they are told in
// their dialect's way.
// Source: error texts of OpenAI, Anthropic, Google, llama.cpp, vLLM, Ollama and Mistral, 2026.

import Gateway

extension GatewayError {
    /// The provider refused the request because its input is too long.
    var isContextOverflow: Bool {
        guard kind == .invalidRequest || kind == .tooLarge else { return false }
        let text = quote.isEmpty ? message.lowercased() : quote.lowercased()
        return GatewayError.overflowWordings.contains { text.contains($0) }
    }

    private static let overflowWordings = [
        "context_length_exceeded", "context length", "context window", "context size", "prompt is too long",
        "input is too long", "maximum prompt length", "exceeds the maximum number of tokens",
        "input token count", "too many tokens", "exceeds the limit of", "reduce the length",
    ]
}
