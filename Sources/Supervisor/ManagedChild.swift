// SPDX-License-Identifier: Apache-2.0
// One supervised process through all its restarts: spawn, readiness, watchdog, control messages, end.

import EventLoop
import Gateway
import Glibc
import IPC
import Posix
import Runtime
import ServiceManager

/// What a process needs to be started, again and again.
struct ChildSpec: Equatable {
    var role: Role
    /// The provider of a worker, else "".
    var provider: String
    /// Numbers the workers of one provider from 0.
    var index: Int
    /// The encoded configuration. A worker's holds its provider's key for as long as no other process keeps keys.
    var configuration: [UInt8]
    /// Environment variables that it gets besides those of its table row.
    var variables: [String] = []

    /// For logs: "front", "worker openai", "worker openai/1".
    var name: String {
        let suffix = index > 0 ? "/\(index)" : ""
        return provider.isEmpty ? role.rawValue : "\(role.rawValue) \(provider)\(suffix)"
    }
}

/// A descriptor that a child inherits, with its name.
struct NamedDescriptor {
    let name: String
    let descriptor: SharedDescriptor
}

final class ManagedChild {
    let spec: ChildSpec
    private(set) var process: ChildProcess?
    private(set) var state = ProcessStatus.State.starting
    private(set) var restarts: UInt32 = 0
    private(set) var statusText = ""
    private(set) var startedUsec: UInt64 = 0
    private(set) var startedRealtimeUsec: UInt64 = 0
    private var control: MessageChannel?
    private var watch: EventLoop.Watch?
    private var restartTimer: Timer?
    private var lastSignUsec: UInt64 = 0
    private var backOff = BackOff()
    /// Descriptors for the next start.
    private var waiting: [NamedDescriptor] = []
    private var drainAsked = false
    /// The version of the messages that the process understands.
    private let protocolVersion: UInt8
    /// Whether an earlier version of the supervisor started it. It is never started again: nobody knows how.
    let isAdopted: Bool
    private unowned let stack: Stack

    init(_ spec: ChildSpec, stack: Stack) {
        self.spec = spec
        self.stack = stack
        protocolVersion = MessageHead.version
        isAdopted = false
    }

    /// Takes a process over that an earlier version of the supervisor started.
    init(adopting child: Handover.Child, stack: Stack) throws(Errno) {
        spec = ChildSpec(
            role: child.role, provider: child.provider, index: Int(child.index), configuration: [])
        self.stack = stack
        protocolVersion = child.protocolVersion
        isAdopted = true
        state = child.state
        restarts = child.restarts
        statusText = child.statusText
        startedUsec = child.startedUsec
        startedRealtimeUsec = child.startedRealtimeUsec
        lastSignUsec = Clock.monotonicUsec()
        drainAsked = child.state == .draining
        guard child.pid > 0 else { return }
        let process = ChildProcess(adopting: child.pid, pidfd: FileDescriptor(owning: child.pidfd))
        try supervise(process, control: FileDescriptor(owning: child.control))
    }

    /// What the next version of the supervisor needs to take the process over.
    var handover: Handover.Child {
        Handover.Child(
            role: spec.role, provider: spec.provider, index: UInt32(spec.index), pid: process?.pid ?? 0,
            pidfd: process?.raw ?? -1, control: control?.raw ?? -1, state: state, restarts: restarts,
            startedUsec: startedUsec, startedRealtimeUsec: startedRealtimeUsec, statusText: statusText,
            protocolVersion: protocolVersion)
    }

    /// Whether the process understands more than the order to drain, which is the same in every version.
    var speaksThisProtocol: Bool { protocolVersion == MessageHead.version }

    var isReady: Bool { state == .ready }
    var isRunning: Bool { process != nil }

    /// Gives the process a descriptor: at once when it runs, else with its next start.
    func give(_ peer: NamedDescriptor) {
        if process == nil {
            waiting.append(peer)
        } else {
            send(.supervisorAttach, descriptor: peer.descriptor) { $0.put(peer.name) }
        }
    }

    /// Starts the process with its control channel, its configuration and the descriptors given so far.
    func start() {
        do {
            let peers = waiting
            waiting = []
            try spawn(peers: peers)
        } catch {
            stack.failedToStart(self, error)
            scheduleRestart(uptimeUsec: 0)
        }
    }

    private func spawn(peers: [NamedDescriptor]) throws(Errno) {
        let configuration = try Self.sealed(spec.configuration)
        let pair = try MessageSocket.pair()
        var mine: FileDescriptor?
        var theirs: FileDescriptor?
        pair.split { first, second in
            mine = consume first
            theirs = consume second
        }
        guard let controlEnd = mine.take(), let childEnd = theirs.take() else { return }
        var names = ["control", "config"]
        var descriptors = [childEnd.raw, configuration.raw]
        for peer in peers {
            names.append(peer.name)
            descriptors.append(peer.descriptor.raw)
        }
        let entry = ProcessTable.entry(spec.role)
        let process = try ChildProcess.spawn(
            executable: try stack.executables.open(entry.executable),
            arguments: ["ccr", spec.role.rawValue] + (spec.provider.isEmpty ? [] : [spec.provider]),
            environment: stack.environment(for: entry, spec.variables, descriptorNames: names),
            descriptors: descriptors)
        state = .starting
        statusText = ""
        startedUsec = Clock.monotonicUsec()
        startedRealtimeUsec = Clock.realtimeUsec()
        lastSignUsec = startedUsec
        try supervise(process, control: controlEnd)
        stack.started(self)
    }

    private func supervise(_ process: ChildProcess, control descriptor: consuming FileDescriptor)
        throws(Errno)
    {
        self.process = process
        control = try MessageChannel(
            stack.loop, descriptor, onMessage: { _, _ in }, onClose: {})
        watch = try stack.loop.watch(process.raw, .readable) { [unowned self] _ in self.processEnded() }
    }

    /// The configuration in a memfd: its length in 4 bytes, then itself.
    private static func sealed(_ configuration: [UInt8]) throws(Errno) -> SharedMemory {
        var writer = WireWriter(capacity: configuration.count + 4)
        writer.put(configuration)
        let memory = try SharedMemory(name: "ccr-config", capacity: writer.bytes.count)
        try memory.append(writer.bytes)
        return memory
    }

    // MARK: - What the process says

    /// Takes a notification of the process (sd_notify).
    func notified(_ notification: Notification) {
        lastSignUsec = Clock.monotonicUsec()
        if let text = notification["STATUS"] {
            statusText = text
            if isReady { stack.saidStatus(self) }
        }
        if notification["STOPPING"] == "1", state != .draining { state = .draining }
        if notification["READY"] == "1", state == .starting {
            state = .ready
            stack.becameReady(self)
        }
    }

    /// Kills a process that gave no sign for longer than its watchdog allows. Returns whether it did.
    func checkWatchdog(_ now: UInt64, limitUsec: UInt64) -> Bool {
        guard let process, state != .backOff, now > lastSignUsec + limitUsec else { return false }
        lastSignUsec = now
        process.signal(SIGKILL)
        return true
    }

    // MARK: - What the supervisor says

    /// Sends a message to a process of this very version; others would take it for nonsense and end.
    func send(
        _ kind: MessageKind, descriptor: SharedDescriptor? = nil,
        _ body: (inout WireWriter) -> Void = { _ in }
    ) {
        guard speaksThisProtocol else { return }
        var writer = WireWriter()
        MessageHead.begin(kind, in: &writer)
        body(&writer)
        control?.send(writer.bytes, descriptors: descriptor.map { [$0.raw] } ?? [])
    }

    /// Asks the process to finish what runs and exit.
    func drain() {
        restartTimer = nil
        guard process != nil, !drainAsked else { return }
        drainAsked = true
        state = .draining
        control?.send(MessageHead.drain(version: protocolVersion))
    }

    func kill() {
        restartTimer = nil
        process?.signal(SIGKILL)
    }

    // MARK: - The end

    private func processEnded() {
        guard let process else { return }
        let ending: ChildProcess.Ending
        do {
            guard let reaped = try process.reap() else { return }
            ending = reaped
        } catch {
            stack.failedToStart(self, error)
            return
        }
        watch?.cancel()
        watch = nil
        control?.close()
        control = nil
        self.process = nil
        let uptime = Clock.monotonicUsec() - startedUsec
        let expected = state == .draining
        stack.processEnded(self, ending, pid: process.pid, uptimeUsec: uptime, expected: expected)
        if expected {
            stack.ended(self, expected: true)
        } else {
            scheduleRestart(uptimeUsec: uptime)
        }
    }

    private func scheduleRestart(uptimeUsec: UInt64) {
        state = .backOff
        stack.ended(self, expected: false)
        guard stack.mayRestart(self) else { return }
        let delay = backOff.ended(uptimeUsec: uptimeUsec)
        restarts += 1
        do {
            let timer = try Timer(stack.loop) { [unowned self] in self.stack.restart(self) }
            timer.arm(afterUsec: UInt64(delay) * 1000)
            restartTimer = timer
        } catch {
            stack.failedToStart(self, error)
        }
    }

    /// The process as others see it.
    var status: ProcessStatus {
        ProcessStatus(
            role: spec.role.rawValue, provider: spec.provider, pid: process?.pid ?? 0, state: state,
            restarts: restarts,
            residentBytes: process.map { ProcessMemory.residentBytes(pid: $0.pid) } ?? 0,
            startedUsec: startedRealtimeUsec, text: statusText)
    }
}
