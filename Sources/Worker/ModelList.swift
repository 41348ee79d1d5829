// SPDX-License-Identifier: Apache-2.0
// Reads a provider's answer about the models of an account.
// Source: openai/codex codex-rs/protocol/src/openai_models.rs (ModelInfo); microsoft/vscode-copilot-chat
// endpointProvider.ts; ericc-ch/copilot-api 0.7.0, get-models.ts.

package import Gateway
package import JSON

/// A model that an account may use.
package struct OfferedModel: Equatable, Sendable {
    package let name: String
    /// The dialects in which it is answered; empty where the provider does not say.
    package let dialects: [Dialect]
}

package enum ModelList {
    /// The models in an answer, none twice; nil when it is something else than a list of models.
    ///
    /// - Parameter parser: any parser; values that the caller has from it become invalid.
    package static func read(_ body: [UInt8], _ form: ModelListing.Form, parser: JSONParser)
        -> [OfferedModel]?
    {
        // What does not parse is no list.
        guard let root = try? parser.parse(body), root.isObject else { return nil }
        defer { withExtendedLifetime(parser) {} }
        guard let list = root.member(form == .codex ? "models" : "data"), list.isArray else { return nil }
        let found: [OfferedModel] =
            switch form {
            case .codex: codex(list)
            case .copilot: list.elements.compactMap(copilot)
            }
        var seen: Set<String> = []
        let usable = found.filter { isName($0.name) && seen.insert($0.name).inserted }
        return Array(usable.prefix(ModelListing.maximumCount))
    }

    /// Those that Codex would offer, the most important first.
    private static func codex(_ list: JSONValue) -> [OfferedModel] {
        let visible = list.elements.compactMap { entry -> (priority: Int, name: String)? in
            guard let name = entry.member("slug")?.string, entry.member("visibility")?.string == "list" else {
                return nil
            }
            return (entry.member("priority")?.int ?? .max, name)
        }
        // Sorting is stable since the place in the list decides among equals.
        let sorted = visible.enumerated().sorted {
            ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset)
        }
        return sorted.map { OfferedModel(name: $0.element.name, dialects: []) }
    }

    /// Models whose policy was not accepted answer nothing; those out of the picker are for the editor itself.
    private static func copilot(_ entry: JSONValue) -> OfferedModel? {
        guard let name = entry.member("id")?.string else { return nil }
        if let state = entry.member("policy")?.member("state")?.string, state != "enabled" { return nil }
        let type = entry.member("capabilities")?.member("type")?.string ?? "chat"
        if type == "chat", entry.member("model_picker_enabled")?.bool == false { return nil }
        let paths = entry.member("supported_endpoints").map { $0.isArray ? Array($0.elements) : [] } ?? []
        let dialects = paths.compactMap { path -> Dialect? in
            switch path.string {
            case "/chat/completions": .chat
            case "/responses": .responses
            case "/v1/messages", "/messages": .messages
            default: nil
            }
        }
        return OfferedModel(name: name, dialects: dialects)
    }

    /// What can stand in a request, a header and a log; "," would make it a pin, "*" a pattern.
    private static func isName(_ name: String) -> Bool {
        (1...ModelListing.maximumNameBytes).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "*")
            }
    }
}
