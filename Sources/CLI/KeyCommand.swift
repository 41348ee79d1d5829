// SPDX-License-Identifier: Apache-2.0
// `ccr key add`, `list` and `revoke`: client keys in files of their own beside the configuration, which hold hashes only.

import Config
import CredentialStore
import Crypto
import Glibc
import JSON
import Posix

enum KeyCommand {
    /// Options of `ccr key add` and the members of Clients[] they become.
    private static let numbers: [(option: String, member: StaticString)] = [
        ("--rpm", "rpm"), ("--tpm", "tpm"), ("--concurrency", "concurrency"),
    ]
    private static let amounts: [(option: String, member: StaticString)] = [
        ("--daily-usd", "daily_usd"), ("--monthly-usd", "monthly_usd"),
    ]

    // MARK: - Commands

    @Sendable static func add(_ context: CommandContext) -> Int32 {
        let name = context.operands[0]
        let loaded = context.load(unresolved: .examined)
        guard let configuration = context.loadOrComplain(unresolved: .examined) else {
            return ExitStatus.usage
        }
        do throws(UsageError) {
            let path = try path(name, loaded)
            guard !configuration.clientKeys.contains(where: { $0.name == name }) else {
                throw UsageError(message: "there is a client \(quoted(name)) already")
            }
            let key = "ccr-" + Base64.encodeURL(Random.bytes(32))
            try write(try file(name, key, context), path)
            // The checks of the configuration know best what may stand there.
            let after = context.load(unresolved: .examined)
            if after.configuration == nil {
                unlink(path)
                for problem in after.problems where problem.severity == .error {
                    // The file is gone again: its lines would tell nothing.
                    let option = problem.position?.file == path ? option(problem.keyPath) : nil
                    context.terminal.complain(
                        option.map { "ccr key add: \($0): \(problem.message)" } ?? problem.description)
                }
                throw UsageError(message: "nothing was changed")
            }
            if after.configuration?.clientKeys.contains(where: { $0.name == name && $0.hasExpired }) == true {
                unlink(path)
                throw UsageError(message: "--expires: this day is over; nothing was changed")
            }
            context.terminal.print(key)
            context.terminal.complain(
                "\(path) holds its hash; the key is shown this once. ccr reload makes it valid.")
            if configuration.clientKeys.isEmpty {
                context.terminal.complain(
                    "It is the first one: from then on local clients need a key as well.")
            }
            return ExitStatus.success
        } catch {
            context.terminal.complain("ccr key add: \(error.message)")
            return ExitStatus.usage
        }
    }

    @Sendable static func revoke(_ context: CommandContext) -> Int32 {
        let name = context.operands[0]
        guard let configuration = context.loadOrComplain(unresolved: .examined) else {
            return ExitStatus.usage
        }
        do throws(UsageError) {
            let path = try path(name, context.load(unresolved: .examined))
            if unlink(path) != 0 {
                let cause = String(cString: strerror(errno))
                guard configuration.clientKeys.contains(where: { $0.name == name }) else {
                    throw UsageError(message: "there is no client \(quoted(name))")
                }
                throw UsageError(
                    message:
                        "\(path): \(cause); a key that ccr key add did not make is taken out of the configuration by hand"
                )
            }
            context.terminal.complain("\(path) is removed. ccr reload makes the key invalid.")
            return ExitStatus.success
        } catch {
            context.terminal.complain("ccr key revoke: \(error.message)")
            return ExitStatus.usage
        }
    }

    @Sendable static func list(_ context: CommandContext) -> Int32 {
        guard let configuration = context.loadOrComplain() else { return ExitStatus.usage }
        let overrides: ConfigOverrides
        do {
            overrides = try RunCommand.addressOptions(context)
        } catch {
            context.terminal.complain("ccr key list: \(error.message)")
            return ExitStatus.usage
        }
        let used = usage(GatewayAddress(configuration, overrides))
        if context.has("--json") {
            context.terminal.print(json(configuration.clientKeys, used))
        } else {
            for line in table(configuration.clientKeys, used) { context.terminal.print(line) }
            if used == nil { context.terminal.complain("the gateway does not answer; usage is not shown") }
        }
        return ExitStatus.success
    }

    // MARK: - Files

    /// The file of a client's key.
    private static func path(_ name: String, _ loaded: LoadedConfiguration) throws(UsageError) -> String {
        let isPlain = name.utf8.allSatisfy {
            $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 || "-_.".utf8.contains($0)
        }
        guard isPlain, 1...64 ~= name.utf8.count, name != "default" else {
            throw UsageError(
                message:
                    "\(quoted(name)) is no name for a key: allowed are 1 to 64 letters, digits, - _ . but not default"
            )
        }
        guard let main = loaded.files.first else {
            throw UsageError(message: "there is no configuration file beside which a key could be kept")
        }
        let directory = main.lastIndex(of: "/").map { String(main[...$0]) } ?? ""
        return "\(directory)config.d/client-\(name).json"
    }

    /// The option that a key of the file is made of.
    private static func option(_ keyPath: String) -> String? {
        let others: [(option: String, member: StaticString)] = [
            ("--models", "models"), ("--expires", "expires"),
        ]
        return (numbers + amounts + others).first { keyPath.hasSuffix(".\($0.member)") }?.option
    }

    private static func write(_ bytes: [UInt8], _ path: String) throws(UsageError) {
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
        if mkdir(directory, 0o755) != 0, errno != EEXIST {
            throw UsageError(message: "\(directory): \(String(cString: strerror(errno)))")
        }
        do {
            try PrivateFile.write(path, bytes)
        } catch {
            throw UsageError(message: "\(error)")
        }
        // The gateway may run as another user; the hash of 256 random bits tells nobody the key.
        guard chmod(path, 0o644) == 0 else {
            throw UsageError(message: "\(path): \(String(cString: strerror(errno)))")
        }
    }

    private static func file(_ name: String, _ key: String, _ context: CommandContext) throws(UsageError)
        -> [UInt8]
    {
        var members: [(StaticString, [UInt8])] = []
        for (option, member) in numbers {
            guard let text = context.options[option] else { continue }
            guard let number = Int(text) else {
                throw UsageError(message: "\(option) is \(quoted(text)), allowed is a whole number")
            }
            members.append((member, Array(String(number).utf8)))
        }
        var budget: [(StaticString, [UInt8])] = []
        for (option, member) in amounts {
            guard let text = context.options[option] else { continue }
            guard let amount = Double(text), amount.isFinite else {
                throw UsageError(message: "\(option) is \(quoted(text)), allowed is an amount as 2.50")
            }
            budget.append((member, Array("\(amount)".utf8)))
        }
        let hash = SHA256.digest(Array(key.utf8))
        var writer = JSONWriter()
        writer.object { writer in
            writer.member(
                "Clients",
                array: { writer in
                    writer.object { writer in
                        writer.member("name", name)
                        writer.member("key_sha256", hash.hexText)
                        if let models = context.options["--models"] {
                            writer.member(
                                "models",
                                array: { writer in
                                    for model in models.split(separator: ",") { writer.string(String(model)) }
                                })
                        }
                        for (member, value) in members {
                            writer.key(member)
                            writer.raw(value)
                        }
                        if !budget.isEmpty {
                            writer.member(
                                "budget",
                                object: { writer in
                                    for (member, value) in budget {
                                        writer.key(member)
                                        writer.raw(value)
                                    }
                                })
                        }
                        if let day = context.options["--expires"] { writer.member("expires", day) }
                    }
                })
        }
        return writer.bytes + [0x0A]
    }

    // MARK: - Output

    /// What the running gateway says of one key.
    private struct Used {
        let requests: Int
        let tokens: Int
        let today: Double
        let month: Double
    }

    private static func usage(_ address: GatewayAddress) -> [String: Used]? {
        guard let answer = try? address.get("/v1/usage"), answer.status == 200 else { return nil }
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        // What is no JSON is no ccr.
        guard let root = try? parser.parse(answer.body), let keys = root.member("keys") else { return nil }
        var used: [String: Used] = [:]
        for key in keys.elements {
            guard let name = key.member("key")?.string else { continue }
            used[name] = Used(
                requests: key.member("requests")?.int ?? 0, tokens: key.member("tokens")?.int ?? 0,
                today: key.member("today_usd")?.double ?? 0, month: key.member("month_usd")?.double ?? 0)
        }
        return used
    }

    private static func table(_ keys: [ClientKey], _ used: [String: Used]?) -> [String] {
        var rows = [
            ["NAME", "MODELS", "RPM", "TPM", "AT ONCE", "EXPIRES", "REQUESTS", "TOKENS", "TODAY", "MONTH"]
        ]
        for key in keys {
            let used = used?[key.name]
            rows.append([
                key.name, key.models.isEmpty ? "all" : key.models.joined(separator: ","),
                key.requestsPerMinute.map(String.init) ?? "", key.tokensPerMinute.map(String.init) ?? "",
                key.concurrency.map(String.init) ?? "",
                (key.expires.map(day) ?? "") + (key.hasExpired ? " (over)" : ""),
                used.map { String($0.requests) } ?? "", used.map { String($0.tokens) } ?? "",
                money(used?.today, of: key.dailyUSD), money(used?.month, of: key.monthlyUSD),
            ])
        }
        return TextTable.lines(rows)
    }

    /// "0.25 of 5.00".
    private static func money(_ spent: Double?, of budget: Double?) -> String {
        let cents = { (amount: Double) -> String in
            let whole = Int((amount * 100).rounded())
            return "\(whole / 100).\(whole % 100 < 10 ? "0" : "")\(whole % 100)"
        }
        // What is spent is not known while the gateway is down or does not know the key yet.
        let known = spent.map(cents) ?? (budget == nil ? nil : "?")
        return [known, budget.map { "of \(cents($0))" }].compactMap { $0 }.joined(separator: " ")
    }

    /// The last day before a time in seconds since 1970, in UTC.
    private static func day(_ expires: Int) -> String { String(Clock.utcText(expires - 1).prefix(10)) }

    private static func json(_ keys: [ClientKey], _ used: [String: Used]?) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for key in keys {
                writer.object { writer in
                    writer.member("name", key.name)
                    writer.member(
                        "models",
                        array: { writer in
                            for model in key.models { writer.string(model) }
                        })
                    for (name, number) in [
                        ("rpm", key.requestsPerMinute), ("tpm", key.tokensPerMinute),
                        ("concurrency", key.concurrency),
                    ] as [(StaticString, Int?)] {
                        writer.key(name)
                        if let number { writer.int(number) } else { writer.null() }
                    }
                    for (name, amount) in [("daily_usd", key.dailyUSD), ("monthly_usd", key.monthlyUSD)]
                        as [(StaticString, Double?)]
                    {
                        writer.key(name)
                        if let amount { writer.double(amount) } else { writer.null() }
                    }
                    writer.member("expires", key.expires.map(day))
                    if let used = used?[key.name] {
                        writer.member("requests", used.requests)
                        writer.member("tokens", used.tokens)
                        writer.key("today_usd")
                        writer.double(used.today)
                        writer.key("month_usd")
                        writer.double(used.month)
                    }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
