// SPDX-License-Identifier: Apache-2.0
// Writes an error as the body and headers that a dialect's clients understand.
// Source: OpenAI API reference (errors) and openai-python 3.52 (_exceptions.py, retry rules); Anthropic API reference
// (errors) and anthropic-python 2.11; google-genai 3.4.0 and google.rpc.Code (names of a status); codex-cli 0.163.0
// (codes that end its retries).

package import Gateway
import JSON

/// How a kind of error is named in each dialect.
struct ErrorName {
    let openAIType: String
    let openAICode: String?
    /// The code of a `response.failed` event. Codex tries again after `server_error`, `rate_limit_exceeded` and
    /// unknown codes, and gives up after `invalid_prompt`.
    let failedCode: String
    let anthropicType: String
    /// Trying again cannot help.
    let isDefinitive: Bool

    init(_ kind: ErrorKind) {
        let rejected = "invalid_request_error"
        switch kind {
        case .invalidRequest: self.init(rejected, nil, rejected, isDefinitive: true)
        case .authentication:
            self.init(rejected, "invalid_api_key", "authentication_error", isDefinitive: true)
        case .permission:
            self.init("permission_error", "permission_denied", "permission_error", isDefinitive: true)
        case .notFound: self.init(rejected, "not_found", "not_found_error", isDefinitive: true)
        case .modelNotFound: self.init(rejected, "model_not_found", "not_found_error", isDefinitive: true)
        case .methodNotAllowed: self.init(rejected, "method_not_allowed", rejected, isDefinitive: true)
        case .requestTimeout: self.init(rejected, "request_timeout", "timeout_error", isDefinitive: false)
        case .tooLarge: self.init(rejected, "request_too_large", "request_too_large", isDefinitive: true)
        case .unsupportedEncoding: self.init(rejected, "unsupported_encoding", rejected, isDefinitive: true)
        case .upgradeRequired: self.init(rejected, "upgrade_required", rejected, isDefinitive: true)
        case .headTooLarge: self.init(rejected, "headers_too_large", rejected, isDefinitive: true)
        case .rateLimited:
            self.init("requests", "rate_limit_exceeded", "rate_limit_error", isDefinitive: false)
        case .internalFault: self.init("server_error", "internal_error", "api_error", isDefinitive: false)
        case .upstreamUnreachable:
            self.init("server_error", "upstream_unreachable", "api_error", isDefinitive: false)
        case .overloaded:
            self.init("server_error", "server_is_overloaded", "overloaded_error", isDefinitive: false)
        case .upstreamTimeout:
            self.init("server_error", "upstream_timeout", "timeout_error", isDefinitive: false)
        case .contextTooLong: self.init(rejected, "context_length_exceeded", rejected, isDefinitive: true)
        case .budgetSpent, .quotaExhausted:
            self.init("insufficient_quota", "insufficient_quota", "billing_error", isDefinitive: true)
        }
    }

    private init(_ openAIType: String, _ openAICode: String?, _ anthropicType: String, isDefinitive: Bool) {
        self.openAIType = openAIType
        self.openAICode = openAICode
        self.anthropicType = anthropicType
        self.isDefinitive = isDefinitive
        if let openAICode, ["context_length_exceeded", "insufficient_quota"].contains(openAICode) {
            failedCode = openAICode
        } else if isDefinitive {
            failedCode = "invalid_prompt"
        } else {
            failedCode = openAICode == "rate_limit_exceeded" ? "rate_limit_exceeded" : "server_error"
        }
    }
}

/// The rendering of errors before an answer has begun. The status is `error.kind.status`, the type JSON.
package enum ErrorBody {
    /// The body of the error's answer.
    /// - Parameter requestID: the id in the answer's request id header.
    package static func render(_ error: GatewayError, dialect: Dialect, requestID: String) -> [UInt8] {
        var writer = JSONWriter()
        switch dialect {
        case .chat, .responses:
            writer.object { writer in
                writer.member("error", object: { writeOpenAI(error, dialect, to: &$0) })
            }
        case .messages: writeAnthropic(error, requestID: requestID, to: &writer)
        case .gemini: writeGoogle(error, to: &writer)
        }
        return writer.bytes
    }

    /// Headers that go with the body, besides its type and length. Names are lower-case.
    package static func headers(
        _ error: GatewayError, dialect: Dialect, requestID: String
    ) -> [(name: String, value: String)] {
        var headers = [(name: dialect == .messages ? "request-id" : "x-request-id", value: requestID)]
        if let seconds = error.retryAfter {
            headers.append((name: "retry-after", value: String(max(0, seconds))))
        }
        if ErrorName(error.kind).isDefinitive {
            headers.append((name: "x-should-retry", value: "false"))
        }
        return headers
    }

    /// Writes the members of `{"message","type","param","code"}`.
    static func writeOpenAI(_ error: GatewayError, _ dialect: Dialect, to writer: inout JSONWriter) {
        let name = ErrorName(error.kind)
        // Codex shows the message alone for this code, the whole body for a 400 with any other.
        let isPrompt = dialect == .responses && error.kind == .invalidRequest
        writer.member("message", error.clientMessage)
        writer.member("type", name.openAIType)
        writer.member("param", error.kind == .modelNotFound ? "model" : nil)
        writer.member("code", isPrompt ? "invalid_prompt" : name.openAICode)
    }

    /// Writes `{"type":"error","error":{"type","message"},"request_id"}`.
    static func writeAnthropic(_ error: GatewayError, requestID: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "error")
            writer.member(
                "error",
                object: { writer in
                    writer.member("type", ErrorName(error.kind).anthropicType)
                    writer.member("message", anthropicMessage(error))
                })
            writer.member("request_id", requestID)
        }
    }

    /// Writes `{"error":{"code","message","status"}}`.
    static func writeGoogle(_ error: GatewayError, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(
                "error",
                object: { writer in
                    writer.member("code", error.kind.status)
                    writer.member("message", error.clientMessage)
                    writer.member("status", googleStatus(error.kind))
                })
        }
    }

    /// The name of google.rpc.Code that stands beside the HTTP status.
    private static func googleStatus(_ kind: ErrorKind) -> String {
        switch kind {
        case .invalidRequest, .methodNotAllowed, .tooLarge, .unsupportedEncoding, .upgradeRequired,
            .headTooLarge, .contextTooLong:
            "INVALID_ARGUMENT"
        case .authentication: "UNAUTHENTICATED"
        case .permission: "PERMISSION_DENIED"
        case .notFound, .modelNotFound: "NOT_FOUND"
        case .requestTimeout, .upstreamTimeout: "DEADLINE_EXCEEDED"
        case .rateLimited, .budgetSpent, .quotaExhausted: "RESOURCE_EXHAUSTED"
        case .internalFault: "INTERNAL"
        case .upstreamUnreachable, .overloaded: "UNAVAILABLE"
        }
    }

    /// Claude Code compacts the conversation, or asks for a shorter answer, at these words and at no others.
    static func anthropicMessage(_ error: GatewayError) -> String {
        let words = "prompt is too long"
        let message = error.clientMessage
        guard error.kind == .contextTooLong else { return message }
        // It reads the numbers behind them, so a provider that says it in these words is quoted alone.
        if [words, "exceed context limit"].contains(where: error.quote.contains) { return error.quote }
        return message.contains(words) ? message : "\(words): \(message)"
    }
}
