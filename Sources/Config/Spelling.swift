// SPDX-License-Identifier: Apache-2.0
// Finds the names that somebody probably meant.
// Source: R. A. Wagner and M. J. Fischer, The String-to-String Correction Problem, 1974, with neighbour swaps.

package enum Spelling {
    /// The longest name that is compared; longer ones are no typing mistakes.
    package static let maximumLength = 128
    /// The most names that are listed when none is near.
    private static let maximumListed = 8

    /// The candidates nearest to `name`, best first, at most `limit` and none that is too far off.
    ///
    /// Case counts nothing, a swap of neighbours counts one. A candidate that contains the name counts as near.
    package static func near(_ name: String, in candidates: some Sequence<String>, limit: Int) -> [String] {
        let wanted = Array(name.lowercased().utf8)
        guard !wanted.isEmpty, wanted.count <= maximumLength else { return [] }
        let allowed = Swift.max(1, wanted.count / 3)
        var scored: [(name: String, score: Int)] = []
        for candidate in candidates {
            let other = Array(candidate.lowercased().utf8)
            guard other.count <= maximumLength else { continue }
            var score = distance(wanted, other)
            if score > allowed, wanted.count >= 3, contains(other, wanted) || contains(wanted, other) {
                score = allowed
            }
            if score <= allowed { scored.append((candidate, score)) }
        }
        scored.sort { $0.score == $1.score ? $0.name < $1.name : $0.score < $1.score }
        return scored.prefix(limit).map(\.name)
    }

    /// " (did you mean “a” or “b”?)", or "" without near names.
    package static func hint(_ name: String, in candidates: some Sequence<String>, limit: Int = 3) -> String {
        let names = near(name, in: candidates, limit: limit)
        return names.isEmpty
            ? "" : " (did you mean " + names.map { quoted($0) }.joined(separator: " or ") + "?)"
    }

    /// The names that may stand in the place of one that may not: those that are near, else all of a few.
    package static func choice(_ name: String, of candidates: [String]) -> String {
        let hint = hint(name, in: candidates)
        guard hint.isEmpty, 1...maximumListed ~= candidates.count else { return hint }
        return
            " (there \(candidates.count == 1 ? "is" : "are") \(candidates.map { quoted($0) }.joined(separator: ", ")))"
    }

    private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
        guard part.count >= 3, part.count <= text.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
    }

    /// Insertions, deletions, replacements and neighbour swaps that turn `a` into `b`.
    package static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        if a.isEmpty || b.isEmpty { return a.count + b.count }
        var before: [Int] = []
        var above = Array(0...b.count)
        for i in 1...a.count {
            var row = [i] + [Int](repeating: 0, count: b.count)
            for j in 1...b.count {
                let same = a[i - 1] == b[j - 1]
                var best = Swift.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    best = Swift.min(best, before[j - 2] + 1)
                }
                row[j] = best
            }
            before = above
            above = row
        }
        return above[b.count]
    }
}
