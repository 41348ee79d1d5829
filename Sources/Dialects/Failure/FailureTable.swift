// SPDX-License-Identifier: Apache-2.0
// One table for all providers: what a status, an error code or a wording means. docs/failures.md is compared with it.
// Source: API references of OpenAI, Anthropic, Google, OpenRouter, AWS Bedrock, Mistral, Groq and Azure (errors, rate
// limits), codex-rs (api_bridge.rs, sse/responses.rs), gemini-cli (googleQuotaErrors.ts), read 2026-08 to 2026-11.

package import Gateway

/// What one status, code or wording means.
package struct FailureMeaning: Equatable, Sendable {
    /// The status in decimal, the code, or the words in lower case.
    package let sign: String
    package let `class`: FailureClass
    /// What the client is told.
    package let kind: ErrorKind

    init(_ sign: String, _ failure: FailureClass, _ kind: ErrorKind? = nil) {
        self.sign = sign
        self.class = failure
        self.kind = kind ?? failure.errorKind
    }
}

package enum FailureTable {
    /// What a status says when nothing else does. Codes and wordings say more.
    package static func meaning(ofStatus status: Int) -> FailureMeaning {
        let sign = String(status)
        return switch status {
        case 401: FailureMeaning(sign, .authentication)
        case 402: FailureMeaning(sign, .quota)
        case 403: FailureMeaning(sign, .forbidden)
        case 404: FailureMeaning(sign, .missing)
        case 408, 504, 524: FailureMeaning(sign, .timeout)
        case 413: FailureMeaning(sign, .client, .tooLarge)
        case 429: FailureMeaning(sign, .rate)
        case 503, 529: FailureMeaning(sign, .overload)
        // 424 is Bedrock's model error, 499 Google's cancelled request.
        case 409, 424, 499, 500...599: FailureMeaning(sign, .server)
        default: FailureMeaning(sign, .client)
        }
    }

    /// Codes, types and statuses of error objects; the first match counts.
    package static let codes: [FailureMeaning] = [
        // A larger context window elsewhere may hold what this model cannot.
        FailureMeaning("context_length_exceeded", .context),
        FailureMeaning("model_context_window_exceeded", .context),
        FailureMeaning("invalid_prompt", .client),
        FailureMeaning("cyber_policy", .client),
        FailureMeaning("content_filter", .client),
        FailureMeaning("content_policy_violation", .client),
        FailureMeaning("unsupported_parameter", .parameter),
        FailureMeaning("unknown_parameter", .parameter),
        FailureMeaning("unsupported_value", .parameter),
        // What is used up stays so for long.
        FailureMeaning("insufficient_quota", .quota),
        FailureMeaning("credit_balance_exhausted", .quota),
        FailureMeaning("organization_spend_limit_exceeded", .quota),
        FailureMeaning("project_spend_limit_exceeded", .quota),
        FailureMeaning("organization_usage_limit_exceeded", .quota),
        FailureMeaning("enforced_spend_limit_reached", .quota),
        FailureMeaning("contract_spend_limit_reached", .quota),
        FailureMeaning("usage_limit_reached", .quota),
        FailureMeaning("QUOTA_EXHAUSTED", .quota),
        FailureMeaning("INSUFFICIENT_G1_CREDITS_BALANCE", .quota),
        FailureMeaning("billing_error", .quota),
        FailureMeaning("usage_not_included", .forbidden),
        FailureMeaning("organization_on_hold", .forbidden),
        FailureMeaning("rate_limit_exceeded", .rate),
        FailureMeaning("rate_limit_error", .rate),
        FailureMeaning("slow_down", .rate),
        FailureMeaning("RESOURCE_EXHAUSTED", .rate),
        FailureMeaning("ThrottlingException", .rate),
        FailureMeaning("ServiceQuotaExceededException", .rate),
        FailureMeaning("MODEL_CAPACITY_EXHAUSTED", .overload),
        FailureMeaning("overloaded_error", .overload),
        FailureMeaning("server_is_overloaded", .overload),
        FailureMeaning("ModelNotReadyException", .overload),
        FailureMeaning("UNAVAILABLE", .overload),
        FailureMeaning("invalid_api_key", .authentication),
        FailureMeaning("authentication_error", .authentication),
        FailureMeaning("UNAUTHENTICATED", .authentication),
        FailureMeaning("ExpiredToken", .authentication),
        FailureMeaning("permission_error", .forbidden),
        FailureMeaning("AccessDeniedException", .forbidden),
        FailureMeaning("PERMISSION_DENIED", .forbidden),
        FailureMeaning("model_not_found", .missing),
        FailureMeaning("not_found_error", .missing),
        FailureMeaning("NOT_FOUND", .missing),
        FailureMeaning("request_too_large", .client, .tooLarge),
        FailureMeaning("timeout_error", .timeout),
        FailureMeaning("ModelTimeoutException", .timeout),
        FailureMeaning("DEADLINE_EXCEEDED", .timeout),
        FailureMeaning("server_error", .server),
        FailureMeaning("api_error", .server),
        FailureMeaning("INTERNAL", .server),
        FailureMeaning("invalid_request_error", .client),
        FailureMeaning("INVALID_ARGUMENT", .client),
    ]

    /// Wordings that say more than their code; they are looked for where the code says no more than the given class.
    package static let wordings: [(within: FailureClass, meaning: FailureMeaning)] = [
        // Anthropic's 400 for an account without money, Google's 429 for a day's or a plan's end.
        (.client, FailureMeaning("credit balance is too low", .quota)),
        (.rate, FailureMeaning("perday", .quota)),
        (.rate, FailureMeaning("limit: 0", .quota)),
        (.rate, FailureMeaning("exceeded your current quota, please check your plan and billing", .quota)),
        (.client, FailureMeaning("api key not valid", .authentication)),
        (.client, FailureMeaning("unsupported parameter", .parameter)),
        (.client, FailureMeaning("unknown parameter", .parameter)),
        (.client, FailureMeaning("unrecognized request argument", .parameter)),
        (.client, FailureMeaning("extra inputs are not permitted", .parameter)),
        (.client, FailureMeaning("unknown name", .parameter)),
    ]

    /// What a provider says of a part that it cannot take, and Claude Code's word for it; looked for behind `client`.
    /// Source: error texts of OpenAI, OpenRouter, DeepSeek, vLLM, llama.cpp, Google and Anthropic, 2026 (partly unconfirmed);
    /// the classes of Claude Code 2.1 behind "capability_rejected: ".
    package static let capabilities: [(sign: String, capability: String)] = [
        ("image_url is only supported", "image_block"), ("support image input", "image_block"),
        ("unknown variant `image_url`", "image_block"), ("not a multimodal model", "image_block"),
        ("image input is not supported", "image_block"), ("image input modality", "image_block"),
        ("does not support image", "image_block"),
        ("does not support pdf", "document_block"), ("does not support document", "document_block"),
        ("invalid `signature` in `thinking`", "thinking_signature"),
        ("thought signature is not valid", "thinking_signature"),
        ("does not support response format", "structured_outputs_unsupported"),
    ]
}
