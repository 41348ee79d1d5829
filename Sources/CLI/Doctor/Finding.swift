// SPDX-License-Identifier: Apache-2.0
// What `ccr doctor` found out, and how it is shown.

import JSON

struct Finding: Equatable {
    enum Level: String {
        case ok
        /// It works, but not as well or as safely as it could.
        case warn
        /// Requests will fail.
        case fail

        /// The colour of ECMA-48, "Select Graphic Rendition".
        var color: String {
            switch self {
            case .ok: "32"
            case .warn: "33"
            case .fail: "31"
            }
        }
    }

    let level: Level
    /// What was looked at: "port", "provider openai".
    let subject: String
    let text: String
    /// What to do about it, unless all is well.
    let remedy: String?

    static func ok(_ subject: String, _ text: String) -> Finding {
        Finding(level: .ok, subject: subject, text: text, remedy: nil)
    }

    static func warn(_ subject: String, _ text: String, _ remedy: String) -> Finding {
        Finding(level: .warn, subject: subject, text: text, remedy: remedy)
    }

    static func fail(_ subject: String, _ text: String, _ remedy: String) -> Finding {
        Finding(level: .fail, subject: subject, text: text, remedy: remedy)
    }
}

/// The findings as lines of at most 80 columns, unless a word is longer.
enum FindingTable {
    static func lines(_ findings: [Finding], hasColor: Bool) -> [String] {
        let width = findings.map(\.subject.count).max() ?? 0
        let indent = String(repeating: " ", count: 6 + width + 2)
        return findings.flatMap { finding -> [String] in
            let level = finding.level.rawValue
            let shown = hasColor ? "\u{1B}[\(finding.level.color)m\(level)\u{1B}[0m" : level
            let head =
                shown + String(repeating: " ", count: 6 - level.count) + finding.subject
                + String(repeating: " ", count: width - finding.subject.count + 2)
            var texts = TextTable.wrapped(finding.text, TextTable.columns - indent.count)
            if let remedy = finding.remedy {
                texts += TextTable.wrapped("→ " + remedy, TextTable.columns - indent.count)
            }
            return texts.enumerated().map { index, text in (index == 0 ? head : indent) + text }
        }
    }

    /// "9 ok, 1 warning, no failure".
    static func summary(_ findings: [Finding]) -> String {
        func count(_ level: Finding.Level) -> Int { findings.count { $0.level == level } }
        func named(_ number: Int, _ word: String) -> String {
            number == 0 ? "no \(word)" : "\(number) \(word)\(number == 1 ? "" : "s")"
        }
        return "\(count(.ok)) ok, \(named(count(.warn), "warning")), \(named(count(.fail), "failure"))"
    }

    static func json(_ findings: [Finding]) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("ok", !findings.contains { $0.level == .fail })
            writer.member(
                "findings",
                array: { writer in
                    for finding in findings {
                        writer.object { writer in
                            writer.member("level", finding.level.rawValue)
                            writer.member("subject", finding.subject)
                            writer.member("text", finding.text)
                            writer.member("remedy", finding.remedy)
                        }
                    }
                })
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
