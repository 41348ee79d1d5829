// SPDX-License-Identifier: Apache-2.0
// Label values from a closed list, and the series of each: what keeps the number of series bounded and the
// counting of a record free of lookups by name.

import Gateway
import Metrics

/// A closed list of label values; every other value counts as the last one.
struct LabelTable {
    let values: [String]
    private let index: [String: Int]

    /// - Parameters:
    ///   - known: values that stand for themselves.
    ///   - empty: what "" counts as, if it is told apart.
    init(_ known: [String], empty: String? = nil) {
        var values: [String] = []
        var index: [String: Int] = [:]
        for value in known + [UsageState.otherLabel] where index[value] == nil {
            index[value] = values.count
            values.append(value)
        }
        if let empty {
            index[""] = index[empty] ?? values.count
            // Before "other", which stays the last.
            if index[empty] == nil {
                index[empty] = values.count
                values.append(empty)
            }
        }
        self.values = values
        self.index = index
        other = index[UsageState.otherLabel] ?? 0
    }

    private let other: Int

    /// The position of a value in `values`.
    @inline(__always)
    func position(_ value: String) -> Int { index[value] ?? other }
}

/// The series and samples of one provider.
struct Tier {
    let requests, duration, ewma, timeToFirstByte, outputRate, rateLimitHits: SeriesID
    let inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens: SeriesID
    let tokenDrift, tokenDriftAbsolute: SeriesID
    var recent = ThroughputRing()
    var drift = TokenDrift()

    init(_ name: String, in registry: inout Registry) {
        func series(_ metric: Metric) -> SeriesID { registry.series(metric, [name]) }
        requests = series(.requests)
        duration = series(.requestDuration)
        ewma = series(.ewmaLatency)
        timeToFirstByte = series(.timeToFirstByte)
        outputRate = series(.outputRate)
        rateLimitHits = series(.rateLimitHits)
        inputTokens = series(.inputTokens)
        outputTokens = series(.outputTokens)
        cacheReadTokens = series(.cacheReadTokens)
        cacheCreationTokens = series(.cacheCreationTokens)
        tokenDrift = series(.tokenDrift)
        tokenDriftAbsolute = series(.tokenDriftAbsolute)
    }

    /// The counters that are shown from the start, so that their first increase is seen as one.
    var counters: [SeriesID] {
        [requests, rateLimitHits, inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens]
    }
}

/// The series and durations of one kind of client.
struct Frontend {
    let requests, duration: SeriesID

    init(_ name: String, in registry: inout Registry) {
        requests = registry.series(.frontendRequests, [name])
        duration = registry.series(.frontendDuration, [name])
    }
}

/// The series without labels.
struct PlainSeries {
    let activeRequests, activeStreams, peakStreams, backpressure, rejectedStreams: SeriesID
    let connections, handoffs, droppedRecords, storeUp: SeriesID

    init(in registry: inout Registry) {
        activeRequests = registry.series(.activeRequests)
        activeStreams = registry.series(.activeStreams)
        peakStreams = registry.series(.peakStreams)
        backpressure = registry.series(.backpressure)
        rejectedStreams = registry.series(.rejectedStreams)
        connections = registry.series(.connections)
        handoffs = registry.series(.handoffs)
        droppedRecords = registry.series(.droppedRecords)
        storeUp = registry.series(.storeUp)
    }

    var all: [SeriesID] {
        [
            activeRequests, activeStreams, peakStreams, backpressure, rejectedStreams, connections, handoffs,
            droppedRecords, storeUp,
        ]
    }
}
