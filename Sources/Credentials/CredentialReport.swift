// SPDX-License-Identifier: Apache-2.0
// How one credential is, as `ccr credentials status` and the admin paths show it.

package import Gateway
package import JSON

extension CredentialReport {
    /// The object that people and programs are shown.
    ///
    /// - Parameter now: seconds since 1970.
    package func write(to writer: inout JSONWriter, now: Int) {
        func left(_ writer: inout JSONWriter, _ name: StaticString, _ time: Int?) {
            writer.key(name)
            if let time { writer.int(max(0, time - now)) } else { writer.null() }
        }
        writer.object { writer in
            writer.member("name", name)
            writer.member("provider", provider)
            writer.member("kind", kind)
            writer.member("state", state)
            writer.member("reason", reason)
            writer.member("remedy", remedy)
            writer.member("generation", Int(generation))
            writer.member("usable", isUsable)
            writer.member("needs_login", needsLogin)
            left(&writer, "expires_in_seconds", expiresAt)
            left(&writer, "next_attempt_in_seconds", nextAttemptAt)
            writer.member("cooldown_seconds", max(0, cooldownUntil - now))
            writer.member("refused_total", refusals)
            writer.member(
                "refresh_total",
                object: { writer in
                    for (outcome, count) in outcomes.sorted(by: { $0.key < $1.key }) {
                        writer.key(outcome)
                        writer.int(count)
                    }
                })
        }
    }
}
