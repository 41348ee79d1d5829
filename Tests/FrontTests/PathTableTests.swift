// SPDX-License-Identifier: Apache-2.0
// Paths, methods and who answers.

import Gateway
import Testing

@testable import Front

@Suite("Paths") struct PathTableTests {
    /// The endpoints with a path of their own.
    static let fixed = Endpoint.allCases.filter { !$0.hasModelInPath }

    @Test("Every endpoint is a worker's, by POST alone", arguments: fixed)
    func endpoints(endpoint: Endpoint) throws {
        #expect(
            try PathTable.find(method: "POST", path: endpoint.clientPath) == .worker(endpoint, preset: nil))
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"] {
            #expect(throws: PathFault.wrongMethod(allowed: "POST")) {
                try PathTable.find(method: method, path: endpoint.clientPath)
            }
        }
    }

    @Test("Every endpoint can be reached through a preset", arguments: fixed)
    func presets(endpoint: Endpoint) throws {
        let path = "/preset/fast" + endpoint.clientPath
        #expect(try PathTable.find(method: "POST", path: path) == .worker(endpoint, preset: "fast"))
        #expect(throws: PathFault.wrongMethod(allowed: "POST")) {
            try PathTable.find(method: "GET", path: path)
        }
    }

    @Test(
        "Front answers for itself or asks the exporter",
        arguments: [
            ("/v1/models", PathTarget.models, true), ("/v1/presets", .presets, false),
            ("/health", .health, true),
            ("/health/readiness", .readiness, true), ("/", .greeting, true), ("/api/hello", .greeting, true),
            ("/metrics", .exporter, false), ("/v1/latencies", .exporter, false),
            ("/v1/usage", .exporter, false),
            ("/v1/throughput", .exporter, false), ("/v1/frontend-metrics", .exporter, false),
            ("/v1/token-drift", .exporter, false),
            ("/api/bans", .bans(.list), false), ("/admin/credentials/status", .admin(.status), false),
        ])
    func own(path: String, target: PathTarget, takesHead: Bool) throws {
        #expect(try PathTable.find(method: "GET", path: path) == target)
        let fault = PathFault.wrongMethod(allowed: takesHead ? "GET, HEAD" : "GET")
        if takesHead {
            #expect(try PathTable.find(method: "HEAD", path: path) == target)
        } else {
            #expect(throws: fault) { try PathTable.find(method: "HEAD", path: path) }
        }
        #expect(throws: fault) { try PathTable.find(method: "POST", path: path) }
        #expect(PathTable.allowedMethods(path: path) == (takesHead ? "GET, HEAD" : "GET"))
        #expect(PathTable.summary.contains("GET \(path)"))
    }

    @Test(
        "Operators have paths of their own",
        arguments: [
            ("POST", "/api/ban", true), ("POST", "/api/unban", true), ("GET", "/api/bans", false),
            ("POST", "/admin/credentials", true), ("GET", "/admin/credentials/status", false),
        ])
    func administrative(method: String, path: String, takesBody: Bool) throws {
        let target = try PathTable.find(method: method, path: path)
        #expect(target.isAdministrative)
        #expect(target.takesBody == takesBody)
        #expect(PathTable.allowedMethods(path: path) == method)
        for other in ["/v1/models", "/health", "/metrics"] {
            #expect(try !PathTable.find(method: "GET", path: other).isAdministrative)
        }
    }

    @Test(
        "Anything else is unknown",
        arguments: [
            "", "/v1", "/v1/", "/v1/message", "/v1/messages/", "//v1/messages", "/V1/messages",
            "/v1/messages?x",
            "/preset", "/preset/", "/preset/fast", "/preset/fast/", "/preset//v1/messages",
            "/preset/fast/messages",
            "/preset/a/b/v1/messages", "/preset/fast/v1/models", "/preset/fast/health",
            "/preset/fast/metrics",
            "/metrics/", "*", "/v1/%6dessages",
        ])
    func unknown(path: String) {
        #expect(throws: PathFault.unknown) { try PathTable.find(method: "POST", path: path) }
        #expect(throws: PathFault.unknown) { try PathTable.find(method: "GET", path: path) }
    }

    @Test(
        "An error is told in the dialect of its path",
        arguments: [
            ("/v1/messages", Dialect.messages), ("/v1/messages/count_tokens", .messages),
            ("/preset/x/v1/messages", .messages), ("/v1/responses", .responses),
            ("/v1/responses/compact", .responses),
            ("/v1/chat/completions", .chat), ("/v1/models", .chat), ("/nowhere", .chat),
        ])
    func dialects(path: String, dialect: Dialect) {
        #expect(PathTable.dialect(of: path) == dialect)
    }

    @Test("Every endpoint's errors are told in its own dialect", arguments: fixed)
    func endpointDialects(endpoint: Endpoint) {
        #expect(PathTable.dialect(of: endpoint.clientPath) == endpoint.dialect)
        #expect(PathTable.summary.contains("POST \(endpoint.clientPath)"))
    }

    @Test("Only known paths are logged as they are")
    func logNames() {
        #expect(PathTable.logName("/v1/messages") == "/v1/messages")
        #expect(PathTable.logName("/v1/messages/secret") == "(other path)")
        #expect(PathTable.allowedMethods(path: "/nowhere") == nil)
    }
}
