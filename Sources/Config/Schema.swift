// SPDX-License-Identifier: Apache-2.0
// The form of the schema: what a key may hold and what becomes of it. The keys themselves are in SchemaTable.swift.

/// What a value may be.
package indirect enum SchemaKind: Sendable {
    /// Any string.
    case text
    /// A string that is never shown.
    case secret
    /// "provider,model", or the name of a model or alias.
    case route
    /// A whole number, or a string that holds one (from an environment variable).
    case integer(ClosedRange<Int>)
    /// A number, or a string that holds one.
    case number(ClosedRange<Double>)
    /// true or false, or a string that says so.
    case boolean
    /// One of these strings.
    case choice([String])
    /// An array of such values.
    case list(SchemaKind)
    /// An array of objects; their keys are rows under "path[].".
    case objects
    /// An object; its keys are rows under "path.".
    case object
    /// An object with keys of the operator's choosing; object values have rows under "path.*.".
    case map(SchemaKind)
    /// Either of the two, told apart by their JSON type.
    case either(SchemaKind, SchemaKind)
    /// Whatever it is, nobody reads it.
    case anything

    /// The allowed values in words, for messages and the manual.
    package var allowed: String {
        switch self {
        case .text, .secret: "a string"
        case .route: "“provider,model” or the name of a model or alias"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .boolean: "true or false"
        case .choice(let names): names.map { "“\($0)”" }.joined(separator: ", ")
        case .list(let element): "an array, each element: \(element.allowed)"
        case .objects: "an array of objects"
        case .object: "an object"
        case .map(let element): "an object, each value: \(element.allowed)"
        case .either(let a, let b): "\(a.allowed); or \(b.allowed)"
        case .anything: "anything"
        }
    }

    /// Whether a JSON value of this type can be meant, whatever its content.
    package func fits(_ node: ConfigNode) -> Bool {
        switch (self, node.value) {
        case (.anything, _), (.text, .string), (.secret, .string), (.route, .string), (.choice, .string),
            (.integer, .number), (.integer, .string), (.number, .number), (.number, .string),
            (.boolean, .boolean),
            (.boolean, .string), (.list, .array), (.objects, .array), (.object, .object), (.map, .object):
            true
        case (.either(let a, let b), _): a.fits(node) || b.fits(node)
        default: false
        }
    }

    /// The alternative that fits the value; itself when there are none.
    package func chosen(for node: ConfigNode) -> SchemaKind {
        guard case .either(let a, let b) = self else { return self }
        return a.fits(node) ? a.chosen(for: node) : b.chosen(for: node)
    }
}

/// One key of the configuration.
package struct SchemaKey: Sendable {
    /// What ccr does with the value.
    package enum Status: Equatable, Sendable {
        case used
        /// Accepted from files of other programs, without effect; the reason is shown.
        case ignored(reason: String)
    }

    /// The path, with "[]" for any element and "*" for any key: "Providers[].timeouts.connectMs".
    package let path: String
    package let kind: SchemaKind
    /// The value when the key is missing, as JSON writes it without quotes; nil when there is none.
    package let fallback: String?
    /// One line for the manual.
    package let help: String
    package let status: Status
    /// Other spellings of the last part of the path, from files of other programs.
    package let spellings: [String]
    /// Missing is an error.
    package let isRequired: Bool

    init(
        _ path: String, _ kind: SchemaKind, default fallback: String? = nil, spellings: [String] = [],
        required isRequired: Bool = false, _ help: String
    ) {
        self.path = path
        self.kind = kind
        self.fallback = fallback
        self.help = help
        self.status = .used
        self.spellings = spellings
        self.isRequired = isRequired
    }

    /// A key without effect.
    init(
        ignored path: String, as kind: SchemaKind = .anything, spellings: [String] = [], _ help: String,
        _ reason: String
    ) {
        self.path = path
        self.kind = kind
        self.fallback = nil
        self.help = help
        self.status = .ignored(reason: reason)
        self.spellings = spellings
        self.isRequired = false
    }

    /// The path without its last part: "Providers[].timeouts".
    package var parent: String {
        guard let dot = path.lastIndex(of: ".") else { return "" }
        return String(path[..<dot])
    }

    /// The last part of the path.
    package var name: String {
        guard let dot = path.lastIndex(of: ".") else { return path }
        return String(path[path.index(after: dot)...])
    }
}

package enum Schema {
    /// Every key, in the order of the manual.
    package static let keys: [SchemaKey] =
        topLevelKeys + clientKeys + providerKeys + credentialKeys + modelKeys + routingKeys + failureKeys
        + tuningKeys

    /// The keys directly below a path pattern.
    package static let children: [String: [SchemaKey]] = Dictionary(grouping: keys, by: \.parent)

    private static let byPath: [String: SchemaKey] = {
        var index: [String: SchemaKey] = [:]
        for key in keys {
            let prefix = key.parent.isEmpty ? "" : key.parent + "."
            for name in [key.name] + key.spellings { index[prefix + name] = key }
        }
        return index
    }()

    /// The row of a key below a path pattern, found by its name or another spelling.
    static func key(_ name: String, below parent: String) -> SchemaKey? {
        byPath[parent.isEmpty ? name : "\(parent).\(name)"]
    }
}
