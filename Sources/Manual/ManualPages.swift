// SPDX-License-Identifier: Apache-2.0
// The manual pages: prose from packaging/man/*.in, tables from the code at its placeholders.
// Source: man(7), man-pages(7) for sections and their order.

import CLI
import Config
import Gateway
import Journal
import Runtime

package enum ManualPages {
    /// Lines of a template that hold such a name alone are replaced by what the function returns.
    private static let placeholders: [(name: String, text: @Sendable () -> String)] = [
        ("@COMMANDS@", { commands(CommandTable.commands) }),
        ("@KEYS@", { keys(Schema.keys) }),
        ("@MESSAGES@", messages),
        ("@ENVIRONMENT@", environment),
    ]

    /// Why a template cannot be used.
    package struct Fault: Error, Equatable {
        package let message: String
    }

    /// The page that a template describes.
    ///
    /// - Parameter date: of the page's head, "2026-11-26".
    package static func page(template: String, date: String) throws(Fault) -> String {
        var text = template
        for (name, make) in placeholders where text.contains(name) {
            text = text.replacing("\(name)\n", with: make())
        }
        text = text.replacing("@DATE@", with: date).replacing("@VERSION@", with: CCR.version)
        for line in text.split(separator: "\n") where line.contains("@") {
            let words = line.split(separator: " ").filter { $0.hasPrefix("@") && $0.hasSuffix("@") }
            if let unknown = words.first { throw Fault(message: "unknown placeholder \(unknown)") }
        }
        return text
    }

    // MARK: - Commands

    static func commands(_ commands: [Command]) -> String {
        CommandGroup.allCases.map { group in
            ".SS \(Roff.argument(group.rawValue))\n"
                + commands.filter { $0.group == group }.map(command).joined()
        }.joined()
    }

    private static func command(_ command: Command) -> String {
        var tag = Roff.bold("ccr \(command.name)")
        for operand in command.operands {
            tag += " " + (operand.isRequired ? Roff.italic(operand.name) : "[\(Roff.italic(operand.name))]")
        }
        if !command.options.isEmpty { tag += " [\(Roff.italic("OPTIONS"))]" }
        var text = Roff.tagged(tag, [sentence(command.summary)])
        let details = command.details.split(separator: "\n").map { Roff.escape($0) }
        text += details.isEmpty ? "" : details.joined(separator: "\n") + "\n"
        guard !command.options.isEmpty || !command.operands.isEmpty else { return text }
        text += ".RS\n"
        for operand in command.operands {
            text += Roff.tagged(Roff.italic(operand.name), [Roff.escape(operand.help)])
        }
        for option in command.options {
            var tag = option.short.map { "\(Roff.bold($0)), " } ?? ""
            tag += Roff.bold(option.name) + (option.value.map { " " + Roff.italic($0) } ?? "")
            text += Roff.tagged(tag, [Roff.escape(option.help)])
        }
        return text + ".RE\n"
    }

    /// "print the version" as "Print the version."
    private static func sentence(_ text: String) -> String {
        let end = text.hasSuffix(".") ? "" : "."
        return Roff.escape(text.prefix(1).uppercased() + text.dropFirst() + end)
    }

    // MARK: - Configuration

    /// The keys under one heading for each object at the top; those without effect last.
    static func keys(_ keys: [SchemaKey]) -> String {
        let used = keys.filter { $0.status == .used }
        var headings: [String] = []
        for key in used where !headings.contains(key.topLevel) { headings.append(key.topLevel) }
        let single = headings.filter { name in used.count { $0.topLevel == name } == 1 }
        var text = ".SS \"Single values\"\n"
        text += used.filter { single.contains($0.topLevel) }.map(key).joined()
        for heading in headings where !single.contains(heading) {
            text += ".SS \(Roff.argument(heading))\n"
            text += used.filter { $0.topLevel == heading }.map(key).joined()
        }
        text += ".SS \"Keys without effect\"\n"
        text += "Accepted from files of other programs; \\fBccr validate\\fR names each that is set.\n"
        return text + keys.filter { $0.status != .used }.map(key).joined()
    }

    private static func key(_ key: SchemaKey) -> String {
        var tag = Roff.bold(key.path)
        if !key.spellings.isEmpty {
            tag += " (also \(key.spellings.map { Roff.bold($0) }.joined(separator: ", ")))"
        }
        guard case .used = key.status else {
            guard case .ignored(let reason) = key.status else { return "" }
            return Roff.tagged(tag, [Roff.escape(key.help), "No effect: \(Roff.escape(reason))."])
        }
        var facts = "Allowed: \(Roff.escape(key.kind.allowed))."
        if key.isRequired { facts += " Required." }
        if let fallback = key.fallback { facts += " Default: \(Roff.bold(fallback))." }
        return Roff.tagged(tag, [Roff.escape(key.help), ".br", facts])
    }

    // MARK: - Service

    private static func messages() -> String {
        LogKind.allCases.map { kind in
            Roff.tagged(Roff.bold("\(kind)"), [Roff.escape("MESSAGE_ID=\(kind.messageID)")])
        }.joined()
    }

    private static func environment() -> String {
        ProcessTable.entries.map { entry in
            Roff.tagged(
                Roff.bold(entry.role.rawValue),
                [entry.environment.map { Roff.bold($0) }.joined(separator: ",\n")])
        }.joined()
    }
}

extension SchemaKey {
    /// The first part of the path, without brackets: "Providers" of "Providers[].name".
    fileprivate var topLevel: String { String(path.prefix { $0 != "." && $0 != "[" }) }
}
