// SPDX-License-Identifier: Apache-2.0
// Follows a route through aliases to the providers and the model that answer it.

/// Looks routes up among the providers and aliases of one configuration.
package struct RouteTargets {
    /// What a route leads to.
    package struct Target: Equatable, Sendable {
        /// Indices into the providers, in their order; at least one. More than one when several list the model.
        package let providers: [Int]
        /// The name the providers know.
        package let model: String
    }

    /// Why a route leads nowhere.
    package enum Fault: Error, Equatable, Sendable {
        case unknownProvider(String)
        case unknownModel(String)
        /// The aliases on the way, ending with the one that comes again.
        case cycle([String])
    }

    private var providers: [String: Int] = [:]
    private var listed: [String: [Int]] = [:]
    private var aliases: [String: Route] = [:]

    package init(providers list: [Provider], aliases names: [NamedRoute]) {
        for (index, provider) in list.enumerated() {
            providers[provider.name.lowercased()] = index
            for model in provider.models { listed[model, default: []].append(index) }
        }
        for alias in names { aliases[alias.name] = alias.target }
    }

    /// The index of a provider; names compare without regard to case.
    package func provider(_ name: String) -> Int? { providers[name.lowercased()] }

    /// The models that providers list, in no order.
    package var models: some Sequence<String> { listed.keys }

    /// The providers that list a model, in their order.
    package func providers(listing model: String) -> [Int] { listed[model] ?? [] }

    /// - Throws: why the route leads nowhere.
    package func resolve(_ route: Route) throws(Fault) -> Target {
        var route = route
        var passed: [String] = []
        while true {
            switch route {
            case .pinned(let name, let model):
                guard let index = provider(name) else { throw .unknownProvider(name) }
                return Target(providers: [index], model: model)
            case .named(let name):
                // An alias that stands for its own name means the model behind it.
                guard let next = aliases[name], passed.last != name || listed[name] == nil else {
                    guard let indices = listed[name] else { throw .unknownModel(name) }
                    return Target(providers: indices, model: name)
                }
                guard !passed.contains(name) else { throw .cycle(passed + [name]) }
                passed.append(name)
                route = next
            }
        }
    }
}
