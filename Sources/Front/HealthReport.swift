// SPDX-License-Identifier: Apache-2.0
// The body of GET /health: the version, every process as the supervisor last described it, every credential as the
// refresher did, and whom the failure policy leaves alone.

import Gateway
import JSON

enum HealthReport {
    static func isReady(_ processes: [ProcessStatus]) -> Bool {
        !processes.isEmpty && processes.allSatisfy { $0.state == .ready || $0.state == .draining }
    }

    /// - Parameter nowUsec: microseconds since 1970, for what is left of tokens, circuits, pauses and bans.
    static func body(
        _ processes: [ProcessStatus], _ credentials: [CredentialReport] = [],
        _ policy: PolicyReport = PolicyReport(), nowUsec: UInt64 = 0
    ) -> [UInt8] {
        let nowSeconds = Int(nowUsec / 1_000_000)
        var writer = JSONWriter()
        writer.object { object in
            object.member("status", "healthy")
            object.member("version", CCR.version)
            object.member("ready", isReady(processes))
            object.member(
                "processes",
                array: { list in
                    for process in processes {
                        list.object { object in
                            object.member("role", process.role)
                            if !process.provider.isEmpty { object.member("provider", process.provider) }
                            object.member("pid", Int(process.pid))
                            object.member("state", process.state.name)
                            object.member("restarts", Int(process.restarts))
                            object.member("resident_bytes", Int(process.residentBytes))
                            object.member("started_at_usec", Int(process.startedUsec))
                            if !process.text.isEmpty { object.member("text", process.text) }
                        }
                    }
                })
            if !credentials.isEmpty {
                object.member("credentials", array: { write(credentials, nowSeconds, &$0) })
            }
            write(policy, nowUsec, &object)
        }
        return writer.bytes
    }

    private static func write(
        _ credentials: [CredentialReport], _ nowSeconds: Int, _ list: inout JSONWriter
    ) {
        for credential in credentials {
            list.object { object in
                object.member("name", credential.name)
                object.member("provider", credential.provider)
                object.member("state", credential.state)
                object.member("usable", credential.isUsable)
                object.member("needs_login", credential.needsLogin)
                if let end = credential.expiresAt {
                    object.member("expires_in_seconds", max(0, end - nowSeconds))
                }
            }
        }
    }

    /// Lists that have something in them. Why something is banned is told to operators only.
    private static func write(_ policy: PolicyReport, _ now: UInt64, _ object: inout JSONWriter) {
        let left = { (until: UInt64) in Int((max(until, now) - now + 999_999) / 1_000_000) }
        if !policy.circuits.isEmpty {
            object.member(
                "circuits",
                array: { list in
                    for circuit in policy.circuits {
                        list.object { object in
                            object.member("provider", circuit.provider)
                            object.member("model", circuit.model)
                            object.member("state", circuit.state(now).name)
                            object.member("remaining_seconds", left(circuit.untilUsec))
                        }
                    }
                })
        }
        if !policy.pauses.isEmpty {
            object.member(
                "pauses",
                array: { list in
                    for pause in policy.pauses {
                        list.object { object in
                            write(pause.provider, pause.credential, pause.model, &object)
                            object.member("remaining_seconds", left(pause.untilUsec))
                        }
                    }
                })
        }
        guard !policy.bans.isEmpty else { return }
        object.member(
            "bans",
            array: { list in
                for ban in policy.bans {
                    list.object { object in
                        write(ban.provider, ban.credential, ban.model, &object)
                        object.member("origin", ban.origin)
                        object.key("remaining_seconds")
                        if let until = ban.untilUsec { object.int(left(until)) } else { object.null() }
                    }
                }
            })
    }

    private static func write(
        _ provider: String, _ credential: String, _ model: String, _ object: inout JSONWriter
    ) {
        object.member("provider", provider)
        object.member("credential", credential.isEmpty ? nil : credential)
        object.member("model", model.isEmpty ? nil : model)
    }
}
