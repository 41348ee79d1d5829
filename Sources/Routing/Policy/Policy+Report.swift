// SPDX-License-Identifier: Apache-2.0
// How the policy is now, for people and for metrics: circuits, pauses, bans, retry budgets.

package import Gateway

extension Policy {
    /// The most circuits, pauses and bans of a report, so that it fits into a message.
    package static let maximumReported = 300

    /// What is not as usual: circuits that are not closed, pauses and bans; and what the retry budgets hold.
    package func report(_ now: UInt64) -> PolicyReport {
        var report = PolicyReport()
        for lane in lanes {
            let provider = config.providers[lane.key.provider]
            if lane.circuit.state != .closed {
                report.circuits.append(circuit(provider.name, lane.key.model, lane.circuit))
            }
            for (index, pause) in lane.pauses.enumerated() where pause.isShut(now) {
                report.pauses.append(
                    PolicyReport.Pause(
                        provider: provider.name, credential: provider.credentials[index].name,
                        model: lane.key.model, untilUsec: pause.openUntil))
            }
        }
        for (provider, state) in zip(config.providers, providers) {
            for (credential, state) in zip(provider.credentials, state.credentials)
            where state.gate.isShut(now) {
                report.pauses.append(
                    PolicyReport.Pause(
                        provider: provider.name, credential: credential.name, model: "",
                        untilUsec: state.gate.openUntil))
            }
            report.budgets.append(
                PolicyReport.Budget(provider: provider.name, left: state.budget.left))
        }
        report.circuits.sort { ($0.provider, $0.model) < ($1.provider, $1.model) }
        report.pauses.sort { ($0.provider, $0.credential, $0.model) < ($1.provider, $1.credential, $1.model) }
        report.circuits.removeLast(max(0, report.circuits.count - Self.maximumReported))
        report.pauses.removeLast(max(0, report.pauses.count - Self.maximumReported))
        report.bans = bans.all(now).prefix(Self.maximumReported).map {
            PolicyReport.Ban(
                provider: $0.provider, credential: $0.credential, model: $0.model, origin: $0.origin.name,
                untilUsec: $0.untilUsec)
        }
        return report
    }

    /// The same for metrics: closed circuits too, and models by the names that may be labels.
    ///
    /// - Parameter label: the label of a model at a provider; those with the same one count as the worst of them.
    package func metrics(_ now: UInt64, label: (Int, String) -> String) -> PolicyReport {
        var report = report(now)
        var circuits: [LaneKey: PolicyReport.Circuit] = [:]
        for lane in lanes {
            let provider = lane.key.provider
            let name = LaneKey(provider: provider, model: label(provider, lane.key.model))
            let found = circuit(config.providers[provider].name, name.model, lane.circuit)
            if let known = circuits[name], known.state.rawValue >= found.state.rawValue { continue }
            circuits[name] = found
        }
        report.circuits = circuits.values.sorted {
            ($1.state.rawValue, $0.provider, $0.model) < ($0.state.rawValue, $1.provider, $1.model)
        }
        report.circuits.removeLast(max(0, report.circuits.count - Self.maximumReported))
        // Which model a pause or a ban is about is no label, only whether it is about one.
        for index in report.pauses.indices where !report.pauses[index].model.isEmpty {
            report.pauses[index].model = "-"
        }
        for index in report.bans.indices where !report.bans[index].model.isEmpty {
            report.bans[index].model = "-"
        }
        return report
    }

    private func circuit(_ provider: String, _ model: String, _ breaker: Breaker) -> PolicyReport.Circuit {
        let state: PolicyReport.Circuit.State =
            switch breaker.state {
            case .closed: .closed
            case .open: .open
            case .halfOpen: .halfOpen
            }
        return PolicyReport.Circuit(
            provider: provider, model: model, state: state, untilUsec: breaker.openUntil)
    }
}
