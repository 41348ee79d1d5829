// SPDX-License-Identifier: Apache-2.0
// The texts of `ccr help` and `ccr COMMAND --help`, made of the command table.

enum Help {
    static var overview: String {
        let commands = CommandTable.commands
        let width = commands.map(\.name.count).max() ?? 0
        let groups = CommandGroup.allCases.map { group in
            "\(group.rawValue)\n" + list(commands.filter { $0.group == group }, width)
        }
        return """
            ccr: one local address for every coding agent and SDK

            usage: ccr COMMAND [OPTIONS]

            \(groups.joined(separator: "\n\n"))

            ccr COMMAND --help explains the options of a command; man ccr tells everything.
            """
    }

    /// The commands of several words that begin with `word`; nil when none does.
    static func group(_ word: String) -> String? {
        let commands = CommandTable.commands.filter { $0.words.count > 1 && $0.words[0] == word }
        guard !commands.isEmpty else { return nil }
        return """
            usage: ccr \(word) COMMAND [OPTIONS]

            \(list(commands, commands.map(\.name.count).max() ?? 0))

            ccr \(word) COMMAND --help explains the options of a command.
            """
    }

    private static func list(_ commands: [Command], _ width: Int) -> String {
        TextTable.lines(commands.map { ["  " + $0.name.padding(to: width), $0.summary] }).joined(
            separator: "\n")
    }

    static func text(for command: Command) -> String {
        let operands = command.operands.map { ($0.name, $0.help) }
        let options = command.options.map { ($0.synopsis, $0.help) } + [("-h, --help", "show this help")]
        let details =
            command.details.isEmpty
            ? "" : "\n\n" + TextTable.wrapped(command.details, TextTable.columns).joined(separator: "\n")
        return """
            usage: ccr \(command.synopsis)

            \(command.summary)\(details)

            \(table(operands + options))
            """
    }

    private static func table(_ rows: [(String, String)]) -> String {
        let width = TextTable.columns - 4 - (rows.map(\.0.count).max() ?? 0)
        let lines = rows.flatMap { name, help in
            TextTable.wrapped(help, width).enumerated().map { ["  " + ($0 == 0 ? name : ""), $1] }
        }
        return TextTable.lines(lines).joined(separator: "\n")
    }
}

/// Columns of text.
enum TextTable {
    /// The width of a terminal, for texts that are wrapped.
    static let columns = 80

    /// The text in lines of at most `width` characters, broken at blanks.
    static func wrapped(_ text: String, _ width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }

    /// "1 token", "2 tokens".
    static func count(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }

    /// "90 s", "5 min", "2 h", "3 d": as much of a time as a person wants to know.
    static func duration(_ seconds: Int) -> String {
        if seconds < 120 { return "\(seconds) s" }
        if seconds < 7200 { return "\(seconds / 60) min" }
        return seconds < 172_800 ? "\(seconds / 3600) h" : "\(seconds / 86_400) d"
    }

    /// Pads every column but the last to its widest cell.
    static func lines(_ rows: [[String]]) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            row.enumerated().map { column, cell in
                column < row.count - 1 ? cell.padding(to: widths[column]) : cell
            }.joined(separator: "  ")
        }
    }
}

extension String {
    /// The text with blanks behind it up to `width` characters.
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
