// SPDX-License-Identifier: Apache-2.0
// Turns one entry of Providers into a typed provider and says what does not fit.
// Source: RFC 9110 §5.1, §5.5 for header names and values.

/// Reads one provider; what it needs from the rest of the configuration comes with it.
struct ProviderReader {
    let section: ConfigSection
    let timeouts: UpstreamTimeouts
    let proxy: Secret?
    /// Router.forceNonStreaming.
    let isForcedWhole: Bool

    /// The quirk of providers that are not asked for streams.
    private static let whole = "document_only"

    /// The URL that means the provider inside ccr.
    static let echoURL = "builtin:echo"
    /// The models of the embedded provider: plain text, a tool call, reasoning.
    static let echoModels = ["echo", "echo:tools", "echo:think"]

    /// Headers that ccr or libcurl sets; a second one would contradict it.
    private static let reservedHeaders: Set<String> = [
        "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding",
        "upgrade",
    ]

    /// The provider, or nil when it has no usable name or URL.
    func read(_ problems: inout ConfigProblems) -> Provider? {
        guard let name = name(&problems), let address = section.value("api_base_url"),
            let text = address.node.text
        else { return nil }
        var baseURL: BaseURL?
        if text != Self.echoURL {
            do {
                baseURL = try BaseURL(text)
            } catch {
                problems.error(address.node, address.path, error.message)
                return nil
            }
        }
        let transformers = TransformerUses(section.value("transformer"), &problems)
        let names = transformers.common.map(\.name)
        let family =
            section.text("protocol").flatMap { ProviderProtocol(rawValue: $0) }
            ?? names.lazy.compactMap { TransformerUses.families[$0] }.first
        let kind = kind(baseURL, family, names)
        let dialects = dialects(baseURL, kind, family, &problems)
        warnAboutBase(baseURL, kind, address, &problems)
        return Provider(
            name: name,
            tierName: section.text("tier_name") ?? name,
            baseURL: baseURL,
            apiKey: headerText("api_key", &problems).map { Secret($0) },
            credentials: section.sections("credentials").compactMap { entry in
                CredentialReader(section: entry).read(&problems)
            },
            models: models(baseURL, &problems),
            liveModels: section.boolean("live_models"),
            kind: kind,
            dialects: dialects,
            baseURLs: baseURLs(&problems),
            anthropicVersion: headerText("anthropic_version", &problems)
                ?? section.textOrDefault("anthropic_version"),
            authHeader: section.text("auth_header").map { AuthHeader(rawValue: $0) ?? .bearer },
            overrides: overrides(&problems),
            transformers: transformers,
            extraHeaders: extraHeaders(&problems),
            workers: section.integerOrDefault("workers"),
            proxy: section.secret("proxy") ?? proxy,
            timeouts: providerTimeouts,
            pricing: pricing(section.section("pricing")),
            modelPricing: modelPricing,
            weight: section.integer("weight") ?? 0,
            priority: section.integerOrDefault("priority"),
            limit: PerMinute(requests: section.integer("rpm"), tokens: section.integer("tpm")),
            modelLimits: modelLimits,
            honorsRateHeaders: section.boolean("honor_ratelimit_headers")
        )
    }

    private func name(_ problems: inout ConfigProblems) -> String? {
        guard let (node, path) = section.value("name"), let name = node.text else { return nil }
        let isPlain = name.unicodeScalars.allSatisfy {
            $0.value > 0x20 && $0.value != 0x7F && $0 != "," && $0 != "/"
        }
        if name.isEmpty || name.utf8.count > 64 || !isPlain {
            problems.error(
                node, path, "allowed are 1 to 64 bytes without blanks, control characters, “,” and “/”")
            return nil
        }
        return name
    }

    private func kind(_ url: BaseURL?, _ family: ProviderProtocol?, _ transformers: [String]) -> String {
        if let kind = section.text("kind"), ProviderKind.names.contains(kind) { return kind }
        guard let url else { return ProviderKind.openAICompatible }
        let kind = KnownHosts.kind(of: url, family)
        guard kind == ProviderKind.openAICompatible, section.value("protocol") == nil else { return kind }
        return transformers.lazy.compactMap { TransformerUses.kinds[$0] }.first ?? kind
    }

    private func warnAboutBase(
        _ url: BaseURL?, _ kind: String, _ address: (node: ConfigNode, path: String),
        _ problems: inout ConfigProblems
    ) {
        guard let url, kind == ProviderKind.openAICompatible, section.value("dialects") == nil else { return }
        if url.endpointDialect == .messages {
            problems.warning(address.node, address.path, "ends in /messages, but protocol is openai")
        } else if url.path.isEmpty, url.endpointDialect == nil {
            let message = "has no path; most providers answer below /v1 (requests go to …/chat/completions)"
            problems.warning(address.node, address.path, message)
        }
    }

    private func models(_ url: BaseURL?, _ problems: inout ConfigProblems) -> [String] {
        guard let (node, path) = section.value("models") else { return url == nil ? Self.echoModels : [] }
        var models: [String] = []
        var seen: Set<String> = []
        for (index, element) in node.elements.enumerated() {
            guard let model = element.text else { continue }
            if model.isEmpty || model.utf8.count > 256
                || model.unicodeScalars.contains(where: { $0.value < 0x20 })
            {
                problems.error(
                    element, "\(path)[\(index)]", "allowed are 1 to 256 bytes without control characters")
            } else if !seen.insert(model).inserted {
                problems.warning(element, "\(path)[\(index)]", "\(quoted(model)) is listed twice")
            } else {
                models.append(model)
            }
        }
        return models
    }

    private func dialects(
        _ url: BaseURL?, _ kind: String, _ family: ProviderProtocol?, _ problems: inout ConfigProblems
    ) -> [ProviderDialect] {
        if let (node, path) = section.value("dialects"), case .array = node.value {
            let named = Set(node.elements.compactMap { $0.text.flatMap { ProviderDialect(rawValue: $0) } })
            if node.elements.isEmpty {
                let all = ProviderDialect.allCases.map(\.rawValue).joined(separator: ", ")
                problems.error(node, path, "is empty, allowed is at least one of \(all)")
            }
            return ProviderDialect.allCases.filter { named.contains($0) }
        }
        guard let url else { return [.chat, .responses, .messages] }
        switch family {
        case .anthropic: return [.messages]
        case .gemini: return [.gemini]
        case .openai, nil: break
        }
        // An unknown host with a transformer for its kind serves what its URL names, or Chat as those files mean it.
        if section.value("kind") == nil, kind != ProviderKind.openAICompatible,
            KnownHosts.kind(of: url, family) == ProviderKind.openAICompatible, kind != "vertex"
        {
            return [url.endpointDialect ?? .chat]
        }
        guard kind == ProviderKind.openAICompatible else { return [] }
        // An unknown host serves what its URL names; one that names nothing probably OpenAI's two.
        return url.endpointDialect.map { [$0] } ?? [.chat, .responses]
    }

    private func baseURLs(_ problems: inout ConfigProblems) -> [ProviderDialect: BaseURL] {
        let own = section.section("base_urls")
        var urls: [ProviderDialect: BaseURL] = [:]
        for dialect in ProviderDialect.allCases {
            guard let (node, path) = own.value(dialect.rawValue), let text = node.text else { continue }
            do {
                urls[dialect] = try BaseURL(text)
            } catch {
                problems.error(node, path, error.message)
            }
        }
        return urls
    }

    private func overrides(_ problems: inout ConfigProblems) -> ProfileOverrides {
        let own = section.section("profile")
        var overrides = ProfileOverrides()
        overrides.quirks = ProfileWords.readQuirks(own.value("quirks"), &problems)
        if isForcedWhole, !section.boolean("allow_streaming"), overrides.quirks[Self.whole] == nil {
            overrides.quirks[Self.whole] = true
        }
        for choice in ProfileWords.choices { overrides.choices[choice.key] = own.text(choice.key) }
        overrides.toolNameBytes = own.integer("tool_name_bytes")
        overrides.stopCount = own.integer("stop_count")
        overrides.maxTemperature = own.number("max_temperature")
        if let node = own.value("required")?.node {
            overrides.required = node.uniqueMembers.map { ($0.key, $0.node.json) }
        }
        overrides.forbidden = own.texts("forbidden") ?? []
        overrides.forbiddenHeaders = own.texts("forbidden_headers")?.map { $0.lowercased() } ?? []
        for name in ProfileWords.endpoints {
            guard let (node, path) = own.section("paths").value(name), let text = node.text else { continue }
            guard text.hasPrefix("/"),
                text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") })
            else {
                problems.error(node, path, "allowed is a path that begins with “/”, without blanks and “#”")
                continue
            }
            overrides.paths[name] = text
        }
        return overrides
    }

    /// What travels in a header: printable ASCII only.
    private func headerText(_ key: String, _ problems: inout ConfigProblems) -> String? {
        guard let (node, path) = section.value(key), let text = node.text, !text.isEmpty else { return nil }
        guard text.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) else {
            problems.error(node, path, "holds a line break, a control character or one outside ASCII")
            return nil
        }
        return text
    }

    private func extraHeaders(_ problems: inout ConfigProblems) -> [ExtraHeader] {
        guard let (node, path) = section.value("extra_headers") else { return [] }
        var headers: [ExtraHeader] = []
        for member in node.uniqueMembers {
            guard let text = member.node.text else { continue }
            let memberPath = "\(path).\(member.key)"
            if !Self.isToken(member.key) {
                problems.error(member.node, memberPath, "is no header name")
            } else if Self.reservedHeaders.contains(member.key.lowercased()) {
                problems.error(member.node, memberPath, "ccr sets this header itself")
            } else if !text.utf8.allSatisfy({ 0x20...0x7E ~= $0 || $0 == 0x09 }) {
                problems.error(
                    member.node, memberPath,
                    "the value holds a line break, a control character or one outside ASCII")
            } else {
                headers.append(ExtraHeader(name: member.key, value: Secret(text)))
            }
        }
        return headers
    }

    static func isToken(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 || "!#$%&'*+-.^_`|~".utf8.contains($0)
            }
    }

    private var providerTimeouts: UpstreamTimeouts {
        let own = section.section("timeouts")
        return UpstreamTimeouts(
            connectMs: own.integer("connectMs") ?? timeouts.connectMs,
            firstEventMs: own.integer("firstEventMs") ?? timeouts.firstEventMs,
            idleMs: own.integer("idleMs") ?? timeouts.idleMs,
            totalMs: own.integer("totalMs") ?? timeouts.totalMs
        )
    }

    private func pricing(_ section: ConfigSection) -> Pricing? {
        let input = section.number("input_per_million_tokens")
        let output = section.number("output_per_million_tokens")
        guard input != nil || output != nil else { return nil }
        return Pricing(
            input: input ?? 0, output: output ?? 0,
            cacheRead: section.number("cache_read_per_million_tokens"),
            cacheWrite: section.number("cache_write_per_million_tokens"))
    }

    private var modelLimits: [String: PerMinute] {
        var limits: [String: PerMinute] = [:]
        for (member, section) in section.entries("model_limits") {
            limits[member.key] = PerMinute(requests: section.integer("rpm"), tokens: section.integer("tpm"))
        }
        return limits
    }

    private var modelPricing: [String: Pricing] {
        var prices: [String: Pricing] = [:]
        for (member, section) in section.entries("model_pricing") { prices[member.key] = pricing(section) }
        return prices
    }
}
