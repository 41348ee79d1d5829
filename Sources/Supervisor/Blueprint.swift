// SPDX-License-Identifier: Apache-2.0
// What a configuration means for each process: one specification per process, holding what that process needs and
// nothing more. Two configurations that give a worker the same specification share the running worker.

import Config
import Credentials
import Crypto
import Gateway
import IPC
import Providers
import Routing
import Runtime

struct Blueprint {
    let front: ChildSpec
    /// By provider, then by worker number.
    let workers: [[ChildSpec]]
    let exporter: ChildSpec
    /// Only when there are credentials to keep alive.
    let refresher: ChildSpec?

    init(_ configuration: Configuration) {
        let limits = configuration.limits
        let routes = RouteTable(configuration)
        front = Blueprint.spec(
            .front,
            FrontConfig(
                routes: routes,
                limits: FrontLimits(
                    headBytes: limits.headBytes, bodyBytes: limits.bodyBytes,
                    decodedRatio: limits.decodedRatio,
                    headerTimeoutMsec: limits.headerTimeoutMs,
                    bodyTimeoutMsec: limits.bodyTimeoutMs, idleTimeoutMsec: limits.idleTimeoutMs,
                    connections: limits.connections, requestsInFlight: limits.requestsInFlight,
                    concurrentRequests: limits.concurrentRequests ?? .max,
                    queuedRequests: limits.queuedRequests, queueTimeoutMsec: limits.queueTimeoutMs,
                    totalTimeoutMsec: configuration.timeouts.upstream.totalMs),
                clients: configuration.clientKeys.map { client in
                    ClientRule(client, digest: client.hash ?? Blueprint.digest(client.key))
                },
                prices: configuration.providers.map { ProviderPrices($0) },
                adminKeyDigests: [configuration.adminKey].compactMap { $0 }.map { key in
                    SHA256.digest(key.expose()).withBytes { Array($0) }
                },
                modelsBody: ModelCatalogue.body(routes), presetsBody: PresetList.body(routes),
                policy: PolicyConfig(configuration)))
        let models = ModelTable.rows(of: configuration)
        workers = configuration.providers.map { provider in
            let config = Blueprint.worker(provider, models, configuration)
            return (0..<provider.workers).map { index in
                Blueprint.spec(.worker, config, provider: provider.name, index: index)
            }
        }
        exporter = Blueprint.spec(
            .exporter,
            ExporterConfig(
                stateDirectory: configuration.stateDirectory, providers: configuration.providers.map(\.name),
                keys: configuration.clientKeys.map(\.name), kinds: RequestKind.allCases.map(\.name),
                version: CCR.version))
        let keeping = RefresherConfig(configuration)
        var spec = Blueprint.spec(.refresher, keeping)
        spec.variables = keeping.variables
        refresher = keeping.credentials.isEmpty ? nil : spec
    }

    private static func digest(_ key: Secret?) -> [UInt8] {
        key.map { SHA256.digest($0.expose()).withBytes { Array($0) } } ?? []
    }

    private static func spec(_ role: Role, _ config: some WireCodable, provider: String = "", index: Int = 0)
        -> ChildSpec
    {
        var writer = WireWriter()
        writer.put(config)
        return ChildSpec(role: role, provider: provider, index: index, configuration: writer.bytes)
    }

    private static func worker(
        _ provider: Provider, _ models: [ModelRules], _ configuration: Configuration
    ) -> WorkerConfig {
        let timeouts = configuration.timeouts
        let resolved = ResolvedProvider(provider)
        let key = provider.apiKey?.expose() ?? []
        var extraHeaders: [String: String] = [:]
        for header in provider.extraHeaders {
            extraHeaders[header.name] = String(decoding: header.value.expose(), as: UTF8.self)
        }
        return WorkerConfig(
            provider: provider.name, isEcho: provider.isEcho, profile: resolved.profile,
            models: TransformerTable.apply(
                provider.transformers, to: ModelTable.rows(models, kind: resolved.profile.kind),
                kind: resolved.profile.kind), urls: resolved.urls,
            streamURLs: resolved.streamURLs, key: key,
            anthropicVersion: provider.anthropicVersion, extraHeaders: extraHeaders,
            proxy: provider.proxy.map { String(decoding: $0.expose(), as: UTF8.self) },
            timeouts: ExchangeTimeouts(
                connect: provider.timeouts.connectMs, firstEvent: provider.timeouts.firstEventMs,
                total: provider.timeouts.totalMs,
                idle: provider.timeouts.idleMs, keepalive: timeouts.keepaliveMs,
                commitHold: timeouts.commitHoldMs, unusedConnection: timeouts.unusedConnectionMs),
            credentials: provider.credentials.map {
                CredentialMember(
                    name: $0.name, weight: $0.weight, priority: $0.priority, waitMsec: $0.waitMsec)
            },
            tokenDirectory: provider.credentials.isEmpty
                ? "" : RefresherConfig.tokenDirectory(below: configuration.stateDirectory),
            modelsURL: resolved.modelsURL)
    }
}
