// SPDX-License-Identifier: Apache-2.0
// An error that a client can be shown. Each dialect renders it in its own body (Dialects/ErrorBody.swift).
// The meanings and their statuses follow the error tables of the OpenAI and Anthropic API references (2026).

/// What went wrong, independent of dialect and transport.
package enum ErrorKind: UInt8, CaseIterable, Sendable {
    /// The request is malformed or contradicts itself: 400.
    case invalidRequest = 1
    /// No or a wrong client key: 401.
    case authentication = 2
    /// The client may not do this: 403.
    case permission = 3
    /// Unknown path: 404.
    case notFound = 4
    /// The model routes nowhere: 404.
    case modelNotFound = 5
    /// Known path, wrong method: 405.
    case methodNotAllowed = 6
    /// The request did not arrive in time: 408.
    case requestTimeout = 7
    /// The body is above the limit: 413.
    case tooLarge = 8
    /// A content coding that is not understood: 415.
    case unsupportedEncoding = 9
    /// A WebSocket upgrade that is not offered: 426.
    case upgradeRequired = 10
    /// The request head is above the limit: 431.
    case headTooLarge = 11
    /// Too many requests, ours or the provider's: 429.
    case rateLimited = 12
    /// A fault of ccr itself: 500.
    case internalFault = 13
    /// The provider cannot be reached or broke off: 502.
    case upstreamUnreachable = 14
    /// ccr is at a limit or draining: 503.
    case overloaded = 15
    /// The provider did not answer in time: 504.
    case upstreamTimeout = 16
    /// The conversation is longer than the model takes: 400, in words that make clients compact it.
    case contextTooLong = 17
    /// The budget of the client's key is spent: 402.
    case budgetSpent = 18
    /// What the provider's account may use is used up: 429, in words that end a client's retries.
    case quotaExhausted = 19

    /// The HTTP status.
    package var status: Int {
        switch self {
        case .invalidRequest, .contextTooLong: 400
        case .authentication: 401
        case .budgetSpent: 402
        case .permission: 403
        case .notFound, .modelNotFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .tooLarge: 413
        case .unsupportedEncoding: 415
        case .upgradeRequired: 426
        case .headTooLarge: 431
        case .rateLimited, .quotaExhausted: 429
        case .internalFault: 500
        case .upstreamUnreachable: 502
        case .overloaded: 503
        case .upstreamTimeout: 504
        }
    }

    /// The label in metrics and logs.
    package var name: String {
        switch self {
        case .invalidRequest: "invalid_request"
        case .authentication: "authentication"
        case .permission: "permission"
        case .notFound: "not_found"
        case .modelNotFound: "model_not_found"
        case .methodNotAllowed: "method_not_allowed"
        case .requestTimeout: "request_timeout"
        case .tooLarge: "too_large"
        case .unsupportedEncoding: "unsupported_encoding"
        case .upgradeRequired: "upgrade_required"
        case .headTooLarge: "head_too_large"
        case .rateLimited: "rate_limited"
        case .internalFault: "internal"
        case .upstreamUnreachable: "upstream_unreachable"
        case .overloaded: "overloaded"
        case .upstreamTimeout: "upstream_timeout"
        case .contextTooLong: "context_too_long"
        case .budgetSpent: "budget_spent"
        case .quotaExhausted: "quota_exhausted"
        }
    }
}

/// An error on its way to a client.
package struct GatewayError: Error, Equatable, Sendable {
    package let kind: ErrorKind
    /// For people; never holds a secret, a prompt or a URL query.
    package let message: String
    /// What the provider said, or ""; it may repeat the request, so the client gets it and no log does.
    package let quote: String
    /// Seconds after which a retry may succeed, sent as Retry-After.
    package var retryAfter: Int?
    /// What a provider's failure means for what comes next; nil for errors of ccr's own.
    package var report: FailureReport?

    package init(
        _ kind: ErrorKind, _ message: String, quote: String = "", retryAfter: Int? = nil,
        report: FailureReport? = nil
    ) {
        self.kind = kind
        self.message = message
        self.quote = quote
        self.retryAfter = retryAfter
        self.report = report
    }

    /// Whether a client is told the same.
    package static func == (left: GatewayError, right: GatewayError) -> Bool {
        left.kind == right.kind && left.message == right.message && left.quote == right.quote
            && left.retryAfter == right.retryAfter
    }

    /// What the client is told.
    package var clientMessage: String { quote.isEmpty ? message : "\(message): \(quote)" }
}
