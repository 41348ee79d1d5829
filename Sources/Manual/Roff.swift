// SPDX-License-Identifier: Apache-2.0
// Text for manual pages: escapes what groff and mandoc would read as markup.
// Source: man(7), groff_char(7), "Portability" in mandoc_char(7).

enum Roff {
    /// The text so that it is shown as it is, also at the beginning of a line.
    static func escape(_ text: some StringProtocol) -> String {
        var result = ""
        if text.hasPrefix(".") || text.hasPrefix("'") { result = "\\&" }
        for character in text {
            switch character {
            case "\\": result += "\\e"
            // A plain one may come out as a typographic hyphen, which nobody can paste into a shell.
            case "-": result += "\\-"
            case "'": result += "\\(aq"
            case "`": result += "\\(ga"
            case "^": result += "\\(ha"
            case "~": result += "\\(ti"
            default: result.append(character)
            }
        }
        return result
    }

    static func bold(_ text: some StringProtocol) -> String { "\\fB\(escape(text))\\fR" }

    static func italic(_ text: some StringProtocol) -> String { "\\fI\(escape(text))\\fR" }

    /// A paragraph behind a tag.
    static func tagged(_ tag: String, _ body: [String]) -> String {
        (["\n.TP", tag] + body).joined(separator: "\n").dropFirst() + "\n"
    }

    /// An argument of a macro such as .SH.
    static func argument(_ text: String) -> String {
        "\"\(escape(text.replacing("\"", with: "\\(dq")))\""
    }
}
