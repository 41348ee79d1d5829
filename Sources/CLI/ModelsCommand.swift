// SPDX-License-Identifier: Apache-2.0
// `ccr models` and `ccr version`: what clients can ask for, and which ccr this is.

import Config
import Gateway
import JSON
import Providers
import Routing

enum ModelsCommand {
    @Sendable static func run(_ context: CommandContext) -> Int32 {
        guard let configuration = context.loadOrComplain() else { return ExitStatus.usage }
        if context.has("--table") {
            context.terminal.print(ModelTableText.json(ModelTable.rows(of: configuration)))
            return ExitStatus.success
        }
        let table = RouteTable(configuration)
        if context.has("--json") {
            context.terminal.print(String(decoding: ModelCatalogue.body(table), as: UTF8.self))
            return ExitStatus.success
        }
        var rows = [["MODEL", "ANSWERED BY", "SPEAKS"]]
        for entry in ModelCatalogue.entries(table) {
            let targets = ModelCatalogue.targets(of: entry, table)
            let spoken = Dialect.allCases.filter { dialect in
                targets.contains { $0.dialects.contains(dialect) }
            }
            let names = targets.map { "\($0.name),\(entry.upstreamModel)" }.joined(separator: " ")
            rows.append([entry.id, names, spoken.map(\.name).joined(separator: " ")])
        }
        for line in TextTable.lines(rows) { context.terminal.print(line) }
        return ExitStatus.success
    }
}

enum VersionCommand {
    @Sendable static func run(_ context: CommandContext) -> Int32 {
        guard context.has("--json") else {
            context.terminal.print("ccr \(CCR.version)")
            return ExitStatus.success
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("name")
            writer.string("ccr")
            writer.key("version")
            writer.string(CCR.version)
        }
        context.terminal.print(String(decoding: writer.bytes, as: UTF8.self))
        return ExitStatus.success
    }
}
