// SPDX-License-Identifier: Apache-2.0
// What failures of the transport mean. Those that a provider tells are in Dialects/Failure.

package import Curl
package import Gateway

package enum UpstreamFailure {
    private static let advice = "ccr doctor checks the way to it"

    /// What a transport failure means for the client. The text names the provider, never the URL.
    package static func error(_ failure: TransferFailure, _ text: String, provider: String) -> GatewayError {
        let (kind, failureClass, words): (ErrorKind, FailureClass, String) =
            switch failure {
            case .resolve: (.upstreamUnreachable, .network, "its host name is not known; \(advice)")
            case .connect: (.upstreamUnreachable, .network, "no connection; \(advice)")
            case .proxy: (.upstreamUnreachable, .network, "\(text); \(advice)")
            case .tls: (.upstreamUnreachable, .network, "TLS failed (\(text)); \(advice)")
            case .connectTimeout: (.upstreamTimeout, .timeout, "no connection in time")
            case .broken: (.upstreamUnreachable, .network, "the connection broke")
            case .malformed: (.upstreamUnreachable, .server, "its answer is not understood")
            }
        return GatewayError(
            kind, "provider \(provider): \(words)", report: FailureReport(failureClass))
    }
}
