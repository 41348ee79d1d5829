// SPDX-License-Identifier: Apache-2.0
// Token counts as the providers write them, turned into disjoint classes.
// Source: OpenAI API reference (chat, responses, embeddings and images `usage`), Anthropic API reference
// (messages `usage`), DeepSeek and xAI API references, read 2026-08; google-genai 3.4.0 (types.py: UsageMetadata).

import Gateway
import JSON

/// Counts beyond this are nonsense; the bound keeps sums far from overflow.
private let maximumCount = 1 << 40

extension Usage {
    /// Reads the `usage` object of the OpenAI family, whose input includes what was cached.
    ///
    /// - Parameter excludesCached: the provider counts what was cached beside its input.
    init(openAI usage: JSONValue, excludesCached: Bool = false) {
        let inputDetails = usage.member("prompt_tokens_details") ?? usage.member("input_tokens_details")
        let outputDetails = usage.member("completion_tokens_details") ?? usage.member("output_tokens_details")
        let total = usage.count("prompt_tokens") ?? usage.count("input_tokens") ?? 0
        self.init()
        cacheRead = inputDetails?.count("cached_tokens") ?? usage.count("prompt_cache_hit_tokens") ?? 0
        cacheWrite = inputDetails?.count("cache_write_tokens") ?? 0
        input = excludesCached ? total : max(0, total - cacheRead - cacheWrite)
        output = usage.count("completion_tokens") ?? usage.count("output_tokens") ?? 0
        reasoning = outputDetails?.count("reasoning_tokens") ?? 0
        // xAI counts reasoning beside the completion, which only the grand total tells.
        if reasoning > 0, usage.count("total_tokens") == total + output + reasoning {
            output += reasoning
        }
        reasoning = min(reasoning, output)
    }

    /// Takes over what an Anthropic `usage` object says; later objects of a stream replace the counts of earlier ones.
    mutating func merge(messages usage: JSONValue) {
        input = usage.count("input_tokens") ?? input
        cacheRead = usage.count("cache_read_input_tokens") ?? cacheRead
        cacheWrite = usage.count("cache_creation_input_tokens") ?? cacheWrite
        output = usage.count("output_tokens") ?? output
        reasoning = usage.member("output_tokens_details")?.count("thinking_tokens") ?? reasoning
        reasoning = min(reasoning, output)
    }

    /// Reads Gemini's `usageMetadata`: the prompt includes what was cached, the candidates exclude the thoughts.
    init(gemini usage: JSONValue) {
        self.init()
        cacheRead = usage.count("cachedContentTokenCount") ?? 0
        let total = (usage.count("promptTokenCount") ?? 0) + (usage.count("toolUsePromptTokenCount") ?? 0)
        input = max(0, total - cacheRead)
        reasoning = usage.count("thoughtsTokenCount") ?? 0
        output = (usage.count("candidatesTokenCount") ?? 0) + reasoning
    }
}

extension JSONValue {
    /// A member that is a token count; nil when absent or null.
    fileprivate func count(_ name: StaticString) -> Int? {
        member(name)?.int.map { min(max($0, 0), maximumCount) }
    }
}
