// SPDX-License-Identifier: Apache-2.0
// Points in time as the files of other programs write them.
// Source: RFC 3339 §5.6; the files that docs/credentials.md names.

package import JSON

/// Points in time as the files of other programs write them.
package enum Timestamp {
    /// Seconds since 1970 of a number of seconds or milliseconds, a string with one, or RFC 3339 text.
    package static func seconds(_ value: JSONValue) -> Int? {
        if let number = value.int ?? value.double.flatMap({ Int(exactly: $0.rounded()) }) {
            return scaled(number)
        }
        guard let text = value.string else { return nil }
        return Int(text).map(scaled) ?? rfc3339(text)
    }

    /// A number above 10^11 counts milliseconds: as seconds it would be the year 5138.
    private static func scaled(_ number: Int) -> Int { number > 100_000_000_000 ? number / 1000 : number }

    /// "2026-11-21T08:49:37Z", with a fraction and an offset as well.
    package static func rfc3339(_ text: String) -> Int? {
        let characters = Array(text.utf8)
        guard characters.count >= 20, characters[4] == 0x2D, characters[7] == 0x2D, characters[13] == 0x3A,
            characters[16] == 0x3A, characters[10] | 0x20 == 0x74 || characters[10] == 0x20
        else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            let digits = characters[range]
            guard digits.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
            return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day), hour < 24,
            minute < 60,
            second <= 60
        else { return nil }
        let start = HTTPTime.days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        let rest = characters[19...].drop { $0 == 0x2E || $0 &- 0x30 < 10 }
        if rest.count == 1, let last = rest.first, last | 0x20 == 0x7A { return start }
        guard rest.count == 6, let sign = rest.first, sign == 0x2B || sign == 0x2D else { return nil }
        let base = rest.startIndex
        guard let hours = number(base + 1..<base + 3), let minutes = number(base + 4..<base + 6),
            characters[base + 3] == 0x3A
        else { return nil }
        let offset = hours * 3600 + minutes * 60
        return sign == 0x2B ? start - offset : start + offset
    }
}

extension Timestamp {
    /// "20150830T123600Z" of seconds since 1970 (ISO 8601, basic format, UTC).
    package static func basic(_ seconds: Int) -> String {
        let (date, clock) = seconds.quotientAndRemainder(dividingBy: 86_400)
        // Days to a date in the Gregorian calendar whose year begins in March: the inverse of HTTPTime.days.
        let days = date + 719_468
        let era = days / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func digits(_ number: Int, _ count: Int = 2) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        return digits(year, 4) + digits(month) + digits(dayOfYear - (153 * march + 2) / 5 + 1) + "T"
            + digits(clock / 3600) + digits(clock / 60 % 60) + digits(clock % 60) + "Z"
    }
}
