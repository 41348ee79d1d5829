// SPDX-License-Identifier: Apache-2.0
// Replaces references in string values: ${VAR}, ${VAR:-default}, ${credential:NAME}, ${file:PATH}, and a whole
// string "$VAR" as classic claude-code-router files write it.
// Source: systemd.exec(5), Credentials, for $CREDENTIALS_DIRECTORY.

import Posix

/// What becomes of references that cannot be resolved where a configuration is read.
package enum UnresolvedReferences: Sendable {
    /// Each is an error.
    case refused
    /// The same, but for what only a service manager passes: that is kept as it is written, with a warning.
    case examined
    /// They stay as they are written: the process uses no key and need not be given any.
    case kept
}

/// Resolves the references of one configuration; problems go to where the string stands.
struct Interpolation {
    /// The largest file that ${file:…} and ${credential:…} read.
    static let maximumFileBytes = 64 << 10

    /// The environment, with what `.env` files add.
    let variables: [String: String]
    let files: any FileSource
    var unresolved = UnresolvedReferences.refused

    /// The tree with every reference replaced.
    func apply(to node: ConfigNode, keyPath: String, problems: inout ConfigProblems) -> ConfigNode {
        var node = node
        switch node.value {
        case .string(let text):
            guard text.contains("$") else { break }
            let (replaced, changed) = expand(text, node, keyPath, &problems)
            node.value = .string(replaced)
            node.isInterpolated = changed
        case .array(let elements):
            node.value = .array(
                elements.enumerated().map { index, element in
                    apply(to: element, keyPath: "\(keyPath)[\(index)]", problems: &problems)
                })
        case .object(let members):
            node.value = .object(
                members.map { member in
                    var member = member
                    let path = keyPath.isEmpty ? member.key : "\(keyPath).\(member.key)"
                    member.node = apply(to: member.node, keyPath: path, problems: &problems)
                    return member
                })
        case .null, .boolean, .number: break
        }
        return node
    }

    private func expand(
        _ text: String, _ node: ConfigNode, _ keyPath: String, _ problems: inout ConfigProblems
    ) -> (String, changed: Bool) {
        if text.hasPrefix("$"), DotEnv.isName(text.dropFirst()) {
            let name = String(text.dropFirst())
            if let value = variables[name] { return (value, true) }
            if unresolved == .kept { return (text, true) }
            problems.error(node, keyPath, unset(name))
            return ("", true)
        }
        if text.hasPrefix("$$"), DotEnv.isName(text.dropFirst(2)) { return (String(text.dropFirst()), false) }
        var result = ""
        var changed = false
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let close = rest.firstIndex(of: "}") else {
                    problems.error(node, keyPath, "“${” without “}” (write “$${” for a literal “${”)")
                    return (result + rest, true)
                }
                changed = true
                let reference = rest[rest.index(rest.startIndex, offsetBy: 2)..<close]
                switch resolve(reference, node) {
                case .success(let value): result += value
                case .failure where unresolved == .kept: result += "${\(reference)}"
                case .failure(let fault) where fault.isElsewhere && unresolved == .examined:
                    problems.warning(node, keyPath, fault.message)
                    result += "${\(reference)}"
                case .failure(let fault): problems.error(node, keyPath, fault.message)
                }
                rest = rest[rest.index(after: close)...]
            } else {
                result += "$"
                rest = rest.dropFirst()
            }
        }
        return (result + rest, changed)
    }

    private struct Fault: Error {
        let message: String
        /// What is referred to is not to be had here, but may be where the gateway runs.
        var isElsewhere = false
    }

    private func unset(_ name: String) -> String {
        "the variable \(name) is not set (set it in the environment or in .env, or write ${\(name):-default})"
    }

    private func resolve(_ reference: Substring, _ node: ConfigNode) -> Result<String, Fault> {
        if reference.hasPrefix("file:") {
            return contents(Paths.join(Paths.directory(node.position.file), String(reference.dropFirst(5))))
        }
        if reference.hasPrefix("credential:") {
            let name = String(reference.dropFirst(11))
            guard !name.isEmpty, !name.contains("/"), !name.hasPrefix(".") else {
                return .failure(
                    Fault(message: "\(quoted(name)) is no credential name (no “/”, no leading “.”)"))
            }
            guard let directory = variables["CREDENTIALS_DIRECTORY"] else {
                let message =
                    "${credential:\(name)} is what systemd passes to a service (LoadCredential=); to check it, be root "
                    + "while ccr.service runs, or set CREDENTIALS_DIRECTORY to a directory with the file \(name)"
                return .failure(Fault(message: message, isElsewhere: true))
            }
            return contents(Paths.join(directory, name)).mapError {
                Fault(
                    message: $0.message
                        + " (a service gets it by LoadCredential=\(name):FILE, from its next start on)")
            }
        }
        var name = reference
        var fallback: Substring?
        if let colon = reference.firstIndex(of: ":"), reference[colon...].hasPrefix(":-") {
            name = reference[..<colon]
            fallback = reference[colon...].dropFirst(2)
        }
        guard DotEnv.isName(name) else {
            let forms = "${NAME}, ${NAME:-default}, ${credential:NAME} or ${file:PATH}"
            return .failure(Fault(message: "“${\(name)}” is no reference; allowed are \(forms)"))
        }
        if let value = variables[String(name)], !(value.isEmpty && fallback != nil) { return .success(value) }
        if let fallback { return .success(String(fallback)) }
        return .failure(Fault(message: unset(String(name))))
    }

    /// The text of a small file without the line breaks at its end.
    private func contents(_ path: String) -> Result<String, Fault> {
        var bytes: [UInt8]
        do {
            bytes = try files.read(path, limit: Self.maximumFileBytes)
        } catch {
            return .failure(Fault(message: "\(quoted(path)) cannot be read: \(error)"))
        }
        guard bytes.count <= Self.maximumFileBytes else {
            return .failure(Fault(message: "\(quoted(path)) is larger than \(Self.maximumFileBytes) bytes"))
        }
        while bytes.last == UInt8(ascii: "\n") || bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return .failure(Fault(message: "\(quoted(path)) is not UTF-8"))
        }
        return .success(text)
    }
}

/// Text operations on paths; nothing is looked up.
package enum Paths {
    /// The directory part: "/etc/ccr" of "/etc/ccr/config.json", "." of "config.json".
    static func directory(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// `path` itself when it is absolute, else below `directory`.
    package static func join(_ directory: String, _ path: String) -> String {
        if path.hasPrefix("/") { return path }
        return directory.hasSuffix("/") ? directory + path : "\(directory)/\(path)"
    }
}
