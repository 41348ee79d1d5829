// SPDX-License-Identifier: Apache-2.0
// Reads typed values out of a checked tree; defaults, spellings and ranges come from the schema.

/// One object of the tree, or its absence.
struct ConfigSection {
    let node: ConfigNode?
    /// Where it is in the schema, for example "Providers[]".
    let pattern: String
    /// Where it is in this file, for example "Providers[2]".
    let path: String

    /// The row of a key; asking for a key that is not in the table is a mistake in the code.
    private func row(_ name: String) -> SchemaKey {
        guard let key = Schema.key(name, below: pattern) else {
            fatalError("the key \(pattern).\(name) is not in the schema")
        }
        return key
    }

    private func childPath(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// The value of a key under any of its spellings, or nil when it is missing or null.
    func value(_ name: String) -> (node: ConfigNode, path: String)? {
        let key = row(name)
        let names = [key.name] + key.spellings
        guard let member = node?.members.last(where: { names.contains($0.key) && $0.node.value != .null })
        else {
            return nil
        }
        return (member.node, childPath(member.key))
    }

    /// A string, or nil when it is missing or of another type.
    func text(_ name: String) -> String? { value(name)?.node.text }

    /// A secret; an empty one counts as missing.
    func secret(_ name: String) -> Secret? {
        guard let text = text(name), !text.isEmpty else { return nil }
        return Secret(text)
    }

    /// A string that the schema has a default for.
    func textOrDefault(_ name: String) -> String { text(name) ?? row(name).fallback ?? "" }

    /// An integer in range, or nil.
    func integer(_ name: String) -> Int? {
        guard case .integer(let range) = row(name).kind, let node = value(name)?.node else { return nil }
        return Scalars.integer(node, in: range)
    }

    /// An integer that the schema has a default for.
    func integerOrDefault(_ name: String) -> Int {
        integer(name) ?? row(name).fallback.flatMap { Int($0) } ?? 0
    }

    /// A number in range, or nil.
    func number(_ name: String) -> Double? {
        guard case .number(let range) = row(name).kind, let node = value(name)?.node else { return nil }
        return Scalars.number(node, in: range)
    }

    /// A switch that the schema has a default for.
    func boolean(_ name: String) -> Bool {
        value(name).flatMap { Scalars.boolean($0.node) } ?? (row(name).fallback == "true")
    }

    /// A route, or nil when it is missing, empty or of another type.
    func route(_ name: String) -> Route? {
        guard let text = text(name), !text.isEmpty else { return nil }
        return Route(text)
    }

    /// Whether a key may hold an object with route or split instead of a route.
    func takesChoice(_ name: String) -> Bool { Schema.key("split", below: row(name).path) != nil }

    /// The strings of an array, or nil when it is missing; elements of other types are left out.
    func texts(_ name: String) -> [String]? {
        guard let node = value(name)?.node, case .array(let elements) = node.value else { return nil }
        return elements.compactMap(\.text)
    }

    /// An object below this one.
    func section(_ name: String) -> ConfigSection {
        let child = value(name)
        let key = row(name)
        return ConfigSection(node: child?.node, pattern: key.path, path: child?.path ?? childPath(name))
    }

    /// The objects of an array.
    func sections(_ name: String) -> [ConfigSection] {
        guard let child = value(name) else { return [] }
        let pattern = row(name).path + "[]"
        return child.node.elements.enumerated().compactMap { index, element in
            guard case .object = element.value else { return nil }
            return ConfigSection(node: element, pattern: pattern, path: "\(child.path)[\(index)]")
        }
    }

    /// The objects of a map with their keys; of a key given twice only the last.
    func entries(_ name: String) -> [(key: ConfigMember, section: ConfigSection)] {
        guard let child = value(name) else { return [] }
        let pattern = row(name).path + ".*"
        return child.node.uniqueMembers.map { member in
            (member, ConfigSection(node: member.node, pattern: pattern, path: "\(child.path).\(member.key)"))
        }
    }
}

extension ConfigNode {
    /// The members of an object; of a key given twice only the last.
    var uniqueMembers: [ConfigMember] {
        var last: [String: Int] = [:]
        for (index, member) in members.enumerated() { last[member.key] = index }
        return members.enumerated().filter { last[$0.element.key] == $0.offset }.map(\.element)
    }
}
