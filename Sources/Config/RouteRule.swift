// SPDX-License-Identifier: Apache-2.0
// Where requests go by share, and rules of the operator that decide it; docs/config.md, Routing.

import Bytes

/// One of several places, with its share of the sessions.
package struct RouteShare: Equatable, Sendable {
    package var route: Route
    /// From 0; the shares of a choice sum up to more than 0.
    package var weight: Int
}

/// Where copies of requests go whose answers nobody gets.
package struct RouteShadow: Equatable, Sendable {
    package var target: Route
    /// So many of a hundred requests are copied, from 1.
    package var percent: Int
}

/// One place or several.
package struct RouteChoice: Equatable, Sendable {
    /// At least one.
    package var shares: [RouteShare]
    package var shadow: RouteShadow?

    package init(_ shares: [RouteShare]) {
        self.shares = shares
    }

    package init(_ route: Route) {
        self.init([RouteShare(route: route, weight: 1)])
    }
}

/// A kind of request and where it goes.
package struct KindRoute: Equatable, Sendable {
    package var kind: RequestKind
    package var choice: RouteChoice
}

/// What a rule demands of a request; nil and empty demand nothing.
package struct RuleMatch: Equatable, Sendable {
    /// A path as clients call it: "/v1/messages".
    package var path: String?
    /// "codex", "claude_code" or "other".
    package var client: String?
    package var kind: RequestKind?
    /// A name of the client's, with "*" for any characters.
    package var model: String?
    /// Names in lower case with patterns of their values.
    package var headers: [HeaderMatch] = []
    /// The name of a client key.
    package var key: String?
    package var minTokens: Int?
    package var maxTokens: Int?
    /// Names of tools that the request must offer, all of them.
    package var tools: [String] = []
    package var hasImage: Bool?

    package init() {}

    /// A pattern that fits another one's text fits all that the other one fits: a star is fitted by stars alone.
    private func coversModel(of other: RuleMatch) -> Bool {
        guard let model, var name = other.model else { return false }
        return name.withUTF8 { Glob.matches(Array(model.utf8), UnsafeRawBufferPointer($0)) }
    }

    /// Whether every request that fits `other` fits this one too, as far as the texts tell.
    func covers(_ other: RuleMatch) -> Bool {
        func demandsNoMore<Value: Equatable>(_ own: Value?, _ others: Value?) -> Bool {
            own == nil || own == others
        }
        return demandsNoMore(path, other.path) && demandsNoMore(client, other.client)
            && demandsNoMore(kind, other.kind)
            && (demandsNoMore(model, other.model) || coversModel(of: other))
            && demandsNoMore(key, other.key) && demandsNoMore(hasImage, other.hasImage)
            && (minTokens ?? 0) <= (other.minTokens ?? 0)
            && (maxTokens ?? .max) >= (other.maxTokens ?? .max)
            && headers.allSatisfy { other.headers.contains($0) }
            && tools.allSatisfy { other.tools.contains($0) }
    }
}

/// A header field that a rule looks at.
package struct HeaderMatch: Equatable, Sendable {
    /// In lower case.
    package var name: String
    /// "*" stands for any characters; case counts.
    package var pattern: String

    package init(name: String, pattern: String) {
        self.name = name
        self.pattern = pattern
    }
}

/// One entry of Rules.
package struct RouteRule: Equatable, Sendable {
    /// For explanations; "" when it has none.
    package var name: String
    package var match: RuleMatch
    /// Where requests that fit go; nil when later rules decide.
    package var choice: RouteChoice?
    /// Token limit of requests that set none.
    package var maxTokens: Int?
    /// Temperature of requests that set none.
    package var temperature: Double?
    /// Effort of requests that say nothing of how much to think.
    package var effort: String?
}
