// SPDX-License-Identifier: Apache-2.0
// What a supervisor leaves to the one that it becomes by execve(2): sockets, children, generations. Descriptors keep
// their numbers; everything else stands in a memfd whose number is in the environment.

import Gateway
import Glibc
package import IPC
import Posix
import Runtime

package struct Handover: Equatable, WireCodable {
    /// Raised with every change of this structure. `ccr check-upgrade` tells whether a version can be taken over.
    package static let version: UInt32 = 3
    /// The environment variable with the number of the memfd.
    static let variable = "CCR_HANDOVER"

    var startedRealtimeUsec: UInt64
    /// Number of the newest generation.
    var generation: UInt32
    /// Timeouts.watchdogMs and drainMs of the configuration in force.
    var watchdogMsec: UInt32
    var drainMsec: UInt32
    var notifyAddress: String
    var notifyDescriptor: Int32
    /// Where fronts leave what they know of providers; -1 for none.
    var policyDescriptor: Int32
    var listeners: [Listener]
    var children: [Child]
    /// Oldest first; the last one is in force, the others are draining.
    var generations: [Members]
    /// Indices into `children`, or -1.
    var exporter: Int32
    var oldExporter: Int32
    var refresher: Int32

    struct Listener: Equatable, WireCodable {
        enum Kind: UInt8 {
            case tcp = 1
            case unix = 2
            case inherited = 3
            case metrics = 4
            case admin = 5
        }
        var kind: Kind
        /// The address of a socket that was bound here, else "".
        var host: String
        var port: UInt16
        var descriptor: Int32
    }

    struct Child: Equatable, WireCodable {
        var role: Role
        var provider: String
        var index: UInt32
        /// 0 when the process does not run; then its descriptors are -1.
        var pid: Int32
        var pidfd: Int32
        var control: Int32
        var state: ProcessStatus.State
        var restarts: UInt32
        var startedUsec: UInt64
        var startedRealtimeUsec: UInt64
        var statusText: String
        /// The protocol it speaks: a child may outlive more than one upgrade.
        var protocolVersion: UInt8
    }

    struct Members: Equatable, WireCodable {
        var number: UInt32
        /// Indices into `children`.
        var front: UInt32
        /// By provider, then by worker number.
        var workers: [[UInt32]]
    }

    /// Every descriptor that must stay open.
    var descriptors: [Int32] {
        ([notifyDescriptor, policyDescriptor] + listeners.map(\.descriptor)
            + children.flatMap { [$0.pidfd, $0.control] })
            .filter { $0 >= 0 }
    }

    /// Decides whether all descriptors stay open in the next program.
    func setInheritable(_ on: Bool) throws(Errno) {
        for descriptor in descriptors { try FileDescriptor.setInheritable(descriptor, on) }
    }

    // MARK: - In a memfd

    /// The memfd, which stays open in the next program; the environment must name it.
    func write() throws(Errno) -> SharedMemory {
        var writer = WireWriter()
        writer.put(Handover.version)
        writer.put(self)
        var framed = WireWriter()
        framed.put(writer.bytes)
        let memory = try SharedMemory(name: "ccr-handover", capacity: framed.bytes.count)
        try memory.append(framed.bytes)
        try FileDescriptor.setInheritable(memory.raw, true)
        return memory
    }

    /// Whether this process became what it is by an upgrade and has not taken over yet.
    package static var isPending: Bool { getenv(variable) != nil }

    /// Takes over what the environment names and removes it there, or returns nil.
    static func take() throws -> Handover? {
        guard let value = getenv(variable) else { return nil }
        let text = String(cString: value)
        unsetenv(variable)
        guard let number = Int32(text), number > 2 else {
            throw WireError.invalidValue("\(variable)=\(text)")
        }
        let descriptor = FileDescriptor(owning: number)
        let view = try SharedMemoryView(descriptor)
        var reader = WireReader(view.bytes)
        var body = WireReader(try reader.getBytes())
        let version: UInt32 = try body.get()
        guard version == Handover.version else { throw WireError.invalidValue("handover \(version)") }
        let handover: Handover = try body.get()
        try body.end()
        try handover.setInheritable(false)
        return handover
    }
}

// MARK: - The wire form

extension Handover {
    package func encode(to writer: inout WireWriter) {
        writer.put(startedRealtimeUsec)
        writer.put(generation)
        writer.put(watchdogMsec)
        writer.put(drainMsec)
        writer.put(notifyAddress)
        writer.put(notifyDescriptor)
        writer.put(policyDescriptor)
        writer.put(list: listeners) { $0.put($1) }
        writer.put(list: children) { $0.put($1) }
        writer.put(list: generations) { $0.put($1) }
        writer.put(exporter)
        writer.put(oldExporter)
        writer.put(refresher)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        startedRealtimeUsec = try reader.get()
        generation = try reader.get()
        watchdogMsec = try reader.get()
        drainMsec = try reader.get()
        notifyAddress = try reader.getString()
        notifyDescriptor = try reader.get()
        policyDescriptor = try reader.get()
        listeners = try reader.getList { (reader) throws(WireError) in try reader.get() }
        children = try reader.getList { (reader) throws(WireError) in try reader.get() }
        generations = try reader.getList { (reader) throws(WireError) in try reader.get() }
        exporter = try reader.get()
        oldExporter = try reader.get()
        refresher = try reader.get()
        let known = 0..<children.count
        let members = generations.flatMap { [$0.front] + $0.workers.flatMap { $0 } }.map(Int.init)
        guard !generations.isEmpty, members.allSatisfy(known.contains),
            [exporter, oldExporter, refresher].allSatisfy({ $0 == -1 || known.contains(Int($0)) })
        else { throw .invalidValue("members of a handover") }
    }
}

extension Handover.Listener {
    func encode(to writer: inout WireWriter) {
        writer.put(kind.rawValue)
        writer.put(host)
        writer.put(port)
        writer.put(descriptor)
    }

    init(from reader: inout WireReader) throws(WireError) {
        kind = try reader.getCase()
        host = try reader.getString()
        port = try reader.get()
        descriptor = try reader.get()
    }
}

extension Handover.Child {
    func encode(to writer: inout WireWriter) {
        writer.put(role.rawValue)
        writer.put(provider)
        writer.put(index)
        writer.put(pid)
        writer.put(pidfd)
        writer.put(control)
        writer.put(state.rawValue)
        writer.put(restarts)
        writer.put(startedUsec)
        writer.put(startedRealtimeUsec)
        writer.put(statusText)
        writer.put(protocolVersion)
    }

    init(from reader: inout WireReader) throws(WireError) {
        let name = try reader.getString()
        guard let known = Role(rawValue: name) else { throw .invalidValue("role \(name)") }
        role = known
        provider = try reader.getString()
        index = try reader.get()
        pid = try reader.get()
        pidfd = try reader.get()
        control = try reader.get()
        state = try reader.getCase()
        restarts = try reader.get()
        startedUsec = try reader.get()
        startedRealtimeUsec = try reader.get()
        statusText = try reader.getString()
        protocolVersion = try reader.get()
    }
}

extension Handover.Members {
    func encode(to writer: inout WireWriter) {
        writer.put(number)
        writer.put(front)
        writer.put(list: workers) { writer, list in writer.put(list: list) { $0.put($1) } }
    }

    init(from reader: inout WireReader) throws(WireError) {
        number = try reader.get()
        front = try reader.get()
        workers = try reader.getList { (reader) throws(WireError) in
            try reader.getList { (reader) throws(WireError) in try reader.get() }
        }
    }
}
