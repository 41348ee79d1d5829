// SPDX-License-Identifier: Apache-2.0
// A configured provider with the profile of its kind, changed as its entry asks, and the addresses that follow.

package import Config
package import Gateway

package struct ResolvedProvider: Equatable, Sendable {
    package let profile: ProviderProfile
    /// The URL of each endpoint below what the provider speaks; `Endpoint.modelPlaceholder` stands for the model.
    /// Empty for the embedded provider.
    package let urls: [Endpoint: String]
    /// For streams, where they have another URL.
    package let streamURLs: [Endpoint: String]
    /// Where its models are asked for; nil where the configuration alone says what they are.
    package let modelsURL: String?

    package init(_ provider: Provider) {
        profile = ResolvedProvider.profile(provider)
        var urls: [Endpoint: String] = [:]
        var streamURLs: [Endpoint: String] = [:]
        if let base = provider.baseURL {
            for surface in profile.surfaces {
                let text = Bases(base, profile).base(of: surface, override: surface.override(provider))
                for endpoint in Endpoint.allCases where endpoint.dialect == surface.dialect {
                    let query = ResolvedProvider.query(endpoint, base)
                    let path = surface.path(endpoint, streaming: false)
                    let streamPath = surface.path(endpoint, streaming: true)
                    urls[endpoint] = text + path + query
                    if streamPath != path { streamURLs[endpoint] = text + streamPath + query }
                }
            }
        }
        self.urls = urls
        self.streamURLs = streamURLs
        modelsURL = ResolvedProvider.modelsURL(provider, profile)
    }

    private static func modelsURL(_ provider: Provider, _ profile: ProviderProfile) -> String? {
        guard provider.liveModels, let base = provider.baseURL, let listing = profile.listing else {
            return nil
        }
        let surface = profile.surfaces[0]
        return Bases(base, profile).base(of: surface, override: surface.override(provider)) + listing.path
    }

    /// What an endpoint needs in the query, and the query of the configured URL, with "?" in front.
    private static func query(_ endpoint: Endpoint, _ base: BaseURL) -> String {
        let configured = String(decoding: base.query.expose(), as: UTF8.self).dropFirst()
        let parts = [endpoint.upstreamQuery, String(configured)].filter { !$0.isEmpty }
        return parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }

    // MARK: - Profile

    private static func profile(_ provider: Provider) -> ProviderProfile {
        let compatible = ProviderTable.profile(ProviderKind.openAICompatible)
        guard var profile = ProviderTable.profile(provider.kind) ?? compatible else {
            fatalError("the kind \(provider.kind) is in no table")
        }
        let wanted = provider.dialects.compactMap(Dialect.init(configured:))
        if !wanted.isEmpty {
            profile.surfaces = wanted.compactMap { profile.surface($0) ?? compatible?.surface($0) }
        }
        if let header = provider.authHeader { profile.auth = header.scheme }
        provider.overrides.apply(to: &profile)
        return profile
    }
}

extension Surface {
    /// The URL that the operator gave for this dialect alone.
    fileprivate func override(_ provider: Provider) -> BaseURL? {
        provider.baseURLs.first { Dialect(configured: $0.key) == dialect }?.value
    }

    /// The whole base path.
    fileprivate var fullPath: String { basePath + version }
}

/// Finds the base of each surface from the one URL that was configured.
private struct Bases {
    let base: BaseURL
    /// The surface that the configured URL is about.
    let named: Surface
    /// What stands before the kind's own path: of a reverse proxy.
    let prefix: String

    init(_ base: BaseURL, _ profile: ProviderProfile) {
        self.base = base
        let endpoint = base.endpointDialect.flatMap(Dialect.init(configured:)).flatMap(profile.surface)
        let matching = profile.surfaces.first { surface in
            [surface.fullPath, surface.basePath].contains { !$0.isEmpty && base.path.hasSuffix($0) }
        }
        named = endpoint ?? matching ?? profile.surfaces[0]
        let own = [named.fullPath, named.basePath].first { !$0.isEmpty && base.path.hasSuffix($0) }
        prefix = own.map { String(base.path.dropLast($0.count)) } ?? ""
    }

    /// Scheme, host and path, without a slash at the end.
    func base(of surface: Surface, override: BaseURL?) -> String {
        if let override { return override.text }
        guard surface.basePath == named.basePath else { return base.origin + prefix + surface.fullPath }
        if base.path.isEmpty { return base.origin + surface.fullPath }
        return base.text + (base.endsInVersion ? "" : surface.version)
    }
}

extension Dialect {
    /// The dialect of that name in the configuration.
    package init?(configured: ProviderDialect) {
        guard let dialect = Dialect.allCases.first(where: { $0.name == configured.rawValue }) else {
            return nil
        }
        self = dialect
    }
}

extension AuthHeader {
    fileprivate var scheme: AuthScheme {
        switch self {
        case .bearer: .bearer
        case .xAPIKey: .apiKey
        case .xGoogAPIKey: .googleKey
        case .apiKey: .azureKey
        }
    }
}
