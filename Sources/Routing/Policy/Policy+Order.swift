// SPDX-License-Identifier: Apache-2.0
// In which order the candidates of a request are asked, as long as all of them can be.

extension Policy {
    /// Puts the candidates into the order in which they are asked.
    ///
    /// - Parameters:
    ///   - leading: so many of the first are what the request itself asks for; they stay in front of the others.
    ///   - isNamed: the request names its model; else all candidates are as good.
    ///   - session: its hash, or 0.
    package mutating func order(
        _ candidates: [RouteCandidate], leading: Int, isNamed: Bool, session: UInt64, _ now: UInt64
    ) -> [RouteCandidate] {
        guard candidates.count > 1 else { return candidates }
        let place = affinity.place(of: session, now)
        if config.preference == .order, !isRanked, place == nil { return candidates }
        let fixed = config.preference == .order || isNamed ? leading : 0
        var front = arrange(Array(candidates[..<fixed]), balanced: true)
        var rest = Array(candidates[fixed...])
        if config.preference != .order {
            rest = arrange(rest, balanced: false)
            if config.preference == .latency, config.topK > 0 { rest = Array(rest.prefix(config.topK)) }
        }
        if let place {
            move(place, toFrontOf: &front)
            if config.preference != .order { move(place, toFrontOf: &rest) }
        }
        return front + rest
    }

    private func move(_ place: Affinity.Place, toFrontOf list: inout [RouteCandidate]) {
        guard
            let index = list.firstIndex(where: {
                $0.providerIndex == place.provider && $0.model == place.model
            }), index > 0
        else { return }
        list.insert(list.remove(at: index), at: 0)
    }

    private mutating func arrange(_ list: [RouteCandidate], balanced: Bool) -> [RouteCandidate] {
        guard list.count > 1 else { return list }
        switch config.preference {
        case .order: return balanced && isRanked ? balance(list) : list
        case .latency:
            let latencies = list.map { lane($0)?.latency ?? Latency() }
            return Latency.order(latencies, temperature: config.temperature) { random.fraction() }
                .map { list[$0] }
        case .cost:
            return sorted(list) { price($0) ?? .infinity }
        }
    }

    /// Lower priority first; among equals the one with the fewest requests in flight for its weight.
    private func balance(_ list: [RouteCandidate]) -> [RouteCandidate] {
        let settings = list.map { config.providers[$0.providerIndex] }
        let isWeighted = settings.contains { $0.weight > 0 }
        let load = list.indices.map { index in
            isWeighted
                ? Double((lane(list[index])?.inFlight ?? 0) + 1) / Double(max(settings[index].weight, 1)) : 0
        }
        return list.indices.sorted {
            (settings[$0].priority, load[$0], $0) < (settings[$1].priority, load[$1], $1)
        }.map { list[$0] }
    }

    private func sorted(_ list: [RouteCandidate], _ value: (RouteCandidate) -> Double) -> [RouteCandidate] {
        let values = list.map(value)
        return list.indices.sorted { (values[$0], $0) < (values[$1], $1) }.map { list[$0] }
    }

    private func price(_ candidate: RouteCandidate) -> Double? {
        let provider = config.providers[candidate.providerIndex]
        return provider.modelPrices[candidate.model] ?? provider.price
    }
}
