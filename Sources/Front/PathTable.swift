// SPDX-License-Identifier: Apache-2.0
// The paths front knows and who answers them, as data.
// Source: docs/config.md and the API references of OpenAI, Anthropic and Google (2026) for the paths' names.

import Gateway

/// Who answers a path.
enum PathTarget: Equatable {
    /// A worker, after routing; `preset` comes from "/preset/{name}/v1/…".
    case worker(Endpoint, preset: String?)
    /// The exporter.
    case exporter
    /// Front itself.
    case models
    case presets
    case health
    case readiness
    case greeting
    /// The refresher, by way of front.
    case admin(AdminRequest.Verb)
    /// Front's policy.
    case bans(BanVerb)

    enum BanVerb: Equatable {
        case list
        case ban
        case unban
    }

    /// Whether it is for operators, and not for whoever may send requests.
    var isAdministrative: Bool {
        switch self {
        case .admin, .bans: true
        default: false
        }
    }

    /// Whether a request has a body.
    var takesBody: Bool {
        switch self {
        case .worker, .admin(.store), .bans(.ban), .bans(.unban): true
        default: false
        }
    }
}

/// Why a path is not served.
enum PathFault: Error, Equatable {
    case unknown
    case wrongMethod(allowed: String)
}

enum PathTable {
    private struct Row {
        let methods: [String]
        let path: String
        let target: PathTarget
    }

    private static let rows: [Row] =
        Endpoint.allCases.filter { !$0.hasModelInPath }.map {
            Row(methods: ["POST"], path: $0.clientPath, target: .worker($0, preset: nil))
        } + [
            Row(methods: ["GET", "HEAD"], path: "/v1/models", target: .models),
            Row(methods: ["GET"], path: "/v1/presets", target: .presets),
            Row(methods: ["POST"], path: "/admin/credentials", target: .admin(.store)),
            Row(methods: ["GET"], path: "/admin/credentials/status", target: .admin(.status)),
            Row(methods: ["POST"], path: "/api/ban", target: .bans(.ban)),
            Row(methods: ["POST"], path: "/api/unban", target: .bans(.unban)),
            Row(methods: ["GET"], path: "/api/bans", target: .bans(.list)),
            Row(methods: ["GET", "HEAD"], path: "/health", target: .health),
            Row(methods: ["GET", "HEAD"], path: "/health/readiness", target: .readiness),
            Row(methods: ["GET", "HEAD"], path: "/", target: .greeting),
            Row(methods: ["GET", "HEAD"], path: "/api/hello", target: .greeting),
            Row(methods: ["GET"], path: "/metrics", target: .exporter),
            Row(methods: ["GET"], path: "/v1/latencies", target: .exporter),
            Row(methods: ["GET"], path: "/v1/usage", target: .exporter),
            Row(methods: ["GET"], path: "/v1/throughput", target: .exporter),
            Row(methods: ["GET"], path: "/v1/frontend-metrics", target: .exporter),
            Row(methods: ["GET"], path: "/v1/token-drift", target: .exporter),
        ]

    private static let byPath: [String: Row] = Dictionary(uniqueKeysWithValues: rows.map { ($0.path, $0) })

    /// Finds who answers. "/preset/{name}" may stand before the path of a worker's endpoint.
    static func find(method: String, path: String) throws(PathFault) -> PathTarget {
        if let row = byPath[path] {
            guard row.methods.contains(method) else {
                throw .wrongMethod(allowed: row.methods.joined(separator: ", "))
            }
            return row.target
        }
        if let endpoint = GeminiPath(path[...])?.endpoint {
            guard method == "POST" else { throw .wrongMethod(allowed: "POST") }
            return .worker(endpoint, preset: nil)
        }
        let prefix = "/preset/"
        guard path.hasPrefix(prefix) else { throw .unknown }
        let rest = path.dropFirst(prefix.count)
        guard let slash = rest.firstIndex(of: "/"), slash != rest.startIndex,
            let endpoint = endpoint(rest[slash...])
        else { throw .unknown }
        guard method == "POST" else { throw .wrongMethod(allowed: "POST") }
        return .worker(endpoint, preset: String(rest[..<slash]))
    }

    private static func endpoint(_ path: Substring) -> Endpoint? {
        if case .worker(let endpoint, _)? = byPath[String(path)]?.target { return endpoint }
        return GeminiPath(path)?.endpoint
    }

    /// The dialect in which an error on this path is told.
    static func dialect(of path: String) -> Dialect {
        if path.hasPrefix("/v1beta/") || GeminiPath(withPreset: path) != nil { return .gemini }
        if path.contains("/messages") { return .messages }
        if path.contains("/responses") { return .responses }
        return .chat
    }

    /// The methods of a path that is served with another one, for the Allow field.
    static func allowedMethods(path: String) -> String? {
        if let row = byPath[path] { return row.methods.joined(separator: ", ") }
        return path.hasPrefix("/preset/") || GeminiPath(path[...]) != nil ? "POST" : nil
    }

    /// The path as it may be logged: a known one, or a mark in place of what a stranger sent.
    static func logName(_ path: String) -> String { byPath[path] == nil ? "(other path)" : path }

    /// Every served path, for the answer to an unknown one.
    static let summary =
        (rows.map { "\($0.methods[0]) \($0.path)" }
        + GeminiPath.methods.map { "POST \($0.endpoint.clientPath)" })
        .joined(separator: ", ")
}
