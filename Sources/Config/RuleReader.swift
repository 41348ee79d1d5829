// SPDX-License-Identifier: Apache-2.0
// Reads Rules, and refuses those that no request can reach.

extension RouteReader {
    /// The rules in their order.
    ///
    /// - Parameter keys: the names of the client keys.
    mutating func rules(_ targets: RouteTargets, keys: [String]) -> [RouteRule] {
        var rules: [(rule: RouteRule, path: String)] = []
        for section in root.sections("Rules") {
            guard let node = section.node else { continue }
            let match = match(section.section("match"), keys: keys)
            let set = section.section("set")
            let rule = RouteRule(
                name: section.text("name") ?? "", match: match, choice: choice(of: section, targets),
                maxTokens: set.integer("max_tokens"), temperature: set.number("temperature"),
                effort: set.text("effort"))
            if rule.choice == nil, rule.maxTokens == nil, rule.temperature == nil, rule.effort == nil {
                if section.value("route") == nil, section.value("split") == nil {
                    problems.error(node, section.path, "does nothing: it needs route, split or set")
                }
            } else if let earlier = rules.first(where: {
                $0.rule.choice != nil && $0.rule.match.covers(match)
            }) {
                problems.error(
                    node, section.path,
                    "can never match: \(earlier.path) takes every request that it could match")
            }
            rules.append((rule, section.path))
        }
        return rules.map(\.rule)
    }

    private mutating func match(_ section: ConfigSection, keys: [String]) -> RuleMatch {
        var match = RuleMatch()
        match.path = section.text("path")
        match.client = section.text("client")
        match.kind = section.text("kind").flatMap { name in RequestKind.allCases.first { $0.name == name } }
        match.model = section.text("model")
        match.minTokens = section.integer("min_tokens")
        match.maxTokens = section.integer("max_tokens")
        match.tools = section.texts("tools") ?? []
        match.hasImage = section.value("has_image").flatMap { Scalars.boolean($0.node) }
        for name in ["model", "path"] {
            guard let (node, path) = section.value(name), node.text?.isEmpty == true else { continue }
            problems.error(node, path, "can never match: it is empty")
        }
        if let key = section.value("key"), let name = key.node.text {
            match.key = name
            if !keys.contains(name) {
                let hint = key.node.isInterpolated ? "" : Spelling.hint(name, in: keys)
                problems.error(
                    key.node, key.path, "can never match: there is no client \(quoted(name))\(hint)")
            }
        }
        if let least = match.minTokens, let most = match.maxTokens, least > most, let node = section.node {
            problems.error(node, section.path, "can never match: min_tokens is above max_tokens")
        }
        if let (node, path) = section.value("headers") {
            for member in node.uniqueMembers {
                let name = member.key.lowercased()
                if RouteReader.secretHeaders.contains(name) {
                    problems.error(member.node, "\(path).\(member.key)", "holds a key; match it by key")
                } else if !name.isEmpty, name.utf8.allSatisfy(RouteReader.belongsToName) {
                    match.headers.append(HeaderMatch(name: name, pattern: member.node.text ?? "*"))
                } else {
                    problems.error(
                        member.node, "\(path).\(member.key)", "can never match: it is no name of a header")
                }
            }
        }
        if match.tools.count + match.headers.count > RouteReader.maximumProbes, let node = section.node {
            problems.error(node, section.path, "allowed are \(RouteReader.maximumProbes) tools and headers")
        }
        return match
    }

    /// Tools and header fields that one rule may look at.
    private static let maximumProbes = 16
    private static let secretHeaders = ["authorization", "x-api-key", "x-goog-api-key", "cookie"]

    private static func belongsToName(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || byte &- 0x61 < 26 || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
