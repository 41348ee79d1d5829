// SPDX-License-Identifier: Apache-2.0
// Which header fields cross ccr. Everything passes but what these tables name, so that new fields of clients and
// providers work the day they appear.
// Source: RFC 9110 §7.6.1 (hop-by-hop fields); client-visible account fields of OpenAI and Anthropic answers (2026).

import Bytes

package enum HeaderPolicy {
    /// Fields of a client's request that do not reach an upstream.
    private static let requestDrops = NameSet([
        // Hop by hop, or about this connection's framing.
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
        "trailer",
        "transfer-encoding", "upgrade", "host", "content-length", "expect",
        // The body is decoded by front; answers must be readable by the worker.
        "content-encoding", "accept-encoding",
        // The client's credential for ccr; the worker sets the provider's own.
        "authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie",
        // ccr's own switches.
        "x-ccr-request-id", "x-ccr-route", "x-ccr-tier",
    ])

    /// Fields of an upstream's answer that do not reach the client.
    private static let responseDrops = NameSet([
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authentication-info",
        "te",
        "trailer", "transfer-encoding", "upgrade", "content-length",
        // State between the upstream and ccr.
        "set-cookie", "set-cookie2", "alt-svc", "strict-transport-security", "www-authenticate",
        // Whose account answered is nobody else's business.
        "openai-organization", "openai-project", "anthropic-organization-id", "cf-ray", "cf-cache-status",
        "server",
        "via",
    ])

    /// Whether a request field goes upstream.
    package static func forwardsRequest(_ name: UnsafeRawBufferPointer) -> Bool {
        !requestDrops.contains(name)
    }

    /// Whether an answer's field goes to the client. `modelChanged`: the upstream was asked for another model than
    /// the client named; Codex takes a differing "openai-model" for a security rerouting and warns its user.
    package static func forwardsResponse(_ name: UnsafeRawBufferPointer, modelChanged: Bool) -> Bool {
        if modelChanged, ASCII.equalIgnoringCase(name, "openai-model") { return false }
        return !responseDrops.contains(name)
    }

    /// A set of lower-case names, looked up by length and first letter before any comparison.
    struct NameSet: Sendable {
        private let buckets: [[[UInt8]]]

        init(_ names: [String]) {
            var buckets = [[[UInt8]]](repeating: [], count: 32)
            for name in names {
                buckets[NameSet.bucket(name.utf8.count, name.utf8.first ?? 0)].append(Array(name.utf8))
            }
            self.buckets = buckets
        }

        private static func bucket(_ count: Int, _ first: UInt8) -> Int {
            (count &* 7 &+ Int(first | 0x20)) & 31
        }

        func contains(_ name: UnsafeRawBufferPointer) -> Bool {
            guard let first = name.first else { return false }
            return buckets[NameSet.bucket(name.count, first)].contains { candidate in
                candidate.withUnsafeBytes { ASCII.equalIgnoringCase($0, name) }
            }
        }
    }
}
