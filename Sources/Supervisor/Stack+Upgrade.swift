// SPDX-License-Identifier: Apache-2.0
// The upgrade in place: when other executables stand under the names of the running ones, the supervisor becomes the
// new one by execve(2) and hands over what it has. Process id, children and sockets stay; the new supervisor starts a
// generation of its own version and lets the old processes finish.
// Source: execve(2) "Effect on process attributes", prctl(2) "PR_SET_PDEATHSIG".

import EventLoop
import Gateway
import Glibc
import IPC
import Journal
import Posix
import Runtime
import ServiceManager

/// The new executable, asked before the point of no return.
final class UpgradeCheck {
    let process: ChildProcess
    var watch: EventLoop.Watch?
    var timer: Timer?

    init(_ process: ChildProcess) {
        self.process = process
    }

    deinit {
        watch?.cancel()
        process.signal(SIGKILL)
    }
}

extension Stack {
    /// The new executable has this long to load and check the configuration.
    private static let checkUsec: UInt64 = 20_000_000

    /// Variables that speak of this process and not of what it starts.
    private static let ownVariables = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"]

    /// Asks the new executable whether it starts, can take over, and finds the configuration in order. What is wrong
    /// with that it prints itself.
    func startUpgrade() {
        do {
            let environment = OwnProcess.environment.filter { !Stack.ownVariables.contains($0.key) }
            let process = try ChildProcess.spawn(
                path: executables.ownPath,
                arguments: ["ccr", "check-upgrade", "\(Handover.version)"] + options.arguments.dropFirst(),
                environment: environment.map { "\($0.key)=\($0.value)" }, descriptors: [])
            let check = UpgradeCheck(process)
            check.watch = try loop.watch(process.raw, .readable) { [unowned self] _ in self.checkEnded() }
            let timer = try Timer(loop) { process.signal(SIGKILL) }
            timer.arm(afterUsec: Stack.checkUsec)
            check.timer = timer
            self.check = check
        } catch {
            refuseUpgrade("it cannot be started: \(error)")
        }
    }

    private func checkEnded() {
        guard let check else { return }
        do {
            guard let ending = try check.process.reap() else { return }
            self.check = nil
            guard ending == .exited(status: 0) else { return refuseUpgrade("its check \(ending)") }
            becomeNext()
        } catch {
            self.check = nil
            refuseUpgrade("\(error)")
        }
    }

    private func refuseUpgrade(_ reason: String) {
        journal.log(
            .error, .upgradeRefused, "the new executable is refused, the running version goes on: \(reason)")
        Notifier.ready(status: "upgrade refused, still serving with the old version")
    }

    /// Becomes the new executable. Returns only when that fails; then everything is as before.
    private func becomeNext() {
        let handover = handover()
        do {
            let memory = try handover.write()
            try handover.setInheritable(true)
            var environment = OwnProcess.environment
            environment[Handover.variable] = "\(memory.raw)"
            let error = OwnProcess.replace(
                path: executables.ownPath, arguments: options.arguments,
                environment: environment.map { "\($0.key)=\($0.value)" })
            try handover.setInheritable(false)
            refuseUpgrade("\(error)")
        } catch {
            refuseUpgrade("\(error)")
        }
    }

    /// Everything the next supervisor needs to know.
    private func handover() -> Handover {
        let children = children
        func number(_ child: ManagedChild?) -> Int32 {
            children.firstIndex { $0 === child }.map(Int32.init) ?? -1
        }
        let generations = (draining + [current].compactMap { $0 }).map { generation in
            Handover.Members(
                number: UInt32(generation.number), front: UInt32(number(generation.front)),
                workers: generation.workers.map { $0.map { UInt32(number($0)) } })
        }
        return Handover(
            startedRealtimeUsec: startedRealtimeUsec, generation: UInt32(current?.number ?? 0),
            watchdogMsec: UInt32(current?.watchdogMsec ?? 0), drainMsec: UInt32(current?.drainMsec ?? 0),
            notifyAddress: notifySocket.address, notifyDescriptor: notifySocket.raw,
            policyDescriptor: policyMemory?.raw ?? -1,
            listeners: listeners.handover, children: children.map(\.handover), generations: generations,
            exporter: number(exporter), oldExporter: number(oldExporter), refresher: number(refresher))
    }

    /// Takes over what an earlier version of this supervisor had, and starts a generation of this version beside it.
    func takeOver(_ handover: Handover) throws(Errno) {
        hasAnnounced = true
        startedRealtimeUsec = handover.startedRealtimeUsec
        var children: [ManagedChild] = []
        for child in handover.children { children.append(try ManagedChild(adopting: child, stack: self)) }
        var generations = handover.generations.map { members in
            Generation(
                number: Int(members.number), watchdogMsec: Int(handover.watchdogMsec),
                drainMsec: Int(handover.drainMsec), configuration: nil, front: children[Int(members.front)],
                workers: members.workers.map { $0.map { children[Int($0)] } })
        }
        current = generations.popLast()
        draining = generations
        if handover.exporter >= 0 { exporter = children[Int(handover.exporter)] }
        if handover.oldExporter >= 0 { oldExporter = children[Int(handover.oldExporter)] }
        if handover.refresher >= 0 { refresher = children[Int(handover.refresher)] }
        let running = children.filter(\.isRunning).count
        journal.log(
            .notice, .upgraded, "this is version \(CCR.version) now; \(running) processes of before go on",
            [LogField("CCR_PID", getpid())])
        retireGenerations()
        if let configuration = options.configuration {
            startNext(configuration)
        } else {
            refuseUpgrade(
                "its configuration is not in order; what ran before goes on without being restarted")
        }
    }
}
