// SPDX-License-Identifier: Apache-2.0
// The table of kinds: complete, without contradictions, in the words that configurations use.

import Config
import Gateway
import Providers
import Testing

@Suite("Kinds of providers")
struct ProviderTableTests {
    @Test("have the names that configurations may use, in the same order")
    func names() {
        #expect(ProviderTable.all.map(\.kind) == ProviderKind.names)
    }

    @Test("are consistent in themselves", arguments: ProviderTable.all.map(\.kind))
    func consistent(kind: String) throws {
        let profile = try #require(ProviderTable.profile(kind))
        #expect(!profile.surfaces.isEmpty)
        #expect(Set(profile.dialects).count == profile.surfaces.count)
        for surface in profile.surfaces {
            #expect(surface.basePath.isEmpty || surface.basePath.hasPrefix("/"))
            #expect(!surface.basePath.hasSuffix("/"))
            #expect(surface.version.isEmpty || surface.version.hasPrefix("/v"))
            #expect(surface.endpoints.allSatisfy { $0.dialect == surface.dialect })
            #expect(
                surface.paths.allSatisfy { $0.endpoint.dialect == surface.dialect && $0.path.hasPrefix("/") })
            #expect(!surface.required.contains { surface.forbidden.contains($0.name) })
            #expect(Set(surface.required.map(\.name)).count == surface.required.count)
            #expect(Set(surface.forbidden).count == surface.forbidden.count)
        }
        #expect(profile.headers.keys.allSatisfy { $0 == $0.lowercased() })
        #expect(16...256 ~= profile.rules.toolNameBytes)
        let thinking = profile.rules.chatThinking
        #expect([.none, .effort, .reasoningObject, .thinkingType, .enableThinking].contains(thinking))
        #expect([.none, .budget, .adaptive].contains(profile.rules.messagesThinking))
        #expect([.none, .thinkingBudget, .thinkingLevel].contains(profile.rules.geminiThinking))
    }

    @Test("of Google are asked in Gemini for other clients, which keeps the signatures of thoughts")
    func gemini() throws {
        let profile = try #require(ProviderTable.profile("gemini"))
        #expect(profile.dialects(for: .messages) == [.gemini, .chat])
        #expect(profile.dialects(for: .responses) == [.gemini, .chat])
        #expect(profile.dialects(for: .chat) == [.chat, .gemini])
    }

    @Test("understand every word that a profile may hold, and have no other")
    func words() {
        #expect(Quirks.names.map(\.name) == ProfileWords.quirks)
        #expect(Set(Quirks.names.map(\.quirk.rawValue)).count == Quirks.names.count)
        let thinking = ThinkingForm.allCases.map(\.rawValue)
        let enums: [String: [String]] = [
            "max_tokens": MaxTokensMember.allCases.map(\.rawValue),
            "system_placement": SystemPlacement.allCases.map(\.rawValue),
            "system_role": SystemRole.allCases.map(\.rawValue),
            "tool_choice": ToolChoiceForm.allCases.map(\.rawValue),
            "schema": SchemaForm.allCases.map(\.rawValue), "output": OutputForm.allCases.map(\.rawValue),
            "reasoning": ReasoningMember.allCases.map(\.rawValue),
            "replay": ReasoningReplay.allCases.map(\.rawValue),
            "call_ids": CallIDForm.allCases.map(\.rawValue),
            "tool_names": ToolNameForm.allCases.map(\.rawValue),
            "errors": ErrorShape.allCases.map(\.rawValue),
        ]
        for choice in ProfileWords.choices {
            if let words = enums[choice.key] {
                #expect(choice.words == words)
            } else {
                #expect(choice.key.hasSuffix("_thinking"))
                #expect(choice.words.allSatisfy(thinking.contains))
            }
        }
        #expect(Endpoint.allCases.map(\.profileName).sorted() == ProfileWords.endpoints.sorted())
    }

    @Test("are changed by the words of an entry")
    func overrides() throws {
        let entry = #"""
            {"name": "p", "api_base_url": "https://api.deepseek.com", "auth_header": "x-api-key", "profile": {
              "quirks": {"no_strict": false, "top_k": true}, "system_role": "developer", "tool_choice": "full",
              "errors": "flat", "tool_name_bytes": 32, "stop_count": 2, "max_temperature": 1.5,
              "required": {"store": false, "x": {"a": ["é\n"]}}, "forbidden": ["seed"],
              "forbidden_headers": ["X-Secret"]}}
            """#
        let profile = ResolvedProvider(try provider(entry)).profile
        #expect(profile.auth == .apiKey)
        #expect(profile.rules.has(.topK) && !profile.rules.has(.noStrict))
        #expect(profile.rules.has(.noImages))
        #expect(profile.rules.systemRole == .developer)
        #expect(profile.rules.toolChoice == .full)
        #expect(profile.rules.toolNameBytes == 32)
        #expect(profile.rules.stopCount == 2)
        #expect(profile.rules.temperatureMilli == 1_500)
        #expect(profile.errors == .flat)
        #expect(profile.forbiddenHeaders == ["x-secret"])
        let chat = try #require(profile.surface(.chat))
        #expect(
            chat.required == [
                RequiredMember("store", "false", forced: true),
                RequiredMember("x", "{\"a\":[\"é\\u000a\"]}", forced: true),
            ])
        #expect(chat.forbidden == ["metadata", "parallel_tool_calls", "seed"])
    }

    @Test("that an entry gets wrong are told")
    func wrong() {
        let loaded = load(
            #"""
            {"Providers": [{"name": "p", "api_base_url": "http://h/v1", "kind": "opnai", "base_urls": {"chat": "ftp://x"},
              "profile": {"quirks": {"no_strickt": true, "no_stop": 1}, "schema": "none", "paths": {"messages": "x"}}}]}
            """#)
        let text = loaded.problems.map(\.description).joined(separator: "\n")
        for part in [
            "Providers[0].kind: is “opnai”", "Providers[0].base_urls.chat: is no http or https URL",
            "quirks.no_strickt: is no quirk (did you mean “no_strict”?)", "quirks.no_stop: is a number",
            "profile.schema: is “none”", "paths.messages: allowed is a path that begins with “/”",
        ] {
            #expect(text.contains(part), "\(text)")
        }
    }
}
