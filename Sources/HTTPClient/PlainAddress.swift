// SPDX-License-Identifier: Apache-2.0
// The parts of an "http://" URL that a request needs, if they can be used as they are written. Whatever needs more than
// cutting into pieces (user names, fragments, dots to be resolved, international names) is libcurl's.
// Source: RFC 3986 §3; RFC 9112 §3.2.1 (origin-form), §3.2 (Host).

import Bytes

struct PlainAddress {
    /// "http://host:port", as it is dialled.
    let origin: String
    /// The value of Host: without the port if it is the scheme's.
    let host: [UInt8]
    /// The path and the query.
    let target: [UInt8]

    /// nil when libcurl has to see to it.
    init?(_ url: String) {
        var url = url
        let parts = url.withUTF8 { text in PlainAddress.cut(UnsafeRawBufferPointer(text)) }
        guard let parts else { return nil }
        origin = "http://" + String(decoding: parts.authority, as: UTF8.self)
        host = parts.authority.hasSuffix(":80") ? parts.authority.dropLast(3) : parts.authority
        target = parts.target
    }

    private static func cut(_ url: UnsafeRawBufferPointer) -> (authority: [UInt8], target: [UInt8])? {
        let scheme: StaticString = "http://"
        guard url.hasPrefix(scheme) else { return nil }
        let rest = url.slice(scheme.utf8CodeUnitCount..<url.count)
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.count
        let authority = Array(rest[..<end])
        guard !authority.isEmpty, authority.allSatisfy(isPlainInAuthority), hasPlainPort(authority) else {
            return nil
        }
        var target = Array(rest[end...])
        if target.first != UInt8(ascii: "/") { target.insert(UInt8(ascii: "/"), at: 0) }
        let isPlain = target.withUnsafeBytes { bytes in
            bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
                && bytes.firstIndex(of: "/.") == nil
        }
        return isPlain ? (authority, target) : nil
    }

    /// Whether there is no port, or one without zeros before it.
    private static func hasPlainPort(_ authority: [UInt8]) -> Bool {
        guard authority.last != UInt8(ascii: "]"), let colon = authority.lastIndex(of: ASCII.colon) else {
            return true
        }
        let port = authority[(colon + 1)...]
        return port.first.map { $0 != UInt8(ascii: "0") } ?? false && port.allSatisfy { $0 &- 0x30 < 10 }
    }

    /// Names, addresses of both families and a port; no "@" and no "%".
    private static func isPlainInAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5B, 0x5D, 0x5F: true
        default: false
        }
    }
}

extension Array where Element == UInt8 {
    fileprivate func hasSuffix(_ suffix: StaticString) -> Bool {
        withUnsafeBytes { $0.hasSuffix(suffix) }
    }
}
