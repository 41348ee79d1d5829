// SPDX-License-Identifier: Apache-2.0
// `ccr doctor`: looks at everything a gateway needs and says what to do about what is missing. It changes nothing.

import Config
import Glibc
import Posix

enum DoctorCommand {
    @Sendable static func run(_ context: CommandContext) -> Int32 {
        let overrides: ConfigOverrides
        do {
            overrides = try RunCommand.addressOptions(context)
        } catch {
            context.terminal.complain("ccr doctor: \(error.message)")
            return ExitStatus.usage
        }
        let findings = Doctor(context, overrides).examine()
        let terminal = context.terminal
        if context.has("--json") {
            terminal.print(FindingTable.json(findings))
        } else {
            for line in FindingTable.lines(findings, hasColor: terminal.hasColor) { terminal.print(line) }
            terminal.print("")
            terminal.print(FindingTable.summary(findings))
        }
        return findings.contains { $0.level == .fail } ? ExitStatus.failure : ExitStatus.success
    }
}

/// The examination of one machine for one caller.
struct Doctor {
    let context: CommandContext
    let host: any Host
    let loaded: LoadedConfiguration
    let manager: ServiceManager
    let survey: ServiceSurvey

    init(_ context: CommandContext, _ overrides: ConfigOverrides) {
        self.context = context
        host = context.host
        loaded = context.load(overrides: overrides)
        survey = ServiceSurvey(context)
        // Without an option that asks for one, every machine has a manager.
        manager = (try? survey.manager(wanted: nil)) ?? .background
    }

    func examine() -> [Finding] {
        let checks = [
            configuration, shadowedFiles, permissions, stateDirectory, address, service, journal, kernel,
            openFiles, clock, certificates, providers,
        ]
        return checks.flatMap { $0() }
    }

    /// Whether the system's units run ccr, with a user and directories of their own.
    var isSystemService: Bool { manager == .systemd(.system) }

    // MARK: - Configuration

    private func configuration() -> [Finding] {
        let subject = "configuration"
        let source = loaded.files.isEmpty ? "built in" : loaded.files.joined(separator: ", ")
        if let error = loaded.problems.first(where: { $0.severity == .error }) {
            return [.fail(subject, error.description, "ccr validate names every problem")]
        }
        if loaded.files.isEmpty {
            return [
                .warn(
                    subject, "there is no file: the embedded provider answers alone",
                    "write ~/.config/ccr/config.json, or /etc/ccr/config.json for the service; man ccr.json")
            ]
        }
        let warnings = loaded.problems.count { $0.severity == .warning }
        guard warnings == 0 else {
            return [
                .warn(subject, "\(source): \(warnings) without effect or unknown", "ccr validate names them")
            ]
        }
        return [.ok(subject, source)]
    }

    /// Files in the usual places that are not read because an earlier one is there.
    private func shadowedFiles() -> [Finding] {
        guard let used = loaded.files.first else { return [] }
        let later = context.loader().defaultPaths.drop { $0 != used }.dropFirst()
        return later.filter { host.facts($0) != nil }.map { path in
            let what = path.contains("/.claude-code-router/") ? "file of claude-code-router" : "file"
            return .warn(
                "configuration", "the \(what) \(path) is not read: \(used) comes first",
                "move what is needed into \(used), or name the other one with CCR_CONFIG")
        }
    }

    // MARK: - Files

    private func permissions() -> [Finding] {
        let findings = loaded.files.compactMap { path -> Finding? in
            guard let facts = host.facts(path) else { return nil }
            if facts.mode & 0o022 != 0 {
                return .fail(
                    "permissions", "others than its owner can change \(path)", "chmod go-w \(path)")
            }
            if facts.mode & 0o004 != 0, holdsKey(path) {
                return .warn(
                    "permissions", "every user can read \(path), which holds a key",
                    "chmod o-r \(path), or take the key from ${credential:…}, ${file:…} or ${VARIABLE}")
            }
            return nil
        }
        return findings.isEmpty && !loaded.files.isEmpty
            ? [.ok("permissions", "nobody else can change it or read a key in it")] : findings
    }

    /// Whether a key of the configuration stands in the file itself.
    private func holdsKey(_ path: String) -> Bool {
        guard let configuration = loaded.configuration,
            let bytes = try? context.files.read(path, limit: ConfigText.maximumBytes)
        else { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        let keys = configuration.providers.compactMap(\.apiKey) + configuration.clientKeys.compactMap(\.key)
        return keys.contains { key in
            let secret = String(decoding: key.expose(), as: UTF8.self)
            return !secret.isEmpty && text.contains(secret)
        }
    }

    private func stateDirectory() -> [Finding] {
        guard !isSystemService, let path = loaded.configuration?.stateDirectory else { return [] }
        var existing = path
        while host.facts(existing) == nil, let slash = existing.lastIndex(of: "/"),
            slash != existing.startIndex
        {
            existing = String(existing[..<slash])
        }
        guard host.isWritable(existing) else {
            return [
                .fail(
                    "state", "\(existing) cannot be written, usage.db belongs into \(path)",
                    "give it to the user that runs ccr, or set STATE_DIR")
            ]
        }
        return [.ok("state", existing == path ? path : "\(path) is made at the first start")]
    }

    // MARK: - Service

    private func address() -> [Finding] {
        guard let configuration = loaded.configuration else { return [] }
        let listen = configuration.listen
        let address = GatewayAddress(configuration)
        // Not asked over the network: that would start the service.
        if case .systemd(let scope) = manager,
            survey.properties(of: ServiceManager.sockets[0], scope)["ActiveState"] == "active"
        {
            return [.ok("port", "systemd listens for ccr (\(ServiceManager.sockets[0]))")]
        }
        if address.isCCR { return [.ok("port", "ccr serves \(address.url)")] }
        guard let error = host.bindError(.tcp(host: listen.host, port: listen.port)) else {
            return [.ok("port", "\(address.authority) is free")]
        }
        switch error.code {
        case EADDRINUSE:
            let holder = host.portHolder(listen.port) ?? "a process that this user may not see"
            return [
                .fail("port", "\(address.authority) is held by \(holder)", "end that, or set another PORT")
            ]
        case EACCES:
            return [
                .fail(
                    "port", "this user may not listen on \(address.authority)",
                    "set a PORT of 1024 or more, or let systemd hold the socket")
            ]
        default:
            return [
                .fail(
                    "port", "cannot listen on \(address.authority): \(error)",
                    "set HOST to an address of this machine")
            ]
        }
    }

    private func service() -> [Finding] {
        guard survey.hasSystemd else {
            return [.ok("service", "no systemd here: ccr start runs ccr in the background")]
        }
        guard case .systemd(let scope) = manager else {
            return [.ok("service", "no units of systemd are used: ccr start runs ccr in the background")]
        }
        let unit = survey.properties(of: ServiceManager.service, scope)
        let socket = survey.properties(of: ServiceManager.sockets[0], scope)
        let state = unit["ActiveState"] ?? "unknown"
        let text = "\(ServiceManager.service) (\(scope.rawValue)) is \(state)"
        if state == "failed" {
            return [.fail("service", text, "ccr logs shows why; ccr restart tries again")]
        }
        if socket["UnitFileState"] != "enabled" {
            return [
                .warn(
                    "service", "\(text), \(ServiceManager.sockets[0]) is not enabled",
                    "ccr enable starts it after a boot")
            ]
        }
        return [.ok("service", "\(text), \(ServiceManager.sockets[0]) is enabled")]
    }

    private func journal() -> [Finding] {
        if host.facts("/run/systemd/journal/socket") != nil { return [.ok("journal", "journald is there")] }
        guard survey.hasSystemd else {
            return [.ok("journal", "no journald: the log goes to standard error, of ccr start to a file")]
        }
        return [
            .warn(
                "journal", "journald does not run: the service's log is lost",
                "systemctl start systemd-journald.socket")
        ]
    }
}
