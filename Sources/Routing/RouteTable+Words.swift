// SPDX-License-Identifier: Apache-2.0
// The words of routing: why a request goes where it goes, and what was meant when it goes nowhere.

import Config
import Gateway

extension RouteTable {
    /// The most names an error lists.
    static let maximumNames = 5
    /// The most names that are compared for an error.
    private static let maximumCompared = 2_000

    // MARK: - Errors

    func unknown(_ name: String) -> GatewayError {
        GatewayError(.modelNotFound, "no provider answers the model \(quoted(name))\(nearNames(name))")
    }

    private func nearNames(_ name: String) -> String {
        let known = (aliases.map(\.name) + providers.flatMap(\.models) + presets.map(\.name))
            .prefix(Self.maximumCompared)
        let hint = Spelling.hint(name, in: known, limit: Self.maximumNames)
        if !hint.isEmpty || known.isEmpty { return hint }
        let some = known.prefix(Self.maximumNames).map { quoted($0) }.joined(separator: ", ")
        return " (known are \(some)\(known.count > Self.maximumNames ? ", …" : ""))"
    }

    func unknownPreset(_ name: String) -> GatewayError {
        let hint = Spelling.hint(name, in: presets.map(\.name), limit: Self.maximumNames)
        return GatewayError(.notFound, "there is no preset \(quoted(name))\(hint)")
    }

    // MARK: - Explanations

    func explainKinds(_ request: RoutingRequest, _ steps: inout [String]?) {
        guard steps != nil else { return }
        for row in KindTable.rows where request.traits.signs.contains(row.sign) {
            guard row.client == nil || row.client == request.client else { continue }
            steps?.append("it is \(row.kind.name): \(row.reason)")
        }
    }

    func describe(_ destination: Destination) -> String {
        let names = destination.providers.map { providers[$0].name }.joined(separator: " or ")
        return "model \(quoted(destination.model)) at \(names)"
    }

    func mismatch(_ destination: Destination, _ dialect: Dialect) -> String {
        destination.providers.map { number in
            let spoken = providers[number].dialects.map(\.name).joined(separator: ", ")
            return "\(quoted(providers[number].name)) speaks \(spoken)"
        }.joined(separator: "; ") + ", not \(dialect.name)"
    }

    func explainTranslation(_ candidate: RouteCandidate, _ dialect: Dialect, _ steps: inout [String]?) {
        let provider = providers[candidate.providerIndex]
        guard steps != nil, !provider.speaks(dialect) else { return }
        let spoken = provider.dialects.map(\.name).joined(separator: ", ")
        steps?.append("\(quoted(provider.name)) speaks \(spoken); \(dialect.name) is translated")
    }

    /// - Parameter known: candidates that have been named already.
    func explainFallbacks(
        _ endpoint: Endpoint, besides known: [RouteCandidate], _ steps: inout [String]?
    ) {
        for destination in fallbacks {
            if let candidate = destination.candidate(providers, endpoint) {
                guard !known.contains(candidate) else { continue }
                steps?.append("fallback from Router: \(quoted(candidate.model)) at \(candidate.provider)")
                explainTranslation(candidate, endpoint.dialect, &steps)
            } else {
                steps?.append("fallback from Router skipped: \(mismatch(destination, endpoint.dialect))")
            }
        }
    }
}
