// SPDX-License-Identifier: Apache-2.0
// Holds a configuration tree against the schema: unknown and ignored keys, wrong types, values out of range.

/// One walk over a tree.
struct SchemaCheck {
    private(set) var problems: ConfigProblems

    /// Checks the whole tree and adds what is wrong to `problems`.
    static func check(_ root: ConfigNode, problems: inout ConfigProblems) {
        guard case .object = root.value else {
            problems.error(root, "", "the configuration is \(root.kindName), allowed is an object")
            return
        }
        var walk = SchemaCheck(problems: problems)
        walk.object(root, pattern: "", path: "")
        problems = walk.problems
    }

    /// Checks one value of the top level.
    static func check(_ node: ConfigNode, as name: String, problems: inout ConfigProblems) {
        guard let key = Schema.key(name, below: "") else { return }
        var walk = SchemaCheck(problems: problems)
        walk.value(node, key.kind, pattern: key.path, path: name)
        problems = walk.problems
    }

    private mutating func object(_ node: ConfigNode, pattern: String, path: String) {
        var seen: [String: String] = [:]
        for member in node.members {
            let memberPath = path.isEmpty ? member.key : "\(path).\(member.key)"
            guard let key = Schema.key(member.key, below: pattern) else {
                unknown(member, pattern, memberPath)
                continue
            }
            if let earlier = seen[key.name] {
                let how = earlier == member.key ? "given twice" : "given also as “\(earlier)”"
                add(.warning, member.keyPosition, memberPath, "\(how); the last one counts")
            }
            seen[key.name] = member.key
            if case .ignored(let reason) = key.status {
                add(.warning, member.keyPosition, memberPath, "has no effect: \(reason)")
            }
            // null means "as if it were missing", as in files written by programs.
            if member.node.value != .null {
                value(member.node, key.kind, pattern: key.path, path: memberPath)
            } else {
                seen[key.name] = nil
            }
        }
        for key in Schema.children[pattern] ?? [] where key.isRequired && seen[key.name] == nil {
            problems.error(node, path, "the key “\(key.name)” is missing (\(key.kind.allowed))")
        }
    }

    private mutating func unknown(_ member: ConfigMember, _ pattern: String, _ path: String) {
        let known = (Schema.children[pattern] ?? []).flatMap { [$0.name] + $0.spellings }
        let hint = Spelling.hint(member.key, in: known, limit: 2)
        // A demand that is not understood would be none, and the rule take what it was not meant for.
        if pattern == "Rules[].match" {
            return add(.error, member.keyPosition, path, "is nothing that a rule can match on\(hint)")
        }
        add(.warning, member.keyPosition, path, "unknown key" + hint)
    }

    private mutating func value(_ node: ConfigNode, _ kind: SchemaKind, pattern: String, path: String) {
        guard kind.fits(node) else {
            problems.error(node, path, "is \(node.kindName), allowed is \(kind.allowed)")
            return
        }
        switch kind.chosen(for: node) {
        case .anything, .text, .secret, .either: break
        case .route:
            if node.text?.isEmpty == true {
                problems.error(node, path, "is empty, allowed is \(kind.allowed)")
            }
        case .integer(let range):
            if Scalars.integer(node, in: range) == nil { outOfRange(node, kind, path) }
        case .number(let range):
            if Scalars.number(node, in: range) == nil { outOfRange(node, kind, path) }
        case .boolean:
            if Scalars.boolean(node) == nil { outOfRange(node, kind, path) }
        case .choice(let names):
            if let text = node.text, !names.contains(text) {
                let hint = node.isInterpolated ? "" : Spelling.hint(text, in: names, limit: 1)
                problems.error(node, path, "is \(shown(node)), allowed is \(kind.allowed)\(hint)")
            }
        case .list(let element):
            for (index, item) in node.elements.enumerated() {
                value(item, element, pattern: pattern, path: "\(path)[\(index)]")
            }
        case .objects:
            for (index, item) in node.elements.enumerated() {
                value(item, .object, pattern: pattern + "[]", path: "\(path)[\(index)]")
            }
        case .object:
            object(node, pattern: pattern, path: path)
        case .map(let element):
            for member in node.members {
                value(member.node, element, pattern: pattern + ".*", path: "\(path).\(member.key)")
            }
        }
    }

    private mutating func outOfRange(_ node: ConfigNode, _ kind: SchemaKind, _ path: String) {
        problems.error(node, path, "is \(shown(node)), allowed is \(kind.allowed)")
    }

    private mutating func add(
        _ severity: ConfigProblem.Severity, _ position: Position, _ path: String, _ message: String
    ) {
        problems.add(ConfigProblem(severity, at: position, key: path, message))
    }

    /// The value for a message; what came from the environment or a file stays hidden.
    private func shown(_ node: ConfigNode) -> String {
        if node.isInterpolated { return "a value from elsewhere that does not fit" }
        return switch node.value {
        case .string(let text): quoted(text)
        case .number(let digits): String(digits.prefix(40))
        default: node.kindName
        }
    }
}

/// Conversions of single values; nil when the value does not fit.
enum Scalars {
    static func integer(_ node: ConfigNode, in range: ClosedRange<Int>) -> Int? {
        guard let number = number(node, in: Double(range.lowerBound)...Double(range.upperBound)) else {
            return nil
        }
        guard let integer = Int(exactly: number), range.contains(integer) else { return nil }
        return integer
    }

    static func number(_ node: ConfigNode, in range: ClosedRange<Double>) -> Double? {
        let digits: String
        switch node.value {
        case .number(let text), .string(let text): digits = text
        default: return nil
        }
        // Double accepts "inf", "nan" and hexadecimal; the first byte and the range keep them out.
        guard let first = digits.utf8.first, first == UInt8(ascii: "-") || first &- 0x30 < 10,
            !digits.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "x") }), let number = Double(digits),
            range.contains(number)
        else { return nil }
        return number
    }

    static func boolean(_ node: ConfigNode) -> Bool? {
        switch node.value {
        case .boolean(let value): value
        case .string("true"): true
        case .string("false"): false
        default: nil
        }
    }
}
