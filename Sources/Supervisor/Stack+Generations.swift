// SPDX-License-Identifier: Apache-2.0
// Generations: the first one, and the one that a reload starts beside it and switches over to.

import Config
import Gateway
import Glibc
import IPC
import Journal
import Posix
import Runtime
import ServiceManager

extension Stack {
    /// Starts the processes of the first configuration.
    func startFirst(_ configuration: Configuration) {
        let blueprint = Blueprint(configuration)
        let exporter = ManagedChild(blueprint.exporter, stack: self)
        self.exporter = exporter
        let generation = makeGeneration(configuration, blueprint)
        current = generation
        for listener in listeners.metrics {
            exporter.give(NamedDescriptor(name: "metrics", descriptor: listener))
        }
        startRefresher(blueprint.refresher)
        // Front first: it reads what waits in the sockets while the workers start; its requests wait in their channels.
        // Of the workers, those first that the first requests will need.
        let favourites = (configuration.router.default?.shares ?? []).compactMap { share in
            if case .pinned(let provider, _) = share.route { provider } else { nil }
        }
        let workers = generation.allWorkers
        start(
            [generation.front] + workers.filter { favourites.contains($0.spec.provider) } + [exporter]
                + workers.filter { !favourites.contains($0.spec.provider) })
    }

    /// - Parameter anew: whether no running worker is shared with the generation in force.
    private func makeGeneration(_ configuration: Configuration, _ blueprint: Blueprint, anew: Bool = false)
        -> Generation
    {
        prepareTokenDirectory(configuration)
        let known = anew ? [] : current?.allWorkers ?? []
        let workers = blueprint.workers.map { specs in
            specs.map { spec in known.first { $0.spec == spec } ?? ManagedChild(spec, stack: self) }
        }
        let generation = Generation(
            number: (current?.number ?? 0) + 1, watchdogMsec: configuration.timeouts.watchdogMs,
            drainMsec: configuration.timeouts.drainMs, configuration: configuration,
            front: ManagedChild(blueprint.front, stack: self), workers: workers)
        equipFront(of: generation)
        return generation
    }

    /// Gives a front that is about to start its listeners and its channels to every worker and the exporter.
    func equipFront(of generation: Generation) {
        for listener in listeners.http {
            generation.front.give(NamedDescriptor(name: "http", descriptor: listener))
        }
        for listener in listeners.admin {
            generation.front.give(NamedDescriptor(name: "admin", descriptor: listener))
        }
        // Without it a front begins with empty hands, which is no failure.
        if let memory = try? policyMemory?.duplicateDescriptor() {
            generation.front.give(NamedDescriptor(name: "policy", descriptor: SharedDescriptor(memory)))
        }
        for (provider, workers) in generation.workers.enumerated() {
            for (index, worker) in workers.enumerated() where worker.isRunning || worker.restarts == 0 {
                connect(generation.front, as: "front", to: worker, as: "worker-\(provider)-\(index)")
            }
        }
        if let exporter { connect(generation.front, as: "front", to: exporter, as: "exporter") }
        connectToRefresher(generation.front, as: "front")
    }

    /// Gives a worker that is about to start its channels to every front that hands requests to it.
    func equipWorker(_ worker: ManagedChild) {
        connectRefresher(to: [worker])
        for generation in draining + [current, next].compactMap({ $0 }) where generation.front.isRunning {
            for (provider, workers) in generation.workers.enumerated() {
                for (index, other) in workers.enumerated() where other === worker {
                    connect(generation.front, as: "front", to: worker, as: "worker-\(provider)-\(index)")
                }
            }
        }
    }

    /// Makes a pair of connected sockets and gives each process its end.
    func connect(_ a: ManagedChild, as aName: String, to b: ManagedChild, as bName: String) {
        connect(a, to: bName) { b.give(NamedDescriptor(name: aName, descriptor: $0)) }
    }

    /// Makes a pair of connected sockets, gives the process one end under the name of its peer, and the peer the other.
    func connect(_ child: ManagedChild, to peerName: String, _ give: (SharedDescriptor) -> Void) {
        do {
            try MessageSocket.pair().split { first, second in
                child.give(NamedDescriptor(name: peerName, descriptor: SharedDescriptor(first)))
                give(SharedDescriptor(second))
            }
        } catch {
            journal.log(.error, .limitReached, "cannot connect \(child.spec.name) and \(peerName): \(error)")
        }
    }

    /// Processes that start at one time: with many workers, the first ones would get to serve only when all do.
    private static let startingAtOnce = 3

    /// Starts those of the processes that do not run.
    private func start(_ processes: [ManagedChild]) {
        startQueue += processes.filter { process in !startQueue.contains { $0 === process } }
        startFromQueue()
    }

    func startFromQueue() {
        while let process = startQueue.first,
            children.count(where: { $0.isRunning && $0.state == .starting }) < Stack.startingAtOnce
        {
            startQueue.removeFirst()
            // A reload may have taken it out of service while it waited.
            let isWanted =
                process === exporter || [current, next].contains { $0?.contains(process) == true }
            if isWanted, !process.isRunning { process.start() }
        }
    }

    func reload() {
        guard !isEnding else { return }
        let started = Clock.monotonicUsec()
        guard next == nil, check == nil else {
            journal.log(.warning, .configRefused, "a reload is under way already; ask again when it is over")
            return
        }
        Notifier.reloading(monotonicUsec: started)
        guard let load = options.reload, !executables.areReplaced else { return startUpgrade() }
        let loaded = load()
        for problem in loaded.problems {
            journal.log(problem.severity == .error ? .error : .warning, .configRefused, "\(problem)")
        }
        guard let configuration = loaded.configuration else {
            journal.log(
                .error, .configRefused, "the new configuration is refused; the old one stays in force")
            Notifier.ready(status: "reload refused, still serving the old configuration")
            return
        }
        startNext(configuration)
    }

    /// Starts a new generation when a file was replaced that workers may read: their sandbox knows files, not names,
    /// and a worker that cannot read resolv.conf finds no provider any more.
    func renewWorkersIfNeeded() {
        guard !isEnding, next == nil, check == nil, let configuration = current?.configuration else { return }
        let replaced = workerFiles.update()
        guard !replaced.isEmpty else { return }
        journal.log(
            .notice, .filesReplaced,
            "\(replaced.joined(separator: ", ")) replaced; workers are started anew to read the new file")
        startNext(configuration, anew: true)
    }

    /// Starts a new generation beside the one in force.
    func startNext(_ configuration: Configuration, anew: Bool = false) {
        listenersBefore = listeners
        do {
            try listeners.adopt(configuration.listen)
        } catch {
            journal.log(.error, .configRefused, "\(error); the old configuration stays in force")
            Notifier.ready(status: "reload refused, still serving the old configuration")
            return
        }
        let generation = makeGeneration(configuration, Blueprint(configuration), anew: anew)
        next = generation
        start(generation.allWorkers + [generation.front])
    }

    /// The new generation serves: the old one finishes what it has.
    func switchOver(to generation: Generation) {
        if let old = current {
            draining.append(old)
            old.front.drain()
        }
        current = generation
        next = nil
        listenersBefore = nil
        let blueprint = generation.configuration.map { Blueprint($0) }
        replaceExporter(blueprint?.exporter)
        replaceRefresher(blueprint?.refresher)
        announce()
    }

    /// A process of the new generation does not start: the old one goes on.
    func giveUpNext(because child: ManagedChild) {
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
    private func replaceExporter(_ spec: ChildSpec?) {
        guard let spec, let old = exporter, old.spec != spec, oldExporter == nil else { return }
        let new = ManagedChild(spec, stack: self)
        exporter = new
        oldExporter = old
        equipExporter(new)
        new.start()
        old.drain()
    }

    /// Gives an exporter that is about to start its listeners and a channel to every front.
    func equipExporter(_ exporter: ManagedChild) {
        for listener in listeners.metrics {
            exporter.give(NamedDescriptor(name: "metrics", descriptor: listener))
        }
        for front in (draining + [current, next].compactMap { $0 }).map(\.front)
        where front.isRunning && front.speaksThisProtocol {
            connect(front, as: "front", to: exporter, as: "exporter")
        }
        connectToRefresher(exporter, as: "exporter")
    }

    func announce() {
        guard let current else { return }
        journal.log(.notice, .configLoaded, servingLine, [LogField("CCR_GENERATION", current.number)])
        Notifier.ready(status: servingLine)
        ProcessMemory.forgetStart()
    }

    private var servingLine: String {
        let count = current?.workers.count ?? 0
        return "serving on \(listeners.description) with \(count) provider\(count == 1 ? "" : "s")"
    }

    /// The front in force has said how busy it is; the manager shows it with our own line.
    func frontSaid(_ text: String) {
        guard hasAnnounced, next == nil, check == nil, !isEnding else { return }
        Notifier.status("\(servingLine); \(text)")
    }
}
