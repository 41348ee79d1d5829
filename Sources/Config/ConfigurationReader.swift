// SPDX-License-Identifier: Apache-2.0
// Turns a checked tree into a Configuration and says what does not fit together.
// Source: inet_pton(3), unix(7).

import Glibc

/// Values that the command line sets instead of the file.
package struct ConfigOverrides: Equatable, Sendable {
    package var host: String?
    package var port: UInt16?

    package init(host: String? = nil, port: UInt16? = nil) {
        self.host = host
        self.port = port
    }
}

/// Reads one tree.
struct ConfigurationReader {
    let root: ConfigSection
    let overrides: ConfigOverrides
    let surroundings: Surroundings
    /// What ModelsFile says; nil without one.
    let modelTable: [ModelEntry]?
    var problems: ConfigProblems

    init(
        _ node: ConfigNode, overrides: ConfigOverrides, surroundings: Surroundings,
        modelTable: [ModelEntry]? = nil, problems: ConfigProblems
    ) {
        root = ConfigSection(node: node, pattern: "", path: "")
        self.overrides = overrides
        self.surroundings = surroundings
        self.modelTable = modelTable
        self.problems = problems
    }

    /// The configuration; it may be used only when `problems` holds no error afterwards.
    mutating func read() -> Configuration {
        let timeouts = timeouts
        let clientKeys = clientKeys()
        var providers = providers(timeouts.upstream)
        warnOfFreeBudgets(clientKeys, providers)
        let failures = failures(&providers, totalMs: timeouts.upstream.totalMs)
        let listen = listen(hasKeys: !clientKeys.isEmpty)
        var routes = RouteReader(root: root, providers: providers, problems: problems)
        let aliases = routes.aliases()
        let targets = RouteTargets(providers: providers, aliases: aliases)
        let router = routes.router(targets)
        let presets = routes.presets(targets)
        let mappings = routes.codexMappings(targets)
        let codex = routes.frontend("codex", router, targets)
        let claudeCode = routes.frontend("claudeCode", router, targets)
        routes.checkThreshold(root.section("Router"), router.kinds + codex.kinds + claudeCode.kinds)
        let rules = routes.rules(targets, keys: clientKeys.map(\.name))
        problems = routes.problems
        return Configuration(
            listen: listen, clientKeys: clientKeys, adminKey: adminKey(clientKeys), providers: providers,
            models: ModelEntry.list(root, &problems), modelTable: modelTable, router: router,
            presets: presets,
            codexMappings: mappings.named, codexDefault: mappings.default, codex: codex,
            claudeCode: claudeCode, rules: rules, aliases: aliases, failures: failures,
            limits: limits,
            timeouts: timeouts, stateDirectory: root.text("STATE_DIR") ?? surroundings.stateDirectory
        )
    }

    // MARK: - Listening

    private mutating func listen(hasKeys: Bool) -> ListenSettings {
        let written = root.value("HOST")
        let path = overrides.host == nil ? "HOST" : "--host"
        let position = overrides.host == nil ? written?.node.position : nil
        var host = overrides.host ?? root.textOrDefault("HOST")
        if host == "localhost" { host = "127.0.0.1" }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let isHidden = overrides.host == nil && written?.node.isInterpolated == true
        let shown = isHidden ? "the address" : quoted(host)
        switch Self.isLoopback(host) {
        case nil:
            let message = "\(shown) is no numeric IPv4 or IPv6 address (nor “localhost”)"
            problems.add(ConfigProblem(.error, at: position, key: path, message))
        case false? where !hasKeys:
            let message =
                "\(shown) can be reached from other machines: set APIKEY or Clients, or listen on 127.0.0.1"
            problems.add(ConfigProblem(.error, at: position, key: path, message))
        default: break
        }
        if let (node, path) = root.value("SOCKET"), let text = node.text,
            text.isEmpty || text.utf8.count > 107
        {
            problems.error(node, path, "allowed are paths of 1 to 107 bytes")
        }
        let port = overrides.port ?? UInt16(clamping: root.integerOrDefault("PORT"))
        return ListenSettings(host: host, port: port, socketPath: root.text("SOCKET"))
    }

    /// Whether the address is a loopback address, or nil when it is no numeric address.
    static func isLoopback(_ host: String) -> Bool? {
        var four = in_addr()
        if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
        var six = in6_addr()
        guard inet_pton(AF_INET6, host, &six) == 1 else { return nil }
        return withUnsafeBytes(of: &six) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
    }

    // MARK: - Clients and providers

    /// A key of its own: whoever may send requests may not change credentials.
    private mutating func adminKey(_ clientKeys: [ClientKey]) -> Secret? {
        guard let (node, path) = root.value("ADMIN_API_KEY"), let text = node.text, !text.isEmpty,
            usable(text, node, path)
        else { return nil }
        if clientKeys.contains(where: { $0.key == Secret(text) }) {
            problems.error(node, path, "is the key of a client as well")
        }
        return Secret(text)
    }

    /// A budget is spent by prices only.
    private mutating func warnOfFreeBudgets(_ keys: [ClientKey], _ providers: [Provider]) {
        guard keys.contains(where: \.hasBudget),
            providers.allSatisfy({ $0.pricing == nil && $0.modelPricing.isEmpty }),
            let (node, path) = root.value("Clients")
        else { return }
        problems.warning(node, path, "budgets are never spent: no provider has pricing or model_pricing")
    }

    private mutating func providers(_ timeouts: UpstreamTimeouts) -> [Provider] {
        var providers: [Provider] = []
        if let (node, path) = root.value("Providers"), node.elements.isEmpty {
            problems.error(node, path, "is empty, allowed is at least one provider")
        }
        checkProxies()
        for section in root.sections("Providers") {
            let reader = ProviderReader(
                section: section, timeouts: timeouts, proxy: root.secret("PROXY_URL"),
                isForcedWhole: root.section("Router").boolean("forceNonStreaming"))
            guard let provider = reader.read(&problems) else { continue }
            if let (node, path) = section.value("name"),
                providers.contains(where: { $0.name.lowercased() == provider.name.lowercased() })
            {
                problems.error(
                    node, path, "another provider is named \(quoted(provider.name)) too (case does not count)"
                )
            } else {
                checkCredentials(provider, section, after: providers)
                providers.append(provider)
            }
        }
        return providers
    }

    /// A credential has one name and one provider, and is the only key of its provider.
    private mutating func checkCredentials(
        _ provider: Provider, _ section: ConfigSection, after others: [Provider]
    ) {
        guard let (node, path) = section.value("credentials") else { return }
        if provider.credentials.count > Self.maximumCredentials {
            problems.error(node, path, "allowed are at most \(Self.maximumCredentials) credentials")
        }
        var names = Set(others.flatMap { $0.credentials.map(\.name) })
        for credential in provider.credentials where !names.insert(credential.name).inserted {
            problems.error(node, path, "another credential is named \(quoted(credential.name)) too")
        }
        if provider.apiKey != nil, !provider.credentials.isEmpty {
            problems.error(node, path, "the provider has api_key as well; keep one of the two")
        }
    }

    /// Of one provider.
    private static let maximumCredentials = 64

    /// The proxy schemes of libcurl (CURLOPT_PROXY(3)).
    private static let proxySchemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]

    private mutating func checkProxies() {
        for section in [root] + root.sections("Providers") {
            guard let (node, path) = section.value(section.path.isEmpty ? "PROXY_URL" : "proxy"),
                let text = node.text,
                !text.isEmpty
            else { continue }
            let scheme = text.prefix { $0 != ":" }
            let isURL =
                Self.proxySchemes.contains(String(scheme)) && text.dropFirst(scheme.count).hasPrefix("://")
            if !isURL || !text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) {
                problems.error(
                    node, path, "allowed are URLs with \(Self.proxySchemes.joined(separator: ", "))")
            }
        }
    }

    // MARK: - Numbers

    private var limits: Limits {
        let section = root.section("Limits")
        return Limits(
            headBytes: section.integerOrDefault("headBytes"),
            bodyBytes: section.integerOrDefault("bodyBytes"),
            headerTimeoutMs: section.integerOrDefault("headerTimeoutMs"),
            bodyTimeoutMs: section.integerOrDefault("bodyTimeoutMs"),
            idleTimeoutMs: section.integerOrDefault("idleTimeoutMs"),
            connections: section.integerOrDefault("connections"),
            requestsInFlight: section.integerOrDefault("requestsInFlight"),
            concurrentRequests: section.integer("concurrentRequests"),
            queuedRequests: section.integerOrDefault("queuedRequests"),
            queueTimeoutMs: section.integerOrDefault("queueTimeoutMs"),
            decodedRatio: section.integerOrDefault("decodedRatio")
        )
    }

    private var timeouts: Timeouts {
        let section = root.section("Timeouts")
        return Timeouts(
            upstream: UpstreamTimeouts(
                connectMs: section.integerOrDefault("connectMs"),
                firstEventMs: section.integerOrDefault("firstEventMs"),
                idleMs: section.integerOrDefault("idleMs"),
                totalMs: section.integer("totalMs") ?? root.integerOrDefault("API_TIMEOUT_MS")
            ),
            keepaliveMs: section.integerOrDefault("keepaliveMs"),
            commitHoldMs: section.integerOrDefault("commitHoldMs"),
            unusedConnectionMs: section.integerOrDefault("unusedConnectionMs"),
            drainMs: section.integerOrDefault("drainMs"),
            watchdogMs: section.integerOrDefault("watchdogMs")
        )
    }
}
