// SPDX-License-Identifier: Apache-2.0
// Efforts and budgets of thinking, turned into each other as a model's rules say.
// Source: Anthropic (extended and adaptive thinking), OpenAI (reasoning effort), Google (thinkingConfig), 2026.

extension ModelRules {
    /// The effort to ask for, in the provider's words.
    ///
    /// Nil: nothing is said, and the provider's default holds.
    package func effort(for request: ReasoningRequest) -> String? {
        let wanted: String?
        switch (request.effort, request.mode) {
        case (let effort?, _): wanted = effort
        case (nil, .off?): wanted = "none"
        case (nil, .budget(let tokens)?): wanted = effort(forBudget: tokens)
        case (nil, .adaptive?), (nil, nil): wanted = nil
        }
        guard let wanted else { return defaultEffort.map(named) }
        return named(allowed(wanted))
    }

    /// The effort that a number of tokens amounts to.
    package func effort(forBudget tokens: Int) -> String {
        thresholds.first { tokens <= $0.tokens }?.effort ?? "high"
    }

    /// Tokens of thinking to ask for, within the model's range; 0 to switch thinking off.
    ///
    /// Nil: nothing is said, or the model decides (`adaptive` without an effort).
    package func budget(for request: ReasoningRequest) -> Int? {
        switch (request.mode, request.effort) {
        case (.off?, _), (_, "none"?): canDisableThinking ? 0 : budgetRange.lowerBound
        case (.budget(let tokens)?, _): clamped(tokens)
        case (_, let effort?): budgets.first { $0.effort == effort }.map { clamped($0.tokens) }
        case (.adaptive?, nil), (nil, nil): nil
        }
    }

    /// A budget within the model's range.
    package func clamped(_ tokens: Int) -> Int {
        min(max(tokens, budgetRange.lowerBound), budgetRange.upperBound)
    }

    /// The effort that stands for `effort` at this model: itself if it is allowed or nothing is known, the default if
    /// there is one, else the nearest below, else the lowest. "none" of a model that always thinks is the lowest.
    package func allowed(_ effort: String) -> String {
        if efforts.isEmpty || efforts.contains(effort) || effortMap[effort] != nil { return effort }
        if effort == "none", let lowest = efforts.first { return lowest }
        if let defaultEffort { return defaultEffort }
        guard let rank = EffortScale.rank(effort) else { return effort }
        return efforts.last { (EffortScale.rank($0) ?? Int.max) <= rank } ?? efforts.first ?? effort
    }

    /// The provider's word for an effort.
    private func named(_ effort: String) -> String {
        if let name = effortMap[effort] { return name }
        guard !efforts.contains(effort), let name = effortMap["default"] else { return effort }
        return name
    }

    /// The effort that a client's name of the model ends in, and the name without it: "gpt-5.1-high".
    package static func splitVariant(_ name: String) -> (model: String, effort: String)? {
        for effort in EffortScale.all where name.hasSuffix("-" + effort) {
            let model = String(name.dropLast(effort.count + 1))
            return model.isEmpty ? nil : (model, effort)
        }
        return nil
    }
}
