// SPDX-License-Identifier: Apache-2.0
// What a configuration means for each process, and what it keeps from each.

import Config
import Crypto
import Gateway
import IPC
import Posix
import Routing
import Testing

@testable import Supervisor

/// One configuration file in an otherwise empty world.
private struct OneFile: FileSource {
    let text: String

    func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        guard path == "c.json" else { throw Errno("open", code: 2) }
        return Array(text.utf8)
    }

    func names(in directory: String) throws(Errno) -> [String] { [] }
}

private let secrets = [
    "key-of-alpha", "key-of-beta", "secret-header", "proxy-password", "query-token", "client-key",
]

private let full = """
    {"Providers": [
      {"name": "alpha", "api_base_url": "https://alpha.example/v1?t=query-token", "api_key": "key-of-alpha",
       "models": ["m1", "m2"], "protocol": "openai", "workers": 2, "proxy": "http://u:proxy-password@proxy.example:3128"},
      {"name": "beta", "api_base_url": "https://beta.example", "api_key": "key-of-beta", "models": ["m3"],
       "protocol": "anthropic", "extra_headers": {"X-Extra": "secret-header"}},
      {"name": "free", "api_base_url": "http://127.0.0.1:8000/v1", "models": ["m4"]},
      {"name": "echo", "api_base_url": "builtin:echo", "models": ["m5"]}],
     "Router": {"default": "alpha,m1"}, "APIKEY": "client-key"}
    """

@Suite("Blueprints") struct BlueprintTests {
    private func configuration(_ text: String) throws -> Configuration {
        let loaded = ConfigLoader(
            files: OneFile(text: text), surroundings: Surroundings(environment: [:], isRoot: false)
        ).load(path: "c.json", overrides: ConfigOverrides())
        let problems = loaded.problems.filter { $0.severity == .error }.map(\.description)
        #expect(problems == [])
        return try #require(loaded.configuration)
    }

    private func blueprint(_ text: String = full) throws -> Blueprint { Blueprint(try configuration(text)) }

    private func decode<Value: WireCodable>(_ spec: ChildSpec, _: Value.Type = Value.self) throws -> Value {
        try spec.configuration.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let value: Value = try reader.get()
            try reader.end()
            return value
        }
    }

    private func holds(_ spec: ChildSpec, _ text: String) -> Bool {
        String(decoding: spec.configuration, as: UTF8.self).contains(text)
    }

    @Test("There are as many workers as configured, named after their provider and number")
    func workers() throws {
        let blueprint = try blueprint()
        #expect(blueprint.front.name == "front")
        #expect(blueprint.exporter.name == "exporter")
        #expect(
            blueprint.workers.map { $0.map(\.name) } == [
                ["worker alpha", "worker alpha/1"], ["worker beta"], ["worker free"], ["worker echo"],
            ])
    }

    @Test("A worker holds its own provider's secrets and no other")
    func workerSecrets() throws {
        let blueprint = try blueprint()
        let own = [
            ["key-of-alpha", "proxy-password", "query-token"], ["key-of-beta", "secret-header"], [], [],
        ]
        for (provider, specs) in blueprint.workers.enumerated() {
            for spec in specs {
                for secret in secrets {
                    #expect(holds(spec, secret) == own[provider].contains(secret), "\(spec.name): \(secret)")
                }
            }
        }
    }

    @Test("Front holds no secret and no URL, only digests of client keys")
    func front() throws {
        let spec = try blueprint().front
        for text in secrets + ["alpha.example", "beta.example", "127.0.0.1", "http"] {
            #expect(!holds(spec, text), "\(text)")
        }
        let config = try decode(spec, FrontConfig.self)
        #expect(
            config.clients.map(\.digest) == [SHA256.digest(Array("client-key".utf8)).withBytes { Array($0) }])
        #expect(config.routes.providers.map(\.name) == ["alpha", "beta", "free", "echo"])
        #expect(String(decoding: config.modelsBody, as: UTF8.self).contains("m3"))
    }

    @Test("The exporter holds names and no secret and no URL")
    func exporter() throws {
        let spec = try blueprint().exporter
        for text in secrets + ["alpha.example", "http"] { #expect(!holds(spec, text), "\(text)") }
        let config = try decode(spec, ExporterConfig.self)
        #expect(config.providers == ["alpha", "beta", "free", "echo"])
        #expect(config.version == CCR.version)
    }

    @Test("A worker knows the URLs of what its provider speaks, and how its key is sent")
    func workerConfig() throws {
        let workers = try blueprint().workers
        let alpha = try decode(workers[0][1], WorkerConfig.self)
        #expect(alpha.provider == "alpha")
        #expect(alpha.profile.kind == "openai-compatible")
        #expect(alpha.profile.auth == .bearer)
        #expect(alpha.urls[.chatCompletions] == "https://alpha.example/v1/chat/completions?t=query-token")
        #expect(alpha.urls[.messages] == nil)
        let beta = try decode(workers[1][0], WorkerConfig.self)
        #expect(beta.profile.auth == .apiKey)
        #expect(beta.urls[.messages] == "https://beta.example/v1/messages")
        #expect(beta.urls[.countTokens] == "https://beta.example/v1/messages/count_tokens")
        #expect(beta.urls[.responses] == nil)
        #expect(beta.extraHeaders == ["X-Extra": "secret-header"])
        let free = try decode(workers[2][0], WorkerConfig.self)
        #expect(free.key == [])
        #expect(!free.isEcho)
        #expect(try decode(workers[3][0], WorkerConfig.self).isEcho)
    }

    @Test("Equal configurations give equal specifications")
    func equal() throws {
        let (one, two) = (try blueprint(), try blueprint())
        #expect(one.front == two.front)
        #expect(one.workers == two.workers)
        #expect(one.exporter == two.exporter)
    }

    @Test("Only the workers whose provider changed get another specification")
    func changed() throws {
        let before = try blueprint()
        let after = try blueprint(full.replacing("key-of-beta", with: "another-key"))
        #expect(before.workers[0] == after.workers[0])
        #expect(before.workers[1] != after.workers[1])
        #expect(before.workers[2] == after.workers[2])
        #expect(before.front == after.front)
        #expect(before.exporter == after.exporter)
    }

    @Test("A new route is front's business alone")
    func route() throws {
        let before = try blueprint()
        let after = try blueprint(full.replacing("alpha,m1", with: "beta,m3"))
        #expect(before.workers == after.workers)
        #expect(before.front != after.front)
    }

    @Test("No secret shows in the name of a process")
    func names() throws {
        for spec in try blueprint().workers.flatMap({ $0 }) {
            for secret in secrets { #expect(!spec.name.contains(secret)) }
        }
    }
}
