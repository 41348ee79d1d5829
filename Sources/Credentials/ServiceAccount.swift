// SPDX-License-Identifier: Apache-2.0
// The key file of a Google service account and the assertions it signs.
// Source: RFC 7515 §3.1, RFC 7519; Google's client library for Python, November 2026.

import Crypto
import JSON

/// A key file, read.
package struct ServiceAccount {
    package let email: String
    package let keyID: String
    private let signer: RSASigner

    /// - Returns: nil when the text is no key file or its key does not sign.
    package init?(_ file: [UInt8]) {
        let parser = JSONParser()
        guard let root = parser.object(file), let email = root.member("client_email")?.string,
            let key = root.member("private_key")?.string,
            let signer = try? RSASigner(pem: Array(key.utf8))
        else { return nil }
        self.email = email
        keyID = root.member("private_key_id")?.string ?? ""
        self.signer = signer
    }

    /// The assertion that is exchanged for a token; valid for an hour from `now`, seconds since 1970.
    package func assertion(scope: String, now: Int) -> String? {
        var header = JSONWriter()
        header.object { writer in
            writer.member("alg", "RS256")
            writer.member("typ", "JWT")
            if !keyID.isEmpty { writer.member("kid", keyID) }
        }
        var claims = JSONWriter()
        claims.object { writer in
            writer.member("iss", email)
            // Google checks this constant whatever address the request goes to.
            writer.member("aud", "https://oauth2.googleapis.com/token")
            writer.member("iat", now)
            writer.member("exp", now + 3600)
            writer.member("scope", scope)
        }
        let signed = Base64.encodeURL(header.bytes) + "." + Base64.encodeURL(claims.bytes)
        return signed + "." + Base64.encodeURL(signer.signature(of: Array(signed.utf8)))
    }
}
