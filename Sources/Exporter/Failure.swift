// SPDX-License-Identifier: Apache-2.0
// Why a finished request counts as failed: the "reason" of ccr_failures_total.

import Gateway

enum Failure {
    /// The reason, or nil when the request did not fail; a client that went away is no failure.
    static func reason(of record: RequestRecord) -> String? {
        if let rejection = record.rejection { return rejection.name }
        switch record.outcome {
        case .aborted: return nil
        case .upstreamFailed, .timedOut, .rejected: return record.outcome.name
        case .completed: return reason(status: record.status)
        }
    }

    /// The reason that a provider's status stands for; every ErrorKind with a status of its own, else by class.
    private static func reason(status: Int) -> String? {
        switch status {
        case ..<400: nil
        case 503, 529: ErrorKind.overloaded.name
        case 504: ErrorKind.upstreamTimeout.name
        case 500...: "upstream_error"
        default: (ErrorKind.allCases.first { $0.status == status } ?? .invalidRequest).name
        }
    }
}
