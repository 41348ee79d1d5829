// SPDX-License-Identifier: Apache-2.0
// What differs between generations of Gemini, and how much a model is asked to think.
// Source: Gemini API documents (thinking: budgets of 2.5, levels of 3), 2026.

import Gateway
import JSON

/// A model by what is known of it, else by its name.
struct GeminiModel {
    /// How the amount of thinking is said.
    let thinking: ThinkingForm
    /// Calls of the running turn must carry their signatures, and function responses may hold pictures.
    let demandsSignatures: Bool
    /// Functions go together with an output format and with the web search.
    let takesFormatWithFunctions: Bool
    /// Ids of calls are understood.
    let hasCallIDs: Bool
    let rules: UpstreamRules
    let known: ModelRules

    init(_ target: RequestTarget, name: String) {
        rules = target.rules
        guard target.model.family.isEmpty else {
            known = target.model
            thinking = rules.geminiThinking
            demandsSignatures = thinking == .thinkingLevel
            takesFormatWithFunctions = !rules.has(.noFormatWithTools)
            hasCallIDs = rules.has(.callIDs)
            return
        }
        let generation = GeminiModel.generation(name.lowercased())
        let hasLevels = generation >= 30 || generation == 0
        thinking = hasLevels ? .thinkingLevel : generation >= 25 ? .thinkingBudget : ThinkingForm.none
        demandsSignatures = hasLevels
        takesFormatWithFunctions = hasLevels
        hasCallIDs = hasLevels
        var known = ModelRules()
        let isPro = name.lowercased().contains("pro")
        known.budgetRange = isPro ? 128...32_768 : 1...24_576
        known.canDisableThinking = !isPro
        known.budgets = [
            EffortBudget("minimal", 1_024), EffortBudget("low", 1_024), EffortBudget("medium", 8_192),
            EffortBudget("high", 24_576), EffortBudget("xhigh", 32_768), EffortBudget("max", 32_768),
        ]
        known.thresholds = [EffortBudget("low", 2_048), EffortBudget("medium", 8_192)]
        if hasLevels { known.efforts = (isPro ? [] : ["minimal"]) + ["low", "medium", "high"] }
        self.known = known
    }

    /// 2.5 is 25; 0 when the name tells nothing.
    private static func generation(_ name: String) -> Int {
        guard let start = name.firstRange(of: "gemini-")?.upperBound else { return 0 }
        let version = name[start...].prefix { $0.isNumber || $0 == "." }.split(separator: ".")
        let numbers = version.map { Int($0) ?? 0 }
        return (numbers.first ?? 0) * 10 + (numbers.dropFirst().first ?? 0)
    }
}

/// `thinkingConfig`.
struct GeminiThinking: Equatable {
    private(set) var budget: Int?
    private(set) var level: String?
    private(set) var includesThoughts: Bool?

    init(_ request: CanonicalRequest, _ model: GeminiModel) {
        guard model.thinking != ThinkingForm.none else { return }
        var wanted = request.wantedReasoning
        // Of Messages, silence means that there is no thinking.
        if request.dialect == .messages, wanted.mode == nil, wanted.effort == nil { wanted.mode = .off }
        if model.thinking == .thinkingBudget {
            budget = model.known.budget(for: wanted) ?? (wanted.mode == .adaptive ? -1 : nil)
        } else {
            level = GeminiThinking.level(model.known.effort(for: wanted))
        }
        guard wanted.mode != .off, wanted.effort != "none" else { return }
        switch (wanted.display, wanted.mode) {
        case (.omitted?, _): break
        case (.summarized?, _), (.updates?, _), (nil, .adaptive?), (nil, .budget?): includesThoughts = true
        case (nil, nil), (nil, .off?): break
        }
    }

    /// Levels are efforts in capitals; what Gemini has no level for is left to the model.
    private static func level(_ effort: String?) -> String? {
        switch effort {
        case "none", "minimal": "MINIMAL"
        case "low": "LOW"
        case "medium": "MEDIUM"
        case "high", "xhigh", "max": "HIGH"
        default: nil
        }
    }

    func write(to writer: inout JSONWriter) {
        guard self != GeminiThinking() else { return }
        writer.member(
            "thinkingConfig",
            object: { writer in
                writer.optional("thinkingBudget", budget)
                writer.optional("thinkingLevel", level)
                writer.optional("includeThoughts", includesThoughts)
            })
    }

    private init() {}
}
