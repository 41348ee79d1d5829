// SPDX-License-Identifier: Apache-2.0
// How much a Chat provider is asked to think: five ways to say it.
// Source: OpenAI (reasoning_effort), OpenRouter (reasoning), DeepSeek, GLM and Kimi (thinking), Qwen (enable_thinking), API
// references of 2026.

import Gateway
import JSON

extension ChatRequestWriter {
    mutating func writeThinking(_ writer: inout JSONWriter) {
        let wanted = request.wantedReasoning
        switch rules.chatThinking {
        case .none:
            if wanted.effort != nil || wanted.mode != nil { notes.losses.add(parameter: "reasoning_effort") }
        case .thinkingType:
            guard let isOn = isOn(wanted) else { return }
            writer.member("thinking", object: { $0.member("type", isOn ? "enabled" : "disabled") })
        case .enableThinking: writer.optional("enable_thinking", isOn(wanted))
        case .reasoningObject: writeObject(wanted, &writer)
        case .effort, .budget, .adaptive, .thinkingBudget, .thinkingLevel:
            writer.optional("reasoning_effort", target.model.effort(for: wanted))
        }
    }

    /// Whether the client wants the model to think; nil when it leaves that open. The effort of a Messages client is about
    /// more than thoughts.
    private func isOn(_ wanted: ReasoningRequest) -> Bool? {
        switch wanted.mode {
        case .off: false
        case .adaptive, .budget: true
        case nil: request.dialect == .messages ? nil : wanted.effort.map { $0 != "none" }
        }
    }

    private func writeObject(_ wanted: ReasoningRequest, _ writer: inout JSONWriter) {
        let effort = target.model.effort(for: wanted)
        guard effort != nil || wanted.mode != nil else { return }
        writer.member(
            "reasoning",
            object: { writer in
                if effort == "none" {
                    writer.member("enabled", false)
                } else if case .budget(let tokens) = wanted.mode, wanted.effort == nil {
                    writer.member("max_tokens", tokens)
                } else if let effort {
                    // It knows no word above "xhigh".
                    writer.member("effort", effort == "max" ? "xhigh" : effort)
                } else {
                    writer.member("enabled", true)
                }
                if wanted.display == .omitted { writer.member("exclude", true) }
            })
    }
}
