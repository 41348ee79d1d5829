// SPDX-License-Identifier: Apache-2.0
// One request on a metrics socket: GET or HEAD, no body, one answer, close. No I/O.
// Source: RFC 9110 §9.3.1 and §9.3.2, RFC 9112 §9.6.

import HTTP1

/// Collects a request head and makes the answer to it.
struct MetricsExchange {
    private var received: [UInt8] = []
    private var parser = RequestParser()

    private static let limits = HTTPLimits(headBytes: ExporterLimits.metricsHeadBytes)

    /// Takes bytes of the client; returns the whole answer once it is known, after which nothing more is taken.
    ///
    /// - Parameter answer: answers a path without its query.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, answer: (String) -> Answer) -> [UInt8]? {
        received.append(contentsOf: bytes)
        switch parser.parseHead(received, limits: MetricsExchange.limits) {
        case .incomplete:
            return nil
        case .invalid(let error):
            return Answer.error(status: error.status, code: "invalid_request", error.message)
                .bytes(keepAlive: false, isHTTP11: true)
        case .head(let head, _):
            guard head.method == .get || head.method == .head else {
                return Answer.error(
                    status: 405, code: "method_not_allowed", "only GET and HEAD are answered here"
                )
                .bytes(keepAlive: false, isHTTP11: true)
            }
            return answer(head.path).bytes(keepAlive: false, isHTTP11: true, isHead: head.method == .head)
        }
    }
}
