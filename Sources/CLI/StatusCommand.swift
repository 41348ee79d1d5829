// SPDX-License-Identifier: Apache-2.0
// `ccr status`: asks the running gateway for its health and latencies and shows them as tables. The system's service is
// asked over its socket for administrators where the caller may open that, else at the address for clients.

import Config
import JSON

enum StatusCommand {
    @Sendable static func run(_ context: CommandContext) -> Int32 {
        let keeper = Keeper(context)
        guard let address = GatewayAddress.find(context, keeper, command: "status") else {
            return ExitStatus.usage
        }
        do throws(HTTPClient.Failure) {
            let health = try address.get("/health")
            guard health.status == 200 else {
                throw HTTPClient.Failure(message: "/health answers \(health.status)")
            }
            var lines = try parsed(health.body, Self.health)
            lines.insert(contentsOf: keeper.lines, at: 1)
            // Latencies come from another process, which may be down while the gateway serves.
            let answer = try? address.get("/v1/latencies")
            let latencies = answer?.status == 200 ? answer?.body : nil
            if let latencies { lines += try parsed(latencies, Self.latencies) }
            if context.has("--json") { lines = [json(health.body, latencies, keeper)] }
            for line in lines { context.terminal.print(line) }
            return ExitStatus.success
        } catch {
            if context.has("--json") { context.terminal.print(down(keeper)) }
            context.terminal.complain("ccr is down at \(address.authority): \(error.message)")
            if !context.has("--json") { for line in keeper.lines { context.terminal.complain(line) } }
            return ExitStatus.failure
        }
    }

    // MARK: - Output

    private static func parsed<Output>(
        _ body: [UInt8], _ use: (JSONValue) throws(HTTPClient.Failure) -> Output
    ) throws(HTTPClient.Failure) -> Output {
        let parser = JSONParser()
        let root: JSONValue
        do {
            root = try parser.parse(body)
        } catch {
            throw HTTPClient.Failure(message: "what answers is not ccr (\(error))")
        }
        defer { withExtendedLifetime(parser) {} }
        return try use(root)
    }

    private static func health(_ root: JSONValue) throws(HTTPClient.Failure) -> [String] {
        guard let status = root.member("status")?.string else {
            throw HTTPClient.Failure(message: "what answers is not ccr (no status)")
        }
        let version = root.member("version")?.string.map { ", version \($0)" } ?? ""
        return ["\(status)\(version)"] + processes(root.member("processes")) + policy(root)
    }

    /// One line for each circuit that is not closed, each pause and each ban.
    private static func policy(_ root: JSONValue) -> [String] {
        func lines(_ list: StaticString, _ line: (JSONValue) -> String) -> [String] {
            root.member(list)?.elements.map { entry in
                let left = entry.member("remaining_seconds")?.int.flatMap {
                    $0 > 0 ? ", \(TextTable.duration($0)) left" : nil
                }
                return line(entry) + (left ?? "")
            } ?? []
        }
        let found =
            lines("circuits") { entry in
                let state = entry.member("state")?.string == "open" ? "open" : "half-open"
                return "circuit \(state): \(BanCommands.name(entry))"
            }
            + lines("pauses") { "paused: \(BanCommands.name($0))" }
            + lines("bans") { "banned by \($0.member("origin")?.string ?? "?"): \(BanCommands.name($0))" }
        return found.isEmpty ? [] : [""] + found
    }

    private static func processes(_ list: JSONValue?) -> [String] {
        guard let list, list.count > 0 else { return [] }
        var rows = [["PROCESS", "PROVIDER", "PID", "STATE", "RESTARTS", "MEMORY", "SAYS"]]
        for process in list.elements {
            let memory = process.member("resident_bytes")?.int.map { "\($0 / 1_048_576) MB" }
            rows.append([
                process.member("role")?.string ?? "?", process.member("provider")?.string ?? "",
                process.member("pid")?.int.map(String.init) ?? "", process.member("state")?.string ?? "?",
                process.member("restarts")?.int.map(String.init) ?? "", memory ?? "",
                process.member("text")?.string ?? "",
            ])
        }
        return [""] + TextTable.lines(rows)
    }

    private static func latencies(_ list: JSONValue) throws(HTTPClient.Failure) -> [String] {
        guard list.count > 0 else { return [] }
        var rows = [["TIER", "LATENCY", "SAMPLES"]]
        for tier in list.elements {
            let milliseconds = tier.member("ewma_seconds")?.double
                .flatMap { Int(exactly: ($0 * 1_000).rounded()) }.map { "\($0) ms" }
            rows.append([
                tier.member("tier")?.string ?? "?", milliseconds ?? "",
                tier.member("sample_count")?.int.map(String.init) ?? "",
            ])
        }
        return [""] + TextTable.lines(rows)
    }

    /// Both answers and who manages it in one object, the answers unchanged; both were parsed before, so the result is valid.
    private static func json(_ health: [UInt8], _ latencies: [UInt8]?, _ keeper: Keeper) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("health")
            writer.raw(health)
            writer.key("latencies")
            if let latencies { writer.raw(latencies) } else { writer.null() }
            keeper.write(to: &writer)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func down(_ keeper: Keeper) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("status", "down")
            keeper.write(to: &writer)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
