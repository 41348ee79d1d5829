// SPDX-License-Identifier: Apache-2.0
// `ccr start`, `stop`, `restart`, `reload`, `logs`, `enable`, `disable`: the same verbs with systemd and without it.

import Config

/// One verb for one caller.
struct ServiceCommand {
    /// "start", for messages.
    let name: String
    let context: CommandContext
    let survey: ServiceSurvey
    let background: Background

    init(_ name: String, _ context: CommandContext) {
        self.name = name
        self.context = context
        survey = ServiceSurvey(context)
        background = Background(environment: context.environment)
    }

    /// Runs one of two actions, depending on who manages ccr.
    func run(
        systemd: (SystemdScope) -> Int32, background: () throws(Background.Fault) -> Int32
    ) -> Int32 {
        let manager: ServiceManager
        do {
            manager = try choose()
        } catch {
            context.terminal.complain("ccr \(name): \(error.message)")
            return ExitStatus.usage
        }
        switch manager {
        case .systemd(let scope): return systemd(scope)
        case .background:
            do {
                return try background()
            } catch {
                context.terminal.complain("ccr \(name): \(error.message)")
                return ExitStatus.failure
            }
        }
    }

    private func choose() throws(UsageError) -> ServiceManager {
        guard !context.has("--user") || !context.has("--system") else {
            throw UsageError(message: "--user and --system exclude each other")
        }
        let wanted: SystemdScope? = context.has("--user") ? .user : context.has("--system") ? .system : nil
        let manager = try survey.manager(wanted: wanted)
        if case .systemd = manager, let option = Self.runOptions.first(where: context.has) {
            throw UsageError(
                message: "\(option) has no place here: \(ServiceManager.service) decides how ccr is started "
                    + "(systemctl edit \(ServiceManager.service))")
        }
        return manager
    }

    /// The options of `ccr run` that `ccr start` passes on.
    static let runOptions = ["--config", "--host", "--port", "--drain-seconds"]

    /// Runs systemctl, which says itself what is wrong.
    func systemctl(_ scope: SystemdScope, _ words: [String]) -> Int32 {
        let status = context.host.perform(scope.command("systemctl") + words)
        guard status != 0 else { return ExitStatus.success }
        if scope == .system, !context.isRoot {
            context.terminal.complain("ccr \(name): the system's units need root: sudo ccr \(name)")
        }
        return ExitStatus.failure
    }

    /// "ccr.service (--user)" for people.
    func unit(_ scope: SystemdScope) -> String {
        ServiceManager.service + (scope == .user ? " of the user" : "")
    }

    private func say(_ text: String) { context.terminal.print(text) }
}

// MARK: - The verbs

extension ServiceCommand {
    @Sendable static func start(_ context: CommandContext) -> Int32 {
        let command = ServiceCommand("start", context)
        return command.run(
            systemd: command.startUnit,
            background: { () throws(Background.Fault) in try command.startInBackground() })
    }

    @Sendable static func restart(_ context: CommandContext) -> Int32 {
        let command = ServiceCommand("restart", context)
        return command.run(
            systemd: { scope in
                let status = command.systemctl(scope, ["restart", ServiceManager.service])
                return status == 0 ? command.report(scope) : command.explain(scope, status)
            },
            background: { () throws(Background.Fault) in try command.restartInBackground() })
    }

    @Sendable static func stop(_ context: CommandContext) -> Int32 {
        let command = ServiceCommand("stop", context)
        return command.run(
            systemd: { scope in
                // With a socket left open the next connection would start it again.
                let units = command.survey.sockets(scope) + [ServiceManager.service]
                let status = command.systemctl(scope, ["stop"] + units)
                if status == 0 { command.say("\(command.unit(scope)) is stopped") }
                return status
            },
            background: { () throws(Background.Fault) in try command.stopInBackground() })
    }

    @Sendable static func reload(_ context: CommandContext) -> Int32 {
        let command = ServiceCommand("reload", context)
        return command.run(
            systemd: { scope in
                let status = command.systemctl(scope, ["reload", ServiceManager.service])
                if status == 0 { command.say("\(command.unit(scope)) has read its configuration again") }
                return command.explain(scope, status)
            },
            background: { () throws(Background.Fault) in try command.reloadInBackground() })
    }

    @Sendable static func enable(_ context: CommandContext) -> Int32 { install("enable", context) }

    @Sendable static func disable(_ context: CommandContext) -> Int32 { install("disable", context) }

    private static func install(_ verb: String, _ context: CommandContext) -> Int32 {
        let command = ServiceCommand(verb, context)
        return command.run(
            systemd: { scope in
                let status = command.systemctl(
                    scope, [verb] + command.survey.sockets(scope) + [ServiceManager.service])
                if status == 0 {
                    let what =
                        verb == "enable" ? "starts with the first connection" : "is not started by itself"
                    let when = scope == .user ? "after the login" : "after a boot"
                    command.say("\(when), \(command.unit(scope)) \(what)")
                }
                return status
            },
            background: { () throws(Background.Fault) in
                throw Background.Fault(
                    message:
                        "nothing here starts programs by itself: no systemd with \(ServiceManager.service); "
                        + "have your init system run “ccr run”, or call “ccr start”")
            })
    }

    @Sendable static func logs(_ context: CommandContext) -> Int32 {
        let command = ServiceCommand("logs", context)
        let lines = context.options["--lines"] ?? "50"
        guard let count = Int(lines), 0...1_000_000 ~= count else {
            context.terminal.complain(
                "ccr logs: --lines is \(quoted(lines)), allowed is a whole number from 0 to 1000000")
            return ExitStatus.usage
        }
        return command.run(
            systemd: { scope in
                command.become(
                    ["journalctl", "--quiet", "--no-pager", command.journalUnit(scope), "--lines=\(count)"]
                        + (context.has("--follow") ? ["--follow"] : []))
            },
            background: { () throws(Background.Fault) in
                let path = command.background.logPath
                guard context.host.facts(path) != nil else {
                    throw Background.Fault(
                        message:
                            "there is no log: ccr start writes one to \(path); of ccr run it is where that was called"
                    )
                }
                // -F: a new start begins a new file.
                return command.become(
                    ["tail", "-n", "\(count)"] + (context.has("--follow") ? ["-F"] : []) + ["--", path])
            })
    }

    private func become(_ arguments: [String]) -> Int32 {
        let error = context.host.become(arguments)
        context.terminal.complain("ccr \(name): \(arguments[0]): \(error)")
        return ExitStatus.failure
    }
}

// MARK: - systemd

extension ServiceCommand {
    private func startUnit(_ scope: SystemdScope) -> Int32 {
        // The sockets first: the service is started with them, and they stay when it ends.
        let units = survey.sockets(scope) + [ServiceManager.service]
        let status = systemctl(scope, ["start"] + units)
        return status == 0 ? report(scope) : explain(scope, status)
    }

    /// Says where it serves.
    private func report(_ scope: SystemdScope) -> Int32 {
        let socket = survey.properties(of: ServiceManager.sockets[0], scope)
        let place = socket["Listen"].map { " at " + $0.prefix { $0 != " " } } ?? ""
        say("\(unit(scope)) serves\(place); ccr logs shows its log")
        return ExitStatus.success
    }

    /// Shows the end of the log behind a failure, of this start alone if systemd tells which one that was.
    private func explain(_ scope: SystemdScope, _ status: Int32) -> Int32 {
        guard status != 0 else { return status }
        let invocation = survey.properties(of: ServiceManager.service, scope)["InvocationID"] ?? ""
        let manager = scope == .user ? "USER_INVOCATION_ID" : "INVOCATION_ID"
        let lines =
            invocation.isEmpty
            ? [journalUnit(scope)]
            : ["_SYSTEMD_INVOCATION_ID=\(invocation)", "+", "\(manager)=\(invocation)"]
        _ = context.host.perform(
            ["journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=\(Background.shownLines)"]
                + lines)
        return status
    }

    /// The option of journalctl that names the service.
    private func journalUnit(_ scope: SystemdScope) -> String {
        "--\(scope == .user ? "user-unit" : "unit")=\(ServiceManager.service)"
    }
}
