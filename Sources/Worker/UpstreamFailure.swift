// SPDX-License-Identifier: Apache-2.0
// What an upstream's failures mean: which are worth another candidate, and what a client is told.
// Source: RFC 9110 §15; the error tables of OpenAI and Anthropic (2026): 529 is Anthropic's "overloaded".

package import Curl
package import Gateway

package enum UpstreamFailure {
    /// Whether another provider may do better. A request that is wrong in itself (400, 413, 422…) is wrong everywhere
    /// and its answer goes to the client as it is.
    package static func isWorthAnotherCandidate(status: Int) -> Bool {
        switch status {
        case 401, 402, 403, 404, 408, 429: true
        case 500...599: true
        default: false
        }
    }

    /// The kind of a failed status.
    package static func kind(ofStatus status: Int) -> ErrorKind {
        switch status {
        case 400, 422: .invalidRequest
        case 413: .tooLarge
        case 401: .authentication
        case 402, 403: .permission
        case 404: .modelNotFound
        case 408, 504: .upstreamTimeout
        case 429: .rateLimited
        case 503, 529: .overloaded
        default: .upstreamUnreachable
        }
    }

    /// What a transport failure means for the client. The text names the provider, never the URL.
    package static func error(_ failure: TransferFailure, _ text: String, provider: String) -> GatewayError {
        switch failure {
        case .resolve: GatewayError(.upstreamUnreachable, "provider \(provider): its host name is not known")
        case .connect: GatewayError(.upstreamUnreachable, "provider \(provider): no connection")
        case .tls: GatewayError(.upstreamUnreachable, "provider \(provider): TLS failed (\(text))")
        case .connectTimeout: GatewayError(.upstreamTimeout, "provider \(provider): no connection in time")
        case .broken: GatewayError(.upstreamUnreachable, "provider \(provider): the connection broke")
        case .malformed:
            GatewayError(.upstreamUnreachable, "provider \(provider): its answer is not understood")
        }
    }
}
