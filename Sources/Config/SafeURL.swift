// SPDX-License-Identifier: Apache-2.0
// Which addresses secrets may be sent to.
// Source: RFC 6749 §3.2 (TLS is required), RFC 8252 §7.3 (loopback).

/// Which addresses secrets may be sent to.
package enum SafeURL {
    /// https anywhere, http only on this machine.
    package static func isAllowed(_ url: String) -> Bool {
        guard url.utf8.allSatisfy({ 0x21...0x7E ~= $0 }), url.utf8.count <= 2048 else { return false }
        if url.hasPrefix("https://") {
            return url.utf8.count > 8 && !authority(url, "https://").contains("@")
        }
        guard url.hasPrefix("http://") else { return false }
        let host = authority(url, "http://")
        return ["127.0.0.1", "localhost", "[::1]"].contains { host == $0 || host.hasPrefix($0 + ":") }
    }

    /// Also the addresses at which a virtual machine asks its host.
    package static func isAllowedMetadata(_ url: String) -> Bool {
        let host = authority(url, "http://")
        return isAllowed(url) || ["169.254.169.254", "metadata.google.internal"].contains(String(host))
    }

    private static func authority(_ url: String, _ scheme: String) -> Substring {
        url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    }

    /// The host and port of a URL, for limits per server.
    package static func host(_ url: String) -> String {
        guard let range = url.firstRange(of: "://") else { return "" }
        return String(url[range.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" })
    }
}
