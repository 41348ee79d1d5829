// SPDX-License-Identifier: Apache-2.0
// What a Messages provider is told about thinking when the client spoke of effort.
// Source: Anthropic API reference (extended thinking, adaptive thinking, effort), 2026: manual thinking takes a budget of at
// least 1024 tokens below max_tokens, no forced tool and no turn of calls without its thoughts.

import Gateway

struct MessagesThinking {
    var mode: ReasoningRequest.Mode?
    var display: ReasoningRequest.Display?
    /// `output_config.effort`
    var effort: String?

    private static let minimumBudget = 1024

    var isOn: Bool {
        switch mode {
        case .adaptive, .budget: true
        case .off, nil: false
        }
    }

    init(mode: ReasoningRequest.Mode?, display: ReasoningRequest.Display?, effort: String?) {
        self.mode = mode
        self.display = display
        self.effort = effort
    }

    /// - Parameters:
    ///   - isForced: the client demands a call.
    ///   - lacksThoughts: the last turn of calls has no thoughts that this provider would take.
    init(
        _ wanted: ReasoningRequest, _ target: RequestTarget, maxTokens: Int, isForced: Bool,
        lacksThoughts: Bool
    ) {
        let asksForNone = wanted.mode == .off || wanted.effort == "none"
        switch target.rules.messagesThinking {
        case .none: return
        case .budget:
            guard !asksForNone else {
                mode = .off
                return
            }
            guard !isForced, !lacksThoughts, let budget = target.model.budget(for: wanted) else { return }
            let tokens = min(budget, maxTokens - 1)
            if tokens >= Self.minimumBudget { mode = .budget(tokens) }
        default:
            if asksForNone, target.model.canDisableThinking {
                mode = .off
                return
            }
            guard !isForced, wanted.mode != nil || wanted.effort != nil else { return }
            mode = .adaptive
            effort = target.model.effort(for: wanted).map { $0 == "minimal" || $0 == "none" ? "low" : $0 }
        }
        if isOn, wanted.display == .omitted { display = .omitted }
    }
}
