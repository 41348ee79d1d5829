// SPDX-License-Identifier: Apache-2.0
// Requests for nothing but a search of the web, at providers that cannot search.
// Source: Claude Code 2.1.329 (its search is a request of its own with `web_search_20250305` as the only tool), 2026.

import Gateway

enum HostedSearch {
    private static let note = """
        There is no web search here. Say in one sentence that web search is not available with this provider, and do \
        not make up results.
        """

    /// Tells the model that the tool it is asked to use is not there: it would invent what it should have found.
    static func prepare(_ request: inout CanonicalRequest, for rules: UpstreamRules, in dialect: Dialect) {
        guard isSearchAlone(request), !searches(rules, dialect) else { return }
        request.system.append(.text(TextPart(note)))
    }

    private static func isSearchAlone(_ request: CanonicalRequest) -> Bool {
        !request.tools.isEmpty
            && request.tools.allSatisfy { if case .hosted(.webSearch, _) = $0.kind { true } else { false } }
    }

    /// Whether the encoder of this dialect hands the tool on.
    private static func searches(_ rules: UpstreamRules, _ dialect: Dialect) -> Bool {
        rules.has(.webSearch) && dialect != .chat && !(dialect == .responses && rules.has(.functionToolsOnly))
    }
}
