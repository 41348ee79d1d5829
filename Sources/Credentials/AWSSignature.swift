// SPDX-License-Identifier: Apache-2.0
// Signs one HTTP request with AWS keys. The body is signed by its hash, the header fields by their values.
// Source: AWS, "Create a signed AWS API request" (Signature Version 4), 2026.

import Config
import Crypto

/// One request to be signed.
package struct AWSSignature {
    /// "POST".
    package var method: String
    /// Path and query as they are sent.
    package var target: String
    /// The fields that are signed, without those that the signature adds; names in any case.
    package var fields: [(name: String, value: String)]
    package var body: [UInt8]

    package init(method: String, target: String, fields: [(name: String, value: String)], body: [UInt8]) {
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
    }

    /// The header fields to add: X-Amz-Date, X-Amz-Security-Token for short-lived keys, Authorization.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970; AWS refuses a time that is minutes away from its own.
    ///   - encodesPathAgain: every service but S3 signs the path with its escapes escaped.
    package func headers(_ keys: SigningKeys, now: Int, encodesPathAgain: Bool = true)
        -> [(name: String, value: String)]
    {
        let stamp = Timestamp.basic(now)
        var added = [(name: "X-Amz-Date", value: stamp)]
        if let token = keys.sessionToken {
            added.append(("X-Amz-Security-Token", String(decoding: token.expose(), as: UTF8.self)))
        }
        let signed = Self.canonical(fields + added)
        let names = signed.map(\.name).joined(separator: ";")
        let cut = target.firstIndex(of: "?") ?? target.endIndex
        var lines = [
            method, Self.path(target[..<cut], again: encodesPathAgain),
            Self.query(target[cut...].dropFirst()),
        ]
        lines += signed.map { "\($0.name):\($0.value)" } + ["", names, SHA256.digest(body).hexText]
        let day = String(stamp.prefix(8))
        let scope = "\(day)/\(keys.region)/\(keys.service)/aws4_request"
        let request = SHA256.digest(Array(lines.joined(separator: "\n").utf8)).hexText
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(request)"
        var key = Array("AWS4".utf8) + keys.secretAccessKey.expose()
        for part in [day, keys.region, keys.service, "aws4_request"] {
            key = HMACSHA256.code(Array(part.utf8), key: key)
        }
        let signature = Self.hex(HMACSHA256.code(Array(text.utf8), key: key))
        added.append(
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(keys.accessKeyID)/\(scope), SignedHeaders=\(names), "
                    + "Signature=\(signature)"
            ))
        return added
    }

    /// Lower-case names in order; values without outer blanks and with single inner ones; fields of one name joined.
    private static func canonical(_ fields: [(name: String, value: String)]) -> [(
        name: String, value: String
    )] {
        var values: [String: [String]] = [:]
        for field in fields {
            let words = field.value.split(whereSeparator: { $0 == " " || $0 == "\t" })
            values[field.name.lowercased(), default: []].append(words.joined(separator: " "))
        }
        return values.sorted { $0.key < $1.key }.map { ($0.key, $0.value.joined(separator: ",")) }
    }

    private static func path(_ path: Substring, again: Bool) -> String {
        guard !path.isEmpty else { return "/" }
        guard again else { return String(path) }
        return path.split(separator: "/", omittingEmptySubsequences: false).map {
            TokenRequest.percentEncoded(String($0))
        }.joined(separator: "/")
    }

    /// Names and values in the order of their escaped bytes; a name without "=" has an empty value.
    private static func query(_ query: Substring) -> String {
        let pairs = query.split(separator: "&").map { pair -> (String, String) in
            let cut = pair.firstIndex(of: "=") ?? pair.endIndex
            return (String(pair[..<cut]), String(pair[cut...].dropFirst()))
        }
        return pairs.sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 < $1.0 }.map { "\($0)=\($1)" }
            .joined(separator: "&")
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
