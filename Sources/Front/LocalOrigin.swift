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
        let origin = head.withFirst("origin") { isLoopback(authority: afterScheme($0)) }
        if origin == false {
            throw GatewayError(.permission, "requests of web pages need a client key (APIKEY)")
        }
        let host = head.withFirst("host") { $0.isEmpty || isAddressOrLocal(authority: $0) }
        if host == false {
            throw GatewayError(
                .permission,
                "without a client key (APIKEY) the gateway is called by an address or as localhost")
        }
    }

    private static func afterScheme(_ origin: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let colon = origin.firstIndex(of: ASCII.colon, from: 0) else { return origin }
        return UnsafeRawBufferPointer(rebasing: origin[(colon + 1)...].drop { $0 == 0x2F })
    }

    /// "localhost", a name below it, 127.0.0.0/8 or ::1, with or without a port.
    static func isLoopback(authority: UnsafeRawBufferPointer) -> Bool {
        if authority.hasPrefix("[::1]") { return true }
        let host = withoutPort(authority)
        if host.hasPrefix("127.") { return isIPv4(host) }
        let name: StaticString = "localhost"
        let length = name.utf8CodeUnitCount
        guard host.count >= length else { return false }
        let tail = host.slice((host.count - length)..<host.count)
        guard ASCII.equalIgnoringCase(tail, name) else { return false }
        return host.count == length || host[host.count - length - 1] == 0x2E
    }

    /// Loopback, or any address in numbers: a name that was rebound is neither.
    static func isAddressOrLocal(authority: UnsafeRawBufferPointer) -> Bool {
        authority.first == 0x5B || isLoopback(authority: authority) || isIPv4(withoutPort(authority))
    }

    private static func withoutPort(_ authority: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let colon = authority.firstIndex(of: ASCII.colon, from: 0) else { return authority }
        return authority.slice(0..<colon)
    }

    /// Four decimal numbers from 0 to 255 with dots between them.
    private static func isIPv4(_ host: UnsafeRawBufferPointer) -> Bool {
        var dots = 0
        var number = -1
        for byte in host {
            if byte == 0x2E {
                guard number >= 0 else { return false }
                dots += 1
                number = -1
            } else {
                guard byte &- 0x30 < 10 else { return false }
                number = max(number, 0) * 10 + Int(byte &- 0x30)
                guard number <= 255 else { return false }
            }
        }
        return dots == 3 && number >= 0
    }
}
