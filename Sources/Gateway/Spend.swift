// SPDX-License-Identifier: Apache-2.0
// What client keys have spent, by day and month in UTC. Money is counted in billionths of a US dollar, so that sums stay
// exact and a request of one token still counts.

package import IPC

/// What one client key has spent up to now.
package struct KeySpend: Equatable, Sendable, WireCodable {
    /// The name of the client key.
    package var key: String
    /// Days since 1970-01-01 UTC; what is said of "today" is about this day.
    package var day: Int
    /// Billionths of a US dollar on that day, and in its month up to it.
    package var today: Int
    package var month: Int

    package init(key: String, day: Int, today: Int, month: Int) {
        self.key = key
        self.day = day
        self.today = today
        self.month = month
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(key)
        for number in [day, today, month] { writer.put(Int64(number)) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        key = try reader.getString()
        day = Int(try reader.get(Int64.self))
        today = Int(try reader.get(Int64.self))
        month = Int(try reader.get(Int64.self))
    }
}

package enum Calendar {
    /// Billionths in a dollar.
    package static let nanoPerUSD = 1_000_000_000

    /// Days since 1970-01-01 UTC of a time in microseconds since then.
    package static func day(_ realtimeUsec: UInt64) -> Int { Int(realtimeUsec / 86_400_000_000) }

    /// The first day of the month that a day belongs to.
    ///
    /// Source: H. Hinnant, chrono-Compatible Low-Level Date Algorithms, days_from_civil and civil_from_days.
    package static func monthStart(of day: Int) -> Int { day - (dayOfMonth(day) - 1) }

    private static func dayOfMonth(_ day: Int) -> Int {
        let shifted = day + 719_468
        let dayOfEra = shifted - (shifted / 146_097) * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return dayOfYear - (153 * month + 2) / 5 + 1
    }
}
