// SPDX-License-Identifier: Apache-2.0
import Config
import Posix
import Testing

/// One configuration file in memory.
private struct OneFile: FileSource {
    let text: String

    func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        guard path == "c.json" else { throw Errno("open", code: 2) }
        return Array(text.utf8)
    }

    func names(in directory: String) throws(Errno) -> [String] { [] }
}

func load(_ text: String) -> LoadedConfiguration {
    ConfigLoader(files: OneFile(text: text), surroundings: Surroundings(environment: [:], isRoot: false))
        .load(path: "c.json")
}

/// The provider of an entry of Providers.
func provider(_ entry: String) throws -> Provider {
    let loaded = load(#"{"Providers": [\#(entry)]}"#)
    #expect(loaded.problems.filter { $0.severity == .error }.map(\.description) == [])
    return try #require(loaded.configuration?.providers.first)
}
