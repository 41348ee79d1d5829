// SPDX-License-Identifier: Apache-2.0
// An error inside an answer as the client is told of it.

import Gateway

extension GatewayError {
    /// What a provider reported instead of the rest of its answer.
    init(_ failure: StreamFailure) {
        self.init(
            failure.kind, "the provider reported an error", quote: failure.message,
            retryAfter: failure.report.retryAfterSeconds, report: failure.report)
    }
}
