// SPDX-License-Identifier: Apache-2.0
// Every kind of process ccr runs and what each may touch: the architecture as data. The supervisor starts processes by
// it, each process shuts itself in by it, and a test compares it with ARCHITECTURE.md.
// Source: the process table of the design; the idea is Postfix's master.cf.

package import Sandbox

/// A kind of process.
package enum Role: String, CaseIterable, Sendable {
    case front
    case worker
    case exporter
    case refresher
}

/// What a kind of process is, may do and is given.
package struct ProcessEntry: Sendable {
    package let role: Role
    /// File name of the executable, found beside the supervisor's own.
    package let executable: String
    /// Environment variables passed on besides the ones of the supervision protocol.
    package let environment: [String]
    /// What the process keeps once it has started; the kernel enforces it.
    package let rights: Rights
    /// In words, as ARCHITECTURE.md shows them.
    package let mayTouch: String
    package let mustNever: String
}

package enum ProcessTable {
    /// Variables every process gets: they decide about text, time and logging.
    private static let common = ["PATH", "LANG", "LC_ALL", "TZ", "CCR_LOG", "JOURNAL_STREAM"]

    /// libcurl's own variables (libcurl-env(3)) and the certificate locations of OpenSSL.
    private static let network = [
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ]

    /// What connections to providers need to read: certificates and how names are resolved (nsswitch.conf(5)), whose
    /// modules are libraries.
    private static let networkFiles: [Place] = [
        .path("/etc/ssl/certs"), .path("/etc/ssl/openssl.cnf"), .path("/usr/lib/ssl"),
        .path("/usr/share/ca-certificates"), .path("/usr/local/share/ca-certificates"),
        .variable("SSL_CERT_FILE"), .variable("SSL_CERT_DIR"),
        .path("/etc/resolv.conf"), .directoryBehind(link: "/etc/resolv.conf"), .path("/etc/nsswitch.conf"),
        .path("/etc/host.conf"), .path("/etc/hosts"), .path("/etc/gai.conf"), .path("/etc/ld.so.cache"),
        .path("/lib"), .path("/usr/lib"),
    ]

    package static let entries: [ProcessEntry] = [
        ProcessEntry(
            role: .front, executable: "ccr", environment: common,
            rights: Rights([.accept, .shareMemory]),
            mayTouch: "inherited listening sockets, accepted connections, the channels to its targets",
            mustNever: "open a file, make a connection, start a program, see a provider's credential"),
        ProcessEntry(
            role: .worker, executable: "ccr-upstream", environment: common + network,
            rights: Rights(
                [.connect, .startThreads, .loadLibraries, .readFiles], reads: networkFiles + [.stateDirectory]
            ),
            mayTouch:
                "outgoing connections, certificates and name resolution, tokens.db, handed-over client sockets, "
                + "its own provider's key",
            mustNever: "accept connections, write a file, start a program, read the configuration, "
                + "see another provider's key"),
        ProcessEntry(
            role: .exporter, executable: "ccr", environment: common,
            rights: Rights([.accept, .writeFiles], writes: [.stateDirectory]),
            mayTouch: "the state directory, its metrics listener, handed-over client sockets",
            mustNever:
                "make a connection, start a program, read or write another file, see prompts or secrets"),
        ProcessEntry(
            role: .refresher, executable: "ccr-upstream",
            environment: common + network + ["CREDENTIALS_DIRECTORY"],
            rights: Rights(
                [.accept, .listen, .connect, .startThreads, .loadLibraries, .readFiles, .writeFiles],
                reads: networkFiles + [.variable("CREDENTIALS_DIRECTORY")], writes: [.stateDirectory]),
            mayTouch:
                "vault.db and tokens.db below the state directory, the files that credentials name, outgoing "
                + "connections, certificates and name resolution, its socket for commands, a loopback port during a "
                + "login in a browser",
            mustNever: "see a client's bytes, start a program, read or write another file"),
    ]

    package static func entry(_ role: Role) -> ProcessEntry {
        guard let entry = entries.first(where: { $0.role == role }) else {
            fatalError("no entry for \(role) in the process table")
        }
        return entry
    }
}
