// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration, said once for each fault, with the place and what is allowed.

/// One fault or remark.
package struct ConfigProblem: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Severity: String, Sendable {
        /// The configuration is refused.
        case error
        /// The configuration is used; something in it has no effect or looks wrong.
        case warning
        /// Nothing is wrong; the reader should know.
        case note
    }

    package let severity: Severity
    /// Where it stands, or nil when it is in no file.
    package let position: Position?
    /// The key, for example "Providers[1].api_base_url", or "" for the whole file.
    package let keyPath: String
    /// What is wrong and what is allowed; holds no value that may be a secret.
    package let message: String

    package init(_ severity: Severity, at position: Position?, key keyPath: String = "", _ message: String) {
        self.severity = severity
        self.position = position
        self.keyPath = keyPath
        self.message = message
    }

    /// "config.json:3:17: error: PORT: must be …".
    package var description: String {
        var text = position.map { "\($0): " } ?? ""
        text += severity.rawValue + ": "
        if !keyPath.isEmpty { text += keyPath + ": " }
        return text + message
    }
}

/// Collects the problems of one configuration; bounded, because a broken file may hold a million faults.
package struct ConfigProblems: Sendable {
    /// The most problems that are kept.
    package static let maximumCount = 200

    package private(set) var list: [ConfigProblem] = []
    private var dropped = 0

    package init() {}

    package var hasErrors: Bool { list.contains { $0.severity == .error } }

    package mutating func add(_ problem: ConfigProblem) {
        // The first error is kept even behind two hundred warnings: it decides whether the file is refused.
        if list.count < Self.maximumCount || (problem.severity == .error && !hasErrors) {
            list.append(problem)
        } else {
            dropped += 1
        }
    }

    package mutating func error(_ node: ConfigNode, _ keyPath: String, _ message: String) {
        add(ConfigProblem(.error, at: node.position, key: keyPath, message))
    }

    package mutating func warning(_ node: ConfigNode, _ keyPath: String, _ message: String) {
        add(ConfigProblem(.warning, at: node.position, key: keyPath, message))
    }

    /// The problems in the order of their places: by file in the order of reading, then by line and column.
    package func sorted(files: [String]) -> [ConfigProblem] {
        var rank: [String: Int] = [:]
        for (index, file) in files.enumerated() { rank[file] = index }
        let place = { (problem: ConfigProblem) -> (Int, Int, Int) in
            guard let position = problem.position else { return (-1, 0, 0) }
            return (rank[position.file] ?? files.count, position.line, position.column)
        }
        var ordered = list.enumerated().sorted { a, b in
            let left = place(a.element)
            let right = place(b.element)
            return left == right ? a.offset < b.offset : left < right
        }.map(\.element)
        if dropped > 0 {
            ordered.append(ConfigProblem(.note, at: nil, "\(dropped) more problems are not shown"))
        }
        return ordered
    }
}

/// The text in quotes for a message: at most 60 characters, control characters as “?”.
package func quoted(_ text: some StringProtocol) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(60) {
        shown.unicodeScalars.append(scalar.properties.generalCategory == .control ? "?" : scalar)
    }
    return "“\(shown)\(text.unicodeScalars.count > 60 ? "…" : "")”"
}
