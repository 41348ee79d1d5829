// SPDX-License-Identifier: Apache-2.0
// The processes that serve one configuration. A reload starts a new generation beside the old one; a worker whose
// configuration did not change belongs to both.

import Config

final class Generation {
    let number: Int
    let configuration: Configuration
    let front: ManagedChild
    /// By provider, then by worker number.
    let workers: [[ManagedChild]]

    init(number: Int, configuration: Configuration, front: ManagedChild, workers: [[ManagedChild]]) {
        self.number = number
        self.configuration = configuration
        self.front = front
        self.workers = workers
    }

    var allWorkers: [ManagedChild] { workers.flatMap { $0 } }

    var isReady: Bool { front.isReady && allWorkers.allSatisfy(\.isReady) }

    func contains(_ child: ManagedChild) -> Bool {
        child === front || workers.contains { $0.contains { $0 === child } }
    }
}
