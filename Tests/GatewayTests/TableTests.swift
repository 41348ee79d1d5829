// SPDX-License-Identifier: Apache-2.0
// The closed tables: endpoints, dialects, errors, outcomes.

import Gateway
import Testing

@Suite("Tables of the gateway") struct TableTests {
    @Test(
        "An endpoint has its path and its dialect",
        arguments: [
            (Endpoint.chatCompletions, "/v1/chat/completions", Dialect.chat),
            (.responses, "/v1/responses", .responses),
            (.responsesCompact, "/v1/responses/compact", .responses),
            (.messages, "/v1/messages", .messages), (.countTokens, "/v1/messages/count_tokens", .messages),
            (.completions, "/v1/completions", .chat), (.embeddings, "/v1/embeddings", .chat),
            (.images, "/v1/images/generations", .chat),
            (.generateContent, "/v1beta/models/{model}:generateContent", .gemini),
            (.streamGenerateContent, "/v1beta/models/{model}:streamGenerateContent", .gemini),
            (.geminiCountTokens, "/v1beta/models/{model}:countTokens", .gemini),
        ])
    func endpoints(endpoint: Endpoint, path: String, dialect: Dialect) {
        #expect(endpoint.clientPath == path)
        #expect((dialect == .gemini ? "/v1beta" : "/v1") + endpoint.path == path)
        #expect(endpoint.hasModelInPath == path.contains(Endpoint.modelPlaceholder))
        #expect(endpoint.dialect == dialect)
    }

    @Test("No two endpoints share a path, and every dialect has one")
    func complete() {
        #expect(Set(Endpoint.allCases.map(\.path)).count == Endpoint.allCases.count)
        #expect(Set(Endpoint.allCases.map(\.dialect)) == Set(Dialect.allCases))
    }

    @Test(
        "A failure goes back to front if front wants its class back, and the provider does not say that it is in vain",
        arguments: [
            (FailureReport(.server), true), (FailureReport(.network), true), (FailureReport(.client), false),
            (FailureReport(.rate, retryAfterMsec: 500), true),
            (FailureReport(.rate, retryAfterMsec: 501), false), (FailureReport(.rate), true),
            (FailureReport(.server, mayRepeat: false), true),
            (FailureReport(.network, mayRepeat: false), false),
            (FailureReport(.rate, retryAfterMsec: 500, mayRepeat: false), false),
        ])
    func terms(report: FailureReport, isCovered: Bool) {
        let terms = ReturnTerms(
            always: FailureSet([.server]), repeated: FailureSet([.network]), afterWait: FailureSet([.rate]),
            longestWaitMsec: 500, assumedWaitMsec: 400)
        #expect(terms.cover(report) == isCovered)
    }

    @Test(
        "An error has its status and its label",
        arguments: [
            (ErrorKind.invalidRequest, 400, "invalid_request"), (.authentication, 401, "authentication"),
            (.permission, 403, "permission"), (.notFound, 404, "not_found"),
            (.modelNotFound, 404, "model_not_found"), (.methodNotAllowed, 405, "method_not_allowed"),
            (.requestTimeout, 408, "request_timeout"), (.tooLarge, 413, "too_large"),
            (.unsupportedEncoding, 415, "unsupported_encoding"), (.upgradeRequired, 426, "upgrade_required"),
            (.headTooLarge, 431, "head_too_large"), (.rateLimited, 429, "rate_limited"),
            (.internalFault, 500, "internal"), (.upstreamUnreachable, 502, "upstream_unreachable"),
            (.overloaded, 503, "overloaded"), (.upstreamTimeout, 504, "upstream_timeout"),
        ])
    func errors(kind: ErrorKind, status: Int, name: String) {
        #expect(kind.status == status)
        #expect(kind.name == name)
    }

    @Test("Labels and numbers are unique within their table")
    func unique() {
        #expect(Set(ErrorKind.allCases.map(\.name)).count == ErrorKind.allCases.count)
        #expect(Set(ExchangeOutcome.allCases.map(\.name)).count == ExchangeOutcome.allCases.count)
        #expect(Set(Dialect.allCases.map(\.name)) == ["chat", "responses", "messages", "gemini"])
        #expect(
            ProcessStatus.State.allCases.map(\.name) == ["starting", "ready", "draining", "back_off"])
        #expect(
            ExchangeOutcome.allCases.map(\.name)
                == ["completed", "aborted", "upstream_failed", "timed_out", "rejected"])
    }
}
