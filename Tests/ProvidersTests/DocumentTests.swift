// SPDX-License-Identifier: Apache-2.0
// Holds docs/providers.md against the tables.

import Config
import Foundation
import Gateway
import Providers
import Testing

@Suite("docs/providers.md")
struct DocumentTests {
    private static let lines: [String] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        // Without the document every comparison fails, which tells enough.
        let text = (try? String(contentsOf: root.appending(path: "docs/providers.md"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }()

    /// The row of a kind.
    static func row(_ profile: ProviderProfile) -> String {
        let hosts = ProviderKind.hosts(profile.kind).map { "`\($0)`" }.joined(separator: ", ")
        let surfaces = profile.surfaces.map { surface in
            let path = surface.basePath + surface.version
            return surface.dialect.name + (path.isEmpty ? "" : " `\(path)`")
        }
        return
            "| `\(profile.kind)` | \(hosts) | \(surfaces.joined(separator: ", ")) | \(profile.auth.fieldName) |"
    }

    /// The section about what differs from the dialect's first vendor.
    static func differences(_ profile: ProviderProfile) -> String {
        "- `\(profile.kind)`: " + ProfileText.differences(profile).joined(separator: "; ")
    }

    @Test("has the row of every kind, and no other", arguments: ProviderTable.all.map(\.kind))
    func kind(kind: String) throws {
        let profile = try #require(ProviderTable.profile(kind))
        #expect(Self.lines.contains(Self.row(profile)), "\(Self.row(profile))")
        #expect(Self.lines.contains(Self.differences(profile)), "\(Self.differences(profile))")
        #expect(Self.lines.count { $0.hasPrefix("- `") && $0.contains("`: ") } == ProviderTable.all.count)
    }

    @Test("explains every transformer", arguments: TransformerTable.all.map(\.name))
    func transformer(name: String) throws {
        let row = try #require(TransformerTable.all.first { $0.name == name })
        #expect(Self.lines.contains("| `\(row.name)` | \(row.help) |"))
    }

    @Test("explains every quirk", arguments: Quirks.names.map(\.name))
    func quirk(name: String) {
        #expect(Self.lines.contains { $0.hasPrefix("| `\(name)` | ") }, "\(name)")
    }
}
