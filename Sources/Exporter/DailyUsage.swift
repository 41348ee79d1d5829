// SPDX-License-Identifier: Apache-2.0
// Counts per day, provider, model, endpoint and client that wait to be added to the daily table.

import Gateway

/// The changes of the daily table since the last commit.
struct DailyUsage {
    private var rows: [DailyKey: DailyCounts] = [:]
    /// Models of `day` with a row of their own.
    private var models: Set<String>
    private var day: Int

    /// - Parameters:
    ///   - day: the newest day of the stored table.
    ///   - models: the models that the table knows on that day.
    init(day: Int = 0, models: [String] = []) {
        self.day = day
        self.models = Set(models)
    }

    /// Counts one request.
    mutating func count(
        _ record: RequestRecord, provider: String, endpoint: String, client: String, failed: Bool
    ) {
        let day = Int(record.startedUsec / 86_400_000_000)
        if day > self.day {
            self.day = day
            models.removeAll()
        }
        let key = DailyKey(
            day: day, provider: provider, model: label(of: record.model), endpoint: endpoint, client: client)
        var counts = DailyCounts()
        counts.requests = 1
        counts.failures = failed ? 1 : 0
        counts.input = DailyUsage.tokens(record.usage.input)
        counts.cacheRead = DailyUsage.tokens(record.usage.cacheRead)
        counts.cacheWrite = DailyUsage.tokens(record.usage.cacheWrite)
        counts.output = DailyUsage.tokens(record.usage.output)
        counts.reasoning = DailyUsage.tokens(record.usage.reasoning)
        rows[key, default: DailyCounts()] += counts
    }

    /// A model can be pinned by the client, so it is not from the configuration alone and needs a bound.
    private mutating func label(of model: String) -> String {
        if models.contains(model) { return model }
        guard models.count < ExporterLimits.modelsPerDay else { return UsageState.otherLabel }
        models.insert(model)
        return model
    }

    /// What a provider reported may be nonsense: a count below zero is none, one above 2^40 is 2^40.
    static func tokens(_ count: Int) -> Int { max(0, min(count, 1 << 40)) }

    /// Takes the changes out.
    mutating func take() -> [DailyKey: DailyCounts] {
        let taken = rows
        rows = [:]
        return taken
    }

    /// Puts changes back whose commit failed.
    mutating func giveBack(_ changes: [DailyKey: DailyCounts]) {
        rows.merge(changes) { a, b in
            var sum = a
            sum += b
            return sum
        }
    }
}
