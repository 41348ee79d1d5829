// SPDX-License-Identifier: Apache-2.0
// What goes between the state in memory and the tables of usage.db.

/// The stored numbers of one series.
struct SeriesRow: Equatable {
    let name: String
    let labels: [String]
    /// One number, or for a histogram one per bucket and the sum last.
    let cells: [Double]
}

/// What is known of one front instance.
struct FrontRow: Equatable {
    let instance: UInt64
    /// The highest sequence counted; records up to it are not counted again.
    var sequence: UInt64 = 0
    /// The instance's own counters as they were last seen.
    var handoffs: UInt64 = 0
    var droppedRecords: UInt64 = 0
    /// CLOCK_REALTIME microseconds of its last message.
    var seenUsec: UInt64 = 0
}

/// What one row of the daily table counts.
struct DailyKey: Hashable {
    /// Days since 1970-01-01 UTC.
    let day: Int
    let provider: String
    let model: String
    let endpoint: String
    let client: String
}

/// The numbers of one row of the daily table; in memory only what is to be added to it.
struct DailyCounts: Equatable {
    var requests = 0
    var failures = 0
    var input = 0
    var cacheRead = 0
    var cacheWrite = 0
    var output = 0
    var reasoning = 0

    static func += (a: inout DailyCounts, b: DailyCounts) {
        a.requests += b.requests
        a.failures += b.failures
        a.input += b.input
        a.cacheRead += b.cacheRead
        a.cacheWrite += b.cacheWrite
        a.output += b.output
        a.reasoning += b.reasoning
    }
}

/// Everything that changed since the last commit; applied to the database whole or not at all.
struct UsageChanges {
    var series: [SeriesRow] = []
    var fronts: [FrontRow] = []
    var forgottenFronts: [UInt64] = []
    /// To be added to what the table holds.
    var daily: [DailyKey: DailyCounts] = [:]
    /// The same, in billionths of a US dollar.
    var spends: [SpendKey: Int] = [:]

    var isEmpty: Bool {
        series.isEmpty && fronts.isEmpty && forgottenFronts.isEmpty && daily.isEmpty && spends.isEmpty
    }
}

/// Everything a state needs to go on where an earlier process stopped.
struct StoredUsage {
    var series: [SeriesRow] = []
    var fronts: [FrontRow] = []
    /// The newest day of the daily table and the models it knows.
    var day = 0
    var models: [String] = []
    /// Of the last `SpendBook.days` days that the table knows.
    var spends: [SpendKey: Int] = [:]
}
