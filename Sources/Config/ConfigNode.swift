// SPDX-License-Identifier: Apache-2.0
// The tree of a configuration file: JSON values that remember where they stand.
// Source: RFC 8259 for the values; comments and trailing commas as claude-code-router's JSON5 files use them.

/// A place in a file.
package struct Position: Equatable, Hashable, Sendable, CustomStringConvertible {
    package let file: String
    /// From 1.
    package let line: Int
    /// From 1, in characters (Unicode scalars) of the line.
    package let column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// "config.json:3:17".
    package var description: String { "\(file):\(line):\(column)" }
}

/// A value of a configuration file.
package struct ConfigNode: Equatable, Sendable {
    package enum Value: Equatable, Sendable {
        case null
        case boolean(Bool)
        /// The digits as written; converted where a range is known.
        case number(String)
        case string(String)
        case array([ConfigNode])
        case object([ConfigMember])
    }

    package var value: Value
    /// Where the value begins.
    package let position: Position
    /// The text came from the environment or another file, so it may be a secret and is never shown.
    package var isInterpolated = false

    package init(_ value: Value, at position: Position) {
        self.value = value
        self.position = position
    }

    /// What the value is, for messages: "a string", "an object"…
    package var kindName: String {
        switch value {
        case .null: "null"
        case .boolean: "true or false"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The members of an object; empty for every other value.
    package var members: [ConfigMember] {
        if case .object(let members) = value { members } else { [] }
    }

    /// The elements of an array; empty for every other value.
    package var elements: [ConfigNode] {
        if case .array(let elements) = value { elements } else { [] }
    }

    /// The text of a string, else nil.
    package var text: String? {
        if case .string(let text) = value { text } else { nil }
    }

    /// The value of the last member of that name, as JSON readers agree on, or nil.
    package subscript(key: String) -> ConfigNode? {
        members.last { $0.key == key }?.node
    }
}

/// One key and its value.
package struct ConfigMember: Equatable, Sendable {
    package let key: String
    /// Where the key begins.
    package let keyPosition: Position
    package var node: ConfigNode

    package init(key: String, keyPosition: Position, node: ConfigNode) {
        self.key = key
        self.keyPosition = keyPosition
        self.node = node
    }
}
