// SPDX-License-Identifier: Apache-2.0
// The form of a command: its words, options, help line and action. The commands themselves are in CommandTable.swift.

import Config

/// An option of a command.
struct CommandOption: Sendable {
    /// "--config".
    let name: String
    /// What follows it, for the help ("FILE"), or nil for a switch.
    let value: String?
    let help: String
}

/// One command.
struct Command: Sendable {
    /// The words that call it: ["route", "explain"].
    let words: [String]
    /// One line for the list of commands.
    let summary: String
    /// More for `--help`; may be empty.
    let details: String
    let options: [CommandOption]
    /// Runs it and returns the exit status.
    let run: @Sendable (CommandContext) -> Int32

    var name: String { words.joined(separator: " ") }
}

/// What a command works with.
struct CommandContext {
    /// Values of the given options by name; "" for switches.
    let options: [String: String]
    let environment: [String: String]
    let isRoot: Bool
    let files: any FileSource
    let terminal: any Terminal
    let runSupervisor: (RunOptions) -> Int32

    func has(_ option: String) -> Bool { options[option] != nil }

    /// Reads the configuration that the options name.
    func load(overrides: ConfigOverrides = ConfigOverrides()) -> LoadedConfiguration {
        loader.load(path: options["--config"], overrides: overrides)
    }

    var loader: ConfigLoader {
        ConfigLoader(files: files, surroundings: Surroundings(environment: environment, isRoot: isRoot))
    }

    /// Reads the configuration for a command that only needs it to be right; complains and returns nil when not.
    func loadOrComplain(overrides: ConfigOverrides = ConfigOverrides()) -> Configuration? {
        let loaded = load(overrides: overrides)
        for problem in loaded.problems where problem.severity != .warning || loaded.configuration == nil {
            terminal.complain(problem.description)
        }
        return loaded.configuration
    }
}

/// The exit statuses of ccr.
package enum ExitStatus {
    package static let success: Int32 = 0
    /// The instance is down, or the answer is no.
    package static let failure: Int32 = 1
    /// Wrong arguments or a wrong configuration.
    package static let usage: Int32 = 2
    /// A wrong configuration in `ccr run`, so that systemd does not restart it (sysexits.h, EX_CONFIG).
    package static let badConfiguration: Int32 = 78
}

/// Why arguments do not fit a command.
struct UsageError: Error, Equatable {
    let message: String
}

/// Takes the words behind the command apart.
enum Arguments {
    /// - Throws: the first word that the command does not know, or an option without its value.
    static func parse(_ words: [String], of command: Command) throws(UsageError) -> [String: String] {
        var options: [String: String] = [:]
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else {
                throw UsageError(message: "unexpected argument \(quoted(word))")
            }
            let name = String(word.prefix { $0 != "=" })
            guard let option = command.options.first(where: { $0.name == name }) else {
                let hint = Spelling.hint(name, in: command.options.map(\.name) + ["--help"])
                throw UsageError(message: "unknown option \(quoted(name))\(hint)")
            }
            guard options[name] == nil else { throw UsageError(message: "\(name) is given twice") }
            let attached = word.count > name.count ? String(word.dropFirst(name.count + 1)) : nil
            guard let value = option.value else {
                guard attached == nil else { throw UsageError(message: "\(name) takes no value") }
                options[name] = ""
                continue
            }
            guard let text = attached ?? rest.popFirst(), !text.isEmpty else {
                throw UsageError(message: "\(name) needs a value: \(name) \(value)")
            }
            options[name] = text
        }
        return options
    }
}
