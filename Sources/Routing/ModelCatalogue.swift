// SPDX-License-Identifier: Apache-2.0
// The body of GET /v1/models: one document that the OpenAI and Anthropic SDKs and Codex parse.
// Source: OpenAI API reference, List models; Anthropic API reference, List models (2026); the catalogue of Codex CLI
// 0.163.0, where one missing field of one entry makes Codex drop the whole list.

import Gateway
import JSON

package enum ModelCatalogue {
    /// The document, the same for every client; build it once for each table.
    package static func body(_ table: RouteTable) -> [UInt8] {
        let entries = entries(table)
        let all = entries + pins(table)
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("object")
            writer.string("list")
            writer.key("data")
            writer.array { writer in
                for entry in all { model(entry, &writer) }
            }
            writer.key("has_more")
            writer.bool(false)
            writer.key("first_id")
            write(all.first?.id, &writer)
            writer.key("last_id")
            write(all.last?.id, &writer)
            writer.key("models")
            writer.array { writer in
                let offered = codexOrder(entries, table)
                for (priority, entry) in offered.enumerated() { codexEntry(entry, priority + 1, &writer) }
            }
        }
        return writer.bytes
    }

    /// A name that a client may send as model.
    package struct Entry: Equatable, Sendable {
        package let id: String
        /// The provider's name, or "ccr" for names of the configuration.
        package let owner: String
        let destination: Destination

        /// The name the providers know.
        package var upstreamModel: String { destination.model }
    }

    /// The providers that answer an entry, in their order; which one is asked first depends on the dialect.
    package static func targets(of entry: Entry, _ table: RouteTable) -> [RouteProvider] {
        entry.destination.providers.map { table.providers[$0] }
    }

    /// The names without pins: models, aliases, Codex's mappings, presets; in the order of the configuration.
    package static func entries(_ table: RouteTable) -> [Entry] {
        var entries: [Entry] = []
        var seen: Set<String> = []
        let add = { (entries: inout [Entry], seen: inout Set<String>, entry: Entry) in
            if seen.insert(entry.id).inserted { entries.append(entry) }
        }
        for alias in table.aliases {
            add(&entries, &seen, Entry(id: alias.name, owner: "ccr", destination: alias.destination))
        }
        for provider in table.providers {
            for model in provider.listed {
                guard let destination = table.index.listed[model] else { continue }
                add(&entries, &seen, Entry(id: model, owner: provider.name, destination: destination))
            }
        }
        for mapping in table.codexMappings {
            add(&entries, &seen, Entry(id: mapping.name, owner: "ccr", destination: mapping.destination))
        }
        for preset in table.presets {
            add(&entries, &seen, Entry(id: preset.name, owner: "ccr", destination: preset.destination))
        }
        return entries
    }

    /// Every listed model once more as "provider,model".
    private static func pins(_ table: RouteTable) -> [Entry] {
        table.providers.enumerated().flatMap { number, provider in
            (provider.offered ?? provider.models).map { model in
                let destination = Destination(providers: [number], model: model)
                return Entry(id: "\(provider.name),\(model)", owner: provider.name, destination: destination)
            }
        }
    }

    private static func write(_ text: String?, _ writer: inout JSONWriter) {
        if let text { writer.string(text) } else { writer.null() }
    }

    /// One element of "data": OpenAI's fields, then Anthropic's. Providers do not say when a model was made, so the
    /// time is 1970, which Anthropic's reference names for unknown dates.
    private static func model(_ entry: Entry, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("id")
            writer.string(entry.id)
            writer.key("object")
            writer.string("model")
            writer.key("created")
            writer.int(0)
            writer.key("owned_by")
            writer.string(entry.owner)
            writer.key("type")
            writer.string("model")
            writer.key("display_name")
            writer.string(entry.id)
            writer.key("created_at")
            writer.string("1970-01-01T00:00:00Z")
        }
    }

    // MARK: - Codex

    /// The entries that Codex can use, the one that answers without a model first: Codex takes the first as default.
    private static func codexOrder(_ entries: [Entry], _ table: RouteTable) -> [Entry] {
        // Codex asks for the effort itself; names that hold one would only crowd its menu.
        let variants = Set(table.providers.flatMap(\.variants))
        let usable = entries.filter {
            !variants.contains($0.id) && $0.destination.candidate(table.providers, .responses) != nil
        }
        let preferred = table.codexDefault ?? table.routes(for: .codex).standard?.choice.first
        let first = usable.filter { $0.destination == preferred }
        return first + usable.filter { $0.destination != preferred }
    }

    /// Names of models that think, by their beginnings; for others Codex asks for no reasoning.
    private static let reasoningPrefixes = ["gpt-5", "gpt-6", "o3", "o4", "codex"]

    /// A catalogue entry replaces Codex's own prompt, so it needs one.
    private static let instructions = """
        You are a coding agent in the user's terminal. Work on the task until it is done: read the files that matter \
        before you change them, make small changes that fit the code around them, and run the tests or the program \
        to see that they work. Use the tools for all of this instead of describing it. Change nothing that the task \
        does not need, keep what others have changed, and never undo work with destructive commands unless asked \
        to. When you are done, say in a few sentences what you changed and how you checked it.
        """

    /// A lean entry: functions only, no hosted tools, no sub-agents, which any provider behind ccr can take.
    private static func codexEntry(_ entry: Entry, _ priority: Int, _ writer: inout JSONWriter) {
        let reasons = reasoningPrefixes.contains { entry.destination.model.hasPrefix($0) }
        writer.object { writer in
            for (name, text) in [
                ("slug", entry.id), ("display_name", entry.id), ("description", "\(entry.owner) through ccr"),
                ("shell_type", "unified_exec"), ("visibility", "list"), ("tool_mode", "direct"),
                ("multi_agent_version", "disabled"), ("base_instructions", instructions),
                ("default_reasoning_summary", reasons ? "auto" : "none"), ("web_search_tool_type", "text"),
            ] {
                writer.key(name)
                writer.string(text)
            }
            for (name, value) in [
                ("supported_in_api", true), ("support_verbosity", false), ("supports_search_tool", false),
                ("use_responses_lite", false), ("supports_parallel_tool_calls", true),
                ("supports_reasoning_summaries", reasons),
            ] {
                writer.key(name)
                writer.bool(value)
            }
            writer.key("priority")
            writer.int(priority)
            writer.key("default_reasoning_level")
            write(reasons ? "medium" : nil, &writer)
            writer.key("supported_reasoning_levels")
            writer.array { writer in
                for effort in reasons ? ["low", "medium", "high"] : [] {
                    writer.object { writer in
                        writer.key("effort")
                        writer.string(effort)
                        writer.key("description")
                        writer.string("\(effort) effort")
                    }
                }
            }
            for name in ["apply_patch_tool_type", "default_verbosity", "availability_nux", "upgrade"] {
                writer.key(name)
                writer.null()
            }
            writer.key("truncation_policy")
            writer.object { writer in
                writer.key("mode")
                writer.string("tokens")
                writer.key("limit")
                writer.int(10_000)
            }
            writer.key("input_modalities")
            writer.array { writer in
                writer.string("text")
                writer.string("image")
            }
            writer.key("experimental_supported_tools")
            writer.array { _ in }
        }
    }
}
