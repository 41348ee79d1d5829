// SPDX-License-Identifier: Apache-2.0
// How far the estimate of input tokens is off for each model of this provider, learnt from the counts it reports.

import Gateway

/// A moving average of counted over estimated tokens by model. No clock, bounded.
struct TokenCalibration {
    /// More models are not learnt; a provider has some hundred.
    static let maximumModels = 512
    /// Weight of the newest answer.
    private static let alpha = 0.2
    /// What one answer may claim; beyond it something else than tokenisation is at work.
    private static let plausible = 0.2...5.0
    /// An estimate that is too small makes clients compact too late.
    private static let margin = 1.05

    private var ratios: [String: Double] = [:]

    /// Takes note of what an answer cost. Short requests say little about a tokeniser.
    mutating func learn(estimated: Int, usage: Usage, model: String) {
        let counted = usage.input + usage.cacheRead + usage.cacheWrite
        guard estimated >= 64, counted > 0 else { return }
        let ratio = Double(counted) / Double(estimated)
        guard TokenCalibration.plausible.contains(ratio) else { return }
        if let old = ratios[model] {
            ratios[model] = old + TokenCalibration.alpha * (ratio - old)
        } else if ratios.count < TokenCalibration.maximumModels {
            ratios[model] = ratio
        }
    }

    /// The estimate as this model would count, at least 1.
    func calibrated(_ estimated: Int, model: String) -> Int {
        let ratio = ratios[model] ?? 1
        return max(1, Int((Double(estimated) * ratio * TokenCalibration.margin).rounded(.up)))
    }
}
