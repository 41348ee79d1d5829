// SPDX-License-Identifier: Apache-2.0
// The supervisor: starts the processes of a configuration, connects them, watches, restarts, reloads and ends them.
// It parses no byte of a client or a provider.

import EventLoop
import Gateway
import Glibc
import IPC
import Journal
import Posix
import Runtime
import Sandbox
import ServiceManager

final class Stack {
    let loop: EventLoop
    let executables: Executables
    let options: SupervisorOptions
    let journal: Journal
    let notifySocket: NotifySocket
    private var notifyWatch: EventLoop.Watch?
    private var signals: [SignalWatch] = []
    private var watchdogTimer: Timer?
    private var statusTimer: Timer?
    var drainTimer: Timer?
    var listeners: Listeners
    var exporter: ManagedChild?
    /// An exporter of an older configuration on its way out.
    var oldExporter: ManagedChild?
    /// Keeps credentials alive; only when there are any.
    var refresher: ManagedChild?
    /// A refresher of an older configuration on its way out.
    var oldRefresher: ManagedChild?
    /// Where the service manager's refresher listens; nil when the supervisor runs its own.
    let refresherSocket = OwnProcess.environment["CCR_REFRESHER"].flatMap { $0.isEmpty ? nil : $0 }
    /// The connection to that refresher; only when there are credentials.
    var refresherLink: RefresherLink?
    /// What that refresher keeps.
    var managedRefresherSpec: ChildSpec?
    /// Processes that are to be started, in this order, a few at a time.
    var startQueue: [ManagedChild] = []
    /// The listeners in force before a reload that is under way.
    var listenersBefore: Listeners?
    var current: Generation?
    /// Started by a reload and not yet serving alone.
    var next: Generation?
    /// Finish their requests, oldest first.
    var draining: [Generation] = []
    var isEnding = false
    private var statusQueued = false
    var hasAnnounced = false
    var startedRealtimeUsec = Clock.realtimeUsec()
    /// The files that workers are allowed to read one by one.
    var workerFiles = WatchedFiles(ProcessTable.entry(.worker).rights.reads)
    /// Where fronts leave what they know of providers for the next one, and count what limits per minute allow.
    let policyMemory: SharedMemory?
    /// The next version of the supervisor, while it says whether it can take over.
    var check: UpgradeCheck?
    var exitCode: Int32 = 0

    /// Status lines are refreshed this often, for resident memory.
    private static let statusIntervalUsec: UInt64 = 10_000_000

    /// - Parameter handover: what an earlier version of this supervisor left, if this one came by an upgrade.
    init(
        _ options: SupervisorOptions, journal: Journal, listeners: consuming Listeners, loop: EventLoop,
        handover: Handover?
    ) throws(Errno) {
        self.options = options
        self.journal = journal
        self.listeners = listeners
        self.loop = loop
        executables = try Executables(directory: options.executableDirectory)
        var known: SharedMemory?
        if let number = handover?.policyDescriptor, number >= 0 {
            known = PolicyMemory.adopt(FileDescriptor(owning: number))
        }
        policyMemory = known ?? PolicyMemory.make()
        if let handover {
            notifySocket = NotifySocket(
                adopting: FileDescriptor(owning: handover.notifyDescriptor), address: handover.notifyAddress)
        } else {
            notifySocket = try NotifySocket(unique: "\(getpid())-\(Clock.realtimeUsec())")
        }
    }

    /// Starts everything, or takes it over and starts anew beside it, and runs until the end.
    func run(_ handover: Handover?) throws -> Int32 {
        notifyWatch = try loop.watch(notifySocket.raw, .readable) { [unowned self] _ in
            self.receiveNotifications()
        }
        signals = [
            try SignalWatch(loop, SIGTERM) { [unowned self] in self.end() },
            try SignalWatch(loop, SIGINT) { [unowned self] in self.end() },
            try SignalWatch(loop, SIGHUP) { [unowned self] in self.reload() },
        ]
        watchdogTimer = try Timer(loop, accuracyUsec: 250_000) { [unowned self] in self.checkWatchdogs() }
        statusTimer = try Timer(loop, accuracyUsec: 1_000_000) { [unowned self] in
            self.renewWorkersIfNeeded()
            self.publishStatus()
        }
        drainTimer = try Timer(loop) { [unowned self] in self.killAll() }
        if let handover {
            try takeOver(handover)
        } else if let configuration = options.configuration {
            startFirst(configuration)
        }
        watchdogTimer?.arm(afterUsec: 1_000_000)
        loop.enableWatchdog()
        let code = try loop.run()
        return max(code, exitCode)
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

    var children: [ManagedChild] {
        var list: [ManagedChild] = []
        for generation in draining + [current, next].compactMap({ $0 }) {
            for child in generation.allWorkers + [generation.front]
            where !list.contains(where: { $0 === child }) {
                list.append(child)
            }
        }
        return list + [exporter, oldExporter, refresher, oldRefresher].compactMap { $0 }
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

    func saidStatus(_ child: ManagedChild) {
        if child === current?.front { frontSaid(child.statusText) }
    }

    func becameReady(_ child: ManagedChild) {
        statusChanged()
        startFromQueue()
        if let next {
            if next.isReady { switchOver(to: next) }
        } else if let current, current.contains(child) || child === exporter, current.isReady, !hasAnnounced {
            hasAnnounced = true
            announce()
        }
    }

    func cannotMake(_ path: String, _ error: Errno) {
        journal.log(.error, .storeTrouble, "cannot make \(path): \(error)")
    }

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
        } else if !expected, child.isAdopted, next == nil, current?.contains(child) == true {
            // Only a process of the own version can take its place.
            reload()
        }
        if child === oldExporter { oldExporter = nil }
        if child === oldRefresher { oldRefresher = nil }
        startFromQueue()
        retireGenerations()
        if isEnding { continueEnding() }
    }

    /// Ends the workers of generations whose front has finished, and forgets generations without processes.
    func retireGenerations() {
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

    /// Processes of a configuration that is on its way out are not started again. The exporter is as long as fronts
    /// drain, which have counts for it.
    func mayRestart(_ child: ManagedChild) -> Bool {
        guard !child.isAdopted else { return false }
        if child === exporter { return !isEnding || !draining.isEmpty }
        return !isEnding && (child === refresher || current?.contains(child) == true)
    }

    func restart(_ child: ManagedChild) {
        guard mayRestart(child) else { return }
        if child === exporter {
            equipExporter(child)
        } else if child === refresher {
            equipRefresher()
        } else if let current, child === current.front {
            equipFront(of: current)
        } else {
            equipWorker(child)
        }
        child.start()
    }

    private func checkWatchdogs() {
        let limit = UInt64(current?.watchdogMsec ?? 0) * 1000
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

    func statusChanged() {
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
            startedUsec: startedRealtimeUsec, text: "")
        let list = [own] + children.map(\.status) + [refresherLink?.status].compactMap { $0 }
        for child in children
        where child.isRunning && [.front, .exporter].contains(child.spec.role) && child.speaksThisProtocol {
            child.send(.supervisorStatus) { writer in writer.put(list: list) { $0.put($1) } }
        }
        statusTimer?.arm(afterUsec: Stack.statusIntervalUsec)
    }

    /// The environment of a child: what its table entry names and what supervision needs. LISTEN_PID is filled in
    /// by the child itself, between fork and exec.
    func environment(for entry: ProcessEntry, _ variables: [String], descriptorNames: [String]) -> [String] {
        var list: [String] = []
        for name in entry.environment + variables {
            if let value = getenv(name) { list.append("\(name)=\(String(cString: value))") }
        }
        list.append("NOTIFY_SOCKET=\(notifySocket.address)")
        let watchdog = (next ?? current)?.watchdogMsec ?? 10_000
        if watchdog > 0 { list.append("WATCHDOG_USEC=\(watchdog * 1000)") }
        list.append("LISTEN_FDS=\(descriptorNames.count)")
        list.append("LISTEN_FDNAMES=\(descriptorNames.joined(separator: ":"))")
        list.append("LISTEN_PID=000000000000")
        // A crash must not print registers and memory, which may hold a client's bytes.
        list.append("SWIFT_BACKTRACE=enable=no")
        return list
    }
}
