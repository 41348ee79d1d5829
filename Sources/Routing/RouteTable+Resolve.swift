// SPDX-License-Identifier: Apache-2.0
// Decides for one request who is asked. The order of the rules is the manual's (docs/config.md, Routing).

import Bytes
import Config
package import Gateway

extension RouteTable {
    /// The most names an error lists.
    static let maximumNames = 5
    /// The most names that are compared for an error.
    private static let maximumCompared = 2_000

    /// The candidates for a request.
    ///
    /// - Parameters:
    ///   - model: what the request says, or nil when it says nothing.
    ///   - preset: the name in /preset/NAME/…, or nil on other paths.
    /// - Throws: 404 when nothing routes, 400 when no candidate speaks the endpoint's dialect.
    package func resolve(
        model: String?, endpoint: Endpoint, client: ClientKind, preset: String? = nil
    ) throws(GatewayError) -> RouteDecision {
        var steps: [String]?
        return try resolve(model, endpoint, client, preset, &steps)
    }

    /// As `resolve`, with the reasons.
    package func explain(
        model: String?, endpoint: Endpoint, client: ClientKind, preset: String? = nil
    ) -> RouteExplanation {
        var steps: [String]? = []
        let result = Result { () throws(GatewayError) in
            try resolve(model, endpoint, client, preset, &steps)
        }
        return RouteExplanation(steps: steps ?? [], result: result)
    }

    /// `steps` is nil when nobody wants them; then none is composed.
    private func resolve(
        _ model: String?, _ endpoint: Endpoint, _ client: ClientKind, _ preset: String?,
        _ steps: inout [String]?
    ) throws(GatewayError) -> RouteDecision {
        var overrides = ParameterOverrides()
        let first: Destination
        if let preset {
            guard let entry = index.presets[preset] else { throw unknownPreset(preset) }
            steps?.append("the path names the preset \(quoted(preset)): \(describe(entry.destination))")
            overrides = entry.overrides
            first = entry.destination
        } else {
            first = try destination(model, client, &overrides, &steps)
        }
        if let limit = overrides.maxTokens {
            steps?.append("unless the request does, the preset sets max_tokens to \(limit)")
        }
        if let value = overrides.temperature {
            steps?.append("unless the request does, the preset sets temperature to \(value)")
        }

        let dialect = endpoint.dialect
        var candidates: [RouteCandidate] = []
        if let candidate = first.candidate(providers, endpoint) {
            candidates.append(candidate)
            explainTranslation(candidate, dialect, &steps)
        } else {
            steps?.append("skipped: \(mismatch(first, dialect))")
        }
        let others = index.fallbacks[Int(endpoint.rawValue)]
        candidates.reserveCapacity(others.count + 1)
        for candidate in others where candidate != candidates.first { candidates.append(candidate) }
        if steps != nil { explainFallbacks(endpoint, &steps) }
        guard !candidates.isEmpty else {
            throw GatewayError(
                .invalidRequest,
                "\(endpoint.clientPath) needs a provider that speaks \(dialect.name): \(mismatch(first, dialect))"
            )
        }
        return RouteDecision(candidates: candidates, overrides: overrides)
    }

    /// Where the request's model leads.
    private func destination(
        _ model: String?, _ client: ClientKind, _ overrides: inout ParameterOverrides,
        _ steps: inout [String]?
    ) throws(GatewayError) -> Destination {
        guard var name = model, !name.isEmpty else {
            steps?.append("the request names no model")
            return try fallback(nil, client, &steps)
        }
        if name.utf8.contains(ASCII.comma), case .pinned(let provider, let pinned) = Route(name) {
            guard ignoresPins else { return try pin(provider, pinned, name, &steps) }
            steps?.append("\(quoted(name)) is a pin; Router.ignoreDirect drops its provider")
            name = pinned
        }
        if let found = index.aliases[name] {
            steps?.append("\(quoted(name)) is an alias: \(describe(found))")
            return found
        }
        if client == .codex, let found = index.codexMappings[name] {
            steps?.append("Frontend.codex.modelMappings maps \(quoted(name)): \(describe(found))")
            return found
        }
        if let found = index.listed[name] {
            steps?.append("\(quoted(name)) is listed by a provider: \(describe(found))")
            return found
        }
        if let found = index.presets[name] {
            steps?.append("\(quoted(name)) is a preset: \(describe(found.destination))")
            overrides = found.overrides
            return found.destination
        }
        steps?.append("\(quoted(name)) is no alias, no model of a provider and no preset")
        return try fallback(name, client, &steps)
    }

    private func pin(
        _ provider: String, _ model: String, _ name: String, _ steps: inout [String]?
    ) throws(GatewayError) -> Destination {
        guard let number = index.providers[provider.lowercased()] else {
            let hint = Spelling.hint(provider, in: providers.map(\.name), limit: Self.maximumNames)
            throw GatewayError(.modelNotFound, "\(quoted(name)) names no configured provider\(hint)")
        }
        guard !model.isEmpty else {
            throw GatewayError(.modelNotFound, "\(quoted(name)) names no model behind the comma")
        }
        let found = Destination(providers: [number], model: model)
        steps?.append("\(quoted(name)) pins provider and model: \(describe(found))")
        return found
    }

    /// Where a request goes that no name decides.
    private func fallback(
        _ name: String?, _ client: ClientKind, _ steps: inout [String]?
    ) throws(GatewayError) -> Destination {
        if client == .codex, let found = codexDefault {
            steps?.append("Frontend.codex.modelMappings has a default: \(describe(found))")
            return found
        }
        if let found = routerDefault {
            steps?.append("Router.default decides: \(describe(found))")
            return found
        }
        guard let name else {
            throw GatewayError(.modelNotFound, "the request names no model and Router.default is not set")
        }
        throw GatewayError(.modelNotFound, "no provider answers the model \(quoted(name))\(nearNames(name))")
    }

    // MARK: - Words

    private func nearNames(_ name: String) -> String {
        let known = (aliases.map(\.name) + providers.flatMap(\.models) + presets.map(\.name))
            .prefix(Self.maximumCompared)
        let hint = Spelling.hint(name, in: known, limit: Self.maximumNames)
        if !hint.isEmpty || known.isEmpty { return hint }
        let some = known.prefix(Self.maximumNames).map { quoted($0) }.joined(separator: ", ")
        return " (known are \(some)\(known.count > Self.maximumNames ? ", …" : ""))"
    }

    private func unknownPreset(_ name: String) -> GatewayError {
        let hint = Spelling.hint(name, in: presets.map(\.name), limit: Self.maximumNames)
        return GatewayError(.notFound, "there is no preset \(quoted(name))\(hint)")
    }

    private func describe(_ destination: Destination) -> String {
        let names = destination.providers.map { providers[$0].name }.joined(separator: " or ")
        return "model \(quoted(destination.model)) at \(names)"
    }

    private func mismatch(_ destination: Destination, _ dialect: Dialect) -> String {
        destination.providers.map { number in
            let spoken = providers[number].dialects.map(\.name).joined(separator: ", ")
            return "\(quoted(providers[number].name)) speaks \(spoken)"
        }.joined(separator: "; ") + ", not \(dialect.name)"
    }

    private func explainTranslation(
        _ candidate: RouteCandidate, _ dialect: Dialect, _ steps: inout [String]?
    ) {
        let provider = providers[candidate.providerIndex]
        guard steps != nil, !provider.speaks(dialect) else { return }
        let spoken = provider.dialects.map(\.name).joined(separator: ", ")
        steps?.append("\(quoted(provider.name)) speaks \(spoken); \(dialect.name) is translated")
    }

    private func explainFallbacks(_ endpoint: Endpoint, _ steps: inout [String]?) {
        for destination in fallbacks {
            if let candidate = destination.candidate(providers, endpoint) {
                steps?.append("fallback from Router: \(quoted(candidate.model)) at \(candidate.provider)")
                explainTranslation(candidate, endpoint.dialect, &steps)
            } else {
                steps?.append("fallback from Router skipped: \(mismatch(destination, endpoint.dialect))")
            }
        }
    }
}
