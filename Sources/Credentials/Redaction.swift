// SPDX-License-Identifier: Apache-2.0
// Takes what may be a secret out of text that another program wrote. Rather too much than too little: the text is a
// hint for the operator and nothing reads it.
// Source: the forms of keys and tokens as their services document them, 2026.

package enum Redaction {
    /// Stands in the place of whatever was taken out.
    package static let mark = "[redacted]"

    /// Beginnings of keys and tokens.
    private static let prefixes = [
        "sk-", "gho_", "ghu_", "ghp_", "ghs_", "github_pat_", "ya29.", "1//", "AIza", "AKIA", "ASIA", "ABSK",
        "xai-", "gsk_", "eyJ", "tid=", "rt_", "-----BEGIN",
    ]
    /// Words behind which a secret stands.
    private static let announcers: Set<String> = ["bearer", "basic", "token", "password", "secret", "key"]
    /// A word of this length that is not all letters may be a secret.
    private static let longWord = 20

    /// The text on one line, without control characters and without anything that looks like a secret.
    package static func line(_ bytes: [UInt8]) -> String {
        var words: [String] = []
        var isAnnounced = false
        for part in bytes.split(whereSeparator: { $0 <= 0x20 || $0 >= 0x7F }) {
            let word = String(decoding: part, as: UTF8.self)
            words.append(isAnnounced || isSuspect(part) ? mark : word)
            let bare = word.lowercased().filter { $0.isLetter }
            isAnnounced = announcers.contains(bare) && !word.contains("=")
        }
        return words.joined(separator: " ")
    }

    private static func isSuspect(_ word: ArraySlice<UInt8>) -> Bool {
        // Quotes, braces and names in front of a value hide nothing.
        let pieces = word.split { "\"'{}[]():,;=<>".utf8.contains($0) }
        return pieces.contains { piece in
            let text = String(decoding: piece, as: UTF8.self)
            if prefixes.contains(where: { text.hasPrefix($0) }) { return true }
            return piece.count >= longWord
                && !piece.allSatisfy { ($0 | 0x20) &- 0x61 < 26 || $0 == UInt8(ascii: "/") }
        }
    }
}
