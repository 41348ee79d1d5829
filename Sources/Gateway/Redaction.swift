// SPDX-License-Identifier: Apache-2.0
// Takes what may be a secret out of text that another program wrote.
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
    /// In a quote: bytes of a key that begins as one, and of a word that is announced as one.
    private static let shortestKey = 12
    private static let shortestToken = 16

    /// The text on one line, without control characters and without anything that looks like a secret. Rather too much
    /// than too little: the text is a hint for the operator and nothing reads it.
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

    /// A provider's words as they were, without keys, tokens and the queries of URLs. Nothing else: clients act on words,
    /// and names of models and ids of calls are long too.
    package static func quote(_ text: String) -> String {
        var shown: [UInt8] = []
        var rest = Array(text.utf8)[...]
        var isAnnounced = false
        while let byte = rest.first {
            guard !isBoundary(byte) else {
                shown.append(byte)
                rest = rest.dropFirst()
                continue
            }
            let word = rest.prefix { !isBoundary($0) }
            rest = rest.dropFirst(word.count)
            let end = word.lastIndex { !".:!?".utf8.contains($0) } ?? word.endIndex - 1
            shown += quoted(word[...end], isAnnounced) + word[(end + 1)...]
            let letters = String(decoding: word.filter { ($0 | 0x20) &- 0x61 < 26 }, as: UTF8.self)
                .lowercased()
            isAnnounced = announcers.contains(letters) || letters == "provided"
        }
        return String(decoding: shown, as: UTF8.self)
    }

    /// What ends a word of a quote.
    private static func isBoundary(_ byte: UInt8) -> Bool {
        byte <= 0x20 || "\"'`()[]{}<>,;".utf8.contains(byte)
    }

    private static func quoted(_ word: ArraySlice<UInt8>, _ isAnnounced: Bool) -> [UInt8] {
        let text = String(decoding: word, as: UTF8.self)
        if text.contains("://"), let query = word.firstIndex(of: UInt8(ascii: "?")) {
            return word[...query] + Array(mark.utf8)
        }
        let start = word.lastIndex(of: UInt8(ascii: "=")).map { $0 + 1 } ?? word.startIndex
        let value = String(decoding: word[start...], as: UTF8.self)
        let hasDigit = word[start...].contains { $0 &- 0x30 < 10 }
        let isSecret =
            prefixes.contains { value.hasPrefix($0) } && value.utf8.count >= shortestKey
            || isAnnounced && hasDigit && value.utf8.count >= shortestToken
        return isSecret ? word[..<start] + Array(mark.utf8) : Array(word)
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
