// SPDX-License-Identifier: Apache-2.0
// Reads `.env` files: lines of KEY=value, with quotes, `export` and comments; nothing is expanded or executed.
// Source: the common subset of docker compose's env file syntax and POSIX shell assignments.

package enum DotEnv {
    /// The largest file that is read.
    package static let maximumBytes = 1 << 20

    /// The variables of a file; of a name given twice the later counts.
    ///
    /// Unquoted values end at " #" and lose blanks at both ends; 'single' quotes keep every character; in "double"
    /// quotes \n, \t, \", \\ and \$ are escapes. Values do not span lines.
    package static func parse(_ bytes: [UInt8], file: String, problems: inout ConfigProblems) -> [String:
        String]
    {
        var variables: [String: String] = [:]
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let complain = { (problems: inout ConfigProblems, message: String) in
                let position = Position(file: file, line: index + 1, column: 1)
                problems.add(ConfigProblem(.warning, at: position, message + "; the line is skipped"))
            }
            guard let text = String(validating: line, as: UTF8.self) else {
                complain(&problems, "not UTF-8")
                continue
            }
            var rest = trimmed(text[...])
            if rest.isEmpty || rest.hasPrefix("#") { continue }
            if rest.hasPrefix("export "), !rest.hasPrefix("export =") { rest = trimmed(rest.dropFirst(7)) }
            guard let equals = rest.firstIndex(of: "=") else {
                complain(&problems, "expected NAME=value")
                continue
            }
            let name = String(trimmed(rest[..<equals]))
            guard isName(name) else {
                complain(
                    &problems, "\(quoted(name)) is no variable name (letters, digits and _, no digit first)")
                continue
            }
            guard let value = value(trimmed(rest[rest.index(after: equals)...])) else {
                complain(&problems, "the quote of the value of \(name) is never closed")
                continue
            }
            variables[name] = value
        }
        return variables
    }

    /// Whether the text is a name as in POSIX: letters, digits and underscores, not beginning with a digit.
    package static func isName(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, !(first &- 0x30 < 10) else { return false }
        return text.utf8.allSatisfy { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 || $0 == UInt8(ascii: "_") }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }

    /// The value behind "=", or nil when its quote is not closed.
    private static func value(_ text: Substring) -> String? {
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            var end = text.startIndex
            var blankBefore = true
            while end < text.endIndex, !(text[end] == "#" && blankBefore) {
                blankBefore = text[end].isWhitespace
                end = text.index(after: end)
            }
            return String(trimmed(text[..<end]))
        }
        var value = ""
        var escaped = false
        for character in text.dropFirst() {
            if escaped {
                value.append(character == "n" ? "\n" : character == "t" ? "\t" : character)
                escaped = false
            } else if character == "\\", quote == "\"" {
                escaped = true
            } else if character == quote {
                return value
            } else {
                value.append(character)
            }
        }
        return nil
    }
}
