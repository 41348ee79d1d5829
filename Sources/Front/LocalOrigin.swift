// SPDX-License-Identifier: Apache-2.0
// Keeps web pages out of a gateway that needs no key: a browser on this machine runs code of strangers, and what it
// sends comes from loopback too.
// Source: Fetch Standard ("Origin" header), RFC 9110 §7.2 (Host); DNS rebinding needs a name in Host.

import Bytes
import Gateway
import HTTP1

enum LocalOrigin {
    /// Refuses a request that a web page of another origin sent, or one for a name that is not this machine's.
    static func check(_ head: RequestHead) throws(GatewayError) {
        if let origin = head.first("origin"), !isLoopback(authority: afterScheme(origin)) {
            throw GatewayError(.permission, "requests of web pages need a client key (APIKEY)")
        }
        if let host = head.first("host"), !host.isEmpty, !isAddressOrLocal(authority: host) {
            throw GatewayError(
                .permission,
                "without a client key (APIKEY) the gateway is called by an address or as localhost")
        }
    }

    private static func afterScheme(_ origin: String) -> String {
        guard let colon = origin.firstIndex(of: ":") else { return origin }
        return String(origin[origin.index(after: colon)...].drop { $0 == "/" })
    }

    /// "localhost", a name below it, 127.0.0.0/8 or ::1, with or without a port.
    static func isLoopback(authority: String) -> Bool {
        if authority.hasPrefix("[::1]") { return true }
        let host = authority.prefix { $0 != ":" }.lowercased()
        if host == "localhost" || host.hasSuffix(".localhost") { return true }
        return host.hasPrefix("127.") && isIPv4(host)
    }

    /// Loopback, or any address in numbers: a name that was rebound is neither.
    static func isAddressOrLocal(authority: String) -> Bool {
        authority.hasPrefix("[") || isLoopback(authority: authority) || isIPv4(authority.prefix { $0 != ":" })
    }

    private static func isIPv4(_ host: some StringProtocol) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}
