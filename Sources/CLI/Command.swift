// SPDX-License-Identifier: Apache-2.0
// The form of a command: its words, options, help and action. The commands themselves are in CommandTable.swift; the
// help, the manual page and the shells' completions are made of the same rows.

import Config

/// What a shell offers for a value.
package enum Completion: Equatable, Sendable {
    case nothing
    case files
    /// One of these.
    case words([String])
    /// The commands of ccr.
    case commands
}

/// An option of a command.
package struct CommandOption: Sendable {
    /// "--config".
    package let name: String
    /// "-n", or nil.
    package var short: String?
    /// What follows it, for the help ("FILE"), or nil for a switch.
    package let value: String?
    package let help: String
    /// What a shell offers for the value.
    package var completion = Completion.nothing

    /// "-n, --lines N", as the help shows it.
    package var synopsis: String {
        (short.map { "\($0), " } ?? "") + name + (value.map { " \($0)" } ?? "")
    }
}

/// A word that stands behind a command without an option's name.
package struct Operand: Sendable {
    /// "NAME", for the help.
    package let name: String
    package let help: String
    package var isRequired = true
    package var completion = Completion.nothing

    /// "NAME" or "[NAME]".
    package var synopsis: String { isRequired ? name : "[\(name)]" }
}

/// What a command is for; the order of `ccr help`.
package enum CommandGroup: String, CaseIterable, Sendable {
    case service = "Run the gateway"
    case configuration = "Check and understand the configuration"
    case keys = "Client keys"
    case credentials = "Keep credentials alive"
    case general = "About ccr"
}

/// One command.
package struct Command: Sendable {
    /// The words that call it: ["route", "explain"].
    package let words: [String]
    package let group: CommandGroup
    /// One line for the list of commands.
    package let summary: String
    /// More for `--help`; may be empty.
    package let details: String
    package var operands: [Operand] = []
    package let options: [CommandOption]
    /// Runs it and returns the exit status.
    let run: @Sendable (CommandContext) -> Int32

    package var name: String { words.joined(separator: " ") }

    /// "route explain [OPTIONS]".
    package var synopsis: String {
        ([name] + operands.map(\.synopsis) + (options.isEmpty ? [] : ["[OPTIONS]"])).joined(separator: " ")
    }
}

/// What a command works with.
struct CommandContext {
    /// Values of the given options by name; "" for switches.
    let options: [String: String]
    /// The given operands, in the order of the command's.
    let operands: [String]
    let environment: [String: String]
    let isRoot: Bool
    let files: any FileSource
    let terminal: any Terminal
    let host: any Host
    let runSupervisor: (RunOptions) -> Int32

    func has(_ option: String) -> Bool { options[option] != nil }

    /// Reads the configuration that the options name.
    func load(overrides: ConfigOverrides = ConfigOverrides(), unresolved: UnresolvedReferences = .refused)
        -> LoadedConfiguration
    {
        loader(unresolved: unresolved).load(path: options["--config"], overrides: overrides)
    }

    /// Reads configurations as a command does that looks at what a gateway runs with.
    func loader(unresolved: UnresolvedReferences = .refused) -> ConfigLoader {
        var environment = environment
        if let directory = credentialsOfService { environment["CREDENTIALS_DIRECTORY"] = directory }
        return ConfigLoader(
            files: files, surroundings: Surroundings(environment: environment, isRoot: isRoot),
            unresolved: unresolved)
    }

    /// Reads configurations for this very process, which has no credentials but those that were passed to it.
    var ownLoader: ConfigLoader {
        ConfigLoader(files: files, surroundings: Surroundings(environment: environment, isRoot: isRoot))
    }

    /// What systemd passed to the running service, which root may read; nil where that is not the case.
    private var credentialsOfService: String? {
        let directory = "/run/credentials/\(ServiceManager.service)"
        guard isRoot, environment["CREDENTIALS_DIRECTORY"] == nil, host.facts(directory)?.isDirectory == true
        else { return nil }
        return directory
    }

    /// Reads the configuration for a command that only needs it to be right; complains and returns nil when not.
    ///
    /// - Parameter unresolved: something else for a command that uses no key, which may be known to the service alone.
    func loadOrComplain(
        overrides: ConfigOverrides = ConfigOverrides(), unresolved: UnresolvedReferences = .refused
    ) -> Configuration? {
        let loaded = load(overrides: overrides, unresolved: unresolved)
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
