// SPDX-License-Identifier: Apache-2.0
import Config
import Posix
import Testing

/// Files in memory.
private struct Files: FileSource {
    let texts: [String: String]

    func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        guard let text = texts[path] else { throw Errno("open", code: 2) }
        return Array(text.utf8)
    }

    func names(in directory: String) throws(Errno) -> [String] { [] }
}

/// - Parameter others: further files by path.
func load(_ text: String, _ others: [String: String] = [:]) -> LoadedConfiguration {
    let files = Files(texts: others.merging(["/etc/c.json": text]) { $1 })
    return ConfigLoader(files: files, surroundings: Surroundings(environment: [:], isRoot: false))
        .load(path: "/etc/c.json")
}

/// The provider of an entry of Providers.
func provider(_ entry: String) throws -> Provider {
    let loaded = load(#"{"Providers": [\#(entry)]}"#)
    #expect(loaded.problems.filter { $0.severity == .error }.map(\.description) == [])
    return try #require(loaded.configuration?.providers.first)
}
