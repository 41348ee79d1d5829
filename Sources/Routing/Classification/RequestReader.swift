// SPDX-License-Identifier: Apache-2.0
// Reads a request's signs from its path, its header fields and the view of its body. Looks at the beginnings and types
// of messages, never at everything in them, so that a long conversation costs microseconds.
// Source: as RequestSigns.swift; the tags are those of claude-code-router v1 and CCR-Rust.

import Bytes
package import Gateway
package import JSON

/// Gathers the traits of one request: its header fields first, then its body.
package struct RequestReader {
    private let endpoint: Endpoint
    private let client: ClientKind
    private let probes: RuleProbes
    private var traits = RequestTraits()

    /// The strongest source of the session so far; a weaker one does not replace it.
    private var sessionRank = 0

    package init(endpoint: Endpoint, client: ClientKind, probes: RuleProbes) {
        self.endpoint = endpoint
        self.client = client
        self.probes = probes
        if endpoint == .responsesCompact { traits.signs.insert(.compactPath) }
    }

    // MARK: - Header fields

    /// Looks at one header field.
    package mutating func header(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        switch name.count {
        case 10 where isName(name, "session-id") || isName(name, "session_id"): session(value, rank: 3)
        case 13 where isName(name, "x-ccr-explain"):
            traits.wantsExplanation = !value.equals("0") && !value.isEmpty
        case 17 where isName(name, "x-openai-subagent"):
            traits.signs.insert(value.equals("compact") ? .compactHelper : .spawnedThread)
        case 21 where isName(name, "x-codex-turn-metadata"): turnMetadata(value)
        case 22 where isName(name, "x-claude-code-agent-id"): traits.signs.insert(.agentHeader)
        case 24 where isName(name, "x-claude-code-session-id"): session(value, rank: 3)
        default: break
        }
        for place in probes.headers.indices where probes.headers[place].name.count == name.count {
            let probe = probes.headers[place]
            let isSame = probe.name.withUnsafeBytes { ASCII.equalIgnoringCase(name, $0) }
            if isSame, Glob.matches(probe.pattern, value) { traits.headerProbes |= 1 << UInt64(place) }
        }
    }

    private func isName(_ name: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        ASCII.equalIgnoringCase(name, text)
    }

    private mutating func session(_ name: UnsafeRawBufferPointer, rank: Int) {
        guard rank > sessionRank, !name.isEmpty, name.count <= 256 else { return }
        sessionRank = rank
        traits.session = SessionHash.of(name)
    }

    /// Codex describes the turn in a JSON text of its own, in a header and in the body.
    private mutating func turnMetadata(_ text: UnsafeRawBufferPointer) {
        guard text.count <= 16_384 else { return }
        if let kind = FlatText.member("request_kind", in: text), kind.equals("compaction") {
            traits.signs.insert(.compactionTurn)
        }
        if let source = FlatText.member("thread_source", in: text) {
            if source.equals("thread_title") { traits.signs.insert(.titleThread) }
            if source.equals("subagent") { traits.signs.insert(.spawnedThread) }
        }
        if let id = FlatText.member("session_id", in: text) { session(id, rank: 2) }
    }

    // MARK: - Body

    /// The traits, after a look at the body.
    ///
    /// - Returns: the traits, and the changes that take tags out of the prompt, in the order of their offsets.
    package mutating func read(
        _ root: JSONLookup, tokens: Int, parser: JSONParser, text: UnsafeRawBufferPointer
    ) -> (RequestTraits, [Splice]) {
        traits.tokens = tokens
        var walk = PromptWalk(probes: probes)
        walk.read(root, endpoint.dialect)
        traits.signs.formUnion(walk.signs)
        traits.hasTools = walk.toolCount > 0
        traits.toolProbes = walk.toolProbes
        traits.wantsSchema = walk.wantsSchema
        effort(root)
        switch endpoint.dialect {
        case .responses:
            if let metadata = root.member("client_metadata") {
                if let turn = metadata.member("x-codex-turn-metadata")?.stringBytes { turnMetadata(turn) }
                if let id = metadata.member("session_id")?.stringBytes { session(id, rank: 2) }
            }
        case .messages:
            if let user = root.member("metadata")?.member("user_id")?.stringBytes {
                if let id = FlatText.member("session_id", in: user) {
                    session(id, rank: 2)
                } else if let place = user.firstIndex(of: "_session_") {
                    session(user.slice((place + 9)..<user.count), rank: 2)
                }
            }
            if root.member("max_tokens")?.int == 1 { traits.signs.insert(.oneToken) }
        case .chat, .gemini: break
        }
        if let key = root.member("prompt_cache_key")?.stringBytes { session(key, rank: 1) }
        if walk.toolCount == 0, let model = root.member("model")?.stringBytes,
            model.firstIndex(of: "haiku") != nil
        {
            traits.signs.insert(.smallModel)
        }
        let removals = tags(walk, parser, text)
        return (traits, removals)
    }

    private mutating func effort(_ root: JSONLookup) {
        let said =
            root.member("reasoning_effort") ?? root.member("reasoning")?.member("effort")
            ?? root.member("output_config")?.member("effort")
        if let effort = said?.string, let rank = EffortScale.rank(effort), let high = EffortScale.rank("high")
        {
            if rank == high { traits.signs.insert(.highEffort) }
            if rank > high { traits.signs.insert(.extraEffort) }
        }
        let hasBudget =
            root.member("thinking")?.member("budget_tokens") != nil
            || (root.member("generationConfig")?.member("thinkingConfig")?.member("thinkingBudget")?.int ?? 0)
                > 0
        if hasBudget { traits.signs.insert(.budget) }
    }

    // MARK: - Tags

    /// Takes the tags that have a meaning out of the prompt.
    private mutating func tags(
        _ walk: PromptWalk, _ parser: JSONParser, _ text: UnsafeRawBufferPointer
    ) -> [Splice] {
        guard walk.agentTag != nil || walk.searchTag != nil else { return [] }
        guard let map = SourceMap(parser), let base = text.baseAddress else { return [] }
        var splices: [Splice] = []
        if let (value, found) = walk.agentTag {
            traits.signs.insert(.agentTag)
            traits.taggedModel = found.model
            splices.append(PromptTag.removal(found.range, of: value, map.bytes(of: value), in: base))
        }
        if let (value, range) = walk.searchTag {
            traits.signs.insert(.searchTag)
            let splice = PromptTag.removal(range, of: value, map.bytes(of: value), in: base)
            // Both tags in one text: the first goes now, the other one is left to be read.
            let overlaps = splices.contains {
                $0.offset < splice.offset + splice.length && splice.offset < $0.offset + $0.length
            }
            if !overlaps { splices.append(splice) }
        }
        return splices.sorted { $0.offset < $1.offset }
    }
}
