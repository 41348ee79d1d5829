// SPDX-License-Identifier: Apache-2.0
// What differs between generations of Gemini, and how much a model is asked to think.
// Source: Gemini API documents (thinking: budgets of 2.5, levels of 3), 2026.

import Gateway
import JSON

/// A model by its name.
struct GeminiModel {
    static let stopCount = 5

    /// 2.5 is 25; 0 when the name tells nothing.
    let generation: Int
    let isPro: Bool

    init(_ name: String) {
        let name = name.lowercased()
        isPro = name.contains("pro")
        guard let start = name.firstRange(of: "gemini-")?.upperBound else {
            generation = 0
            return
        }
        let version = name[start...].prefix { $0.isNumber || $0 == "." }.split(separator: ".")
        generation =
            (version.first.flatMap { Int($0) } ?? 0) * 10
            + (version.dropFirst().first.flatMap { Int($0) } ?? 0)
    }

    /// Thinking is told in levels and not in tokens; calls of the running turn must carry their signatures.
    var hasLevels: Bool { generation >= 30 || generation == 0 }
    var canThink: Bool { generation == 0 || generation >= 25 }
    /// Functions go together with an output format and with the web search.
    var takesFormatWithFunctions: Bool { hasLevels }
    /// Ids of calls are understood, and pictures in function responses.
    var hasCallIDs: Bool { hasLevels }

    var budgetRange: ClosedRange<Int> { isPro ? 128...32_768 : 0...24_576 }
}

/// `thinkingConfig`.
struct GeminiThinking: Equatable {
    private(set) var budget: Int?
    private(set) var level: String?
    private(set) var includesThoughts: Bool?

    init(_ request: CanonicalRequest, _ model: GeminiModel) {
        guard model.canThink else { return }
        let reasoning = request.reasoning
        let effort = request.effort
        // Of Messages, silence means that there is no thinking.
        let isOff =
            reasoning.mode == .off || effort == "none"
            || (request.dialect == .messages && reasoning.mode == nil && effort == nil)
        if isOff {
            if model.hasLevels {
                level = model.isPro ? "LOW" : "MINIMAL"
            } else {
                budget = model.budgetRange.lowerBound
            }
            return
        }
        if model.hasLevels {
            level = GeminiThinking.level(reasoning.mode, effort, model)
        } else {
            budget = GeminiThinking.budget(reasoning.mode, effort, model)
        }
        switch (reasoning.display, reasoning.mode) {
        case (.omitted?, _): break
        case (.summarized?, _), (.updates?, _), (nil, .adaptive?), (nil, .budget?): includesThoughts = true
        case (nil, nil), (nil, .off?): break
        }
    }

    private static func level(_ mode: ReasoningRequest.Mode?, _ effort: String?, _ model: GeminiModel)
        -> String?
    {
        switch (effort, mode) {
        case ("minimal"?, _): model.isPro ? "LOW" : "MINIMAL"
        case ("low"?, _): "LOW"
        case ("medium"?, _): "MEDIUM"
        case ("high"?, _), ("xhigh"?, _), ("max"?, _): "HIGH"
        case (_, .budget(let tokens)?): tokens <= 2048 ? "LOW" : tokens <= 8192 ? "MEDIUM" : "HIGH"
        default: nil
        }
    }

    private static func budget(_ mode: ReasoningRequest.Mode?, _ effort: String?, _ model: GeminiModel)
        -> Int?
    {
        let range = model.budgetRange
        let wanted: Int
        switch (effort, mode) {
        case (_, .budget(let tokens)?): wanted = tokens
        case ("minimal"?, _), ("low"?, _): wanted = 1024
        case ("medium"?, _): wanted = 8192
        case ("high"?, _): wanted = 24_576
        case ("xhigh"?, _), ("max"?, _): wanted = range.upperBound
        case (_, .adaptive?): return -1
        default: return nil
        }
        return min(max(wanted, range.lowerBound), range.upperBound)
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
