// SPDX-License-Identifier: Apache-2.0
// Signs a request with AWS keys, and reads from a refusal what was wrong with the signature.
// Source: AWS, "Create a signed AWS API request" and "Common errors" (2026).

import Bytes
import Credentials
import Gateway
import HTTP1

enum RequestSigner {
    /// Adds the signature to the fields of a POST request.
    ///
    /// - Parameter now: seconds since 1970 by the provider's clock.
    static func sign(_ fields: inout HeaderBlock, url: String, body: [UInt8], _ keys: SigningKeys, now: Int) {
        guard let scheme = url.firstRange(of: "://") else { return }
        let rest = url[scheme.upperBound...]
        let start = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let target = rest[start...].hasPrefix("/") ? String(rest[start...]) : "/" + rest[start...]
        // Only fields that nothing on the way changes.
        let signature = AWSSignature(
            method: "POST", target: target, fields: [("Host", String(rest[..<start]))], body: body)
        for (name, value) in signature.headers(keys, now: now) { fields.append(name, value) }
    }
}

/// What the head of a refused, signed request says.
struct SignatureRefusal {
    private var type = ""
    private var serverTime: Int?

    /// The keys have ended or are unknown.
    var isAboutKeys: Bool {
        ["ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId"].contains { type.hasPrefix($0) }
    }

    /// Seconds that the provider's clock is ahead, if it refused the time of a signature.
    func skew(now: Int) -> Int? {
        guard
            ["InvalidSignature", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired"]
                .contains(where: { type.hasPrefix($0) }), let serverTime, abs(serverTime - now) > 60
        else { return nil }
        return serverTime - now
    }

    /// One line of the head, without its line end.
    mutating func read(_ line: UnsafeRawBufferPointer) {
        guard let colon = line.firstIndex(of: ASCII.colon, from: 0) else { return }
        let name = line.slice(0..<colon)
        let value = String(decoding: line.slice((colon + 1)..<line.count), as: UTF8.self)
            .drop { $0 == " " }
        if ASCII.equalIgnoringCase(name, "x-amzn-errortype") { type = String(value) }
        if ASCII.equalIgnoringCase(name, "date") { serverTime = HTTPTime.parse(String(value)) }
    }
}
