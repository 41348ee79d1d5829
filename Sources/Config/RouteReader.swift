// SPDX-License-Identifier: Apache-2.0
// Reads Router, Presets, Frontend.codex.modelMappings and ModelAliases; every route must lead somewhere.

/// Reads the routes of one configuration.
struct RouteReader {
    let root: ConfigSection
    let providers: [Provider]
    var problems: ConfigProblems

    private typealias Place = (node: ConfigNode, path: String)

    /// The aliases that lead somewhere; each is checked with the others in place.
    mutating func aliases() -> [NamedRoute] {
        var places: [Place] = []
        var named: [NamedRoute] = []
        if let (node, path) = root.value("ModelAliases") {
            for member in node.uniqueMembers {
                guard let text = member.node.text, !text.isEmpty else { continue }
                named.append(NamedRoute(name: member.key, target: Route(text)))
                places.append((member.node, "\(path).\(member.key)"))
            }
        }
        for section in root.sections("ModelAliases") {
            guard let alias = section.value("alias"), let name = alias.node.text,
                let target = section.route("target"),
                let place = section.value("target")
            else { continue }
            if name.isEmpty || named.contains(where: { $0.name == name }) {
                problems.error(
                    alias.node, alias.path, "allowed are names that are not empty and not used twice")
            } else {
                named.append(NamedRoute(name: name, target: target))
                places.append(place)
            }
        }
        let targets = RouteTargets(providers: providers, aliases: named)
        for (alias, place) in zip(named, places) {
            do {
                warnIfUnlisted(alias.target, try targets.resolve(.named(alias.name)), place)
            } catch {
                report(error, alias.target, place, targets, named)
            }
        }
        return named
    }

    mutating func router(_ targets: RouteTargets) -> RouterSettings {
        let section = root.section("Router")
        let kinds = kinds(in: section, targets)
        var tiers: [Route]?
        if let (node, path) = section.value("tiers"), case .array(let elements) = node.value {
            var list: [Route] = []
            for (index, element) in elements.enumerated() {
                guard let text = element.text, !text.isEmpty else { continue }
                list.append(check(Route(text), (element, "\(path)[\(index)]"), targets))
            }
            tiers = list
        }
        return RouterSettings(
            default: choice("default", in: section, targets), tiers: tiers, kinds: kinds,
            longContextThreshold: section.integerOrDefault("longContextThreshold"),
            ignoreDirect: section.boolean("ignoreDirect")
        )
    }

    /// What Frontend says of one kind of client. `router` is what counts where it says nothing.
    mutating func frontend(_ name: String, _ router: RouterSettings, _ targets: RouteTargets)
        -> FrontendSettings
    {
        let section = root.section("Frontend").section(name)
        let settings = FrontendSettings(
            default: choice("default", in: section, targets), kinds: kinds(in: section, targets),
            longContextThreshold: section.integer("longContextThreshold"))
        checkThreshold(section, settings.kinds + router.kinds)
        return settings
    }

    /// A threshold that nothing follows from is a mistake.
    mutating func checkThreshold(_ section: ConfigSection, _ kinds: [KindRoute]) {
        guard let (node, path) = section.value("longContextThreshold"),
            !kinds.contains(where: { $0.kind == .longContext })
        else { return }
        problems.error(node, path, "is a threshold without a route: set longContext as well")
    }

    /// The routes of kinds of requests, in the order in which they become candidates.
    private mutating func kinds(in section: ConfigSection, _ targets: RouteTargets) -> [KindRoute] {
        var routes: [KindRoute] = []
        for kind in RequestKind.routed {
            guard let choice = choice(kind.name, in: section, targets) else { continue }
            routes.append(KindRoute(kind: kind, choice: choice))
        }
        return routes
    }

    mutating func presets(_ targets: RouteTargets) -> [Preset] {
        var presets: [Preset] = []
        for (member, section) in root.entries("Presets") {
            // The name is a part of a path: /preset/NAME/v1/….
            let isPlain = member.key.utf8.allSatisfy {
                $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 || "-_.".utf8.contains($0)
            }
            if member.key.isEmpty || member.key.utf8.count > 64 || !isPlain {
                let problem = ConfigProblem(
                    .error, at: member.keyPosition, key: section.path,
                    "allowed are names of 1 to 64 letters, digits, - _ .")
                problems.add(problem)
            }
            guard let route = checked("route", in: section, targets) else { continue }
            let preset = Preset(
                name: member.key, route: route, maxTokens: section.integer("max_tokens"),
                temperature: section.number("temperature"), effort: section.text("effort"))
            presets.append(preset)
        }
        return presets
    }

    mutating func codexMappings(_ targets: RouteTargets) -> (named: [NamedRoute], default: Route?) {
        let section = root.section("Frontend").section("codex")
        var named: [NamedRoute] = []
        var fallback: Route?
        guard let (node, path) = section.value("modelMappings") else { return ([], nil) }
        for member in node.uniqueMembers {
            guard let text = member.node.text, !text.isEmpty else { continue }
            let route = check(Route(text), (member.node, "\(path).\(member.key)"), targets)
            if member.key == "default" {
                fallback = route
            } else {
                named.append(NamedRoute(name: member.key, target: route))
            }
        }
        return (named, fallback)
    }

    // MARK: - Choices

    /// A route, or an object with route or split.
    private mutating func choice(_ name: String, in section: ConfigSection, _ targets: RouteTargets)
        -> RouteChoice?
    {
        guard let place = section.value(name) else { return nil }
        guard case .object = place.node.value, section.takesChoice(name) else {
            return checked(name, in: section, targets).map { RouteChoice($0) }
        }
        let inner = section.section(name)
        if name == RequestKind.webSearch.name, inner.value("enabled") != nil, !inner.boolean("enabled") {
            return nil
        }
        let choice = choice(of: inner, targets)
        if choice == nil, inner.value("route") == nil, inner.value("split") == nil,
            inner.value("shadow") == nil
        {
            problems.error(place.node, place.path, "leads nowhere: it needs route or split")
        }
        return choice
    }

    /// What the keys route, split and shadow of an object say; nil without one of the first two.
    mutating func choice(of section: ConfigSection, _ targets: RouteTargets) -> RouteChoice? {
        var choice = places(of: section, targets)
        guard let (node, path) = section.value("shadow") else { return choice }
        let inner = section.section("shadow")
        if let target = checked("target", in: inner, targets), let percent = inner.integer("percent") {
            choice?.shadow = RouteShadow(target: target, percent: percent)
        }
        if section.value("route") == nil, section.value("split") == nil {
            problems.error(node, path, "copies what goes nowhere: it needs route or split beside it")
        }
        return choice
    }

    private mutating func places(of section: ConfigSection, _ targets: RouteTargets) -> RouteChoice? {
        let route = checked("route", in: section, targets)
        guard let (node, path) = section.value("split") else { return route.map { RouteChoice($0) } }
        if section.value("route") != nil {
            problems.error(node, path, "stands beside route; allowed is one of the two")
        }
        var shares: [RouteShare] = []
        for member in node.uniqueMembers {
            guard let weight = Scalars.integer(member.node, in: RouteReader.weights) else { continue }
            let route = check(Route(member.key), (member.node, "\(path).\(member.key)"), targets)
            shares.append(RouteShare(route: route, weight: weight))
        }
        guard shares.contains(where: { $0.weight > 0 }) else {
            if shares.count == node.uniqueMembers.count {
                problems.error(node, path, "leads nowhere: no share is above 0")
            }
            return nil
        }
        return RouteChoice(shares)
    }

    /// What a share may be.
    static let weights = 0...1_000_000

    // MARK: - Checks

    private mutating func checked(_ name: String, in section: ConfigSection, _ targets: RouteTargets)
        -> Route?
    {
        guard let place = section.value(name), let route = section.route(name) else { return nil }
        return check(route, place, targets)
    }

    /// The route itself, after saying what is wrong with it.
    private mutating func check(_ route: Route, _ place: Place, _ targets: RouteTargets) -> Route {
        do {
            warnIfUnlisted(route, try targets.resolve(route), place)
        } catch .cycle {
            // Said once, where the alias stands.
        } catch {
            report(error, route, place, targets, [])
        }
        return route
    }

    private mutating func warnIfUnlisted(_ route: Route, _ target: RouteTargets.Target, _ place: Place) {
        guard case .pinned(_, let model) = route else { return }
        if model.isEmpty {
            problems.error(place.node, place.path, "names no model behind the comma")
        }
        for provider in target.providers.map({ providers[$0] })
        where !model.isEmpty && !provider.models.isEmpty && !provider.models.contains(model) {
            let hint = place.node.isInterpolated ? "" : Spelling.hint(model, in: provider.models)
            let message = "\(quoted(provider.name)) does not list this model\(hint); it is asked all the same"
            problems.warning(place.node, place.path, message)
        }
    }

    /// Says why a route leads nowhere, unless the reason is another alias or a provider that was refused itself.
    private mutating func report(
        _ fault: RouteTargets.Fault, _ route: Route, _ place: Place, _ targets: RouteTargets,
        _ aliases: [NamedRoute]
    ) {
        let sections = root.sections("Providers")
        let shown = { (name: String) -> String in place.node.isInterpolated ? "from elsewhere" : quoted(name)
        }
        switch (fault, route) {
        case (.unknownProvider(let name), .pinned):
            if sections.contains(where: { $0.text("name") == name }) { return }
            let hint = place.node.isInterpolated ? "" : Spelling.hint(name, in: providers.map(\.name))
            problems.error(place.node, place.path, "names the unknown provider \(shown(name))\(hint)")
        case (.unknownModel(let name), .named(let text)) where name == text:
            if sections.count != providers.count { return }
            let known = Array(targets.models) + aliases.map(\.name)
            var hint = place.node.isInterpolated ? "" : Spelling.hint(name, in: known)
            if targets.provider(name) != nil {
                hint = " (\(shown(name)) is a provider: write “provider,model”)"
            }
            problems.error(place.node, place.path, "no provider lists the model \(shown(name))\(hint)")
        case (.cycle(let names), _):
            let circle = names.map { quoted($0) }.joined(separator: " → ")
            problems.error(place.node, place.path, "the alias leads back to itself: \(circle)")
        default: break
        }
    }
}
