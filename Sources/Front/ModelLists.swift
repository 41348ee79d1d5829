// SPDX-License-Identifier: Apache-2.0
// What the accounts of ChatGPT and Copilot may use, as their workers were told, and the routes and the list of models
// that follow. A list that cannot be renewed stays in use.

import EventLoop
import Gateway
import IPC
import Routing

final class ModelLists {
    private unowned let front: FrontProcess
    /// The configured routes with what is offered beyond.
    private(set) var routes: RouteTable
    /// The body of GET /v1/models.
    private var body: [UInt8]
    private var states: [State]

    private struct State {
        var isKnown = false
        /// When a worker was asked last, and when one answered.
        var askedUsec: UInt64 = 0
        var toldUsec: UInt64 = 0
    }

    /// A list is renewed when somebody looks at it and it is older than this.
    private static let lifeUsec: UInt64 = 300_000_000
    /// A worker that has not answered is not asked again before this has passed.
    private static let restUsec: UInt64 = 30_000_000

    init(_ front: FrontProcess) {
        self.front = front
        routes = front.config.routes
        body = front.config.modelsBody
        states = Array(repeating: State(), count: front.config.routes.providers.count)
    }

    /// A worker has come: it needs the list itself, and knows it best.
    func attached(_ link: WorkerLink) {
        if routes.providers[link.providerIndex].tellsModels { ask(link) }
    }

    /// The body of GET /v1/models; what is old in it is asked for anew.
    func current() -> [UInt8] {
        for number in states.indices where routes.providers[number].tellsModels {
            let state = states[number]
            let isOld = !state.isKnown || front.now > state.toldUsec + Self.lifeUsec
            guard isOld, front.now > state.askedUsec + Self.restUsec,
                let link = front.workers.leastBusy(number)
            else { continue }
            ask(link)
        }
        return body
    }

    /// A credential may be usable that was not: what nobody could tell can be told.
    func credentialsChanged(_ reports: [CredentialReport]) {
        for number in states.indices where routes.providers[number].tellsModels && !states[number].isKnown {
            let name = routes.providers[number].name
            guard reports.contains(where: { $0.provider == name && $0.isUsable }),
                let link = front.workers.leastBusy(number)
            else { continue }
            ask(link)
        }
    }

    private func ask(_ link: WorkerLink) {
        states[link.providerIndex].askedUsec = front.now
        var writer = WireWriter(capacity: 16)
        MessageHead.begin(.frontModels, in: &writer)
        link.channel?.send(writer.bytes)
    }

    /// A worker has been told.
    func received(_ models: OfferedModels, by link: WorkerLink) {
        let number = link.providerIndex
        states[number].toldUsec = front.now
        guard !states[number].isKnown || routes.offered(by: number) != models.names else { return }
        states[number].isKnown = true
        routes = routes.offering(models.names, by: number)
        body = ModelCatalogue.body(routes)
    }
}
