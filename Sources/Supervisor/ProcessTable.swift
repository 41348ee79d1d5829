// SPDX-License-Identifier: Apache-2.0
// Every kind of process ccr runs and what each may touch: the architecture as data. Used to spawn, and compared with
// ARCHITECTURE.md by a test.
// Source: the process table of the design; the idea is Postfix's master.cf.

/// A kind of process.
package enum Role: String, CaseIterable, Sendable {
    case front
    case worker
    case exporter
}

/// What a kind of process is, may do and is given.
package struct ProcessEntry: Sendable {
    package let role: Role
    /// File name of the executable, found beside the supervisor's own.
    package let executable: String
    /// Environment variables passed on besides the ones of the supervision protocol.
    package let environment: [String]
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

    package static let entries: [ProcessEntry] = [
        ProcessEntry(
            role: .front, executable: "ccr", environment: common,
            mayTouch: "inherited listening sockets, accepted connections, the channels to its targets",
            mustNever: "open a file, make an outgoing connection, see a provider's credential"),
        ProcessEntry(
            role: .worker, executable: "ccr-upstream", environment: common + network,
            mayTouch: "outgoing connections, handed-over client sockets, its own provider's key",
            mustNever: "accept connections, see another provider's key"),
        ProcessEntry(
            role: .exporter, executable: "ccr", environment: common,
            mayTouch: "usage.db, its metrics listener, handed-over client sockets",
            mustNever: "make outgoing connections, see prompts or secrets"),
    ]

    package static func entry(_ role: Role) -> ProcessEntry {
        guard let entry = entries.first(where: { $0.role == role }) else {
            fatalError("no entry for \(role) in the process table")
        }
        return entry
    }
}
