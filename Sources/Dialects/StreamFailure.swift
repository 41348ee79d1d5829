// SPDX-License-Identifier: Apache-2.0
// An answer that went wrong although the upstream said 200, and what its error codes mean.
// Source: OpenAI, Anthropic and OpenRouter API references (error codes, streaming errors), read 2026-08.

package import Gateway
import JSON

/// What the upstream reported inside its answer, or that it broke off.
package struct StreamFailure: Error, Equatable, Sendable {
    package enum Origin: Equatable, Sendable {
        /// The upstream's own bytes tell the error; a client that got them knows.
        case reported
        /// The answer ended, or was given up, without a word about it.
        case truncated
    }

    /// The longest message in bytes.
    package static let maximumMessageBytes = 500

    package let origin: Origin
    package let kind: ErrorKind
    /// The upstream's wording, at most `maximumMessageBytes` of UTF-8.
    package let message: String
    /// Another provider may answer the same request.
    package let isRetryableElsewhere: Bool

    /// A failure that has no wording of the upstream's.
    init(_ origin: Origin, _ message: String) {
        self.origin = origin
        kind = .upstreamUnreachable
        self.message = message
        isRetryableElsewhere = true
    }

    /// Reads an error as the providers write it.
    ///
    /// - Parameters:
    ///   - error: the object with code, type and message, or just a text.
    ///   - outer: what holds it; some providers put the code or the message there.
    init(error: JSONValue?, in outer: JSONValue) {
        let sources = [error, outer].compactMap { $0 }
        let row = Self.row(sources) ?? Meaning("", .upstreamUnreachable)
        origin = .reported
        message = Self.message(error, sources) ?? "the provider reported an error without a message"
        let isTooLong = row.kind == .invalidRequest && ContextOverflow.isTold(by: message)
        kind = isTooLong ? .contextTooLong : row.kind
        isRetryableElsewhere = isTooLong || row.isRetryableElsewhere
    }

    private static func row(_ sources: [JSONValue]) -> Meaning? {
        for name in ["code", "type", "status"] as [StaticString] {
            for source in sources {
                guard let value = source.member(name) else { continue }
                if let row = meanings.first(where: { value.isString($0.code) }) { return row }
                if let status = value.int, let row = Meaning(status: status) { return row }
            }
        }
        return nil
    }

    private static func message(_ error: JSONValue?, _ sources: [JSONValue]) -> String? {
        let texts = [error?.stringBytes] + sources.map { $0.member("message")?.stringBytes }
        guard let text = texts.compactMap({ $0 }).first(where: { !$0.isEmpty }) else { return nil }
        var end = min(text.count, maximumMessageBytes)
        // Never cut inside a character: bytes 10xxxxxx continue one.
        while end < text.count, end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        return String(decoding: text[..<end], as: UTF8.self)
    }
}

/// What one code says.
private struct Meaning {
    let code: StaticString
    let kind: ErrorKind
    let isRetryableElsewhere: Bool

    init(_ code: StaticString, _ kind: ErrorKind, elsewhere: Bool = true) {
        self.code = code
        self.kind = kind
        isRetryableElsewhere = elsewhere
    }

    /// Some providers write the HTTP status that they would have sent.
    init?(status: Int) {
        switch status {
        case 400, 422: self.init("", .invalidRequest, elsewhere: false)
        case 401: self.init("", .authentication)
        case 402, 403: self.init("", .permission)
        case 404: self.init("", .modelNotFound)
        case 408, 504: self.init("", .upstreamTimeout)
        case 413: self.init("", .tooLarge, elsewhere: false)
        case 429: self.init("", .rateLimited)
        case 503, 529: self.init("", .overloaded)
        case 500...599: self.init("", .upstreamUnreachable)
        default: return nil
        }
    }
}

/// Codes of all providers; the first match counts.
private let meanings = [
    // A larger context window elsewhere may hold what this model cannot.
    Meaning("context_length_exceeded", .contextTooLong),
    Meaning("invalid_prompt", .invalidRequest, elsewhere: false),
    Meaning("cyber_policy", .invalidRequest, elsewhere: false),
    Meaning("content_filter", .invalidRequest, elsewhere: false),
    Meaning("rate_limit_exceeded", .rateLimited),
    Meaning("rate_limit_error", .rateLimited),
    Meaning("insufficient_quota", .rateLimited),
    Meaning("credit_balance_exhausted", .rateLimited),
    Meaning("organization_spend_limit_exceeded", .rateLimited),
    Meaning("project_spend_limit_exceeded", .rateLimited),
    Meaning("organization_usage_limit_exceeded", .rateLimited),
    Meaning("usage_limit_reached", .rateLimited),
    Meaning("usage_not_included", .permission),
    Meaning("RESOURCE_EXHAUSTED", .rateLimited),
    Meaning("overloaded_error", .overloaded),
    Meaning("server_is_overloaded", .overloaded),
    Meaning("slow_down", .overloaded),
    Meaning("UNAVAILABLE", .overloaded),
    Meaning("invalid_api_key", .authentication),
    Meaning("authentication_error", .authentication),
    Meaning("UNAUTHENTICATED", .authentication),
    Meaning("permission_error", .permission),
    Meaning("billing_error", .permission),
    Meaning("PERMISSION_DENIED", .permission),
    Meaning("model_not_found", .modelNotFound),
    Meaning("not_found_error", .modelNotFound),
    Meaning("NOT_FOUND", .modelNotFound),
    Meaning("request_too_large", .tooLarge, elsewhere: false),
    Meaning("timeout_error", .upstreamTimeout),
    Meaning("DEADLINE_EXCEEDED", .upstreamTimeout),
    Meaning("server_error", .upstreamUnreachable),
    Meaning("api_error", .upstreamUnreachable),
    Meaning("INTERNAL", .upstreamUnreachable),
    Meaning("invalid_request_error", .invalidRequest, elsewhere: false),
    Meaning("INVALID_ARGUMENT", .invalidRequest, elsewhere: false),
]
