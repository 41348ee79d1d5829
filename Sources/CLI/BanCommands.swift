// SPDX-License-Identifier: Apache-2.0
// `ccr ban`, `unban` and `bans`: ask the running gateway over the paths for administrators.

import Config
import JSON

enum BanCommands {
    @Sendable static func ban(_ context: CommandContext) -> Int32 {
        var members = subject(context)
        if let time = context.options["--for"] {
            guard time == "permanent" || DurationText.milliseconds(time) != nil else {
                context.terminal.complain(
                    "ccr ban: --for is \(quoted(time)), allowed are times such as 90s, 15m, 2h, and permanent"
                )
                return ExitStatus.usage
            }
            members.append(("ttl", time))
        }
        if let reason = context.options["--reason"] { members.append(("reason", reason)) }
        return ask(context, "/api/ban", members) { ["\(name($0)) is banned \(end($0))"] }
    }

    @Sendable static func unban(_ context: CommandContext) -> Int32 {
        ask(context, "/api/unban", subject(context)) { answer in
            answer.member("unbanned")?.elements.map { "\(name($0)) is banned no more" } ?? []
        }
    }

    @Sendable static func list(_ context: CommandContext) -> Int32 {
        ask(context, "/api/bans", nil) { answer in
            guard let bans = answer.member("bans"), bans.count > 0 else { return ["nothing is banned"] }
            var rows = [["PROVIDER", "CREDENTIAL", "MODEL", "BY", "SINCE", "UNTIL", "LEFT", "REASON"]]
            for ban in bans.elements {
                rows.append([
                    ban.member("provider")?.string ?? "", ban.member("credential")?.string ?? "all",
                    ban.member("model")?.string ?? "all", ban.member("origin")?.string ?? "",
                    ban.member("since")?.string ?? "", ban.member("until")?.string ?? "ccr unban",
                    ban.member("remaining_seconds")?.int.map(TextTable.duration) ?? "",
                    ban.member("reason")?.string ?? "",
                ])
            }
            return TextTable.lines(rows)
        }
    }

    // MARK: - Words

    /// The members that "NAME,MODEL" stands for.
    private static func subject(_ context: CommandContext) -> [(name: StaticString, value: String)] {
        let parts = context.operands[0].split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        return zip(["credential", "model"] as [StaticString], parts).map { ($0, String($1)) }
    }

    /// "credential two of provider pool for model m", of anything with these members.
    static func name(_ ban: JSONValue) -> String {
        let provider = "provider \(ban.member("provider")?.string ?? "?")"
        let subject = ban.member("credential")?.string.map { "credential \($0) of \(provider)" } ?? provider
        return subject + (ban.member("model")?.string.map { " for model \($0)" } ?? "")
    }

    private static func end(_ ban: JSONValue) -> String {
        ban.member("until")?.string.map { "until \($0)" } ?? "until ccr unban"
    }

    // MARK: - Asking

    /// Sends the members, or asks without a body, and shows the answer: as it is with --json, else in these lines.
    private static func ask(
        _ context: CommandContext, _ path: String, _ members: [(name: StaticString, value: String)]?,
        _ lines: (JSONValue) -> [String]
    ) -> Int32 {
        let command = String(path.dropFirst("/api/".count))
        guard let address = GatewayAddress.find(context, Keeper(context), command: command, isForAdmin: true)
        else { return ExitStatus.usage }
        do throws(HTTPClient.Failure) {
            let answer: HTTPResponse
            if let members {
                answer = try address.post(path, json(members))
            } else {
                answer = try address.get(path)
            }
            return show(answer, context, lines)
        } catch {
            context.terminal.complain("ccr is down at \(address.authority): \(error.message)")
            return ExitStatus.failure
        }
    }

    private static func show(
        _ answer: HTTPResponse, _ context: CommandContext, _ lines: (JSONValue) -> [String]
    ) -> Int32 {
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        guard let root = try? parser.parse(answer.body) else {  // what is no JSON is no ccr
            context.terminal.complain("what answers is not ccr (status \(answer.status))")
            return ExitStatus.failure
        }
        guard answer.status == 200 else {
            let message = root.member("error")?.member("message")?.string ?? "status \(answer.status)"
            context.terminal.complain("ccr: \(message)")
            return ExitStatus.failure
        }
        let text = context.has("--json") ? [String(decoding: answer.body, as: UTF8.self)] : lines(root)
        for line in text { context.terminal.print(line) }
        return ExitStatus.success
    }

    private static func json(_ members: [(name: StaticString, value: String)]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            for (name, value) in members { writer.member(name, value) }
        }
        return writer.bytes
    }
}
