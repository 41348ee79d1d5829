// SPDX-License-Identifier: Apache-2.0
import Glibc
import Posix
import Testing

@testable import Config

@Suite("The search for configuration files")
struct LoaderTests {
    private func loader(
        _ contents: [String: String], unreadable: Set<String> = [],
        environment: [String: String] = ["HOME": "/h"]
    ) -> ConfigLoader {
        ConfigLoader(
            files: MemoryFiles(contents: contents, unreadable: unreadable),
            surroundings: Surroundings(environment: environment, isRoot: false))
    }

    private static let all = [
        "/x.json", "/env.json", "/etc/ccr/config.json", "/h/.config/ccr/config.json",
        "/h/.claude-code-router/config.json",
    ]

    @Test("takes the command line, then $CCR_CONFIG, then the first place that has one", arguments: 0..<5)
    func order(first: Int) {
        let present = Self.all[first...]
        let contents = Dictionary(uniqueKeysWithValues: present.map { ($0, minimal()) })
        let environment =
            first <= 1 ? ["HOME": "/h", "CCR_CONFIG": "/env.json"] : ["HOME": "/h", "CCR_CONFIG": ""]
        let loaded = loader(contents, environment: environment).load(path: first == 0 ? "/x.json" : nil)
        #expect(loaded.files == [Self.all[first]])
        #expect(loaded.configuration != nil)
    }

    @Test("ends with the embedded provider and says so")
    func builtIn() {
        let loaded = loader([:]).load()
        #expect(
            loaded.lines == [
                "note: no configuration file (looked for /etc/ccr/config.json, /h/.config/ccr/config.json, "
                    + "/h/.claude-code-router/config.json): using the embedded provider “echo” alone"
            ])
        #expect(loaded.configuration?.providers.map(\.name) == ["echo"])
        #expect(loaded.configuration?.router.default == RouteChoice(.pinned(provider: "echo", model: "echo")))
        #expect(loaded.files == [])
    }

    @Test("does not pass over a named file that is missing", arguments: [true, false])
    func named(isOption: Bool) {
        let environment = isOption ? [:] : ["CCR_CONFIG": "/nope.json"]
        let loaded = loader([:], environment: environment).load(path: isOption ? "/nope.json" : nil)
        #expect(loaded.lines == ["/nope.json:1:1: error: there is no such file"])
        #expect(loaded.configuration == nil)
    }

    @Test("does not pass over a file of the user's own that cannot be read")
    func unreadable() {
        let loaded = loader(
            ["/h/.claude-code-router/config.json": minimal()], unreadable: ["/h/.config/ccr/config.json"]
        ).load()
        #expect(
            loaded.lines == ["/h/.config/ccr/config.json:1:1: error: cannot be read: open: Permission denied"]
        )
    }

    @Test("passes over the system's file when it is not for this user, and says so")
    func systemFileOfOthers() {
        let contents = ["/h/.config/ccr/config.json": minimal()]
        let loaded = loader(contents, unreadable: ["/etc/ccr/config.json"]).load()
        #expect(loaded.lines == ["note: /etc/ccr/config.json is not for this user: passed over"])
        #expect(loaded.files == ["/h/.config/ccr/config.json"])
        let named = loader(
            contents, unreadable: ["/etc/ccr/config.json"],
            environment: ["CCR_CONFIG": "/etc/ccr/config.json"]
        ).load()
        #expect(named.lines == ["/etc/ccr/config.json:1:1: error: cannot be read: open: Permission denied"])
    }

    @Test("lays drop-ins over the file in the order of their names")
    func dropIns() throws {
        let loaded = loader([
            "/e/c.json": minimal(#""PORT": 1, "Presets": {"a": {"route": "p,m", "max_tokens": 1}}"#),
            "/e/config.d/20.json": #"{"PORT": 3, "Router": {"tiers": ["q,x"]}}"#,
            "/e/config.d/10.json": """
            {"PORT": 2, "HOST": "::1", "Presets": {"a": {"max_tokens": 2}, "b": {"route": "q,x"}},
             "Providers": [{"name": "p", "models": ["m"]}, {"name": "q", "api_base_url": "builtin:echo"}]}
            """,
            "/e/config.d/.30.json": "broken", "/e/config.d/README": "broken",
        ]).load(path: "/e/c.json")
        #expect(loaded.files == ["/e/c.json", "/e/config.d/10.json", "/e/config.d/20.json"])
        #expect(
            loaded.lines == [
                "/e/config.d/10.json:1:79: warning: Presets.b.route: “q” does not list this model; it is asked all the same",
                "/e/config.d/20.json:1:34: warning: Router.tiers[0]: “q” does not list this model; it is asked all the same",
            ])
        let configuration = try #require(loaded.configuration)
        #expect(configuration.listen == ListenSettings(host: "::1", port: 3, socketPath: nil))
        #expect(configuration.providers.map(\.name) == ["p", "q"])
        #expect(configuration.providers[0].models == ["m"])
        #expect(configuration.presets.map(\.maxTokens) == [2, nil])
        #expect(configuration.router.default == RouteChoice(.pinned(provider: "p", model: "m")))
    }

    @Test("names the drop-in that is broken")
    func brokenDropIn() {
        let loaded = loader(["/e/c.json": minimal(), "/e/config.d/a.json": "{\n]"]).load(path: "/e/c.json")
        #expect(
            loaded.lines == [
                "/e/config.d/a.json:2:1: error: expected a key in double quotes or “}”, found “]”"
            ])
    }

    @Test("reads from the disk, and tells a directory and a missing file apart")
    func disk() throws {
        var template = Array("/tmp/ccr-config-XXXXXX".utf8CString)
        let directory = String(cString: try #require(mkdtemp(&template)))
        defer {
            unlink(directory + "/a.json")
            rmdir(directory)
        }
        let files = DiskFiles()
        let fd = open(directory + "/a.json", O_CREAT | O_WRONLY, 0o600)
        write(fd, "hello", 5)
        close(fd)
        #expect(try files.read(directory + "/a.json", limit: 10) == Array("hello".utf8))
        #expect(try files.read(directory + "/a.json", limit: 2) == Array("hel".utf8))
        #expect(try files.names(in: directory).contains("a.json"))
        #expect(try files.names(in: directory + "/nope") == [])
        #expect(throws: Errno("open", code: ENOENT)) { try files.read(directory + "/nope", limit: 1) }
        #expect(throws: Errno("read", code: EISDIR)) { try files.read(directory, limit: 1) }
        let loaded = ConfigLoader(surroundings: Surroundings(environment: [:], isRoot: false)).load(
            path: directory)
        #expect(loaded.lines == ["\(directory):1:1: error: cannot be read: read: Is a directory"])
    }
}

@Suite("Near names")
struct SpellingTests {
    @Test(
        "are those a typing mistake away",
        arguments: [
            ("defualt", ["default", "think"], ["default"]), ("PROVIDERS", ["Providers"], ["Providers"]),
            ("gpt-5", ["gpt-5-codex", "gpt-4", "claude"], ["gpt-4", "gpt-5-codex"]), ("x", ["yyyy"], []),
            ("", ["a"], []), ("sonnet", ["claude-sonnet-4"], ["claude-sonnet-4"]),
            (
                "claude-sonnet-4-6", ["claude-sonnet-4", "claude-opus-4-6"],
                ["claude-sonnet-4", "claude-opus-4-6"]
            ),
            (String(repeating: "a", count: 129), [String(repeating: "a", count: 128)], []),
        ])
    func near(name: String, candidates: [String], expected: [String]) {
        #expect(Spelling.near(name, in: candidates, limit: 5) == expected)
    }

    @Test(
        "count each change and each swap once",
        arguments: [
            ("", "", 0), ("a", "", 1), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abd", 1),
            ("abc", "xabc", 1),
            ("kitten", "sitting", 3),
        ])
    func distance(a: String, b: String, distance: Int) {
        #expect(Spelling.distance(Array(a.utf8), Array(b.utf8)) == distance)
        #expect(Spelling.distance(Array(b.utf8), Array(a.utf8)) == distance)
    }
}
