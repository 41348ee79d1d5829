// SPDX-License-Identifier: Apache-2.0
// `ccr validate`: every problem of the configuration, and what ccr would run with.

import Config
import JSON

enum ValidateCommand {
    @Sendable static func run(_ context: CommandContext) -> Int32 {
        let loaded = context.load(unresolved: .examined)
        if context.has("--json") {
            context.terminal.print(json(loaded))
        } else {
            for problem in loaded.problems { context.terminal.complain(problem.description) }
            context.terminal.print(summary(loaded))
        }
        return loaded.configuration == nil ? ExitStatus.usage : ExitStatus.success
    }

    private static func summary(_ loaded: LoadedConfiguration) -> String {
        let source = loaded.files.isEmpty ? "built-in configuration" : loaded.files.joined(separator: ", ")
        let errors = count(loaded, .error, "error")
        let warnings = count(loaded, .warning, "warning")
        guard let configuration = loaded.configuration else { return "\(source): \(errors), \(warnings)" }
        let providers = configuration.providers
        let models = providers.reduce(0) { $0 + $1.models.count }
        let listen = configuration.listen
        return
            "\(source): ok, \(warnings); \(plural(providers.count, "provider")), \(plural(models, "model")), "
            + "listening on \(listen.host.contains(":") ? "[\(listen.host)]" : listen.host):\(listen.port)"
    }

    private static func count(
        _ loaded: LoadedConfiguration, _ severity: ConfigProblem.Severity, _ word: String
    ) -> String {
        plural(loaded.problems.count { $0.severity == severity }, word)
    }

    private static func plural(_ count: Int, _ word: String) -> String {
        "\(count) \(word)\(count == 1 ? "" : "s")"
    }

    private static func json(_ loaded: LoadedConfiguration) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("valid")
            writer.bool(loaded.configuration != nil)
            writer.key("files")
            writer.array { writer in
                for file in loaded.files { writer.string(file) }
            }
            writer.key("problems")
            writer.array { writer in
                for problem in loaded.problems { write(problem, &writer) }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func write(_ problem: ConfigProblem, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("severity")
            writer.string(problem.severity.rawValue)
            if let position = problem.position {
                writer.key("file")
                writer.string(position.file)
                writer.key("line")
                writer.int(position.line)
                writer.key("column")
                writer.int(position.column)
            }
            writer.key("key")
            writer.string(problem.keyPath)
            writer.key("message")
            writer.string(problem.message)
        }
    }
}
