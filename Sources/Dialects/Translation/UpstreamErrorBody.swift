// SPDX-License-Identifier: Apache-2.0
// Reads the body of a failed answer of any provider, so that it can be told in the client's dialect.
// Source: the error objects of OpenAI, Anthropic, Google, Mistral and FastAPI servers (vLLM), API references 2026.

package import Gateway
package import JSON

package enum UpstreamErrorBody {
    /// More of a body is not looked at.
    package static let maximumBytes = 64 << 10

    /// - Parameters:
    ///   - status: the provider's status, 300 or above.
    ///   - kind: what the status alone means.
    ///   - provider: its name, for the message.
    ///   - parser: any parser; values that the caller has from it become invalid.
    package static func read(
        _ body: UnsafeRawBufferPointer, status: Int, kind: ErrorKind, provider: String, retryAfter: Int?,
        parser: JSONParser
    ) -> GatewayError {
        let plain = GatewayError(kind, "provider \(provider) answered \(status)", retryAfter: retryAfter)
        guard body.count <= maximumBytes, let parsed = try? parser.parse(body, padded: false) else {
            // No JSON, often a page of a proxy in between: its words help nobody.
            return plain
        }
        return withExtendedLifetime(parser) {
            // Google's compatible endpoint wraps the object into an array.
            let root = parsed.elements.first { _ in true } ?? parsed
            let error = root.member("error") ?? root.member("detail")
            guard error != nil || root.member("message") != nil else { return plain }
            let failure = StreamFailure(error: error, in: root)
            // A code that says more than the status wins; codes that are not known say "unreachable".
            let said = failure.kind == .upstreamUnreachable ? kind : failure.kind
            let isTooLong = said == .invalidRequest && ContextOverflow.isTold(by: failure.message)
            return GatewayError(
                isTooLong ? .contextTooLong : said, "provider \(provider) answered \(status)",
                quote: failure.message, retryAfter: retryAfter)
        }
    }
}
