// SPDX-License-Identifier: Apache-2.0
import Glibc
import Posix
import Testing

@testable import Config
@testable import Routing

/// One configuration file in memory.
struct OneFile: FileSource {
    let text: String

    func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        guard path == "c.json" else { throw Errno("open", code: ENOENT) }
        return Array(text.utf8)
    }

    func names(in directory: String) throws(Errno) -> [String] { [] }
}

/// The routes of a configuration text.
func table(_ text: String) throws -> RouteTable {
    let loader = ConfigLoader(
        files: OneFile(text: text), surroundings: Surroundings(environment: [:], isRoot: false))
    let loaded = loader.load(path: "c.json")
    return RouteTable(try #require(loaded.configuration, "\(loaded.problems)"))
}

/// Three providers, one for each dialect, and one that speaks all.
let providers = """
    "Providers": [
      {"name": "chatty", "api_base_url": "http://h/v1/chat/completions", "models": ["small", "big", "shared"]},
      {"name": "resp", "api_base_url": "http://h/v1/responses", "models": ["gpt-5.5", "shared"]},
      {"name": "claude", "api_base_url": "http://h/v1/messages", "models": ["claude-opus-4-6", "shared"]},
      {"name": "echo", "api_base_url": "builtin:echo"}]
    """

/// The routes of the four providers and more members.
func table(with members: String) throws -> RouteTable {
    try table("{\(members.isEmpty ? "" : members + ",") \(providers)}")
}
