// SPDX-License-Identifier: Apache-2.0
// `ccr provider list` and `ccr provider show`: the profiles of configured providers, and of every kind that is known.

import Config
import Gateway
import JSON
import Providers

enum ProviderCommand {
    /// A profile and whose it is.
    private struct Entry {
        let name: String
        let profile: ProviderProfile
        /// Without queries, which may hold keys; empty for a kind and for the embedded provider.
        let urls: [Endpoint: String]
        let models: [String]
    }

    @Sendable static func list(_ context: CommandContext) -> Int32 {
        guard let entries = entries(context) else { return ExitStatus.usage }
        if context.has("--json") {
            var writer = JSONWriter()
            writer.array { writer in
                for entry in entries { write(entry, &writer) }
            }
            context.terminal.print(String(decoding: writer.bytes, as: UTF8.self))
            return ExitStatus.success
        }
        let isKinds = context.has("--kinds")
        var rows = [isKinds ? ["KIND", "SPEAKS", "KEY"] : ["PROVIDER", "KIND", "SPEAKS", "KEY", "MODELS"]]
        for entry in entries {
            let spoken = entry.profile.dialects.map(\.name).joined(separator: " ")
            let key = entry.profile.auth.fieldName
            rows.append(
                isKinds
                    ? [entry.name, spoken, key]
                    : [entry.name, entry.profile.kind, spoken, key, String(entry.models.count)])
        }
        for line in TextTable.lines(rows) { context.terminal.print(line) }
        return ExitStatus.success
    }

    @Sendable static func show(_ context: CommandContext) -> Int32 {
        guard let entries = entries(context) else { return ExitStatus.usage }
        let wanted = context.operands.first ?? ""
        guard let entry = entries.first(where: { $0.name.lowercased() == wanted.lowercased() }) else {
            let what = context.has("--kinds") ? "kind of provider" : "configured provider"
            context.terminal.complain(
                "ccr provider show: \(quoted(wanted)) is no \(what)\(Spelling.choice(wanted, of: entries.map(\.name)))"
                    + (!context.has("--kinds") && ProviderTable.all.contains { $0.kind == wanted }
                        ? "; with --kinds it is a kind" : ""))
            return ExitStatus.usage
        }
        if context.has("--json") {
            var writer = JSONWriter()
            write(entry, &writer)
            context.terminal.print(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            context.terminal.print(text(entry).joined(separator: "\n"))
        }
        return ExitStatus.success
    }

    /// The configured providers, or all kinds with --kinds; nil when the configuration is wrong.
    private static func entries(_ context: CommandContext) -> [Entry]? {
        if context.has("--kinds") {
            return ProviderTable.all.map { Entry(name: $0.kind, profile: $0, urls: [:], models: []) }
        }
        return context.loadOrComplain(unresolved: .examined)?.providers.map { provider in
            let resolved = ResolvedProvider(provider)
            return Entry(
                name: provider.name, profile: resolved.profile,
                urls: resolved.urls.mapValues { url in String(url.prefix { $0 != "?" }) },
                models: provider.models)
        }
    }

    // MARK: - Output

    private static func text(_ entry: Entry) -> [String] {
        let profile = entry.profile
        var lines = ["\(entry.name): kind \(profile.kind), key as \(profile.auth.fieldName)"]
        for surface in profile.surfaces {
            let base = surface.basePath + surface.version
            lines.append("  \(surface.dialect.name), streams end with \(surface.streamEnd.rawValue)")
            for endpoint in surface.endpoints {
                lines.append(
                    "    " + (entry.urls[endpoint] ?? base + surface.path(endpoint, streaming: false)))
            }
        }
        for (name, value) in profile.headers.sorted(by: { $0.key < $1.key }) {
            lines.append("  field \(name): \(value)")
        }
        let differences = ProfileText.differences(profile)
        if !differences.isEmpty { lines.append("  what is special about it:") }
        lines += differences.map { "    " + $0 }
        if !entry.models.isEmpty { lines.append("  models: " + entry.models.joined(separator: ", ")) }
        return lines
    }

    private static func write(_ entry: Entry, _ writer: inout JSONWriter) {
        let profile = entry.profile
        writer.object { writer in
            writer.member("name", entry.name)
            writer.member("kind", profile.kind)
            writer.member("key", profile.auth.fieldName)
            writer.member(
                "dialects",
                array: { writer in
                    for surface in profile.surfaces { write(surface, entry, &writer) }
                })
            writer.member(
                "headers",
                object: { writer in
                    for (name, value) in profile.headers.sorted(by: { $0.key < $1.key }) {
                        writer.key(name)
                        writer.string(value)
                    }
                })
            writer.member("errors", profile.errors.rawValue)
            writer.member("quirks", array: { texts(profile.rules.quirks.names, &$0) })
            writer.member("differences", array: { texts(ProfileText.differences(profile), &$0) })
            writer.member("models", array: { texts(entry.models, &$0) })
        }
    }

    private static func write(_ surface: Surface, _ entry: Entry, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("dialect", surface.dialect.name)
            writer.member("stream_end", surface.streamEnd.rawValue)
            writer.member(
                "endpoints",
                object: { writer in
                    for endpoint in surface.endpoints {
                        let path =
                            surface.basePath + surface.version + surface.path(endpoint, streaming: false)
                        writer.key(endpoint.profileName)
                        writer.string(entry.urls[endpoint] ?? path)
                    }
                })
            writer.member("forbidden", array: { texts(surface.forbidden, &$0) })
            ModelTableText.required(surface.required, &writer)
        }
    }

    private static func texts(_ texts: [String], _ writer: inout JSONWriter) {
        for text in texts { writer.string(text) }
    }
}
