// SPDX-License-Identifier: Apache-2.0
// Where a running ccr is asked, and the two questions that commands ask it.

import Config
import JSON
import Posix

struct GatewayAddress {
    /// The time for one question while a command waits.
    private static let timeoutMs = 1_000

    private let address: ListenAddress
    /// The first client key that is not only known by its hash, for gateways that want one.
    private let key: Secret?

    init(_ configuration: Configuration, _ overrides: ConfigOverrides = ConfigOverrides()) {
        let host = Self.reachable(overrides.host ?? configuration.listen.host)
        address = .tcp(host: host, port: overrides.port ?? configuration.listen.port)
        key = configuration.clientKeys.lazy.compactMap(\.key).first
    }

    /// An administrators' socket, which asks for no key.
    init(adminSocket path: String) {
        address = .unix(path: path)
        key = nil
    }

    /// An address to connect to: listening everywhere includes loopback.
    private static func reachable(_ host: String) -> String {
        switch host {
        case "0.0.0.0", "localhost": "127.0.0.1"
        case "::", "[::1]": "::1"
        default: host
        }
    }

    /// "127.0.0.1:3456", or the path of a socket.
    var authority: String { address.description }

    var url: String { "http://\(authority)" }

    func get(_ path: String, timeoutMs: Int = HTTPClient.timeoutMs) throws(HTTPClient.Failure) -> HTTPResponse
    {
        try HTTPClient.get(path, at: address, key: key, timeoutMs: timeoutMs)
    }

    /// Whether every process of a ccr is ready there.
    var isReady: Bool { (try? get("/health/readiness", timeoutMs: Self.timeoutMs))?.status == 200 }

    /// Whether it is a ccr that answers there.
    var isCCR: Bool {
        guard let body = (try? get("/health", timeoutMs: Self.timeoutMs))?.body else { return false }
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        // What is no JSON is no ccr.
        return (try? parser.parse(body))?.member("processes") != nil
    }
}
