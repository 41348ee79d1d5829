// SPDX-License-Identifier: Apache-2.0
// Bans in words.

import Routing

enum BanText {
    /// One line for the log.
    static func line(_ ban: Ban, _ now: UInt64) -> String {
        var text = "\(ban.credential.isEmpty ? "provider" : "credential") \(name(ban)) is banned"
        if !ban.model.isEmpty { text += " for model \(ban.model)" }
        if let until = ban.untilUsec {
            text += ", for \((until - min(now, until)) / 1_000_000) s"
        } else {
            text += ", for ever"
        }
        return text + " (\(ban.origin.name): \(ban.reason))"
    }

    /// The credential, or the provider where it has no names for its keys.
    static func name(_ ban: Ban) -> String { ban.credential.isEmpty ? ban.provider : ban.credential }
}
