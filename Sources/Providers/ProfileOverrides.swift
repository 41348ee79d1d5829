// SPDX-License-Identifier: Apache-2.0
// Changes a profile as a provider's entry asks. The words were checked when the configuration was read.

import Config
import Gateway

extension ProfileOverrides {
    func apply(to profile: inout ProviderProfile) {
        for (name, quirk) in Quirks.names {
            guard let isSet = quirks[name] else { continue }
            if isSet { profile.rules.quirks.insert(quirk) } else { profile.rules.quirks.remove(quirk) }
        }
        choose("max_tokens", &profile.rules.maxTokens)
        choose("system_placement", &profile.rules.systemPlacement)
        choose("system_role", &profile.rules.systemRole)
        choose("tool_choice", &profile.rules.toolChoice)
        choose("schema", &profile.rules.schema)
        choose("output", &profile.rules.output)
        choose("reasoning", &profile.rules.reasoning)
        choose("replay", &profile.rules.replay)
        choose("chat_thinking", &profile.rules.chatThinking)
        choose("messages_thinking", &profile.rules.messagesThinking)
        choose("gemini_thinking", &profile.rules.geminiThinking)
        choose("call_ids", &profile.rules.callIDs)
        choose("tool_names", &profile.rules.toolNames)
        choose("errors", &profile.errors)
        if let toolNameBytes { profile.rules.toolNameBytes = toolNameBytes }
        if let stopCount { profile.rules.stopCount = stopCount }
        if let maxTemperature { profile.rules.temperatureMilli = Int(maxTemperature * 1_000) }
        profile.forbiddenHeaders += forbiddenHeaders
        for index in profile.surfaces.indices {
            let names = Set(required.map(\.name))
            profile.surfaces[index].required.removeAll {
                names.contains($0.name) || forbidden.contains($0.name)
            }
            profile.surfaces[index].required += required.map {
                RequiredMember($0.name, $0.json, forced: true)
            }
            profile.surfaces[index].forbidden.removeAll { names.contains($0) }
            profile.surfaces[index].forbidden += forbidden.filter {
                !profile.surfaces[index].forbidden.contains($0)
            }
            for endpoint in Endpoint.allCases where endpoint.dialect == profile.surfaces[index].dialect {
                guard let path = paths[endpoint.profileName] else { continue }
                profile.surfaces[index].paths.removeAll { $0.endpoint == endpoint }
                profile.surfaces[index].paths.append(Surface.Path(endpoint, path))
            }
        }
    }

    private func choose<Value: RawRepresentable>(_ key: String, _ value: inout Value)
    where Value.RawValue == String {
        if let chosen = choices[key].flatMap({ Value(rawValue: $0) }) { value = chosen }
    }
}

extension Endpoint {
    /// The name in Providers[].profile.paths: its path, or its method of Gemini's.
    package var profileName: String {
        guard hasModelInPath else { return String(path.dropFirst()) }
        return String(path.drop { $0 != ":" }.dropFirst())
    }
}
