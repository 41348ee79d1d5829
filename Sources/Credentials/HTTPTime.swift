// SPDX-License-Identifier: Apache-2.0
// Times in header fields of answers: dates and Retry-After.
// Source: RFC 9110 §5.6.7 (IMF-fixdate), §10.2.3 (Retry-After).

package enum HTTPTime {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT"; nil for any other form.
    package static func parse(_ text: String) -> Int? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", parts[0].hasSuffix(","), let day = Int(parts[1]),
            let month = months.firstIndex(of: String(parts[2])), let year = Int(parts[3]),
            (1970...9999).contains(year), (1...31).contains(day)
        else { return nil }
        let clock = parts[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3, clock[0] < 24, clock[1] < 60, clock[2] <= 60, clock.allSatisfy({ $0 >= 0 })
        else { return nil }
        return days(year, month + 1, day) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }

    /// Days since 1970-01-01 of a date in the Gregorian calendar (the year is counted from March).
    static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let era = y / 400
        let yearOfEra = y - era * 400
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Seconds to wait, 1…3600. A date counts from the server's own clock.
    ///
    /// - Parameters:
    ///   - date: the answer's Date field.
    ///   - fallback: what is used without a field that can be read.
    package static func retryAfter(_ text: String?, date: String?, fallback: Int?) -> Int? {
        guard let text else { return fallback }
        var seconds: Int?
        if let number = Int(text) {
            seconds = number
        } else if let until = parse(text), let now = date.flatMap({ parse($0) }) {
            seconds = until - now
        }
        guard let seconds, seconds >= 0 else { return fallback }
        return min(max(seconds, 1), 3600)
    }
}
