// SPDX-License-Identifier: Apache-2.0
// The effort of reasoning where a client spoke of budgets.
// Source: thresholds of LiteLLM 1.109 (adapter for Messages), 2026.

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
}
