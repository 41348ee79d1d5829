// SPDX-License-Identifier: Apache-2.0
// What is asked of an upstream, and what its failures mean.

import Curl
import Gateway
import Testing

@testable import Worker

@Suite("Upstream failures") struct UpstreamFailureTests {
    @Test(
        "A transport failure has a kind and words that name the provider",
        arguments: [
            (
                TransferFailure.resolve, ErrorKind.upstreamUnreachable, .network,
                "its host name is not known; ccr doctor checks the way to it"
            ),
            (.connect, .upstreamUnreachable, .network, "no connection; ccr doctor checks the way to it"),
            (.proxy, .upstreamUnreachable, .network, "details; ccr doctor checks the way to it"),
            (.tls, .upstreamUnreachable, .network, "TLS failed (details); ccr doctor checks the way to it"),
            (.connectTimeout, .upstreamTimeout, .timeout, "no connection in time"),
            (.broken, .upstreamUnreachable, .network, "the connection broke"),
            (.malformed, .upstreamUnreachable, .server, "its answer is not understood"),
        ] as [(TransferFailure, ErrorKind, FailureClass, String)])
    func transport(failure: TransferFailure, kind: ErrorKind, means: FailureClass, text: String) {
        #expect(
            UpstreamFailure.error(failure, "details", provider: "p")
                == GatewayError(kind, "provider p: \(text)"))
        #expect(UpstreamFailure.error(failure, "details", provider: "p").report == FailureReport(means))
    }
}

@Suite("Upstream URLs") struct UpstreamURLTests {
    @Test(
        "The model stands where the URL has a place for it, the client's query behind the provider's",
        arguments: [
            (
                "https://h/v1/chat/completions", Endpoint.chatCompletions, "m", "",
                "https://h/v1/chat/completions"
            ),
            ("https://h/v1/messages", .messages, "m", "beta=true", "https://h/v1/messages?beta=true"),
            ("https://h/v1/messages?t=1", .messages, "m", "beta=true", "https://h/v1/messages?t=1&beta=true"),
            ("https://h/{x}/v1/messages", .messages, "m", "", "https://h/{x}/v1/messages"),
            (
                "https://h/models/{model}:streamGenerateContent?alt=sse", .streamGenerateContent,
                "gemini-3:a@1",
                "key=client&alt=json", "https://h/models/gemini-3:a@1:streamGenerateContent?alt=sse"
            ),
            (
                "https://h/models/{model}:generateContent", .generateContent, "../secret?#é", "",
                "https://h/models/..%2Fsecret%3F%23%C3%A9:generateContent"
            ),
            ("https://h/deployments/{model}/x", .chatCompletions, "..", "", "https://h/deployments/-/x"),
            ("https://h/deployments/{model}/x", .chatCompletions, "", "", "https://h/deployments/-/x"),
        ])
    func url(template: String, endpoint: Endpoint, model: String, query: String, expected: String) {
        let handoff = HandoffRequest(
            tag: 1, requestID: "r", endpoint: endpoint, streaming: false,
            keepAlive: true,
            isHTTP11: true, model: model, clientModel: model, bodySize: 0, inlineBody: [], splices: [],
            headers: HeaderBlock(),
            query: query, deadlineUsec: 0)
        #expect(UpstreamURL.make(template, model: model, for: handoff) == expected)
    }
}

@Suite("Upstream headers") struct UpstreamHeadersTests {
    private func fields(
        auth: AuthScheme = .bearer, extra: [String: String] = [:], endpoint: Endpoint = .chatCompletions,
        client: [(String, String)] = [], headers: [String: String] = [:], forbidden: [String] = [],
        translatedTo dialect: Dialect? = nil
    ) -> [String] {
        let profile = ProviderProfile(
            "k", [Surface(.chat)], auth: auth, headers: headers, forbiddenHeaders: forbidden)
        let config = WorkerConfig(
            provider: "p", isEcho: false, profile: profile, models: [], urls: [:], streamURLs: [:],
            key: Array("k".utf8),
            anthropicVersion: "2023-06-01", extraHeaders: extra, proxy: nil,
            timeouts: ExchangeTimeouts(
                connect: 1, firstEvent: 1, total: 600_000, idle: 1, keepalive: 1, commitHold: 1,
                unusedConnection: 1))
        var headers = HeaderBlock()
        for (name, value) in client { headers.append(name, value) }
        let handoff = HandoffRequest(
            tag: 1, requestID: "r", endpoint: endpoint, streaming: false,
            keepAlive: true,
            isHTTP11: true, model: "m", clientModel: "m", bodySize: 0, inlineBody: [], splices: [],
            headers: headers, query: "",
            deadlineUsec: 0)
        let upstream = UpstreamHeaders(config)
        let fields =
            dialect.map { upstream.fields(for: handoff, translatedTo: $0, streaming: false) }
            ?? upstream.fields(for: handoff)
        let block = fields.bytes
        return block.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("The client's fields come first, then the key, then what libcurl must not add")
    func order() {
        #expect(
            fields(client: [("accept", "a"), ("content-type", "c"), ("user-agent", "u")])
                == ["accept: a", "content-type: c", "user-agent: u", "Authorization: Bearer k", "Expect:"])
    }

    @Test("A translated request says itself what it is; the client's fields go along to its own dialect only")
    func translated() {
        let client = [("accept", "text/event-stream"), ("content-type", "x"), ("anthropic-beta", "b")]
        #expect(
            fields(endpoint: .messages, client: client, translatedTo: .messages)
                == [
                    "anthropic-beta: b", "Content-Type: application/json", "Accept: application/json",
                    "anthropic-version: 2023-06-01", "Authorization: Bearer k", "Expect:",
                ])
        #expect(
            fields(endpoint: .messages, client: client, translatedTo: .chat)
                == [
                    "Content-Type: application/json", "Accept: application/json", "Authorization: Bearer k",
                    "Expect:",
                ])
    }

    @Test("libcurl's own accept and content type are suppressed unless the client sends some")
    func suppressed() {
        #expect(fields() == ["Authorization: Bearer k", "Expect:", "Accept:", "Content-Type:"])
    }

    @Test(
        "The key is sent as the provider wants it",
        arguments: [
            (AuthScheme.bearer, "Authorization: Bearer k"), (.apiKey, "x-api-key: k"),
            (.googleKey, "x-goog-api-key: k"), (.azureKey, "api-key: k"), (.none, nil),
        ]
            as [(AuthScheme, String?)])
    func key(auth: AuthScheme, expected: String?) {
        let lines = fields(auth: auth)
        #expect(lines.first { $0.contains("k") && !$0.hasSuffix(":") } == expected)
        #expect(lines.count == (expected == nil ? 3 : 4))
    }

    @Test(
        "Messages get a version, the client's if it sends one", arguments: [Endpoint.messages, .countTokens])
    func version(endpoint: Endpoint) {
        #expect(fields(endpoint: endpoint).contains("anthropic-version: 2023-06-01"))
        let own = fields(endpoint: endpoint, client: [("Anthropic-Version", "2099-01-01")])
        #expect(
            own.filter { $0.lowercased().hasPrefix("anthropic-version") } == ["Anthropic-Version: 2099-01-01"]
        )
        #expect(!fields().contains { $0.hasPrefix("anthropic-version") })
    }

    @Test("What the operator adds is sent with every request, sorted by name")
    func extra() {
        #expect(
            fields(extra: ["x-b": "2", "x-a": "1"]).prefix(4)
                == ["Authorization: Bearer k", "x-a: 1", "x-b: 2", "Expect:"])
    }

    @Test("What the kind of provider demands replaces the client's, and what it refuses is left out")
    func profile() {
        let client = [
            ("Accept", "a"), ("X-Version", "1"), ("X-Secret", "2"), ("x-empty", ""), ("X-Own", "3"),
        ]
        let lines = fields(
            extra: ["X-Own": "4"], client: client, headers: ["accept": "text/event-stream", "x-own": "5"],
            forbidden: ["x-secret"])
        #expect(
            lines == [
                "X-Version: 1", "x-empty;", "Authorization: Bearer k", "accept: text/event-stream",
                "X-Own: 4",
                "Expect:", "Content-Type:",
            ])
    }
}
