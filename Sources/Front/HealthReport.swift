// SPDX-License-Identifier: Apache-2.0
// The body of GET /health: the version, every process as the supervisor last described it, every credential as the
// refresher did.

import Gateway
import JSON

enum HealthReport {
    static func isReady(_ processes: [ProcessStatus]) -> Bool {
        !processes.isEmpty && processes.allSatisfy { $0.state == .ready || $0.state == .draining }
    }

    /// - Parameter nowSeconds: seconds since 1970, for what is left of tokens.
    static func body(
        _ processes: [ProcessStatus], _ credentials: [CredentialReport] = [], nowSeconds: Int = 0
    ) -> [UInt8] {
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
            guard !credentials.isEmpty else { return }
            object.member(
                "credentials",
                array: { list in
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
                })
        }
        return writer.bytes
    }
}
