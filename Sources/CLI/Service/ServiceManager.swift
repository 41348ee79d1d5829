// SPDX-License-Identifier: Apache-2.0
// Who manages ccr on this machine: systemd with the system's or a user's units, or ccr itself with a pid file.
// Source: sd_booted(3), systemd.unit(5) "UNIT FILE LOAD PATH", systemctl(1) "show".

import Config

/// Which of the two managers of systemd.
enum SystemdScope: String, Equatable {
    case system
    case user

    /// The words that a command of systemd begins with.
    func command(_ name: String) -> [String] { self == .user ? [name, "--user"] : [name] }
}

enum ServiceManager: Equatable {
    case systemd(SystemdScope)
    case background

    static let service = "ccr.service"
    /// The sockets, those first that clients connect to.
    static let sockets = ["ccr.socket", "ccr-metrics.socket", "ccr-admin.socket", "ccr-refresher.socket"]
    /// Where the system's ccr-admin.socket and ccr-refresher.socket listen.
    static let adminSocket = "/run/ccr/admin.sock"
    static let refresherSocket = "/run/ccr/refresher.sock"
    /// The time for a question to systemd.
    static let queryTimeoutMs = 5_000
}

/// Finds out what is installed and what runs.
struct ServiceSurvey {
    private let host: any Host
    private let environment: [String: String]
    private let isRoot: Bool
    private let background: Background

    init(_ context: CommandContext) {
        host = context.host
        environment = context.environment
        isRoot = context.isRoot
        background = Background(environment: context.environment)
    }

    /// Who manages ccr for this caller.
    ///
    /// An instance of `ccr start` that runs stays what it is. Root has the system's units. Anyone else has the own ones,
    /// unless the system's are at work and the own ones are not.
    func manager(wanted: SystemdScope?) throws(UsageError) -> ServiceManager {
        if let wanted {
            guard hasSystemd else { throw UsageError(message: "this machine was not booted with systemd") }
            guard isInstalled(wanted) else {
                throw UsageError(
                    message: "\(ServiceManager.service) is not installed for the \(wanted.rawValue)")
            }
            return .systemd(wanted)
        }
        guard hasSystemd, background.running == nil else { return .background }
        if isRoot { return isInstalled(.system) ? .systemd(.system) : .background }
        guard hasUserManager, isInstalled(.user) else {
            return isInstalled(.system) ? .systemd(.system) : .background
        }
        if isInstalled(.system), isAtWork(.system), !isAtWork(.user) { return .systemd(.system) }
        return .systemd(.user)
    }

    /// Whether the options name a configuration or an address, and so the gateway that has it.
    static func namesGateway(_ context: CommandContext) -> Bool {
        ["--config", "--host", "--port"].contains(where: context.has)
    }

    /// Whether a command without further words is about the system's service.
    static func isAboutSystem(_ context: CommandContext) -> Bool {
        guard context.environment["CCR_CONFIG"] == nil, !namesGateway(context) else { return false }
        return (try? ServiceSurvey(context).manager(wanted: nil)) == .systemd(.system)
    }

    /// Whether systemd is the init system (sd_booted(3)).
    var hasSystemd: Bool { host.facts("/run/systemd/system")?.isDirectory == true }

    /// Whether the caller has a user manager to talk to.
    private var hasUserManager: Bool {
        guard let runtime = environment["XDG_RUNTIME_DIR"] else { return false }
        return host.facts("\(runtime)/systemd/private") != nil
    }

    func isInstalled(_ scope: SystemdScope) -> Bool { isThere(ServiceManager.service, scope) }

    /// The sockets whose units are installed.
    func sockets(_ scope: SystemdScope) -> [String] {
        ServiceManager.sockets.filter { isThere($0, scope) }
    }

    private func isThere(_ unit: String, _ scope: SystemdScope) -> Bool {
        directories(scope).contains { host.facts("\($0)/\(unit)") != nil }
    }

    private func directories(_ scope: SystemdScope) -> [String] {
        let shared = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"].map {
            "\($0)/systemd/\(scope.rawValue)"
        }
        guard scope == .user, let home = environment["HOME"] else { return shared }
        let config = environment["XDG_CONFIG_HOME"] ?? "\(home)/.config"
        let data = environment["XDG_DATA_HOME"] ?? "\(home)/.local/share"
        return ["\(config)/systemd/user", "\(data)/systemd/user"] + shared
    }

    private func isAtWork(_ scope: SystemdScope) -> Bool {
        [ServiceManager.service, ServiceManager.sockets[0]].contains { unit in
            properties(of: unit, scope)["ActiveState"] == "active"
        }
    }

    /// What systemd says of a unit; empty when it does not answer.
    func properties(of unit: String, _ scope: SystemdScope) -> [String: String] {
        let names = "ActiveState,SubState,UnitFileState,InvocationID,Listen"
        let question = scope.command("systemctl") + ["show", "--property=\(names)", unit]
        guard let answer = host.query(question, timeoutMs: ServiceManager.queryTimeoutMs), answer.status == 0
        else { return [:] }
        var properties: [String: String] = [:]
        for line in answer.output.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            properties[String(line[..<equals])] = String(line[line.index(after: equals)...])
        }
        return properties
    }
}
