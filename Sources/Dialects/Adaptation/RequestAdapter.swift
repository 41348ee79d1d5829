// SPDX-License-Identifier: Apache-2.0
// Fits a request to a provider of the client's own dialect: members that the provider demands or refuses, the model's
// name, the effort. Changes are splices; everything else stays as the client wrote it.
// Source: the rows of Providers, which say where each demand was read.

package import Gateway
package import JSON

package struct RequestAdapter {
    private let endpoint: Endpoint
    private let rules: UpstreamRules
    private let model: ResolvedModel
    /// The request was written here by the same rules; what is left are members that no encoder knows of.
    private let isTranslated: Bool
    /// Changes of the top level that do not depend on the request.
    private let fixed: [(name: String, change: MemberChange)]

    /// - Parameters:
    ///   - wanted: the model's name in the request, as front wrote it.
    ///   - model: what that name stands for.
    ///   - isTranslated: an encoder of this dialect wrote the request for this profile and model.
    package init(
        _ profile: ProviderProfile, endpoint: Endpoint, wanted: String, model: ResolvedModel,
        isTranslated: Bool = false
    ) {
        self.endpoint = endpoint
        self.model = model
        self.isTranslated = isTranslated
        rules = model.rules.applied(to: profile.rules)
        fixed = RequestAdapter.fixedChanges(
            profile, endpoint, rules, model, isTranslated ? model.name : wanted, isTranslated)
    }

    /// The request passes as it is, whatever it holds.
    package var isIdle: Bool {
        fixed.isEmpty
            && !(RequestAdapter.isConversation(endpoint)
                && (!isTranslated && (adaptsEffort || adaptsNested) || model.rules.outputCap != nil))
    }

    private var adaptsEffort: Bool {
        model.effort != nil || !model.rules.efforts.isEmpty || model.rules.defaultEffort != nil
            || !model.rules.effortMap.isEmpty
    }

    private var adaptsNested: Bool {
        rules.toolChoice != .full || rules.has(.noStrict)
            || (endpoint.dialect == .responses && rules.systemRole == .developer)
    }

    /// The changes for one request.
    ///
    /// - Parameters:
    ///   - root: an object, parsed from `text`.
    ///   - dropped: members of the top level that the provider has refused.
    ///   - losses: receives what the provider is not told.
    package func splices(
        _ root: JSONValue, text: UnsafeRawBufferPointer, map: SourceMap, dropped: [String] = [],
        _ losses: inout Losses
    ) -> [Splice] {
        var edit = ObjectEdit(text: text, map: map)
        var changes = fixed
        if isTranslated, RequestAdapter.isConversation(endpoint) {
            capOutput(root, &changes)
        } else if RequestAdapter.isConversation(endpoint) {
            adaptEffort(root, &changes, &edit)
            adaptToolChoice(root, &changes, &losses)
            capOutput(root, &changes)
            if rules.has(.noStrict) { dropStrict(root, &edit, &losses) }
            if endpoint.dialect == .responses, rules.systemRole == .developer { renameSystem(root, &edit) }
        }
        changes.removeAll { dropped.contains($0.name) }
        for name in dropped { changes.append((name: name, change: .remove)) }
        edit.change(root, changes)
        for (key, value) in root.members where !value.isNull {
            let name = String(decoding: key, as: UTF8.self)
            if changes.first(where: { $0.name == name })?.change == .remove { losses.add(parameter: name) }
        }
        return edit.sorted
    }

    /// Endpoints whose requests hold a conversation.
    private static func isConversation(_ endpoint: Endpoint) -> Bool {
        switch endpoint {
        case .chatCompletions, .responses, .messages, .generateContent, .streamGenerateContent: true
        case .responsesCompact, .countTokens, .completions, .embeddings, .images, .geminiCountTokens: false
        }
    }

    // MARK: - Top level

    /// Members that a quirk forbids at the top level of Chat, Responses and Messages.
    private static let refused: [(quirk: Quirks, names: [String])] = [
        (.noTemperature, ["temperature"]), (.noTopP, ["top_p"]), (.noStop, ["stop", "stop_sequences"]),
        (.noPenalties, ["presence_penalty", "frequency_penalty"]), (.noSeed, ["seed"]),
        (.noMetadata, ["metadata", "user", "safety_identifier"]), (.noServiceTier, ["service_tier"]),
        (.noVerbosity, ["verbosity"]),
        (.noMaxTokens, ["max_tokens", "max_completion_tokens", "max_output_tokens"]),
        (.noParallelToolCalls, ["parallel_tool_calls"]), (.noStreamOptions, ["stream_options"]),
    ]

    private static func fixedChanges(
        _ profile: ProviderProfile, _ endpoint: Endpoint, _ rules: UpstreamRules, _ model: ResolvedModel,
        _ wanted: String, _ isTranslated: Bool
    ) -> [(name: String, change: MemberChange)] {
        guard let surface = profile.surface(endpoint.dialect) else { return [] }
        var changes: [(name: String, change: MemberChange)] = []
        func add(_ name: String, _ change: MemberChange) {
            if !changes.contains(where: { $0.name == name }) { changes.append((name, change)) }
        }
        for name in surface.forbidden + model.rules.forbidden { add(name, .remove) }
        if model.name != wanted, !endpoint.hasModelInPath {
            var json: [UInt8] = []
            JSONWriter.append(string: model.name, to: &json)
            add("model", .set(String(decoding: json, as: UTF8.self)))
        }
        guard isConversation(endpoint) else { return changes }
        for member in surface.required + model.rules.required {
            add(member.name, member.isForced ? .set(member.json) : .add(member.json))
        }
        guard !isTranslated else { return changes }
        if endpoint.dialect != .gemini {
            for row in refused where rules.has(row.quirk) {
                for name in row.names { add(name, .remove) }
            }
            if rules.thinking(endpoint.dialect) == .none {
                for name in ["reasoning_effort", "reasoning", "thinking"] { add(name, .remove) }
            }
        }
        if endpoint.dialect == .chat {
            if rules.has(.randomSeed) { add("seed", .rename("random_seed")) }
            // Of an unknown server it is not known which of the two it takes.
            if !profile.kind.hasSuffix("-compatible") || model.rules.maxTokens != nil {
                switch rules.maxTokens {
                case .maxTokens: add("max_completion_tokens", .rename("max_tokens"))
                case .maxCompletionTokens: add("max_tokens", .rename("max_completion_tokens"))
                }
            }
        }
        return changes
    }

    /// Limits the output to what the rules allow, under the name that the provider takes.
    private func capOutput(_ root: JSONValue, _ changes: inout [(name: String, change: MemberChange)]) {
        guard let cap = model.rules.outputCap, endpoint.dialect != .gemini, !rules.has(.noMaxTokens) else {
            return
        }
        let written: (name: String, value: Int?)
        switch endpoint.dialect {
        case .chat:
            let limit = root.member("max_completion_tokens")
            written =
                limit == nil
                ? (isTranslated ? rules.maxTokens.rawValue : "max_tokens", root.member("max_tokens")?.int)
                : ("max_completion_tokens", limit?.int)
        case .responses: written = ("max_output_tokens", root.member("max_output_tokens")?.int)
        case .messages, .gemini: written = ("max_tokens", root.member("max_tokens")?.int)
        }
        if let value = written.value, value <= cap { return }
        var name = written.name
        if case .rename(let new)? = changes.first(where: { $0.name == name })?.change { name = new }
        changes.removeAll { $0.name == written.name || $0.name == name }
        if name != written.name { changes.append((written.name, .remove)) }
        changes.append((name, .set(String(cap))))
    }

    // MARK: - Effort

    /// Whether an effort that a request does not name is written here as a word of its own; else an encoder has to.
    package static func writesEffort(_ dialect: Dialect, _ form: ThinkingForm) -> Bool {
        switch (dialect, form) {
        case (.gemini, _), (.chat, .reasoningObject), (.chat, .thinkingType), (.chat, .enableThinking): false
        case (.messages, let form): form == .adaptive
        default: form != .none
        }
    }

    /// Members of Chat that say how much to think besides `reasoning_effort`.
    private static let chatThinking: [StaticString] = [
        "reasoning", "thinking", "enable_thinking", "thinking_budget",
    ]

    private func adaptEffort(
        _ root: JSONValue, _ changes: inout [(name: String, change: MemberChange)], _ edit: inout ObjectEdit
    ) {
        guard adaptsEffort, rules.thinking(endpoint.dialect) != .none else { return }
        switch endpoint.dialect {
        case .chat:
            let isSaid = RequestAdapter.chatThinking.contains { root.member($0)?.isNull == false }
            guard !isSaid || root.member("reasoning_effort") != nil else { return }
            guard let json = effort(root.member("reasoning_effort")) else { return }
            changes.append(("reasoning_effort", .set(json)))
        case .responses: nested("reasoning", root.member("reasoning"), &changes, &edit)
        case .messages where rules.messagesThinking == .adaptive:
            let config = root.member("output_config")
            guard config?.member("effort") != nil || leavesThinkingOpen(root) else { return }
            nested("output_config", config, &changes, &edit)
        case .messages, .gemini: break
        }
    }

    /// Thinking of Messages that is off, or up to a number of tokens, is a word about its amount.
    private func leavesThinkingOpen(_ root: JSONValue) -> Bool {
        root.member("thinking")?.member("type")?.isString("adaptive") ?? true
    }

    /// The effort to ask for as JSON, or nil when the client's stands or nobody says anything.
    private func effort(_ written: JSONValue?) -> String? {
        let wanted = written?.string ?? model.effort
        guard let effort = model.rules.effort(for: ReasoningRequest(effort: wanted)) else { return nil }
        guard effort != written?.string else { return nil }
        var json: [UInt8] = []
        JSONWriter.append(string: effort, to: &json)
        return String(decoding: json, as: UTF8.self)
    }

    private func nested(
        _ name: String, _ holder: JSONValue?, _ changes: inout [(name: String, change: MemberChange)],
        _ edit: inout ObjectEdit
    ) {
        guard let json = effort(holder?.isObject == true ? holder?.member("effort") : nil) else { return }
        if let holder, holder.isObject {
            edit.change(holder, [("effort", .set(json))])
        } else {
            changes.append((name, .set("{\"effort\":\(json)}")))
        }
    }

    // MARK: - Tools and messages

    private func adaptToolChoice(
        _ root: JSONValue, _ changes: inout [(name: String, change: MemberChange)], _ losses: inout Losses
    ) {
        guard rules.toolChoice != .full, let choice = root.member("tool_choice") else { return }
        switch (rules.toolChoice, endpoint.dialect) {
        case (.autoOnly, .chat), (.autoOnly, .responses):
            guard choice.isObject || choice.isString("required") else { return }
            losses.add(.toolChoice)
            changes.append(("tool_choice", .set("\"auto\"")))
        case (.anyWord, .chat):
            if choice.isString("required") { changes.append(("tool_choice", .set("\"any\""))) }
        // The surfaces for Messages of such providers take what Messages has.
        case (.autoOnly, _), (.anyWord, _), (.full, _): break
        }
    }

    private func dropStrict(_ root: JSONValue, _ edit: inout ObjectEdit, _ losses: inout Losses) {
        guard let tools = root.member("tools"), tools.isArray, endpoint.dialect != .gemini else { return }
        for tool in tools.elements where tool.isObject {
            if endpoint.dialect == .chat, let function = tool.member("function"), function.isObject {
                if function.field("strict") != nil { losses.add(.member) }
                edit.change(function, [("strict", .remove)])
            } else if endpoint.dialect == .messages {
                if tool.field("strict") != nil { losses.add(.member) }
                edit.change(tool, [("strict", .remove)])
            } else if endpoint.dialect == .responses, tool.member("strict")?.bool == true {
                // Responses asks for the member itself.
                losses.add(.member)
                edit.change(tool, [("strict", .set("false"))])
            }
        }
    }

    private func renameSystem(_ root: JSONValue, _ edit: inout ObjectEdit) {
        guard let input = root.member("input"), input.isArray else { return }
        for item in input.elements where item.isObject && item.member("role")?.isString("system") == true {
            edit.change(item, [("role", .set("\"developer\""))])
        }
    }
}
