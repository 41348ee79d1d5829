// SPDX-License-Identifier: Apache-2.0
// The start-up that every child of the supervisor shares, always in the same order: log, descriptors, configuration,
// event loop, control link, sandbox, readiness. Source: sd_listen_fds(3), sd_notify(3).

package import EventLoop
package import Gateway
import Glibc
package import IPC
package import Journal
package import Posix
import Sandbox
package import ServiceManager

/// A child process from its first moment on.
package final class Child {
    package let loop: EventLoop
    package let journal: Journal
    private let role: Role
    private var refusals: EventLoop.Watch?
    private var toldRefusals: Set<String> = []
    private var control: MessageChannel?
    private var termination: SignalWatch?
    private var interruption: SignalWatch?
    private var hangUp: SignalWatch?

    /// What the supervisor tells a child.
    package struct Handlers {
        /// A channel to a new peer and the peer's name, for example "front" or "worker-0-1".
        package var attach: (String, consuming FileDescriptor) -> Void
        /// Finish what runs, then exit.
        package var drain: () -> Void
        /// The state of every process; only front and exporter are told.
        package var status: ([ProcessStatus]) -> Void

        package init(
            attach: @escaping (String, consuming FileDescriptor) -> Void, drain: @escaping () -> Void,
            status: @escaping ([ProcessStatus]) -> Void = { _ in }
        ) {
            self.attach = attach
            self.drain = drain
            self.status = status
        }
    }

    private init(role: Role, journal: Journal, loop: EventLoop) {
        self.role = role
        self.journal = journal
        self.loop = loop
    }

    /// Starts the process: reads its configuration and runs `serve`, which sets the role up and returns its handlers
    /// and a status line; then gives up what the role has no right to, reports readiness and runs the loop.
    ///
    /// - Returns: the exit status.
    package static func run<Configuration: WireCodable>(
        role: Role, provider: (Configuration) -> String = { _ in "" },
        stateDirectory: (Configuration) -> String = { _ in "" },
        reads: (Configuration) -> [String] = { _ in [] }, load: () -> Configuration? = { nil },
        serve: (Child, Configuration, inout InheritedDescriptors) throws -> (Handlers, String)
    ) -> Int32 {
        ProcessSettings.setName("ccr-\(role.rawValue)")
        ProcessSettings.forbidDumps()
        ProcessSettings.raiseFileLimit()
        // A write beyond the largest allowed file is an error like a full disk, and no reason to die.
        signal(SIGXFSZ, SIG_IGN)
        do {
            var inherited = try InheritedDescriptors()
            let configuration: Configuration
            if inherited.names.contains("config") {
                configuration = try Self.configuration(&inherited)
            } else if let loaded = load() {
                configuration = loaded
            } else {
                throw GatewayError(.internalFault, "there is no configuration")
            }
            let journal = Journal(role: role.rawValue, provider: provider(configuration))
            let child = Child(role: role, journal: journal, loop: try EventLoop())
            try child.ignoreTerminalSignals()
            let controlDescriptor = try inherited.take("control")
            let (handlers, status) = try serve(child, configuration, &inherited)
            // A signal to the whole group must not end a child before the supervisor has drained what feeds it.
            let isSupervised = controlDescriptor != nil
            child.termination = try SignalWatch(child.loop, SIGTERM) { if !isSupervised { handlers.drain() } }
            if let controlDescriptor { try child.listen(controlDescriptor, handlers) }
            child.loop.enableWatchdog()
            try child.shutIn(stateDirectory: stateDirectory(configuration), reads: reads(configuration))
            journal.log(.debug, .processReady, "ready: \(status)")
            Notifier.ready(status: status)
            journal.keepsLines = true
            child.loop.atTurnEnd { journal.flush() }
            ProcessMemory.forgetStart()
            defer { journal.flush() }
            return try child.loop.run()
        } catch {
            Journal(role: role.rawValue).log(.error, .processEnded, "cannot start: \(error)")
            return 1
        }
    }

    /// Keeps the rights of the process table and nothing else. Nothing from outside has been read so far.
    private func shutIn(stateDirectory: String, reads: [String]) throws(Errno) {
        refusals = try loop.watch(try Sandbox.watchRefusals(), .readable) { [unowned self] _ in
            self.reportRefusals()
        }
        let general = ProcessTable.entry(role).rights
        let rights = Rights(
            general.abilities, reads: general.reads + reads.map { .path($0) }, writes: general.writes)
        for failure in Sandbox.enter(rights, stateDirectory: stateDirectory) {
            journal.log(
                .warning, .sandboxIncomplete, "this process keeps rights that it should not have: \(failure)")
        }
    }

    private func reportRefusals() {
        Sandbox.acknowledgeRefusals()
        for name in Sandbox.refusedCalls() where toldRefusals.insert(name).inserted {
            journal.log(
                .error, .sandboxRefused, "the sandbox refused the system call \(name)",
                [LogField("CCR_SYSCALL", name)])
        }
    }

    /// Ctrl-C reaches the whole foreground process group; the supervisor decides what it means for its children.
    private func ignoreTerminalSignals() throws(Errno) {
        interruption = try SignalWatch(loop, SIGINT) {}
        hangUp = try SignalWatch(loop, SIGHUP) {}
    }

    private static func configuration<Configuration: WireCodable>(
        _ inherited: inout InheritedDescriptors
    ) throws -> Configuration {
        guard let descriptor = try inherited.take("config") else {
            throw GatewayError(.internalFault, "no configuration was inherited")
        }
        let view = try SharedMemoryView(descriptor)
        var reader = WireReader(view.bytes)
        // The file is whole pages long; the length in front tells where the configuration ends.
        let length: UInt32 = try reader.get()
        guard Int(length) <= view.bytes.count - 4 else { throw WireError.truncated }
        var body = WireReader(UnsafeRawBufferPointer(rebasing: view.bytes[4..<(4 + Int(length))]))
        let configuration: Configuration = try body.get()
        try body.end()
        return configuration
    }

    private func listen(_ descriptor: consuming FileDescriptor, _ handlers: Handlers) throws(Errno) {
        control = try MessageChannel(
            loop, descriptor,
            onMessage: { [unowned self] bytes, received in self.handle(bytes, &received, handlers) },
            onClose: { [unowned self] in
                // Without a supervisor nobody restarts, reloads or ends this process.
                self.loop.exit(0)
            })
    }

    private func handle(
        _ bytes: UnsafeRawBufferPointer, _ received: inout MessageSocket.Received, _ handlers: Handlers
    ) {
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            case .supervisorAttach:
                let name = try reader.getString()
                try reader.end()
                guard let descriptor = received.takeDescriptor() else { throw WireError.truncated }
                handlers.attach(name, descriptor)
            case .supervisorDrain:
                try reader.end()
                handlers.drain()
            case .supervisorStatus:
                let list = try reader.getList { (reader) throws(WireError) in
                    try reader.get(ProcessStatus.self)
                }
                try reader.end()
                handlers.status(list)
            case let other: throw WireError.invalidValue("\(other) from the supervisor")
            }
        } catch {
            protocolViolation("control message: \(error)")
        }
    }

    /// Ends the process: an own process said something that cannot be.
    package func protocolViolation(_ text: String) -> Never {
        journal.log(.error, .protocolViolation, text)
        fatalError("protocol violation in \(role.rawValue)")
    }
}
