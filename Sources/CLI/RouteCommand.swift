// SPDX-License-Identifier: Apache-2.0
// `ccr route explain`: reads a request body and prints who would be asked and why; nothing is sent.

import Config
import Dialects
import Gateway
import JSON
import Providers
import Routing

enum RouteCommand {
    /// The names of --endpoint.
    private static let endpoints: [(name: String, endpoint: Endpoint)] = [
        ("chat", .chatCompletions), ("responses", .responses), ("compact", .responsesCompact),
        ("messages", .messages), ("gemini", .generateContent),
    ]

    /// What --endpoint and --client take.
    static var endpointNames: [String] { endpoints.map(\.name) }
    static var clientNames: [String] { ClientKind.allCases.map(\.name) }

    @Sendable static func run(_ context: CommandContext) -> Int32 {
        guard let configuration = context.loadOrComplain(unresolved: .examined) else {
            return ExitStatus.usage
        }
        let routes = RouteTable(configuration)
        let request: RoutingRequest
        do {
            request = try read(context, routes, configuration)
        } catch {
            context.terminal.complain("ccr route explain: \(error.message)")
            return ExitStatus.usage
        }
        var explanation = routes.explain(request)
        if let key = configuration.clientKeys.first(where: { $0.name == request.key }) {
            // What it may do is asked for, and not whether it is the right one.
            explanation = explanation.restricted(to: ClientRule(key, digest: []), model: request.model)
        }
        context.terminal.print(
            context.has("--json") ? json(request, explanation) : text(request, explanation, configuration))
        return if case .success = explanation.result { ExitStatus.success } else { ExitStatus.failure }
    }

    private static func read(
        _ context: CommandContext, _ routes: RouteTable, _ configuration: Configuration
    ) throws(UsageError) -> RoutingRequest {
        let limit = configuration.limits.bodyBytes
        let endpoint = try choice("--endpoint", Self.endpoints.map { ($0.name, $0.endpoint) }, context)
        let client = try choice("--client", ClientKind.allCases.map { ($0.name, $0) }, context)
        let body: [UInt8]
        do {
            body = try context.terminal.input(limit: limit)
        } catch {
            throw UsageError(message: "the standard input cannot be read: \(error)")
        }
        guard body.count <= limit else {
            throw UsageError(message: "the body is larger than Limits.bodyBytes (\(limit))")
        }
        let parser = JSONParser()
        let root: JSONValue
        do {
            root = try parser.parse(body)
        } catch {
            throw UsageError(message: "the standard input is no JSON body: \(error)")
        }
        let key = context.options["--key"]
        if let key, !configuration.clientKeys.contains(where: { $0.name == key }) {
            throw UsageError(
                message:
                    "there is no client \(quoted(key))\(Spelling.choice(key, of: configuration.clientKeys.map(\.name)))"
            )
        }
        return try withExtendedLifetime(parser) { () throws(UsageError) in
            guard root.isObject else { throw UsageError(message: "the body is no JSON object") }
            guard root.member("model")?.string != nil || root.member("model") == nil else {
                throw UsageError(message: "“model” is no string")
            }
            let endpoint = endpoint ?? guess(root)
            var reader = RequestReader(endpoint: endpoint, client: client ?? .other, probes: routes.probes)
            if let (name, value) = try header(context) {
                name.withUnsafeBytes { name in value.withUnsafeBytes { reader.header(name, $0) } }
            }
            let (traits, _) = body.withUnsafeBytes {
                reader.read(
                    JSONLookup(root), tokens: TokenEstimate(root, parser.lengths).tokens, parser: parser,
                    text: $0)
            }
            return RoutingRequest(
                model: root.member("model")?.string, endpoint: endpoint, client: client ?? .other,
                preset: context.options["--preset"], traits: traits, key: key)
        }
    }

    /// The header field of --header.
    private static func header(_ context: CommandContext) throws(UsageError) -> ([UInt8], [UInt8])? {
        guard let text = context.options["--header"] else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw UsageError(message: "--header is \(quoted(text)), allowed is “NAME: VALUE”")
        }
        return (Array(parts[0].utf8), Array(parts[1].drop { $0 == " " }.utf8))
    }

    /// The endpoint whose body this looks like.
    private static func guess(_ root: JSONValue) -> Endpoint {
        if root.member("input") != nil { return .responses }
        if root.member("contents") != nil { return .generateContent }
        // Messages alone has these two at the top; Chat has its system prompt among the messages.
        return root.member("system") != nil || root.member("anthropic_version") != nil
            ? .messages : .chatCompletions
    }

    private static func choice<Value>(
        _ option: String, _ values: [(String, Value)], _ context: CommandContext
    ) throws(UsageError) -> Value? {
        guard let text = context.options[option] else { return nil }
        if let value = values.first(where: { $0.0 == text }) { return value.1 }
        let allowed = values.map(\.0).joined(separator: ", ")
        throw UsageError(message: "\(option) is \(quoted(text)), allowed are \(allowed)")
    }

    // MARK: - Output

    private static func text(
        _ request: RoutingRequest, _ explanation: RouteExplanation, _ configuration: Configuration
    ) -> String {
        var lines = [
            "\(request.endpoint.clientPath), model \(request.model.map { quoted($0) } ?? "missing"), "
                + "client \(request.client.name), about \(TextTable.count(request.traits.tokens, "token"))"
        ]
        lines += explanation.steps.map { "  " + $0 }
        switch explanation.result {
        case .success(let decision):
            lines.append("decided by \(decision.reason), as \(decision.kind.name); candidates:")
            for (index, candidate) in decision.candidates.enumerated() {
                let provider = configuration.providers[candidate.providerIndex]
                // The query may hold a key and is left out.
                let place = ResolvedProvider(provider).urls[request.endpoint].map { url in
                    String(url.prefix { $0 != "?" })
                }
                lines.append(
                    "  \(index + 1). \(candidate.provider), model \(quoted(candidate.model)): "
                        + (place ?? (provider.isEcho ? "embedded provider" : "translated")))
            }
        case .failure(let error):
            lines.append("answer: \(error.kind.status) \(error.message)")
        }
        return lines.joined(separator: "\n")
    }

    private static func json(_ request: RoutingRequest, _ explanation: RouteExplanation) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("path")
            writer.string(request.endpoint.clientPath)
            writer.key("model")
            if let model = request.model { writer.string(model) } else { writer.null() }
            writer.key("client")
            writer.string(request.client.name)
            writer.member("tokens", request.traits.tokens)
            writer.key("steps")
            writer.array { writer in
                for step in explanation.steps { writer.string(step) }
            }
            switch explanation.result {
            case .success(let decision):
                writer.member("kind", decision.kind.name)
                writer.member("reason", decision.reason)
                writer.key("candidates")
                writer.array { writer in
                    for candidate in decision.candidates { write(candidate, &writer) }
                }
                writer.key("max_tokens")
                if let limit = decision.overrides.maxTokens { writer.int(limit) } else { writer.null() }
                writer.key("temperature")
                if let value = decision.overrides.temperature { writer.double(value) } else { writer.null() }
                writer.key("effort")
                if let effort = decision.overrides.effort { writer.string(effort) } else { writer.null() }
            case .failure(let error):
                writer.key("error")
                writer.object { writer in
                    writer.key("status")
                    writer.int(error.kind.status)
                    writer.key("message")
                    writer.string(error.message)
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func write(_ candidate: RouteCandidate, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("provider")
            writer.string(candidate.provider)
            writer.key("model")
            writer.string(candidate.model)
        }
    }
}
