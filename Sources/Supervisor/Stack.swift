// SPDX-License-Identifier: Apache-2.0
// The supervisor: starts the processes of a configuration, connects them, watches, restarts, reloads and ends them.
// It parses no byte of a client or a provider.

import Config
import EventLoop
import Gateway
import Glibc
import IPC
import Journal
import Posix
import Runtime
import ServiceManager

final class Stack {
    let loop: EventLoop
    let executableDirectory: String
    private let options: SupervisorOptions
    private let journal: Journal
    private let notifySocket: NotifySocket
    private var notifyWatch: EventLoop.Watch?
    private var signals: [SignalWatch] = []
    private var watchdogTimer: Timer?
    private var statusTimer: Timer?
    private var drainTimer: Timer?
    private var listeners: Listeners
    private var exporter: ManagedChild?
    /// An exporter of an older configuration on its way out.
    private var oldExporter: ManagedChild?
    /// The listeners in force before a reload that is under way.
    private var listenersBefore: Listeners?
    private var current: Generation?
    /// Started by a reload and not yet serving alone.
    private var next: Generation?
    /// Finish their requests, oldest first.
    private var draining: [Generation] = []
    private var isEnding = false
    private var statusQueued = false
    private var exitCode: Int32 = 0

    /// Status lines are refreshed this often, for resident memory.
    private static let statusIntervalUsec: UInt64 = 10_000_000

    init(_ options: SupervisorOptions, journal: Journal, listeners: consuming Listeners, loop: EventLoop)
        throws(Errno)
    {
        self.options = options
        self.journal = journal
        self.listeners = listeners
        self.loop = loop
        executableDirectory = options.executableDirectory
        notifySocket = try NotifySocket(unique: "\(getpid())-\(Clock.realtimeUsec())")
    }

    /// Starts everything and runs until the end.
    func run(_ configuration: Configuration) throws -> Int32 {
        notifyWatch = try loop.watch(notifySocket.raw, .readable) { [unowned self] _ in
            self.receiveNotifications()
        }
        signals = [
            try SignalWatch(loop, SIGTERM) { [unowned self] in self.end() },
            try SignalWatch(loop, SIGINT) { [unowned self] in self.end() },
            try SignalWatch(loop, SIGHUP) { [unowned self] in self.reload() },
        ]
        watchdogTimer = try Timer(loop, accuracyUsec: 250_000) { [unowned self] in self.checkWatchdogs() }
        statusTimer = try Timer(loop, accuracyUsec: 1_000_000) { [unowned self] in self.publishStatus() }
        drainTimer = try Timer(loop) { [unowned self] in self.killAll() }
        let blueprint = Blueprint(configuration)
        let exporter = ManagedChild(blueprint.exporter, stack: self)
        self.exporter = exporter
        let generation = makeGeneration(configuration, blueprint)
        current = generation
        for listener in listeners.metrics {
            exporter.give(NamedDescriptor(name: "metrics", descriptor: listener))
        }
        startNewProcesses(of: generation)
        exporter.start()
        watchdogTimer?.arm(afterUsec: 1_000_000)
        loop.enableWatchdog()
        let code = try loop.run()
        return max(code, exitCode)
    }

    // MARK: - Generations

    private func makeGeneration(_ configuration: Configuration, _ blueprint: Blueprint) -> Generation {
        let known = current?.allWorkers ?? []
        let workers = blueprint.workers.map { specs in
            specs.map { spec in known.first { $0.spec == spec } ?? ManagedChild(spec, stack: self) }
        }
        let generation = Generation(
            number: (current?.number ?? 0) + 1, configuration: configuration,
            front: ManagedChild(blueprint.front, stack: self), workers: workers)
        equipFront(of: generation)
        return generation
    }

    /// Gives a front that is about to start its listeners and its channels to every worker and the exporter.
    private func equipFront(of generation: Generation) {
        for listener in listeners.http {
            generation.front.give(NamedDescriptor(name: "http", descriptor: listener))
        }
        for (provider, workers) in generation.workers.enumerated() {
            for (index, worker) in workers.enumerated() where worker.isRunning || worker.restarts == 0 {
                connect(generation.front, as: "front", to: worker, as: "worker-\(provider)-\(index)")
            }
        }
        if let exporter { connect(generation.front, as: "front", to: exporter, as: "exporter") }
    }

    /// Makes a pair of connected sockets and gives each process its end.
    private func connect(_ a: ManagedChild, as aName: String, to b: ManagedChild, as bName: String) {
        do {
            try MessageSocket.pair().split { first, second in
                a.give(NamedDescriptor(name: bName, descriptor: SharedDescriptor(first)))
                b.give(NamedDescriptor(name: aName, descriptor: SharedDescriptor(second)))
            }
        } catch {
            journal.log(.error, .limitReached, "cannot connect \(a.spec.name) and \(b.spec.name): \(error)")
        }
    }

    private func startNewProcesses(of generation: Generation) {
        for worker in generation.allWorkers where !worker.isRunning { worker.start() }
        generation.front.start()
    }

    private func reload() {
        guard !isEnding else { return }
        let started = Clock.monotonicUsec()
        guard next == nil else {
            journal.log(.warning, .configRefused, "a reload is under way already; ask again when it is over")
            return
        }
        Notifier.reloading(monotonicUsec: started)
        let loaded = options.reload()
        for problem in loaded.problems {
            journal.log(problem.severity == .error ? .error : .warning, .configRefused, "\(problem)")
        }
        guard let configuration = loaded.configuration else {
            journal.log(
                .error, .configRefused, "the new configuration is refused; the old one stays in force")
            Notifier.ready(status: "reload refused, still serving the old configuration")
            return
        }
        listenersBefore = listeners
        do {
            try listeners.adopt(configuration.listen)
        } catch {
            journal.log(.error, .configRefused, "\(error); the old configuration stays in force")
            Notifier.ready(status: "reload refused, still serving the old configuration")
            return
        }
        let generation = makeGeneration(configuration, Blueprint(configuration))
        next = generation
        startNewProcesses(of: generation)
    }

    /// The new generation serves: the old one finishes what it has.
    private func switchOver(to generation: Generation) {
        if let old = current {
            draining.append(old)
            old.front.drain()
        }
        current = generation
        next = nil
        listenersBefore = nil
        replaceExporter(Blueprint(generation.configuration).exporter)
        announce()
    }

    /// A process of the new generation does not start: the old one goes on.
    private func giveUpNext(because child: ManagedChild) {
        guard let failed = next else { return }
        next = nil
        if let before = listenersBefore { listeners = before }
        listenersBefore = nil
        journal.log(
            .error, .configRefused, "\(child.spec.name) does not start; the old configuration stays in force")
        failed.front.kill()
        for worker in failed.allWorkers where current?.contains(worker) != true { worker.kill() }
        Notifier.ready(status: "reload failed, still serving the old configuration")
    }

    /// Starts an exporter that knows the new providers. The file lock of its database lets it begin when the old one
    /// has ended; fronts send it what the old one did not acknowledge.
    private func replaceExporter(_ spec: ChildSpec) {
        guard let old = exporter, old.spec != spec, oldExporter == nil else { return }
        let new = ManagedChild(spec, stack: self)
        exporter = new
        oldExporter = old
        equipExporter(new)
        new.start()
        old.drain()
    }

    /// Gives an exporter that is about to start its listeners and a channel to every front.
    private func equipExporter(_ exporter: ManagedChild) {
        for listener in listeners.metrics {
            exporter.give(NamedDescriptor(name: "metrics", descriptor: listener))
        }
        for front in (draining + [current, next].compactMap { $0 }).map(\.front) where front.isRunning {
            connect(front, as: "front", to: exporter, as: "exporter")
        }
    }

    private func announce() {
        guard let current else { return }
        journal.log(
            .notice, .configLoaded,
            "serving on \(listeners.description) with \(current.workers.count) providers",
            [LogField("CCR_GENERATION", current.number)])
        Notifier.ready(status: "serving on \(listeners.description) with \(current.workers.count) providers")
    }

    // MARK: - What children report

    private func receiveNotifications() {
        do {
            while let notification = try notifySocket.receive() {
                child(pid: notification.pid)?.notified(notification)
            }
        } catch {
            journal.log(.error, .limitReached, "notify socket: \(error)")
        }
    }

    private var children: [ManagedChild] {
        var list: [ManagedChild] = []
        for generation in draining + [current, next].compactMap({ $0 }) {
            for child in generation.allWorkers + [generation.front]
            where !list.contains(where: { $0 === child }) {
                list.append(child)
            }
        }
        return list + [exporter, oldExporter].compactMap { $0 }
    }

    private func child(pid: Int32) -> ManagedChild? {
        children.first { $0.process?.pid == pid }
    }

    func started(_ child: ManagedChild) {
        journal.log(
            .debug, .processStarted, "started \(child.spec.name)",
            [LogField("CCR_PID", child.process?.pid ?? 0)])
        statusChanged()
    }

    func becameReady(_ child: ManagedChild) {
        statusChanged()
        if let next {
            if next.isReady { switchOver(to: next) }
        } else if let current, current.contains(child) || child === exporter, current.isReady, !hasAnnounced {
            hasAnnounced = true
            announce()
        }
    }

    private var hasAnnounced = false

    func failedToStart(_ child: ManagedChild, _ error: Errno) {
        journal.log(.error, .processEnded, "cannot start \(child.spec.name): \(error)")
    }

    func processEnded(
        _ child: ManagedChild, _ ending: ChildProcess.Ending, pid: Int32, uptimeUsec: UInt64, expected: Bool
    ) {
        let level: LogLevel = expected ? .debug : .error
        journal.log(
            level, .processEnded, "\(child.spec.name) \(ending) after \(uptimeUsec / 1000) ms",
            [LogField("CCR_PID", pid), LogField("CCR_DURATION_USEC", uptimeUsec)])
        statusChanged()
    }

    /// A process has ended, or will not start any more.
    func ended(_ child: ManagedChild, expected: Bool) {
        statusChanged()
        if !expected, let next, next.contains(child), current?.contains(child) != true {
            giveUpNext(because: child)
        }
        if child === oldExporter { oldExporter = nil }
        retireGenerations()
        if isEnding { continueEnding() }
    }

    /// Ends the workers of generations whose front has finished, and forgets generations without processes.
    private func retireGenerations() {
        let candidates = draining
        for generation in candidates where !generation.front.isRunning {
            for worker in ownWorkers(of: generation) { worker.drain() }
        }
        draining = candidates.filter { generation in
            generation.front.isRunning || ownWorkers(of: generation).contains(where: \.isRunning)
        }
    }

    /// The workers that no other generation with a front uses.
    private func ownWorkers(of generation: Generation) -> [ManagedChild] {
        let others = (draining.filter(\.front.isRunning) + [current, next].compactMap { $0 })
            .filter { $0 !== generation }
        return generation.allWorkers.filter { worker in !others.contains { $0.contains(worker) } }
    }

    /// Processes of a configuration that is on its way out are not started again.
    func mayRestart(_ child: ManagedChild) -> Bool {
        !isEnding && (child === exporter || current?.contains(child) == true)
    }

    func restart(_ child: ManagedChild) {
        guard mayRestart(child), let current else { return }
        if child === current.front {
            equipFront(of: current)
        } else if child === exporter {
            equipExporter(child)
        } else {
            for generation in draining + [current] + [next].compactMap({ $0 })
            where generation.front.isRunning {
                for (provider, workers) in generation.workers.enumerated() {
                    for (index, worker) in workers.enumerated() where worker === child {
                        connect(generation.front, as: "front", to: child, as: "worker-\(provider)-\(index)")
                    }
                }
            }
        }
        child.start()
    }

    private func checkWatchdogs() {
        let limit = UInt64(current?.configuration.timeouts.watchdogMs ?? 0) * 1000
        if limit > 0 {
            let now = Clock.monotonicUsec()
            for child in children where child.checkWatchdog(now, limitUsec: limit) {
                journal.log(
                    .error, .watchdogMissed,
                    "\(child.spec.name) gave no sign of life for \(limit / 1000) ms; killed",
                    [LogField("CCR_PID", child.process?.pid ?? 0)])
            }
        }
        watchdogTimer?.arm(afterUsec: 1_000_000)
    }

    // MARK: - Status

    private func statusChanged() {
        guard !statusQueued else { return }
        statusQueued = true
        loop.later { [unowned self] in
            self.statusQueued = false
            self.publishStatus()
        }
    }

    /// Tells front and exporter how every process is.
    private func publishStatus() {
        let own = ProcessStatus(
            role: "supervisor", provider: "", pid: getpid(), state: isEnding ? .draining : .ready,
            restarts: 0,
            residentBytes: ProcessMemory.residentBytes(pid: getpid()),
            startedUsec: options.startedRealtimeUsec, text: "")
        let list = [own] + children.map(\.status)
        for child in children where child.isRunning && child.spec.role != .worker {
            child.send(.supervisorStatus) { writer in writer.put(list: list) { $0.put($1) } }
        }
        statusTimer?.arm(afterUsec: Stack.statusIntervalUsec)
    }

    // MARK: - The end

    /// Drains: no new connection, running requests finish, then everything ends. Asked twice, it ends at once.
    private func end() {
        guard !isEnding else { return killAll() }
        isEnding = true
        let milliseconds = options.drainMsec ?? current?.configuration.timeouts.drainMs ?? 30_000
        journal.log(.notice, .draining, "draining for at most \(milliseconds / 1000) s")
        Notifier.stopping()
        drainTimer?.arm(afterUsec: UInt64(milliseconds) * 1000)
        // Refused connections let clients wait and retry; accepted and dropped ones would look like failures.
        listeners.closeOwn()
        if let failed = next {
            next = nil
            draining.append(failed)
        }
        if let current { draining.append(current) }
        current = nil
        for generation in draining { generation.front.drain() }
        retireGenerations()
        continueEnding()
    }

    private func continueEnding() {
        guard draining.isEmpty else { return }
        if let exporter, exporter.isRunning {
            exporter.drain()
        } else {
            finish()
        }
    }

    private func killAll() {
        let running = children.filter(\.isRunning)
        if !running.isEmpty {
            let names = running.map(\.spec.name).joined(separator: ", ")
            journal.log(.warning, .draining, "the time to drain is over; ending \(names)")
        }
        for child in running { child.kill() }
        finish()
    }

    private func finish() {
        journal.log(.notice, .stopped, "stopped")
        loop.exit(exitCode)
    }

    /// The environment of a child: what its table entry names and what supervision needs. LISTEN_PID is filled in
    /// by the child itself, between fork and exec.
    func environment(for entry: ProcessEntry, descriptorNames: [String]) -> [String] {
        var list: [String] = []
        for name in entry.environment {
            if let value = getenv(name) { list.append("\(name)=\(String(cString: value))") }
        }
        list.append("NOTIFY_SOCKET=\(notifySocket.address)")
        let watchdog =
            current?.configuration.timeouts.watchdogMs ?? next?.configuration.timeouts.watchdogMs ?? 10_000
        if watchdog > 0 { list.append("WATCHDOG_USEC=\(watchdog * 1000)") }
        list.append("LISTEN_FDS=\(descriptorNames.count)")
        list.append("LISTEN_FDNAMES=\(descriptorNames.joined(separator: ":"))")
        list.append("LISTEN_PID=000000000000")
        // A crash must not print registers and memory, which may hold a client's bytes.
        list.append("SWIFT_BACKTRACE=enable=no")
        return list
    }
}
