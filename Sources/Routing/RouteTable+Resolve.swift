// SPDX-License-Identifier: Apache-2.0
// Decides for one request who is asked. The order of the rules is the manual's (docs/config.md, Routing), the reasons
// for it are in docs/decisions/0015-what-a-request-is-for-decides-before-its-model.md.

import Bytes
import Config
package import Gateway

extension RouteTable {
    /// The candidates for a request.
    ///
    /// - Throws: 404 when nothing routes, 400 when no candidate speaks the endpoint's dialect or the request is too
    ///   long for all of them.
    package func resolve(_ request: RoutingRequest) throws(GatewayError) -> RouteDecision {
        var steps: [String]?
        return try resolve(request, &steps)
    }

    /// As `resolve`, with the reasons.
    package func explain(_ request: RoutingRequest) -> RouteExplanation {
        var steps: [String]? = []
        let result = Result { () throws(GatewayError) in try resolve(request, &steps) }
        return RouteExplanation(steps: steps ?? [], result: result)
    }

    /// Where the first candidate comes from.
    private struct Origin {
        let destination: Destination
        /// The words of `RouteDecision.reason`.
        let reason: String
        /// Nothing about the request led there; the other candidates are as good.
        var isStandard = false
        var shadow: Choice.Shadow?
    }

    /// `steps` is nil when nobody wants them; then none is composed.
    private func resolve(_ request: RoutingRequest, _ steps: inout [String]?) throws(GatewayError)
        -> RouteDecision
    {
        let routes = routes(for: request.client)
        var kinds = RequestKinds(request.traits.signs, from: request.client)
        explainKinds(request, &steps)
        if request.traits.tokens > routes.threshold {
            kinds.insert(RequestKinds(.longContext))
            steps?.append(
                "it is longContext: about \(request.traits.tokens) tokens are more than \(routes.threshold)")
        }
        var overrides = ParameterOverrides()
        let origin = try origin(request, routes, kinds, &overrides, &steps)
        if let limit = overrides.maxTokens {
            steps?.append("unless the request does, max_tokens is set to \(limit)")
        }
        if let value = overrides.temperature {
            steps?.append("unless the request does, temperature is set to \(value)")
        }
        if let effort = overrides.effort {
            steps?.append("unless the request says how much to think, effort is set to \(effort)")
        }
        let candidates = try candidates(request, origin.destination, &steps)
        let leading = candidates.prefix {
            $0.model == origin.destination.model
                && origin.destination.providers.contains($0.providerIndex)
        }
        return RouteDecision(
            candidates: candidates, leading: leading.count, isStandard: origin.isStandard,
            overrides: overrides, kind: kinds.first, reason: origin.reason,
            shadow: origin.shadow.flatMap { shadow($0, request, &steps) })
    }

    /// Where the copy of a request goes; nil when the request is none of those that are copied, or does not fit there.
    private func shadow(
        _ shadow: Choice.Shadow, _ request: RoutingRequest, _ steps: inout [String]?
    ) -> ShadowTarget? {
        steps?.append("copies of \(shadow.percent) in 100 go to \(describe(shadow.destination))")
        // Not of the session: each conversation is a sample.
        guard SessionHash.mixed(request.spread &+ 1) % 100 < UInt64(shadow.percent),
            let candidate = shadow.destination.candidate(providers, request.endpoint)
        else { return nil }
        let limits = index.limits[candidate.providerIndex][candidate.model]
        let traits = request.traits
        if let limits, limits.excludes(tokens: traits.tokens) || limits.loses(traits) { return nil }
        return ShadowTarget(candidate)
    }

    // MARK: - Rules in their order

    private func origin(
        _ request: RoutingRequest, _ routes: ClientRoutes, _ kinds: RequestKinds,
        _ overrides: inout ParameterOverrides, _ steps: inout [String]?
    ) throws(GatewayError) -> Origin {
        if let preset = request.preset {
            guard let entry = index.presets[preset] else { throw unknownPreset(preset) }
            steps?.append("the path names the preset \(quoted(preset)): \(describe(entry.destination))")
            overrides = entry.overrides
            return Origin(destination: entry.destination, reason: "preset \(preset)")
        }
        if let found = rule(request, kinds, &overrides, &steps) { return found }
        if let tagged = request.traits.taggedModel {
            steps?.append("the prompt names the model \(quoted(tagged)) for a subagent")
            if case .pinned(let provider, let model) = Route(tagged) {
                return Origin(
                    destination: try pin(provider, model, tagged, &steps), reason: "CCR-SUBAGENT-MODEL")
            }
            guard let found = destination(tagged, request.client, &overrides, &steps) else {
                throw unknown(tagged)
            }
            return Origin(destination: found, reason: "CCR-SUBAGENT-MODEL")
        }
        var name = request.model ?? ""
        if name.utf8.contains(ASCII.comma), case .pinned(let provider, let pinned) = Route(name) {
            guard ignoresPins else {
                return Origin(destination: try pin(provider, pinned, name, &steps), reason: "pin")
            }
            steps?.append("\(quoted(name)) is a pin; Router.ignoreDirect drops its provider")
            name = pinned
        }
        if let found = kindRoute(request, routes, kinds, &steps) { return found }
        if name.isEmpty {
            steps?.append("the request names no model")
        } else if let found = destination(name, request.client, &overrides, &steps) {
            return Origin(destination: found, reason: "model \(name)")
        } else {
            steps?.append("\(quoted(name)) is no alias, no model of a provider and no preset")
        }
        return try standard(name.isEmpty ? nil : name, request, routes, &steps)
    }

    /// The first rule that matches and has a route; those that match before it only add parameters.
    private func rule(
        _ request: RoutingRequest, _ kinds: RequestKinds, _ overrides: inout ParameterOverrides,
        _ steps: inout [String]?
    ) -> Origin? {
        for place in rules.indices {
            if steps != nil, let reason = rules[place].mismatch(request, kinds) {
                steps?.append("\(rules[place].title): no, \(reason)")
                continue
            }
            guard rules[place].demands.hold(request, kinds) else { continue }
            let rule = rules[place]
            guard rule.matches(request, kinds) else { continue }
            overrides = overrides.filled(from: rule.overrides)
            guard let choice = rule.choice, let found = choice.pick(request.session) else {
                steps?.append("\(rule.title): matches, and leaves the route to what follows")
                continue
            }
            steps?.append("\(rule.title): matches: \(describe(found))")
            return Origin(destination: found, reason: rule.title, shadow: choice.shadow)
        }
        return nil
    }

    /// The route of the strongest kind that has one.
    private func kindRoute(
        _ request: RoutingRequest, _ routes: ClientRoutes, _ kinds: RequestKinds, _ steps: inout [String]?
    ) -> Origin? {
        guard !kinds.isEmpty else { return nil }
        for kind in KindTable.precedence where kinds.contains(RequestKinds(kind)) {
            guard let route = routes.route(kind), let found = route.choice.pick(request.session) else {
                steps?.append("there is no route for \(kind.name)")
                continue
            }
            steps?.append("\(route.key) decides: \(describe(found))")
            return Origin(destination: found, reason: route.key, shadow: route.choice.shadow)
        }
        return nil
    }

    /// Where a name leads; nil when nobody knows it.
    private func destination(
        _ name: String, _ client: ClientKind, _ overrides: inout ParameterOverrides,
        _ steps: inout [String]?
    ) -> Destination? {
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
            overrides = overrides.filled(from: found.overrides)
            return found.destination
        }
        return nil
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

    /// Where a request goes that nothing else decides.
    private func standard(
        _ name: String?, _ request: RoutingRequest, _ routes: ClientRoutes, _ steps: inout [String]?
    ) throws(GatewayError) -> Origin {
        if request.client == .codex, let found = codexDefault {
            steps?.append("Frontend.codex.modelMappings has a default: \(describe(found))")
            return Origin(
                destination: found, reason: "Frontend.codex.modelMappings.default", isStandard: true)
        }
        if let route = routes.standard, let found = route.choice.pick(request.session) {
            steps?.append("\(route.key) decides: \(describe(found))")
            return Origin(
                destination: found, reason: route.key, isStandard: true, shadow: route.choice.shadow)
        }
        guard let name else {
            throw GatewayError(.modelNotFound, "the request names no model and Router.default is not set")
        }
        throw unknown(name)
    }

    // MARK: - Candidates

    private func candidates(
        _ request: RoutingRequest, _ first: Destination, _ steps: inout [String]?
    ) throws(GatewayError) -> [RouteCandidate] {
        let endpoint = request.endpoint
        var candidates = candidates(first, endpoint)
        if steps != nil {
            for candidate in candidates { explainTranslation(candidate, endpoint.dialect, &steps) }
        }
        if candidates.isEmpty { steps?.append("skipped: \(mismatch(first, endpoint.dialect))") }
        if steps != nil { explainFallbacks(endpoint, besides: candidates, &steps) }
        for candidate in index.fallbacks[Int(endpoint.rawValue)] where !candidates.contains(candidate) {
            candidates.append(candidate)
        }
        guard !candidates.isEmpty else {
            throw GatewayError(
                .invalidRequest,
                "\(endpoint.clientPath) needs a provider that speaks \(endpoint.dialect.name): "
                    + mismatch(first, endpoint.dialect))
        }
        return try capable(candidates, request, &steps)
    }

    private func fits(_ candidate: RouteCandidate, _ traits: RequestTraits) -> Bool {
        guard let limits = index.limits[candidate.providerIndex][candidate.model] else { return true }
        return !limits.excludes(tokens: traits.tokens) && !limits.loses(traits)
    }

    /// The candidates without those for which the request is too long; those that would lose a part of it come last.
    private func capable(
        _ candidates: [RouteCandidate], _ request: RoutingRequest, _ steps: inout [String]?
    ) throws(GatewayError) -> [RouteCandidate] {
        let traits = request.traits
        // Most requests fit everywhere.
        guard candidates.contains(where: { !fits($0, traits) }) else { return candidates }
        var fitting: [RouteCandidate] = []
        var losing: [RouteCandidate] = []
        var longest = 0
        for candidate in candidates {
            guard let limits = index.limits[candidate.providerIndex][candidate.model] else {
                fitting.append(candidate)
                continue
            }
            if limits.excludes(tokens: traits.tokens), let most = limits.input {
                longest = max(longest, most)
                steps?.append(
                    "skipped: \(quoted(candidate.model)) at \(candidate.provider) takes \(most) tokens, "
                        + "the request has about \(traits.tokens)")
            } else if limits.loses(traits) {
                losing.append(candidate)
                steps?.append(
                    "last: \(quoted(candidate.model)) at \(candidate.provider) takes no "
                        + (traits.hasImage && !limits.takesImages ? "images" : "schema of the answer"))
            } else {
                fitting.append(candidate)
            }
        }
        let all = fitting + losing
        guard !all.isEmpty else {
            throw GatewayError(
                .contextTooLong, "prompt is too long: \(traits.tokens) tokens > \(longest) maximum")
        }
        return all
    }
}
