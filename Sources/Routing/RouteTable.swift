// SPDX-License-Identifier: Apache-2.0
// Everything front needs to route: names, models and dialects of providers, but no URL and no secret.
// Built once for each configuration, sent to front by the supervisor, read for every request.

package import Config
package import Gateway
import Providers

/// What front knows of a provider.
package struct RouteProvider: Equatable, Sendable {
    package let name: String
    /// The label in metrics.
    package let tierName: String
    package let dialects: [Dialect]
    package let models: [String]
    /// Names of its models with an effort behind them: "gpt-5.1-high".
    package let variants: [String]
    /// What is known of `models`, then of `variants`; nil where nothing is.
    let limits: [ModelLimits?]
    /// Its workers can ask which models its account may use.
    package let tellsModels: Bool
    /// What they were told, in the provider's order; nil before, and where nobody asks. Not sent anywhere.
    var offered: [String]?

    /// What may be asked for by name: what is configured, and what is offered beyond.
    var known: [String] { models + (offered ?? []).filter { !models.contains($0) } }

    /// What is listed: what is offered where that is known, else what is configured; and names with an effort.
    var listed: [String] {
        guard let offered else { return models + variants }
        let names = Set(offered)
        return offered
            + variants.filter { variant in
                ModelRules.splitVariant(variant).map { names.contains($0.0) } ?? false
            }
    }

    /// Whether the provider needs no translation for the endpoint's requests.
    func speaks(_ dialect: Dialect) -> Bool { dialects.contains(dialect) }

    /// Whether the provider can answer the endpoint's requests, translated if need be.
    func answers(_ endpoint: Endpoint) -> Bool { endpoint.isAnswered(by: dialects) }
}

/// Where a name leads: one or more providers that know the model, in the order of the configuration.
struct Destination: Equatable, Sendable {
    let providers: [Int]
    let model: String
}

/// A name and where it leads.
struct NamedDestination: Equatable, Sendable {
    let name: String
    let destination: Destination
}

/// A preset with its route followed to the end.
struct PresetDestination: Equatable, Sendable {
    let name: String
    let destination: Destination
    let overrides: ParameterOverrides
}

/// The routes of one configuration; immutable.
package struct RouteTable: Equatable, Sendable {
    package let providers: [RouteProvider]
    let aliases: [NamedDestination]
    /// Frontend.codex.modelMappings without its default.
    let codexMappings: [NamedDestination]
    let codexDefault: Destination?
    let presets: [PresetDestination]
    /// By the raw value of the kind of client, less one.
    let clients: [ClientRoutes]
    let rules: [RoutingRule]
    /// What the rules look at.
    package let probes: RuleProbes
    /// Candidates after the first: Router.tiers, else the entries of Router.
    let fallbacks: [Destination]
    let ignoresPins: Bool
    /// Derived from the above.
    let index: RouteIndex

    init(
        providers: [RouteProvider], aliases: [NamedDestination], codexMappings: [NamedDestination],
        codexDefault: Destination?, presets: [PresetDestination], clients: [ClientRoutes],
        rules: [RoutingRule], probes: RuleProbes, fallbacks: [Destination], ignoresPins: Bool
    ) {
        self.providers = providers
        self.aliases = aliases
        self.codexMappings = codexMappings
        self.codexDefault = codexDefault
        self.presets = presets
        self.clients = clients
        self.rules = rules
        self.probes = probes
        self.fallbacks = fallbacks
        self.ignoresPins = ignoresPins
        index = RouteIndex(
            providers: providers, aliases: aliases, codexMappings: codexMappings, presets: presets,
            fallbacks: fallbacks)
    }

    /// Follows every route of a checked configuration; a route that leads nowhere is left out.
    package init(_ configuration: Configuration) {
        let targets = RouteTargets(providers: configuration.providers, aliases: configuration.aliases)
        let follow = { (route: Route?) -> Destination? in
            // A configuration with such a route was refused before; its message is not wanted here.
            guard let route, let target = try? targets.resolve(route) else { return nil }
            return Destination(providers: target.providers, model: target.model)
        }
        let named = { (route: NamedRoute, start: Route) -> NamedDestination? in
            follow(start).map { NamedDestination(name: route.name, destination: $0) }
        }
        let router = configuration.router
        let models = ModelTable.rows(of: configuration)
        let chosen = { (choice: RouteChoice) -> Choice? in
            var found = Choice(
                choice.shares.compactMap { share in
                    follow(share.route).map { (destination: $0, weight: share.weight) }
                })
            found?.shadow = choice.shadow.flatMap { shadow in
                follow(shadow.target).map {
                    Choice.Shadow(destination: $0, percent: UInt8(clamping: shadow.percent))
                }
            }
            return found
        }
        let clients = ClientKind.allCases.map { client -> ClientRoutes in
            switch client {
            case .codex:
                ClientRoutes(router, own: ("Frontend.codex", configuration.codex), follow: chosen)
            case .claudeCode:
                ClientRoutes(router, own: ("Frontend.claudeCode", configuration.claudeCode), follow: chosen)
            case .other: ClientRoutes(router, own: nil, follow: chosen)
            }
        }
        var probes = RuleProbes()
        let rules = configuration.rules.enumerated().map {
            RoutingRule($1, number: $0, probes: &probes, follow: chosen)
        }
        probes.readsSearchTags = clients.contains { $0.route(.webSearch) != nil }
        let entries = ([router.default].compactMap { $0 } + router.kinds.map(\.choice)).flatMap { choice in
            choice.shares.filter { $0.weight > 0 }.map(\.route)
        }
        self.init(
            providers: configuration.providers.map { RouteTable.provider($0, models) },
            aliases: configuration.aliases.compactMap { named($0, .named($0.name)) },
            codexMappings: configuration.codexMappings.compactMap { named($0, $0.target) },
            codexDefault: follow(configuration.codexDefault),
            presets: configuration.presets.compactMap { preset in
                follow(preset.route).map {
                    PresetDestination(
                        name: preset.name, destination: $0,
                        overrides: ParameterOverrides(
                            maxTokens: preset.maxTokens, temperature: preset.temperature,
                            effort: preset.effort))
                }
            },
            clients: clients, rules: rules, probes: probes,
            fallbacks: (router.tiers ?? entries).compactMap(follow),
            ignoresPins: router.ignoreDirect
        )
    }

    /// The routes of a kind of client.
    func routes(for client: ClientKind) -> ClientRoutes { clients[Int(client.rawValue) - 1] }
}

extension RouteTable {
    private static func provider(_ provider: Provider, _ models: [ModelRules]) -> RouteProvider {
        let resolved = ResolvedProvider(provider)
        let profile = resolved.profile
        let rows = ModelTable.rows(models, kind: profile.kind)
        let variants = provider.models.flatMap { ResolvedModel.variants($0, kind: profile.kind, rows: rows) }
        return RouteProvider(
            name: provider.name, tierName: provider.tierName, dialects: profile.dialects,
            models: provider.models, variants: variants,
            limits: (provider.models + variants).map { model in
                let limits = ModelLimits(model, profile, rows: rows)
                return limits.isEmpty ? nil : limits
            }, tellsModels: resolved.modelsURL != nil)
    }

    /// What the account of a provider may use, if that is known.
    package func offered(by number: Int) -> [String]? { providers[number].offered }

    /// Whether a provider has a list of models; one without takes whatever clients pin.
    package func listsModels(_ number: Int) -> Bool { !providers[number].known.isEmpty }

    /// The models that a provider is known to have: those it lists or offers and those that a name leads to.
    package func models(of number: Int) -> [String] {
        let provider = providers[number]
        let choices =
            clients.flatMap { [$0.standard] + $0.kinds }.compactMap { $0?.choice }
            + rules.compactMap(\.choice)
        let named =
            (aliases + codexMappings).map(\.destination) + [codexDefault].compactMap { $0 }
            + presets.map(\.destination) + choices.flatMap { $0.shares.map(\.destination) } + fallbacks
        return provider.known + provider.variants
            + named.filter { $0.providers.contains(number) }.map(\.model)
    }

    /// The table with what the account of a provider may use: those names are served and listed from now on.
    package func offering(_ models: [String], by number: Int) -> RouteTable {
        var providers = providers
        providers[number].offered = models
        return RouteTable(
            providers: providers, aliases: aliases, codexMappings: codexMappings, codexDefault: codexDefault,
            presets: presets, clients: clients, rules: rules, probes: probes, fallbacks: fallbacks,
            ignoresPins: ignoresPins)
    }
}

/// Look-up tables over one route table, so that a request costs a few hash look-ups.
struct RouteIndex: Equatable, Sendable {
    /// By lower-case name.
    private(set) var providers: [String: Int] = [:]
    private(set) var aliases: [String: Destination] = [:]
    private(set) var codexMappings: [String: Destination] = [:]
    private(set) var listed: [String: Destination] = [:]
    private(set) var presets: [String: PresetDestination] = [:]
    /// What is known of models, by provider.
    private(set) var limits: [[String: ModelLimits]] = []
    /// Who answers, by the raw value of the endpoint and by provider.
    private(set) var reach: [[Reach]] = []
    /// The fallbacks that can answer, by the raw value of the endpoint.
    private(set) var fallbacks: [[RouteCandidate]] = []

    /// How a provider answers the requests of an endpoint.
    enum Reach: Equatable, Sendable {
        case never
        case translated
        case spoken
    }

    init(
        providers list: [RouteProvider], aliases: [NamedDestination], codexMappings: [NamedDestination],
        presets: [PresetDestination], fallbacks: [Destination]
    ) {
        var models: [String: [Int]] = [:]
        for (number, provider) in list.enumerated() {
            providers[provider.name.lowercased()] = number
            var known: [String: ModelLimits] = [:]
            for (model, limits) in zip(provider.models + provider.variants, provider.limits) {
                known[model] = known[model] ?? limits
            }
            limits.append(known)
            let names = provider.known
            for model in names { models[model, default: []].append(number) }
            for variant in provider.variants where !names.contains(variant) {
                models[variant, default: []].append(number)
            }
        }
        for (model, numbers) in models { listed[model] = Destination(providers: numbers, model: model) }
        for alias in aliases { self.aliases[alias.name] = alias.destination }
        for mapping in codexMappings { self.codexMappings[mapping.name] = mapping.destination }
        for preset in presets { self.presets[preset.name] = preset }
        let highest = Endpoint.allCases.map(\.rawValue).max() ?? 0
        for raw in 0...highest {
            guard let endpoint = Endpoint(rawValue: raw) else {
                self.fallbacks.append([])
                reach.append([])
                continue
            }
            reach.append(
                list.map { provider in
                    guard provider.answers(endpoint) else { return .never }
                    return provider.speaks(endpoint.dialect) ? .spoken : .translated
                })
            self.fallbacks.append(Self.candidates(fallbacks, list, endpoint))
        }
    }

    /// The candidates of several destinations, each with the provider that answers best, none twice.
    private static func candidates(
        _ destinations: [Destination], _ providers: [RouteProvider], _ endpoint: Endpoint
    ) -> [RouteCandidate] {
        var candidates: [RouteCandidate] = []
        for destination in destinations {
            guard let candidate = destination.candidate(providers, endpoint) else { continue }
            if !candidates.contains(candidate) { candidates.append(candidate) }
        }
        return candidates
    }
}

extension RouteTable {
    /// The providers of a destination that speak the endpoint's dialect, then those that can be translated for.
    func candidates(_ destination: Destination, _ endpoint: Endpoint) -> [RouteCandidate] {
        let place = Int(endpoint.rawValue)
        var candidates: [RouteCandidate] = []
        // Room for those that are asked when these fail.
        candidates.reserveCapacity(destination.providers.count + index.fallbacks[place].count)
        for number in destination.providers where index.reach[place][number] == .spoken {
            candidates.append(candidate(number, destination.model))
        }
        for number in destination.providers where index.reach[place][number] == .translated {
            candidates.append(candidate(number, destination.model))
        }
        return candidates
    }

    private func candidate(_ number: Int, _ model: String) -> RouteCandidate {
        RouteCandidate(provider: providers[number].name, providerIndex: number, model: model)
    }
}

extension Destination {
    /// The first of the providers that speaks the endpoint's dialect, else the first that can be translated for, or nil.
    func candidate(_ list: [RouteProvider], _ endpoint: Endpoint) -> RouteCandidate? {
        guard
            let number = providers.first(where: { list[$0].speaks(endpoint.dialect) })
                ?? providers.first(where: { list[$0].answers(endpoint) })
        else { return nil }
        return RouteCandidate(provider: list[number].name, providerIndex: number, model: model)
    }
}
