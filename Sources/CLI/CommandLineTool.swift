// SPDX-License-Identifier: Apache-2.0
// The entry of the executable: finds the command, takes its options apart, runs it.

package import Config
import Glibc

package enum CommandLineTool {
    /// Runs one command and returns the exit status of the process.
    ///
    /// - Parameters:
    ///   - arguments: the words behind the program's name.
    ///   - environment: as the process got it.
    ///   - files: where configuration files are read.
    ///   - terminal: where text goes.
    ///   - host: the machine, for the commands of the service and the doctor.
    ///   - isRoot: whether the caller is root.
    ///   - runSupervisor: runs the gateway until it ends and returns the exit status; called by `ccr run` alone.
    package static func run(
        _ arguments: [String], environment: [String: String], files: any FileSource = DiskFiles(),
        terminal: any Terminal = StandardTerminal(), host: any Host = LinuxHost(),
        isRoot: Bool = geteuid() == 0,
        runSupervisor: @escaping (RunOptions) -> Int32
    ) -> Int32 {
        guard let first = arguments.first else {
            terminal.complain(Help.overview)
            return ExitStatus.usage
        }
        if first == "--help" || first == "-h" {
            terminal.print(Help.overview)
            return ExitStatus.success
        }
        var words = first == "--version" ? ["version"] + arguments.dropFirst() : arguments
        if first == "help", let topic = arguments.dropFirst().first, !topic.hasPrefix("-") {
            words = arguments.dropFirst() + ["--help"]
        }
        guard let command = CommandTable.commands.first(where: { words.starts(with: $0.words) }) else {
            return explainGroup(words, terminal) ?? unknown(words, terminal)
        }
        let rest = Array(words.dropFirst(command.words.count))
        if rest.contains("--help") || rest.contains("-h") {
            terminal.print(Help.text(for: command))
            return ExitStatus.success
        }
        let given: Arguments
        do {
            given = try Arguments(rest, of: command)
        } catch {
            terminal.complain("ccr \(command.name): \(error.message); see ccr \(command.name) --help")
            return ExitStatus.usage
        }
        return command.run(
            CommandContext(
                options: given.options, operands: given.operands, environment: environment,
                isRoot: isRoot, files: files, terminal: terminal, host: host,
                runSupervisor: runSupervisor))
    }

    /// The commands that begin with a word of several, as "key"; nil when that is not what the words are.
    private static func explainGroup(_ words: [String], _ terminal: any Terminal) -> Int32? {
        guard let first = words.first, let text = Help.group(first) else { return nil }
        switch words.dropFirst().first {
        case nil:
            terminal.complain(text)
            return ExitStatus.usage
        case "--help", "-h":
            terminal.print(text)
            return ExitStatus.success
        default: return nil
        }
    }

    private static func unknown(_ words: [String], _ terminal: any Terminal) -> Int32 {
        let names = CommandTable.commands.map(\.name)
        let given = words.prefix { !$0.hasPrefix("-") }.prefix(2).joined(separator: " ")
        // "key ad" is a misspelt "key add"; "validat c.json" a misspelt "validate".
        let hint = Spelling.hint(given, in: names)
        let text = hint.isEmpty ? Spelling.hint(words[0], in: names) : hint
        terminal.complain(
            "ccr: unknown command \(quoted(given.isEmpty ? words[0] : given))\(text); see ccr help")
        return ExitStatus.usage
    }
}
