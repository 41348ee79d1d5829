// SPDX-License-Identifier: Apache-2.0
// Who keeps ccr running, as `ccr status` tells it.

import Config
import JSON

enum Keeper: Equatable {
    case systemd(SystemdScope, service: [String: String], socket: [String: String])
    case background(PidRecord, log: String)
    case nobody

    init(_ context: CommandContext) {
        let survey = ServiceSurvey(context)
        let background = Background(environment: context.environment)
        if let record = background.running {
            self = .background(record, log: background.logPath)
        } else if case .systemd(let scope) = try? survey.manager(wanted: nil) {
            self = .systemd(
                scope, service: survey.properties(of: ServiceManager.service, scope),
                socket: survey.properties(of: ServiceManager.sockets[0], scope))
        } else {
            self = .nobody
        }
    }

    /// For people.
    var lines: [String] {
        switch self {
        case .nobody: []
        case .background(let record, let log): ["managed by ccr start: pid \(record.pid), log \(log)"]
        case .systemd(let scope, let service, let socket):
            [
                "managed by systemd (\(scope.rawValue)): " + state(ServiceManager.service, service) + "; "
                    + state(ServiceManager.sockets[0], socket)
            ]
        }
    }

    /// "ccr.socket active, listening, enabled".
    private func state(_ unit: String, _ properties: [String: String]) -> String {
        let words = ["ActiveState", "SubState", "UnitFileState"].compactMap { properties[$0] }
        return "\(unit) " + (words.isEmpty ? "unknown" : words.filter { !$0.isEmpty }.joined(separator: ", "))
    }

    /// The member "managed_by".
    func write(to writer: inout JSONWriter) {
        writer.key("managed_by")
        switch self {
        case .nobody: writer.null()
        case .background(let record, let log):
            writer.object { writer in
                writer.member("manager", "ccr start")
                writer.member("pid", Int(record.pid))
                writer.member("log", log)
            }
        case .systemd(let scope, let service, let socket):
            writer.object { writer in
                writer.member("manager", "systemd")
                writer.member("scope", scope.rawValue)
                writer.member("service", service["ActiveState"])
                writer.member("socket", socket["ActiveState"])
                writer.member("enabled", socket["UnitFileState"])
            }
        }
    }
}
