// SPDX-License-Identifier: Apache-2.0
// What a program that prints a token may print, and what its exit status means.
// Source: the AWS CLI's credential_process and Google's executable-sourced credentials, November 2026; sysexits.h.

import Config
package import JSON

package enum CommandOutput {
    /// Output beyond this is none.
    package static let maximumBytes = 64 << 10

    /// Reads the output of a program that ended with status 0.
    ///
    /// - Parameters:
    ///   - format: "raw" takes the first line, "json" an object with token and expiry, "google" Google's object.
    ///   - lifetime: seconds assumed when the output does not say; nil means no end.
    ///   - now: seconds since 1970.
    package static func outcome(
        _ output: [UInt8], format: String, lifetime: Int?, now: Int, parser: JSONParser
    ) -> TokenOutcome {
        guard output.count <= maximumBytes else {
            return .protocolError("the program printed more than \(maximumBytes >> 10) KiB")
        }
        guard format != "raw" else { return raw(output, lifetime) }
        guard let root = parser.object(output) else {
            return .protocolError("the program printed no JSON object")
        }
        if format == "google", root.member("success")?.bool == false {
            return .transient("the program reports failure", retryAfter: nil)
        }
        let text =
            root.member("access_token")?.string ?? root.member("token")?.string
            ?? root.member("id_token")?.string
        guard let text, TokenAnswer.isUsable(text) else {
            return .protocolError("the output has no usable token")
        }
        var seconds = lifetime
        if let value = root.member("expires_in") {
            guard let number = TokenAnswer.number(value), number > 0 else {
                return .protocolError("expires_in is no positive number")
            }
            seconds = number
        } else if let value = root.member("expires_at") ?? root.member("expiry")
            ?? root.member("expiration_time")
        {
            guard let at = Timestamp.seconds(value), at > now else {
                return .protocolError("the printed token has expired, or its time cannot be read")
            }
            seconds = at - now
        }
        return .granted(
            TokenGrant(token: Secret(text), lifetime: seconds.map { min($0, TokenAnswer.maximumLifetime) }))
    }

    private static func raw(_ output: [UInt8], _ lifetime: Int?) -> TokenOutcome {
        let line = output.prefix { $0 != 0x0A && $0 != 0x0D }
        let text = String(decoding: line, as: UTF8.self)
        guard !text.isEmpty else { return .protocolError("the program printed nothing") }
        guard TokenAnswer.isUsable(text) else { return .protocolError("the program printed no usable token") }
        return .granted(TokenGrant(token: Secret(text), lifetime: lifetime))
    }

    /// What an exit status other than 0 means.
    package static func failure(status: Int32) -> TokenOutcome {
        switch status {
        case 77: .permanent(.unknown)
        case 126, 127: .configError("the program cannot be run")
        default: .transient("the program ended with status \(status)", retryAfter: nil)
        }
    }
}

/// Points in time as the files and answers of other programs write them.
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
