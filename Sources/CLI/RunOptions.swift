// SPDX-License-Identifier: Apache-2.0
// `ccr run`: checks the configuration, then hands over to the supervisor.

package import Config
import Journal
import ServiceManager

/// What the supervisor starts with.
package struct RunOptions {
    /// The checked configuration.
    package let configuration: Configuration
    /// The files it came from; empty for the built-in one.
    package let files: [String]
    /// --host and --port.
    package let overrides: ConfigOverrides
    /// --drain-seconds in milliseconds, else Timeouts.drainMs of `configuration`.
    package let drainMs: Int
    /// Whether --drain-seconds was given, so that a reload does not change it.
    package let hasDrainOption: Bool
    let configPath: String?
    let loader: ConfigLoader

    /// Reads the configuration again, from the same place and with the same options.
    package func reload() -> LoadedConfiguration { loader.load(path: configPath, overrides: overrides) }
}

enum RunCommand {
    @Sendable static func run(_ context: CommandContext) -> Int32 {
        let overrides: ConfigOverrides
        let drainSeconds: Int?
        do {
            overrides = try addressOptions(context)
            drainSeconds = try drainOption(context)
        } catch {
            context.terminal.complain("ccr run: \(error.message)")
            return ExitStatus.usage
        }
        let loaded = context.ownLoader.load(path: context.options["--config"], overrides: overrides)
        tell(loaded.problems, context.terminal)
        guard let configuration = loaded.configuration else {
            let reason = loaded.problems.first { $0.severity == .error }.map { "\($0)" } ?? "no configuration"
            // The unit fails with this in its status; the log has all of them.
            Notifier.status("configuration refused: \(reason)")
            return ExitStatus.badConfiguration
        }
        return context.runSupervisor(
            RunOptions(
                configuration: configuration, files: loaded.files, overrides: overrides,

                drainMs: drainSeconds.map { $0 * 1_000 } ?? configuration.timeouts.drainMs,
                hasDrainOption: drainSeconds != nil, configPath: context.options["--config"],
                loader: context.ownLoader))
    }

    /// --drain-seconds.
    static func drainOption(_ context: CommandContext) throws(UsageError) -> Int? {
        try number("--drain-seconds", 0...86_400, context)
    }

    /// As plain text for a person, as entries of the log for a service.
    private static func tell(_ problems: [ConfigProblem], _ terminal: any Terminal) {
        let journal = Journal(role: "supervisor")
        for problem in problems {
            guard journal.isJournald else {
                terminal.complain(problem.description)
                continue
            }
            let level: LogLevel =
                switch problem.severity {
                case .error: .error
                case .warning: .warning
                case .note: .info
                }
            journal.log(level, .configRefused, problem.description)
        }
    }

    /// --host and --port.
    static func addressOptions(_ context: CommandContext) throws(UsageError) -> ConfigOverrides {
        let port = try number("--port", 1...65_535, context)
        return ConfigOverrides(host: context.options["--host"], port: port.map { UInt16($0) })
    }

    private static func number(
        _ option: String, _ range: ClosedRange<Int>, _ context: CommandContext
    ) throws(UsageError) -> Int? {
        guard let text = context.options[option] else { return nil }
        guard text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let value = Int(text), range.contains(value) else {
            let allowed = "a whole number from \(range.lowerBound) to \(range.upperBound)"
            throw UsageError(message: "\(option) is \(quoted(text)), allowed is \(allowed)")
        }
        return value
    }
}
