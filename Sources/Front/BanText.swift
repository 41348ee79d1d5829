// SPDX-License-Identifier: Apache-2.0
// Bans in words for the log, and in JSON for operators.

import JSON
import Journal
import Posix
import Routing

enum BanText {
    /// One line for the log.
    static func line(_ ban: Ban, _ now: UInt64) -> String {
        var text = "\(subject(ban)) is banned\(model(ban))"
        if let until = ban.untilUsec {
            text += ", for \((until - min(now, until)) / 1_000_000) s"
        } else {
            text += ", for ever"
        }
        return text + " (\(ban.origin.name)\(ban.reason.isEmpty ? "" : ": " + ban.reason))"
    }

    /// One line for the log about the end of a ban.
    static func end(_ ban: Ban) -> String { "\(subject(ban)) is banned no more\(model(ban))" }

    static func fields(_ ban: Ban) -> [LogField] {
        [LogField("CCR_UPSTREAM", ban.provider)]
            + (ban.model.isEmpty ? [] : [LogField("CCR_MODEL", ban.model)])
    }

    private static func subject(_ ban: Ban) -> String {
        ban.credential.isEmpty ? "provider \(ban.provider)" : "credential \(ban.credential)"
    }

    private static func model(_ ban: Ban) -> String { ban.model.isEmpty ? "" : " for model \(ban.model)" }

    /// Writes a ban as an object.
    ///
    /// - Parameters:
    ///   - now: of the clock of bans.
    ///   - realtimeUsec: microseconds since 1970 at the same time.
    static func write(_ ban: Ban, _ now: UInt64, realtimeUsec: UInt64, to writer: inout JSONWriter) {
        let date = { (usec: UInt64) in
            Clock.utcText(
                (Int(clamping: realtimeUsec) + Int(clamping: usec) - Int(clamping: now)) / 1_000_000)
        }
        writer.object { writer in
            writer.member("provider", ban.provider)
            writer.member("credential", ban.credential.isEmpty ? nil : ban.credential)
            writer.member("model", ban.model.isEmpty ? nil : ban.model)
            writer.member("origin", ban.origin.name)
            writer.member("reason", ban.reason)
            writer.key("error_code")
            if ban.status > 0 { writer.int(ban.status) } else { writer.null() }
            writer.member("since", date(ban.sinceUsec))
            writer.member("permanent", ban.untilUsec == nil)
            writer.member("until", ban.untilUsec.map(date))
            writer.key("remaining_seconds")
            if let until = ban.untilUsec {
                writer.int(Int((until - min(now, until) + 999_999) / 1_000_000))
            } else {
                writer.null()
            }
        }
    }
}
