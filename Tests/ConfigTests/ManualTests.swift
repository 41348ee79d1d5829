// SPDX-License-Identifier: Apache-2.0
import Glibc
import Posix
import Testing

@testable import Config

@Suite("What is shipped beside the code")
struct ManualTests {
    private static let root = #filePath.components(upTo: "/Tests/ConfigTests/")

    private func read(_ path: String) throws -> String {
        String(decoding: try DiskFiles().read("\(Self.root)/\(path)", limit: 1 << 20), as: UTF8.self)
    }

    /// The row of a key in docs/config.md.
    static func row(_ key: SchemaKey) -> String {
        let spellings =
            key.spellings.isEmpty ? "" : " (also \(key.spellings.map { "`\($0)`" }.joined(separator: ", ")))"
        if case .ignored(let reason) = key.status {
            return "| `\(key.path)`\(spellings) | \(key.help) | \(reason) |"
        }
        let fallback = key.fallback.map { "`\($0)`" } ?? (key.isRequired ? "required" : "")
        return "| `\(key.path)`\(spellings) | \(key.kind.allowed) | \(fallback) | \(key.help) |"
    }

    @Test("explains every key of the schema, with the same words", arguments: Schema.keys.map(\.path))
    func manual(path: String) throws {
        let key = try #require(Schema.keys.first { $0.path == path })
        #expect(try read("docs/config.md").contains(Self.row(key)), "\(Self.row(key))")
    }

    @Test("has one row for each key and none for others")
    func rows() throws {
        let text = try read("docs/config.md")
        // The rows of values from elsewhere begin with a reference such as ${NAME}.
        let rows = text.split(separator: "\n").filter {
            $0.hasPrefix("| `") && (!$0.hasPrefix("| `$") || $0.hasPrefix("| `$schema`"))
        }
        let expected = Set(Schema.keys.map(Self.row))
        for row in rows { #expect(expected.contains(String(row)), "\(row)") }
        #expect(rows.count == Schema.keys.count)
    }

    @Test("includes a default configuration without a problem")
    func defaultConfiguration() throws {
        let files = MemoryFiles(contents: ["c.json": try read("packaging/config.json")])
        let surroundings = Surroundings(environment: [:], isRoot: false)
        let loaded = ConfigLoader(files: files, surroundings: surroundings).load(path: "c.json")
        #expect(loaded.lines == [])
        #expect(loaded.configuration?.router.default == RouteChoice(.pinned(provider: "echo", model: "echo")))
    }

    @Test("includes a default configuration whose commented parts are right as well")
    func commentedParts() throws {
        let text = try read("packaging/config.json").split(separator: "\n", omittingEmptySubsequences: false)
            .map { line -> Substring in
                let rest = line.drop { $0 == " " }
                let code = rest.dropFirst(3)
                // Commented code begins with a quote or a bracket; everything else is prose.
                let isCode = rest.hasPrefix("// ") && ["\"", "{", "}", "]", " "].contains(code.first)
                return isCode ? code : line
            }
        var contents = ["c.json": text.joined(separator: "\n")]
        let credentials = text.flatMap { $0.matches(of: /\{credential:([a-z-]+)\}/).map { String($0.1) } }
        for name in credentials {
            contents["/run/c/\(name)"] = "key-\(name)"
        }
        let surroundings = Surroundings(environment: ["CREDENTIALS_DIRECTORY": "/run/c"], isRoot: false)
        let loaded = ConfigLoader(files: MemoryFiles(contents: contents), surroundings: surroundings)
            .load(path: "c.json")
        #expect(loaded.lines == [])
        #expect(loaded.configuration?.providers.count == 21)
        #expect(loaded.configuration?.presets.count == 1)
    }

    @Test("has a default for every number and switch, in range", arguments: Schema.keys.map(\.path))
    func defaults(path: String) throws {
        let key = try #require(Schema.keys.first { $0.path == path })
        guard let fallback = key.fallback else { return }
        let node = ConfigNode(.string(fallback), at: Position(file: "", line: 1, column: 1))
        switch key.kind {
        case .integer(let range): #expect(Scalars.integer(node, in: range) != nil)
        case .number(let range): #expect(Scalars.number(node, in: range) != nil)
        case .boolean: #expect(Scalars.boolean(node) != nil)
        case .choice(let names): #expect(names.contains(fallback))
        default: break
        }
        #expect(Schema.keys.count { $0.path == path } == 1)
    }
}

extension String {
    /// The text before the first occurrence of `mark`.
    fileprivate func components(upTo mark: String) -> String {
        firstRange(of: mark).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
