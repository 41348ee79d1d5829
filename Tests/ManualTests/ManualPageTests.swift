// SPDX-License-Identifier: Apache-2.0
import CLI
import Config
import Testing

@testable import Manual

@Suite("Manual pages")
struct ManualPageTests {
    private let date = "2026-11-26"

    @Test("name every command with its operands and options")
    func commands() throws {
        let page = try ManualPages.page(template: "@COMMANDS@\n", date: date)
        for command in CommandTable.commands {
            #expect(page.contains("\\fBccr \(Roff.escape(command.name))\\fR"), "\(command.name)")
            for option in command.options {
                #expect(page.contains(Roff.bold(option.name)), "\(option.name)")
                #expect(page.contains(Roff.escape(option.help)), "\(option.name)")
            }
        }
        for group in CommandGroup.allCases { #expect(page.contains(".SS \"\(group.rawValue)\"")) }
    }

    @Test("name every key of the configuration once")
    func keys() throws {
        let page = try ManualPages.page(template: "@KEYS@\n", date: date)
        for key in Schema.keys {
            let tags = page.split(separator: "\n").filter {
                $0 == Roff.bold(key.path) || $0.hasPrefix("\(Roff.bold(key.path)) (")
            }
            #expect(tags.count == 1, "\(key.path)")
            #expect(page.contains(Roff.escape(key.help)))
        }
    }

    @Test("show the date and keep the prose")
    func prose() throws {
        #expect(
            try ManualPages.page(template: ".TH A 1 @DATE@\nb@c.d\n", date: date)
                == ".TH A 1 \(date)\nb@c.d\n")
    }

    @Test("are refused when a placeholder is unknown", arguments: ["@KEY@\n", ".TH A @VERSIONS@\n"])
    func unknown(template: String) {
        #expect(throws: ManualPages.Fault.self) { try ManualPages.page(template: template, date: date) }
    }

    @Test(
        "escape what groff would read as markup",
        arguments: [
            (".SH", "\\&.SH"), ("'x", "\\&\\(aqx"), ("a\\b", "a\\eb"), ("--json", "\\-\\-json"),
            ("a.b", "a.b"),
            ("~/^`", "\\(ti/\\(ha\\(ga"),
        ])
    func escape(text: String, expected: String) {
        #expect(Roff.escape(text) == expected)
    }

    @Test("need at least one template")
    func noTemplates() {
        #expect(throws: Documents.Fault.self) {
            _ = try Documents.make(templates: "/dev/null", files: DiskFiles(), date: date)
        }
    }
}
