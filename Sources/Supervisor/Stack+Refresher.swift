// SPDX-License-Identifier: Apache-2.0
// The refresher among the children: it has a channel to every worker whose provider has credentials. Workers keep their
// tokens while it is away, so it may be replaced at any time.

import Config
import Credentials
import Glibc
import Posix

extension Stack {
    /// Makes the directory that workers may read before they start: what does not exist then stays out of their reach.
    /// Where another user runs the refresher, it is there already.
    func prepareTokenDirectory(_ configuration: Configuration) {
        guard configuration.providers.contains(where: { !$0.credentials.isEmpty }) else { return }
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
        guard let refresher else { return }
        let withCredentials = Set(
            [current, next].compactMap { $0?.configuration }.flatMap(\.providers)
                .filter { !$0.credentials.isEmpty }.map(\.name))
        // Workers of another version keep the tokens that they have.
        for worker in workers where !worker.isAdopted && withCredentials.contains(worker.spec.provider) {
            connect(
                refresher, as: "refresher", to: worker,
                as: RefresherConfig.channelName(provider: worker.spec.provider))
        }
    }

    /// Starts a refresher that knows the new credentials. The file lock of the vault lets it begin when the old one has
    /// finished what is under way.
    func replaceRefresher(_ spec: ChildSpec?) {
        guard refresher?.spec != spec, oldRefresher == nil else {
            // Workers that this reload has started are new to it.
            return connectRefresher(to: runningWorkers)
        }
        oldRefresher = refresher?.isRunning == true ? refresher : nil
        refresher = spec.map { ManagedChild($0, stack: self) }
        connectRefresher(to: runningWorkers)
        refresher?.start()
        oldRefresher?.drain()
    }
}
