// SPDX-License-Identifier: Apache-2.0
// What a request is for, told from what clients send: signs that can be seen in a request, and what each one means.
// Neither the name of the model nor the presence of thinking tells anything: agents use one model for all their work
// and let it think always.
// Source: Claude Code 2.1.329 and Codex 0.163.0 as they were observed in November 2026; earlier releases where noted.

package import Config

/// Signs that can be seen in a request. Each is a fact; what follows from it is in `KindTable`.
package struct RequestSigns: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    private init(bit: UInt32) {
        self.init(rawValue: 1 << bit)
    }

    /// The path asks for a compacted conversation.
    static let compactPath = RequestSigns(bit: 0)
    /// The last input item asks for one.
    static let compactionTrigger = RequestSigns(bit: 1)
    /// Codex's turn metadata name a compaction.
    static let compactionTurn = RequestSigns(bit: 2)
    /// Codex names its helper for compactions.
    static let compactHelper = RequestSigns(bit: 3)
    /// The last user text demands an analysis and a summary in tags.
    static let summaryDemand = RequestSigns(bit: 4)
    /// The answer's format is an object with a title, and there are no tools.
    static let titleFormat = RequestSigns(bit: 5)
    /// Codex's turn metadata name a thread that makes titles.
    static let titleThread = RequestSigns(bit: 6)
    /// One token is asked for.
    static let oneToken = RequestSigns(bit: 7)
    /// There are no tools, and the model is the vendor's small one.
    static let smallModel = RequestSigns(bit: 8)
    /// All tools are hosted searches.
    static let searchOnly = RequestSigns(bit: 9)
    /// The last user text begins or ends with a tag that asks for a search.
    static let searchTag = RequestSigns(bit: 10)
    /// A header names the agent that another one has started.
    static let agentHeader = RequestSigns(bit: 11)
    /// The first system text says that this is a subagent.
    static let agentSystem = RequestSigns(bit: 12)
    /// Codex names a spawned agent.
    static let spawnedThread = RequestSigns(bit: 13)
    /// The prompt names the model for a subagent in a tag.
    static let agentTag = RequestSigns(bit: 14)
    /// Some message holds an image.
    static let image = RequestSigns(bit: 15)
    /// A high effort is asked for.
    static let highEffort = RequestSigns(bit: 16)
    /// An effort above high is asked for.
    static let extraEffort = RequestSigns(bit: 17)
    /// A budget of thinking is set.
    static let budget = RequestSigns(bit: 18)
}

/// What the signs mean, by client.
enum KindTable {
    struct Row {
        let sign: RequestSigns
        /// nil: all clients.
        let client: ClientKind?
        let kind: RequestKind
        /// For explanations: "the request is …, because …".
        let reason: String
    }

    static let rows: [Row] = [
        Row(sign: .compactPath, client: nil, kind: .compact, reason: "its path asks for a compaction"),
        Row(
            sign: .compactionTrigger, client: nil, kind: .compact,
            reason: "its last item is a compaction_trigger"),
        Row(
            sign: .compactionTurn, client: .codex, kind: .compact,
            reason: "its turn metadata say request_kind compaction"),
        Row(sign: .compactHelper, client: .codex, kind: .compact, reason: "x-openai-subagent says compact"),
        Row(
            sign: .summaryDemand, client: .claudeCode, kind: .compact,
            reason: "its last text demands <analysis> and <summary>"),
        Row(
            sign: .titleFormat, client: .claudeCode, kind: .background,
            reason: "it has no tools and its format is a title"),
        Row(
            sign: .titleThread, client: .codex, kind: .background,
            reason: "its turn metadata say thread_source thread_title"),
        // Releases before 2.1 ask for one token to see whether the key works, and use their small model for topics.
        Row(sign: .oneToken, client: .claudeCode, kind: .background, reason: "it asks for one token"),
        Row(
            sign: .smallModel, client: .claudeCode, kind: .background,
            reason: "it has no tools and names a small model"),
        Row(
            sign: .searchOnly, client: nil, kind: .webSearch, reason: "its only tool is a hosted web search"),
        Row(
            sign: .searchTag, client: nil, kind: .webSearch,
            reason: "its last text is tagged [search] or [web]"),
        Row(
            sign: .agentHeader, client: .claudeCode, kind: .subagent,
            reason: "x-claude-code-agent-id names an agent"),
        Row(
            sign: .agentSystem, client: .claudeCode, kind: .subagent,
            reason: "its system prompt says cc_is_subagent"),
        Row(
            sign: .spawnedThread, client: .codex, kind: .subagent,
            reason: "its turn metadata or x-openai-subagent name a spawned agent"),
        Row(sign: .agentTag, client: nil, kind: .subagent, reason: "its prompt has a CCR-SUBAGENT-MODEL tag"),
        Row(sign: .image, client: nil, kind: .image, reason: "it holds an image"),
        // Claude Code asks for “high” by itself when it does not know the model.
        Row(
            sign: .extraEffort, client: nil, kind: .think, reason: "it asks for an effort above high"),
        Row(sign: .highEffort, client: .codex, kind: .think, reason: "it asks for high effort"),
        Row(sign: .highEffort, client: .other, kind: .think, reason: "it asks for high effort"),
        Row(sign: .budget, client: .other, kind: .think, reason: "it sets a budget of thinking"),
    ]

    /// Which kind counts when a request is of several and each has a route: what a request is for goes before what it
    /// holds, and where it fits before how it is worked on.
    static let precedence: [RequestKind] = [
        .compact, .background, .webSearch, .subagent, .longContext, .image, .think,
    ]
}

/// The kinds that a request is of.
package struct RequestKinds: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package init(_ kind: RequestKind) {
        self.init(rawValue: 1 << kind.rawValue)
    }

    /// What signs mean when this client sends them.
    init(_ signs: RequestSigns, from client: ClientKind) {
        self.init(rawValue: 0)
        guard !signs.isEmpty else { return }
        for row in KindTable.rows where signs.contains(row.sign) {
            if row.client == nil || row.client == client { insert(RequestKinds(row.kind)) }
        }
    }

    /// The strongest one.
    package var first: RequestKind {
        KindTable.precedence.first { contains(RequestKinds($0)) } ?? .main
    }
}
