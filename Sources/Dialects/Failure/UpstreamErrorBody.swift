// SPDX-License-Identifier: Apache-2.0
// Reads the body of a failed answer of any provider: what it means, and how it is told in the client's dialect.
// Source: the error objects of OpenAI, Anthropic, Google, Mistral and FastAPI servers (vLLM), API references 2026.

package import Gateway
package import JSON

package enum UpstreamErrorBody {
    /// More of a body is not looked at.
    package static let maximumBytes = 64 << 10

    /// - Parameters:
    ///   - status: the provider's status, 300 or above.
    ///   - provider: its name, for the message.
    ///   - nowUnix: seconds since 1970.
    ///   - parser: any parser; values that the caller has from it become invalid.
    /// - Returns: the error with its report.
    package static func read(
        _ body: UnsafeRawBufferPointer, status: Int, provider: String, nowUnix: Int, parser: JSONParser
    ) -> GatewayError {
        let meaning = FailureTable.meaning(ofStatus: status)
        let text = "provider \(provider) answered \(status)"
        let plain = GatewayError(meaning.kind, text, report: FailureReport(meaning.class, status: status))
        guard body.count <= maximumBytes, let parsed = try? parser.parse(body) else {
            // No JSON, often a page of a proxy in between: its words help nobody.
            return plain
        }
        return withExtendedLifetime(parser) {
            // Google's compatible endpoint wraps the object into an array.
            let root = parsed.elements.first { _ in true } ?? parsed
            let error = root.member("error") ?? root.member("detail")
            guard error != nil || root.member("message") != nil || root.member("__type") != nil else {
                return plain
            }
            let failure = StreamFailure(error: error, in: root, status: status, nowUnix: nowUnix)
            let hasWords = failure.message != StreamFailure.wordless
            return GatewayError(
                failure.kind, text, quote: hasWords ? failure.message : "",
                retryAfter: failure.report.retryAfterSeconds, report: failure.report)
        }
    }
}
