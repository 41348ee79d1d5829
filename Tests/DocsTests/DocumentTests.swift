// SPDX-License-Identifier: Apache-2.0
// Holds the documents against the code: what a table of the code lists, the document about it names.

import Foundation
import Gateway
import IPC
import Journal
import Runtime
import Testing

@Suite struct DocumentTests {
    /// The folder of the repository.
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static func read(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The cells of the table rows that begin with this cell.
    private static func rows(of document: String, beginningWith cell: String) throws -> [[String]] {
        try read(document).split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| ") else { return nil }
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            return cells.first == cell || cells.first?.hasPrefix(cell + " ") == true ? cells : nil
        }
    }

    /// The part of docs/logging.md about one kind, from its heading to the next.
    private static func section(of kind: LogKind) throws -> Substring {
        let text = try read("docs/logging.md")
        let heading = try #require(text.range(of: "\n### \(kind)\n"), "no section about \(kind)")
        let rest = text[heading.upperBound...]
        return rest[..<(rest.range(of: "\n### ")?.lowerBound ?? rest.endIndex)]
    }

    @Test("every kind of log entry has a section with its MESSAGE_ID", arguments: LogKind.allCases)
    func logKind(_ kind: LogKind) throws {
        #expect(try Self.section(of: kind).contains("`\(kind.messageID)`"))
    }

    @Test("every kind of loss is explained")
    func losses() throws {
        for loss in Loss.allCases {
            #expect(
                try Self.rows(of: "docs/dialects.md", beginningWith: "`\(loss.name)`").count == 1, "\(loss)")
        }
    }

    @Test("docs/logging.md describes no kind that does not exist")
    func noOtherLogKind() throws {
        let names = Set(LogKind.allCases.map { "\($0)" })
        let described = try Self.read("docs/logging.md").split(separator: "\n")
            .filter { $0.hasPrefix("### ") }.map { String($0.dropFirst(4)) }
        #expect(Set(described) == names)
    }

    /// The sections of the journal catalog: MESSAGE_ID to the comment above it and its text.
    private static func catalog() throws -> [String: (name: String, text: Substring)] {
        let text = try read("systemd/ccr.catalog")
        var sections: [String: (name: String, text: Substring)] = [:]
        for match in text.matches(of: #/(?m)^# (\w+)\n-- ([0-9a-f]{32})$/#) {
            let rest = text[match.range.upperBound...]
            let end = rest.firstMatch(of: #/(?m)^# \w+\n-- /#)?.range.lowerBound ?? rest.endIndex
            sections[String(match.output.2)] = (String(match.output.1), rest[..<end])
        }
        return sections
    }

    @Test("the journal catalog explains exactly the kinds that exist, each under its name")
    func catalogKinds() throws {
        let names = try Self.catalog().mapValues(\.name)
        #expect(names == Dictionary(uniqueKeysWithValues: LogKind.allCases.map { ($0.messageID, "\($0)") }))
    }

    @Test("the journal catalog says what happened and what to do", arguments: LogKind.allCases)
    func catalogText(_ kind: LogKind) throws {
        let text = try #require(Self.catalog()[kind.messageID]).text
        #expect(text.contains(/^\nSubject: \S.*\nDefined-By: ccr\nDocumentation: man:\S+\n\n\S/))
        for line in text.split(separator: "\n") { #expect(line.utf8.count <= 82, "\(line)") }
        // An unknown field would stand in the text as it is written here.
        for field in text.matches(of: /@(\w+)@/) {
            #expect(try Self.read("docs/logging.md").contains("| `\(field.output.1)` |"), "\(field.output.1)")
        }
    }

    @Test("the newest version of the package is the version of ccr")
    func packageVersion() throws {
        let newest = try #require(Self.read("debian/changelog").prefixMatch(of: #/ccr \(([^)]+)\) /#)).output
            .1
        #expect(newest == CCR.version)
    }

    @Test("MESSAGE_IDs differ and are 32 lower-case hexadecimal digits")
    func messageIDs() {
        let ids = LogKind.allCases.map(\.messageID)
        #expect(Set(ids).count == ids.count)
        for id in ids { #expect(id.wholeMatch(of: /[0-9a-f]{32}/) != nil, "\(id)") }
    }

    @Test("every message between processes has a row with its direction", arguments: MessageKind.allCases)
    func message(_ kind: MessageKind) throws {
        let rows = try Self.rows(of: "ARCHITECTURE.md", beginningWith: "`\(kind)`")
        #expect(rows.count == 1)
        let sender = try #require(rows.first)[1].prefix { $0.isLetter }
        #expect("\(kind)".hasPrefix(sender), "the first word of a message's name is its sender")
    }

    @Test("the rights of every process are in the process table word for word", arguments: Role.allCases)
    func process(_ role: Role) throws {
        let entry = ProcessTable.entry(role)
        let rows = try Self.rows(of: "ARCHITECTURE.md", beginningWith: role.rawValue)
            .filter { $0.count == 4 }
        #expect(rows.count == 1)
        let row = try #require(rows.first)
        #expect(row[2] == entry.mayTouch)
        #expect(row[3] == entry.mustNever)
    }

    @Test(
        "links between documents lead to files that exist",
        arguments: [
            "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
            "docs/logging.md", "docs/rules.md", "docs/performance.md", "docs/decisions/README.md",
        ])
    func links(document: String) throws {
        let folder = Self.root.appending(path: document).deletingLastPathComponent()
        for match in try Self.read(document).matches(of: /\]\(([^)#:]+)(?:#[^)]*)?\)/) {
            let target = folder.appending(path: match.output.1).standardizedFileURL.path
            #expect(FileManager.default.fileExists(atPath: target), "\(document) links \(match.output.1)")
        }
    }
}
