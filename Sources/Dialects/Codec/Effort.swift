// SPDX-License-Identifier: Apache-2.0
// The effort of reasoning where a client spoke of budgets, and the other way round.
// Source: thresholds of LiteLLM 1.109 (adapter for Messages); budgets that leave room for coding, both of 2026.

import Gateway

enum Effort {
    /// The effort that a request asks for, or nil when it says nothing: what it names, else what its budget amounts to.
    static func wanted(_ request: CanonicalRequest) -> String? {
        if request.reasoning.mode == .off { return "none" }
        if let effort = request.effort { return effort }
        switch request.reasoning.mode {
        case .budget(let tokens): return of(budget: tokens)
        case .adaptive, .off, nil: return nil
        }
    }

    static func of(budget tokens: Int) -> String {
        switch tokens {
        case ..<1024: "minimal"
        case ..<2048: "low"
        case ..<4096: "medium"
        default: "high"
        }
    }

    /// Tokens for an effort; nil for "none" and for what is no known effort.
    static func budget(of effort: String) -> Int? {
        switch effort {
        case "minimal": 1024
        case "low": 4096
        case "medium": 10_240
        case "high": 24_576
        case "xhigh", "max": 32_768
        default: nil
        }
    }
}
