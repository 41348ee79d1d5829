// SPDX-License-Identifier: Apache-2.0
// Files in memory and short ways to load a configuration from them.

import Glibc
import Posix
import Testing

@testable import Config

/// A file system in memory; a path in `unreadable` exists and is refused.
struct MemoryFiles: FileSource {
    var contents: [String: String] = [:]
    var unreadable: Set<String> = []

    func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        if unreadable.contains(path) { throw Errno("open", code: EACCES) }
        guard let text = contents[path] else { throw Errno("open", code: ENOENT) }
        return Array(text.utf8.prefix(limit + 1))
    }

    func names(in directory: String) throws(Errno) -> [String] {
        let prefix = directory + "/"
        return contents.keys.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
            .map { String($0.dropFirst(prefix.count)) }
    }
}

/// Loads `text` as the file "c.json" in an otherwise empty world.
func load(
    _ text: String, environment: [String: String] = [:], files: [String: String] = [:],
    overrides: ConfigOverrides = ConfigOverrides()
) -> LoadedConfiguration {
    var all = files
    all["c.json"] = text
    let surroundings = Surroundings(environment: environment, isRoot: false)
    return ConfigLoader(files: MemoryFiles(contents: all), surroundings: surroundings)
        .load(path: "c.json", overrides: overrides)
}

/// A configuration with one provider, one default route and `more` members in front.
func minimal(_ more: String = "", provider: String = "") -> String {
    """
    {\(more.isEmpty ? "" : more + ", ")"Providers": [{"name": "p", "api_base_url": "https://h.example/v1", \
    "models": ["m", "n"]\(provider.isEmpty ? "" : ", " + provider)}], "Router": {"default": "p,m"}}
    """
}

extension LoadedConfiguration {
    /// The problems as the operator reads them.
    var lines: [String] { problems.map(\.description) }
    var errors: [String] { problems.filter { $0.severity == .error }.map(\.description) }
    var warnings: [String] { problems.filter { $0.severity == .warning }.map(\.description) }
}
