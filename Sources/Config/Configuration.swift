// SPDX-License-Identifier: Apache-2.0
// A checked configuration. Every value is in range and every route leads somewhere; docs/config.md is the manual.

/// Everything the operator decides.
package struct Configuration: Equatable, Sendable {
    package var listen: ListenSettings
    /// APIKEY under the name "default", then Clients; empty means that loopback clients need no key.
    package var clientKeys: [ClientKey]
    /// ADMIN_API_KEY; nil means that only admin sockets may ask for admin paths.
    package var adminKey: Secret?
    /// At least one; names are unique, also without regard to case.
    package var providers: [Provider]
    /// In the order of matching.
    package var models: [ModelEntry]
    /// In place of the built-in table, in the order of matching; nil: the built-in one.
    package var modelTable: [ModelEntry]?
    package var router: RouterSettings
    package var presets: [Preset]
    /// Frontend.codex.modelMappings without its key "default".
    package var codexMappings: [NamedRoute]
    /// The key "default" of Frontend.codex.modelMappings.
    package var codexDefault: Route?
    /// Frontend.codex and Frontend.claudeCode.
    package var codex: FrontendSettings
    package var claudeCode: FrontendSettings
    /// In the order of matching.
    package var rules: [RouteRule]
    package var aliases: [NamedRoute]
    package var failures: FailureSettings
    package var limits: Limits
    package var timeouts: Timeouts
    /// The directory that holds usage.db; absolute unless configured otherwise.
    package var stateDirectory: String
}

/// Where clients connect.
package struct ListenSettings: Equatable, Sendable {
    /// A numeric IPv4 or IPv6 address.
    package var host: String
    package var port: UInt16
    /// A Unix socket to listen on as well.
    package var socketPath: String?
}

/// What a route text says; which provider that is, is looked up later.
package enum Route: Equatable, Sendable {
    /// "provider,model".
    case pinned(provider: String, model: String)
    /// A model, alias or preset by its name.
    case named(String)

    /// Splits at the first comma and drops blanks around both parts.
    package init(_ text: some StringProtocol) {
        guard let comma = text.firstIndex(of: ",") else {
            self = .named(Route.trimmed(text[...]))
            return
        }
        self = .pinned(
            provider: Route.trimmed(text[..<comma]), model: Route.trimmed(text[text.index(after: comma)...]))
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = String(text)[...]
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }

    /// The route as it is written.
    package var text: String {
        switch self {
        case .pinned(let provider, let model): "\(provider),\(model)"
        case .named(let name): name
        }
    }
}

/// A name and what it stands for.
package struct NamedRoute: Equatable, Sendable {
    package var name: String
    package var target: Route
}

/// The object Router.
package struct RouterSettings: Equatable, Sendable {
    package var `default`: RouteChoice?
    /// Router.tiers, or nil when it is missing.
    package var tiers: [Route]?
    /// Those that are set, in the order of `RequestKind.routed`.
    package var kinds: [KindRoute]
    /// Input tokens above which a request is of the kind longContext.
    package var longContextThreshold: Int
    /// Of "provider,model" sent by a client only the model counts.
    package var ignoreDirect: Bool
}

/// What replaces Router's routes for one kind of client.
package struct FrontendSettings: Equatable, Sendable {
    package var `default`: RouteChoice?
    package var kinds: [KindRoute]
    package var longContextThreshold: Int?
}

/// One entry of Presets.
package struct Preset: Equatable, Sendable {
    package var name: String
    package var route: Route
    package var maxTokens: Int?
    package var temperature: Double?
    package var effort: String?
}

/// Bounds towards clients.
package struct Limits: Equatable, Sendable {
    package var headBytes: Int
    package var bodyBytes: Int
    package var headerTimeoutMs: Int
    package var bodyTimeoutMs: Int
    package var idleTimeoutMs: Int
    package var connections: Int
    package var requestsInFlight: Int
    /// Requests that providers work on at once; nil: no bound.
    package var concurrentRequests: Int?
    /// Requests of one client key that wait for their turn, and how long.
    package var queuedRequests: Int
    package var queueTimeoutMs: Int
    /// Decoded size divided by encoded size.
    package var decodedRatio: Int
}

/// How long things may take, in milliseconds.
package struct Timeouts: Equatable, Sendable {
    package var upstream: UpstreamTimeouts
    package var keepaliveMs: Int
    package var commitHoldMs: Int
    package var unusedConnectionMs: Int
    package var drainMs: Int
    package var watchdogMs: Int
}

/// How long a provider may take, in milliseconds.
package struct UpstreamTimeouts: Equatable, Sendable {
    package var connectMs: Int
    package var firstEventMs: Int
    package var idleMs: Int
    package var totalMs: Int
}
