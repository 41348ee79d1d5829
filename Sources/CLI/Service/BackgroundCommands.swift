// SPDX-License-Identifier: Apache-2.0
// The verbs of the service where no service manager has ccr: what they say and do with a background instance.

import Config
import Glibc
import Posix

extension ServiceCommand {
    /// An instance and where it is asked.
    struct Target {
        let address: GatewayAddress
        /// The words for `ccr run`.
        let arguments: [String]
    }

    func startInBackground() throws(Background.Fault) -> Int32 {
        guard let target = try target(arguments: arguments()) else { return ExitStatus.usage }
        let file = try locked()
        return try start(target, file)
    }

    func restartInBackground() throws(Background.Fault) -> Int32 {
        let file = try locked()
        let old = PidFile.read(background.pidPath)
        // Without options of its own it comes back as it was.
        let given = arguments()
        guard let target = try target(arguments: given.isEmpty ? old?.arguments ?? [] : given) else {
            return ExitStatus.usage
        }
        if let old, let process = HeldProcess(old) { try stop(process, old) }
        return try start(target, file)
    }

    func stopInBackground() throws(Background.Fault) -> Int32 {
        guard context.host.facts(background.pidPath) != nil else { return notRunning() }
        let file = try locked()
        guard let record = PidFile.read(background.pidPath), let process = HeldProcess(record) else {
            return notRunning()
        }
        try stop(process, record)
        forget(file)
        return ExitStatus.success
    }

    func reloadInBackground() throws(Background.Fault) -> Int32 {
        guard let record = PidFile.read(background.pidPath), let process = HeldProcess(record) else {
            throw Background.Fault(message: "ccr does not run in the background; ccr start starts it")
        }
        // What is wrong is said here, and not only in the log.
        guard try target(arguments: record.arguments) != nil else { return ExitStatus.usage }
        process.signal(SIGHUP)
        context.terminal.print(
            "ccr (pid \(record.pid)) reads its configuration again; ccr logs shows what came of it")
        return ExitStatus.success
    }

    // MARK: - Steps

    /// The options for `ccr run`, with an absolute path, so that they mean the same to a later command.
    private func arguments() -> [String] {
        Self.runOptions.flatMap { option -> [String] in
            guard let value = context.options[option] else { return [] }
            return [option, option == "--config" ? Paths.join(OwnProcess.workingDirectory, value) : value]
        }
    }

    /// Checks the options and the configuration they lead to; complains and returns nil when it is wrong.
    private func target(arguments: [String]) throws(Background.Fault) -> Target? {
        guard !arguments.contains(where: { $0.contains("\n") }) else {
            throw Background.Fault(message: "a line break in an option is not supported")
        }
        let run = context.with(options: arguments)
        do {
            let overrides = try RunCommand.addressOptions(run)
            _ = try RunCommand.drainOption(run)
            guard let configuration = run.loadOrComplain(overrides: overrides) else { return nil }
            return Target(address: GatewayAddress(configuration), arguments: arguments)
        } catch {
            context.terminal.complain("ccr \(name): \(error.message)")
            return nil
        }
    }

    private func locked() throws(Background.Fault) -> PidFile {
        try background.makeDirectory()
        do {
            return try PidFile(locking: background.pidPath)
        } catch {
            let reason =
                error.code == EWOULDBLOCK ? "another ccr start or stop is under way" : "\(error)"
            throw Background.Fault(message: "\(background.pidPath): \(reason)")
        }
    }

    private func start(_ target: Target, _ file: borrowing PidFile) throws(Background.Fault) -> Int32 {
        let address = target.address
        if let record = background.running { return try join(record) }
        if address.isCCR {
            context.terminal.print(
                "ccr serves \(address.url) already; it was not started by ccr start, so ccr stop does not end it"
            )
            return ExitStatus.success
        }
        do {
            let pid = try background.start(
                target.arguments, environment: context.environment, file: file,
                isReady: { address.isReady },
                progress: { context.terminal.progress("starting ccr … \($0 / 1_000) s") })
            context.terminal.print("ccr serves \(address.url) (pid \(pid)); log: \(background.logPath)")
            return ExitStatus.success
        } catch {
            switch error {
            case .cannot(let reason): throw Background.Fault(message: reason)
            case .ended(let status, let log):
                for line in log { context.terminal.complain(line) }
                throw Background.Fault(
                    message:
                        "ccr ended with status \(status) instead of serving; its log: \(background.logPath)")
            case .notReady(let pid): throw notReady(pid)
            }
        }
    }

    /// Waits for an instance that runs already, as its own start would.
    private func join(_ record: PidRecord) throws(Background.Fault) -> Int32 {
        guard let address = try target(arguments: record.arguments)?.address else { return ExitStatus.usage }
        let isReady = background.wait(
            until: { address.isReady },
            progress: { context.terminal.progress("waiting for ccr … \($0 / 1_000) s") })
        guard isReady else { throw notReady(record.pid) }
        context.terminal.print("ccr runs already (pid \(record.pid)), \(address.url)")
        return ExitStatus.success
    }

    private func notReady(_ pid: Int32) -> Background.Fault {
        Background.Fault(
            message: "ccr runs (pid \(pid)) but is not ready after \(Background.startTimeoutMs / 1_000) s; "
                + "see ccr status and ccr logs")
    }

    private func stop(_ process: borrowing HeldProcess, _ record: PidRecord) throws(Background.Fault) {
        // The configuration may be wrong by now; then the default time has to do.
        let run = context.with(options: record.arguments)
        let drain = (try? RunCommand.drainOption(run)).flatMap { $0 }.map { $0 * 1_000 }
        let drainMs = drain ?? run.load().configuration?.timeouts.drainMs ?? 30_000
        let isClean = background.stop(process, drainMs: drainMs) { waited in
            context.terminal.progress("stopping ccr: running requests finish … \(waited / 1_000) s")
        }
        context.terminal.print(
            isClean
                ? "ccr (pid \(record.pid)) has ended" : "ccr (pid \(record.pid)) did not end and was killed")
    }

    private func notRunning() -> Int32 {
        // What the caller wanted; said in a way that helps when they meant another instance.
        let configuration = context.load().configuration
        if let configuration, GatewayAddress(configuration).isCCR {
            context.terminal.complain(
                "ccr stop: ccr serves \(GatewayAddress(configuration).url), but was not started by ccr start; "
                    + "end it where it was started")
            return ExitStatus.failure
        }
        context.terminal.print("ccr does not run")
        return ExitStatus.success
    }

    private func forget(_ file: borrowing PidFile) {
        // A record of a process that has ended counts as none.
        try? file.write(nil)
    }
}

extension CommandContext {
    /// The same with the options of a `ccr run`.
    func with(options arguments: [String]) -> CommandContext {
        var options: [String: String] = [:]
        for index in stride(from: 0, to: arguments.count - 1, by: 2) {
            options[arguments[index]] = arguments[index + 1]
        }
        return CommandContext(
            options: options, operands: [], environment: environment, isRoot: isRoot, files: files,
            terminal: terminal, host: host, runSupervisor: runSupervisor)
    }
}
