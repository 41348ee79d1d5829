// SPDX-License-Identifier: Apache-2.0
// How far estimated input tokens are from counted ones, per provider, since the exporter started.
// Source: the JSON shape and the alert thresholds are CCR-Rust's.

import Gateway

/// Sums of one provider's answers that had both an estimate and a count.
struct TokenDrift {
    enum Severity: String {
        case warning
        case critical
    }

    private(set) var samples = 0
    private(set) var estimated = 0
    private(set) var counted = 0
    private(set) var lastEstimated = 0
    private(set) var lastCounted = 0

    /// Takes a record; returns how bad its estimate was, nil for a good one or none.
    mutating func add(_ record: RequestRecord) -> Severity? {
        let count = record.usage.input + record.usage.cacheRead + record.usage.cacheWrite
        guard record.estimatedInput > 0, count > 0, record.outcome == .completed else { return nil }
        samples += 1
        // Far below the range of Int even after billions of the largest values a record can hold.
        estimated += record.estimatedInput
        counted += min(count, Int(UInt32.max))
        lastEstimated = record.estimatedInput
        lastCounted = count
        switch abs(TokenDrift.percent(estimated: lastEstimated, counted: lastCounted)) {
        case 25...: return .critical
        case 10..<25: return .warning
        default: return nil
        }
    }

    var percent: Double { TokenDrift.percent(estimated: estimated, counted: counted) }
    var lastPercent: Double { TokenDrift.percent(estimated: lastEstimated, counted: lastCounted) }

    private static func percent(estimated: Int, counted: Int) -> Double {
        estimated == 0 ? 0 : Double(counted - estimated) / Double(estimated) * 100
    }
}
