// SPDX-License-Identifier: Apache-2.0
// The refresher: a child of the supervisor, or a process that the service manager runs behind a socket. It has a channel
// to every worker whose provider has credentials. Workers keep their tokens while it is away, so it may be replaced at
// any time.

import Config
import Credentials
import Glibc
import Journal
import Posix

extension Stack {
    /// Makes the directory that workers may read before they start: what does not exist then stays out of their reach.
    /// Where the service manager runs the refresher, under another user, it is there already.
    func prepareTokenDirectory(_ configuration: Configuration) {
        guard refresherSocket == nil,
            configuration.providers.contains(where: { !$0.credentials.isEmpty })
        else { return }
        let state = configuration.stateDirectory
        for path in [RefresherConfig.directory(below: state), RefresherConfig.tokenDirectory(below: state)]
        where mkdir(path, 0o750) != 0 && errno != EEXIST {
            cannotMake(path, Errno("mkdir"))
        }
    }

    /// The workers of every generation, each once.
    var runningWorkers: [ManagedChild] {
        var list: [ManagedChild] = []
        for generation in draining + [current, next].compactMap({ $0 }) {
            for worker in generation.allWorkers where !list.contains(where: { $0 === worker }) {
                list.append(worker)
            }
        }
        return list
    }

    /// Connects workers to the refresher; it knows them by their provider.
    func connectRefresher(to workers: [ManagedChild]) {
        let withCredentials = Set(
            [current, next].compactMap { $0?.configuration }.flatMap(\.providers)
                .filter { !$0.credentials.isEmpty }.map(\.name))
        // Workers of another version keep the tokens that they have.
        for worker in workers where !worker.isAdopted && withCredentials.contains(worker.spec.provider) {
            connectToRefresher(worker, as: RefresherConfig.channelName(provider: worker.spec.provider))
        }
    }

    /// Connects those who are told how every credential is: fronts, which also pass commands on, and the exporter.
    private func connectRefresherToWatchers() {
        for front in (draining + [current, next].compactMap { $0 }).map(\.front)
        where (front.isRunning || front.restarts == 0) && front.speaksThisProtocol {
            connectToRefresher(front, as: "front")
        }
        if let exporter { connectToRefresher(exporter, as: "exporter") }
    }

    /// Connects a process to the refresher, which knows it by this name; does nothing without a refresher.
    func connectToRefresher(_ child: ManagedChild, as name: String) {
        guard refresher != nil || refresherLink?.isConnected == true else { return }
        connect(child, to: "refresher") { descriptor in
            if let refresher {
                refresher.give(NamedDescriptor(name: name, descriptor: descriptor))
            } else {
                refresherLink?.bring(name, descriptor)
            }
        }
    }

    /// Connects a refresher that is about to start, or has just come, to all who need one.
    func equipRefresher() {
        connectRefresher(to: runningWorkers)
        connectRefresherToWatchers()
    }

    /// Starts the refresher of the first configuration.
    func startRefresher(_ spec: ChildSpec?) {
        guard refresherSocket == nil else { return useManagedRefresher(spec) }
        refresher = spec.map { ManagedChild($0, stack: self) }
        equipRefresher()
        refresher?.start()
    }

    /// Starts a refresher that knows the new credentials. The file lock of the vault lets it begin when the old one has
    /// finished what is under way.
    func replaceRefresher(_ spec: ChildSpec?) {
        guard refresherSocket == nil else { return useManagedRefresher(spec) }
        guard refresher?.spec != spec, oldRefresher == nil else {
            // Workers that this reload has started are new to it.
            return connectRefresher(to: runningWorkers)
        }
        oldRefresher = refresher?.isRunning == true ? refresher : nil
        refresher = spec.map { ManagedChild($0, stack: self) }
        equipRefresher()
        refresher?.start()
        oldRefresher?.drain()
    }

    // MARK: - Run by the service manager

    /// Uses the refresher behind the socket as long as there are credentials. One that knows others is asked to end: the
    /// service manager starts the next one, which reads the new configuration.
    private func useManagedRefresher(_ spec: ChildSpec?) {
        let isNews = managedRefresherSpec != nil && managedRefresherSpec != spec
        managedRefresherSpec = spec
        if isNews { refresherLink?.drain() }
        guard spec != nil, let refresherSocket else {
            refresherLink = nil
            return
        }
        guard refresherLink == nil else {
            // The next one gets every worker when it is there.
            return isNews ? () : connectRefresher(to: runningWorkers)
        }
        do {
            refresherLink = try RefresherLink(path: refresherSocket, loop) { [unowned self] event in
                self.refresherSaid(event, at: refresherSocket)
            }
        } catch {
            journal.log(.error, .processEnded, "cannot watch the refresher at \(refresherSocket): \(error)")
        }
    }

    private func refresherSaid(_ event: RefresherLink.Event, at path: String) {
        switch event {
        case .connected:
            journal.log(.debug, .processStarted, "connected to the refresher at \(path)")
            equipRefresher()
        case .lost(let expected):
            journal.log(
                expected ? .debug : .warning, .processEnded,
                "the refresher at \(path) has gone; workers keep their tokens until the next one is there")
        case .unreachable(let error):
            journal.log(
                .error, .processEnded,
                "cannot reach the refresher at \(path): \(error); tokens are not renewed until it is there")
        }
        statusChanged()
    }
}
