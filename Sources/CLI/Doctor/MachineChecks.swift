// SPDX-License-Identifier: Apache-2.0
// What `ccr doctor` checks of the machine: kernel, limits, clock, certificates.
// Source: landlock(7), seccomp(2), memfd_create(2), pidfd_open(2); timedatectl(1).

import Config

extension Doctor {
    /// Where OpenSSL of Debian and others looks for certificates.
    private static let certificateFiles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"]

    func kernel() -> [Finding] {
        let facts = host.kernel
        let missing = [("memfd_create", facts.hasMemfd), ("pidfd_open", facts.hasPidfd)]
            .filter { !$0.1 }.map(\.0)
        guard missing.isEmpty else {
            return [
                .fail(
                    "kernel", "Linux \(facts.release) lacks \(missing.joined(separator: " and "))",
                    "ccr needs Linux 5.11 or newer, and a sandbox around it that allows these calls")
            ]
        }
        let unconfined = [("seccomp", facts.hasSeccomp), ("Landlock", facts.landlockABI > 0)]
            .filter { !$0.1 }.map(\.0)
        guard unconfined.isEmpty else {
            return [
                .warn(
                    "kernel",
                    "Linux \(facts.release) without \(unconfined.joined(separator: " and ")): "
                        + "processes keep rights that they do not need",
                    "boot a kernel with it, for Landlock with lsm=landlock,…; ccr runs without")
            ]
        }
        return [
            .ok("kernel", "Linux \(facts.release): seccomp, Landlock ABI \(facts.landlockABI), memfd, pidfd")
        ]
    }

    func openFiles() -> [Finding] {
        // The unit sets its own limit.
        guard !isSystemService else { return [] }
        let allowed = host.fileLimits.hard
        let connections = loaded.configuration?.limits.connections ?? 10_000
        guard allowed >= UInt64(connections) + 512 else {
            return [
                .warn(
                    "open files", "\(allowed) are allowed, Limits.connections is \(connections)",
                    "raise the hard limit (ulimit -Hn, limits.conf(5)), or lower Limits.connections")
            ]
        }
        return [.ok("open files", "\(allowed) are allowed")]
    }

    func clock() -> [Finding] {
        let remedy = "timedatectl set-ntp true, or set the clock by hand"
        // A file cannot have been made in the future; a day is left for time zones of careless copies.
        let built = host.facts("/proc/self/exe")?.modified ?? 0
        guard host.realtime > built - 86_400 else {
            return [
                .fail(
                    "clock", "it is wrong: earlier than ccr was built; no certificate will be valid", remedy)
            ]
        }
        let answer =
            survey.hasSystemd
            ? host.query(
                ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
                timeoutMs: ServiceManager.queryTimeoutMs) : nil
        if answer?.output == "no\n" { return [.warn("clock", "nothing keeps it right", remedy)] }
        return [.ok("clock", answer?.output == "yes\n" ? "kept right over the network" : "plausible")]
    }

    func certificates() -> [Finding] {
        let providers = loaded.configuration?.providers ?? []
        guard providers.contains(where: { $0.baseURL?.text.hasPrefix("https:") == true }) else { return [] }
        let variable = context.environment["SSL_CERT_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        let files = variable.map { [$0] } ?? Self.certificateFiles
        if let found = files.first(where: { (host.facts($0)?.size ?? 0) > 0 }) {
            return [.ok("certificates", found)]
        }
        if let directory = context.environment["SSL_CERT_DIR"], host.facts(directory)?.isDirectory == true {
            return [.ok("certificates", directory)]
        }
        return [
            .fail(
                "certificates", "none in \(files.joined(separator: " or ")): no provider can be trusted",
                variable == nil ? "apt install ca-certificates" : "correct SSL_CERT_FILE")
        ]
    }
}
