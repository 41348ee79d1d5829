// SPDX-License-Identifier: Apache-2.0
// Every command as data: called by name, listed by `ccr help`, explained by `--help`.

enum CommandTable {
    private static let config = CommandOption(
        name: "--config", value: "FILE",
        help: "configuration file (default: $CCR_CONFIG, then the usual places)")
    private static let json = CommandOption(name: "--json", value: nil, help: "print JSON")
    private static let host = CommandOption(name: "--host", value: "ADDRESS", help: "address instead of HOST")
    private static let port = CommandOption(name: "--port", value: "PORT", help: "port instead of PORT")

    static let commands: [Command] = [
        Command(
            words: ["run"], summary: "run the gateway in the foreground",
            details: """
                SIGTERM finishes running requests and ends; SIGHUP reads the configuration again.
                Exits with 78 when the configuration is wrong.
                """,
            options: [
                config, host, port,
                CommandOption(
                    name: "--drain-seconds", value: "SECONDS",
                    help: "time for running requests at the end (0 to 86400)"),
            ],
            run: RunCommand.run),
        Command(
            words: ["validate"], summary: "check the configuration and name every problem",
            details: "Exits with 0 when ccr would run with it, warnings included, else with 2.",
            options: [config, json], run: ValidateCommand.run),
        Command(
            words: ["status"], summary: "ask the running gateway how it is",
            details: "Exits with 1 when nothing answers at the configured address.",
            options: [config, host, port, json], run: StatusCommand.run),
        Command(
            words: ["models"], summary: "list the models clients can ask for and who answers them",
            details: "", options: [config, json], run: ModelsCommand.run),
        Command(
            words: ["route", "explain"], summary: "read a request body and say who would be asked and why",
            details: "Reads the JSON body of the request from the standard input; sends nothing.",
            options: [
                config,
                CommandOption(
                    name: "--endpoint", value: "NAME",
                    help: "chat, responses or messages (default: told from the body)"),
                CommandOption(
                    name: "--client", value: "KIND", help: "codex, claude_code or other (default: other)"),
                CommandOption(name: "--preset", value: "NAME", help: "as if sent to /preset/NAME/v1/…"),
                json,
            ],
            run: RouteCommand.run),
        Command(
            words: ["version"], summary: "print the version", details: "", options: [json],
            run: VersionCommand.run),
        Command(
            words: ["help"], summary: "list the commands", details: "", options: [],
            run: { context in
                context.terminal.print(Help.overview)
                return ExitStatus.success
            }),
    ]
}

/// The texts of `ccr help` and `ccr COMMAND --help`.
enum Help {
    static var overview: String {
        """
        ccr: one local address for every coding agent and SDK

        usage: ccr COMMAND [OPTIONS]

        \(table(CommandTable.commands.map { ($0.name, $0.summary) }))

        ccr COMMAND --help explains the options of a command.
        """
    }

    static func text(for command: Command) -> String {
        var options = command.options.map { option in
            (option.value.map { "\(option.name) \($0)" } ?? option.name, option.help)
        }
        options.append(("--help", "show this help"))
        let details = command.details.isEmpty ? "" : "\n\n" + command.details
        return """
            usage: ccr \(command.name) [OPTIONS]

            \(command.summary)\(details)

            \(table(options))
            """
    }

    private static func table(_ rows: [(String, String)]) -> String {
        TextTable.lines(rows.map { ["  " + $0.0, $0.1] }).joined(separator: "\n")
    }
}

/// Columns of text.
enum TextTable {
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
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 {
                    line += String(repeating: " ", count: widths[column] - cell.count + 2)
                }
            }
            return line
        }
    }
}
