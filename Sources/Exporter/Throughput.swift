// SPDX-License-Identifier: Apache-2.0
// The latest streams of a provider, for /v1/throughput; lost when the process ends.

/// One finished stream.
struct ThroughputSample: Equatable {
    let timeToFirstByteSeconds: Double
    let tokensPerSecond: Double
    let outputTokens: Int
    /// From the first byte to the end.
    let generationSeconds: Double
    /// CLOCK_REALTIME microseconds of the end.
    let endedUsec: UInt64
}

/// The last `ExporterLimits.recentSamples` samples.
struct ThroughputRing {
    private var samples: [ThroughputSample] = []
    private var next = 0

    mutating func append(_ sample: ThroughputSample) {
        if samples.count < ExporterLimits.recentSamples {
            samples.append(sample)
        } else {
            samples[next] = sample
            next = (next + 1) % samples.count
        }
    }

    /// Oldest first.
    var inOrder: [ThroughputSample] { Array(samples[next...] + samples[..<next]) }
}

/// A time as people and CCR-Rust's clients read it.
enum Timestamp {
    /// "2026-11-21T03:59:27.315Z" from CLOCK_REALTIME microseconds.
    static func iso8601(_ usec: UInt64) -> String {
        let milliseconds = Int(usec / 1_000)
        let (days, rest) = (milliseconds / 86_400_000, milliseconds % 86_400_000)
        let (year, month, day) = civil(days)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let hour = padded(rest / 3_600_000, 2)
        let minute = padded(rest / 60_000 % 60, 2)
        let second = padded(rest / 1_000 % 60, 2)
        return "\(date)T\(hour):\(minute):\(second).\(padded(rest % 1_000, 3))Z"
    }

    /// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
    ///
    /// Counts in eras of 400 years that begin on 1 March, so that the leap day is the last day of its year.
    static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }
}
