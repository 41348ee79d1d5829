// SPDX-License-Identifier: Apache-2.0
// Who may call a gateway without a key.

import Gateway
import HTTP1
import Testing

@testable import Front

@Suite("Callers without a key") struct LocalOriginTests {
    private func check(host: String, origin: String?) throws {
        var parser = RequestParser()
        let field = origin.map { "Origin: \($0)\r\n" } ?? ""
        let text = "POST /v1/messages HTTP/1.1\r\nHost: \(host)\r\n\(field)\r\n"
        guard case .head(let head, _) = parser.parseHead(Array(text.utf8), limits: HTTPLimits()) else {
            throw GatewayError(.internalFault, "the test's head is wrong")
        }
        try LocalOrigin.check(head)
    }

    @Test(
        "A gateway is called by an address or as localhost",
        arguments: [
            "127.0.0.1:3456", "127.0.0.1", "127.8.9.10", "localhost", "LocalHost:3456", "ccr.localhost",
            "[::1]:3456",
            "[::1]", "10.0.0.7:3456", "192.168.1.2", "[fd00::1]:80",
        ])
    func hosts(host: String) {
        #expect(throws: Never.self) { try check(host: host, origin: nil) }
    }

    @Test(
        "A name that may have been rebound to this machine is refused",
        arguments: [
            "evil.example", "evil.example:3456", "127.0.0.1.evil.example", "localhost.evil.example",
            "notlocalhost", "127.0.0.1.2", "127.0.0", "256.0.0.1", "127.0.0.x",
        ])
    func names(host: String) {
        let error = #expect(throws: GatewayError.self) { try check(host: host, origin: nil) }
        #expect(error?.kind == .permission)
    }

    @Test(
        "A page of this machine may call",
        arguments: [
            "http://localhost:5173", "http://127.0.0.1", "https://localhost", "http://app.localhost:80",
            "http://[::1]:80",
        ])
    func origins(origin: String) {
        #expect(throws: Never.self) { try check(host: "127.0.0.1:3456", origin: origin) }
    }

    @Test(
        "A page from elsewhere is refused, whatever it calls itself",
        arguments: [
            "https://evil.example", "null", "", "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.7", "file://", "chrome-extension://abcdef", "http://evil.example:127",
            "localhostile",
        ])
    func foreignOrigins(origin: String) {
        let error = #expect(throws: GatewayError.self) { try check(host: "127.0.0.1:3456", origin: origin) }
        #expect(error?.kind == .permission)
        #expect(error?.message.contains("evil") == false)
    }
}
