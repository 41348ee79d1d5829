// SPDX-License-Identifier: Apache-2.0
// The policy of a checked configuration.

package import Config

extension PolicyConfig {
    package init(_ configuration: Configuration) {
        let settings = configuration.failures
        let preference: Preference =
            switch settings.prefer {
            case .order: .order
            case .latency: .latency
            case .cost: .cost
            }
        self.init(
            preference: preference, topK: settings.topK, temperature: settings.temperature,
            wait: WaitRule(
                totalMsec: settings.totalWaitMs, longestMsec: settings.longestWaitMs,
                firstPauseMsec: settings.initialBackoffMs, multiplier: settings.backoffMultiplier),
            hedges: settings.hedges,
            bans: BanRules(
                rules: settings.bans.map {
                    BanRules.Rule(
                        status: $0.status, attempts: $0.attempts, durationMsec: $0.durationMs ?? 0)
                }),
            providers: configuration.providers.map { provider in
                PolicyProvider(provider, settings.tierRetries[provider.name])
            })
    }
}

extension PolicyProvider {
    fileprivate init(_ provider: Provider, _ retry: TierRetry?) {
        let credentials =
            provider.credentials.isEmpty
            ? [PolicyCredential(name: "", weight: 1, priority: 0, limit: MinuteLimits(provider.limit))]
            : provider.credentials.map {
                PolicyCredential(
                    name: $0.name, weight: $0.weight, priority: $0.priority, limit: MinuteLimits($0.limit))
            }
        self.init(
            name: provider.name, credentials: credentials,
            retry: retry.map {
                RetryRule(
                    maximum: $0.maximum, firstBackOffMsec: $0.baseBackoffMs, multiplier: $0.multiplier,
                    longestBackOffMsec: $0.maximumBackoffMs, isEager: true)
            } ?? .standard,
            weight: provider.weight, priority: provider.priority, honorsHeaders: provider.honorsRateHeaders,
            modelLimits: provider.modelLimits.mapValues { MinuteLimits($0) },
            price: provider.pricing.map { $0.input + $0.output },
            modelPrices: provider.modelPricing.mapValues { $0.input + $0.output })
    }
}

extension MinuteLimits {
    fileprivate init(_ limit: PerMinute) { self.init(requests: limit.requests, tokens: limit.tokens) }
}
