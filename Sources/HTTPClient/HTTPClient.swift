// SPDX-License-Identifier: Apache-2.0
// Requests to upstreams, each by the way that suits it: over HTTP/2, TLS and proxies by libcurl; to a server that speaks
// plain HTTP, as those on the own machine and network do, over a connection that libcurl makes and ccr uses itself.

package import Curl
package import EventLoop
import Glibc
package import Posix

/// A request under way.
package protocol RunningRequest: AnyObject {
    /// Whether the request's body has left: it is not read again.
    var hasSentBody: Bool { get }
    /// Offers body bytes again after a `.pause`; may call the delegate before it returns.
    func resume()
    /// Ends without another report; not from within a body callback.
    func cancel()
}

extension Transfer: RunningRequest {}

/// Starts requests and keeps their connections. One per process.
package final class HTTPClient {
    let transfers: TransferPool
    let plain: PlainConnections
    /// Whether the environment names a proxy for plain HTTP; libcurl reads these variables, and this one in lower case only.
    private let environmentHasProxy = ["http_proxy", "all_proxy", "ALL_PROXY"].contains { (name: String) in
        getenv(name).map { $0.pointee != 0 } ?? false
    }

    /// - Parameter unusedConnectionMsec: how long a connection stays open while nobody uses it; at least 1,000, counted
    ///   in whole seconds.
    package init(_ loop: EventLoop, unusedConnectionMsec: Int) throws(Errno) {
        transfers = try TransferPool(loop, unusedConnectionMsec: unusedConnectionMsec)
        plain = try PlainConnections(loop, transfers, unusedConnectionMsec: unusedConnectionMsec)
    }

    /// Starts a request; the first report comes later, from the event loop.
    package func start(_ request: TransferRequest, delegate: any TransferDelegate) -> any RunningRequest {
        let isDirect = request.proxy.map(\.isEmpty) ?? !environmentHasProxy
        guard isDirect, let address = plain.address(request.url) else {
            return transfers.start(request, delegate: delegate)
        }
        return plain.start(request, at: address, delegate: delegate)
    }
}
