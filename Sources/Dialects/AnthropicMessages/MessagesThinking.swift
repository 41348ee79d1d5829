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
    init(wanted request: CanonicalRequest, maxTokens: Int, isForced: Bool, lacksThoughts: Bool) {
        guard let wanted = Effort.wanted(request) else { return }
        guard wanted != "none" else {
            mode = .off
            return
        }
        guard !isForced else { return }
        display = request.reasoning.display == .omitted ? .omitted : nil
        if MessagesThinking.isAdaptive(request.model) {
            mode = .adaptive
            effort = wanted == "minimal" ? "low" : wanted
            return
        }
        guard !lacksThoughts, let budget = budget(request, wanted) else { return }
        let tokens = min(budget, maxTokens - 1)
        if tokens >= Self.minimumBudget { mode = .budget(tokens) }
    }

    private func budget(_ request: CanonicalRequest, _ effort: String) -> Int? {
        if case .budget(let tokens)? = request.reasoning.mode { return max(tokens, Self.minimumBudget) }
        return Effort.budget(of: effort)
    }

    /// Claude 4.6 and later; the dates of names are no versions.
    private static func isAdaptive(_ model: String) -> Bool {
        let numbers = model.split { $0 == "-" || $0 == "." }.compactMap { Int($0) }.filter { $0 < 100 }
        guard let major = numbers.first else { return false }
        return major > 4 || major == 4 && numbers.count > 1 && numbers[1] >= 6
    }
}
