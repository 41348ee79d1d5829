// SPDX-License-Identifier: Apache-2.0
// The state of every process as the supervisor knows it; front shows it on /health, the exporter on /metrics.

package import IPC

/// One process.
package struct ProcessStatus: Equatable, Sendable, WireCodable {
    package enum State: UInt8, CaseIterable, Sendable {
        case starting = 1
        case ready = 2
        case draining = 3
        /// Ended and waiting for its restart.
        case backOff = 4

        /// The label on /health and /metrics.
        package var name: String {
            switch self {
            case .starting: "starting"
            case .ready: "ready"
            case .draining: "draining"
            case .backOff: "back_off"
            }
        }
    }

    /// "supervisor", "front", "worker" or "exporter".
    package var role: String
    /// The provider of a worker, else "".
    package var provider: String
    package var pid: Int32
    package var state: State
    /// Restarts after a crash or a missed watchdog since the supervisor started.
    package var restarts: UInt32
    /// Resident memory in bytes.
    package var residentBytes: UInt64
    /// CLOCK_REALTIME microseconds of the process's start.
    package var startedUsec: UInt64
    /// What the process last said with STATUS=.
    package var text: String

    package init(
        role: String, provider: String, pid: Int32, state: State, restarts: UInt32, residentBytes: UInt64,
        startedUsec: UInt64, text: String
    ) {
        self.role = role
        self.provider = provider
        self.pid = pid
        self.state = state
        self.restarts = restarts
        self.residentBytes = residentBytes
        self.startedUsec = startedUsec
        self.text = text
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(role)
        writer.put(provider)
        writer.put(pid)
        writer.put(state.rawValue)
        writer.put(restarts)
        writer.put(residentBytes)
        writer.put(startedUsec)
        writer.put(text)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        role = try reader.getString()
        provider = try reader.getString()
        pid = try reader.get()
        state = try reader.getCase()
        restarts = try reader.get()
        residentBytes = try reader.get()
        startedUsec = try reader.get()
        text = try reader.getString()
    }
}
