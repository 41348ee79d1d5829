// SPDX-License-Identifier: Apache-2.0
// AWS keys: what signs requests in place of a token that travels.
// Source: AWS SDK reference, "Process credential provider" (2026): the JSON that credential_process prints.

package import Config
package import IPC
package import JSON

/// A pair of keys, and where its signatures count.
package struct SigningKeys: Equatable, Sendable, WireCodable {
    package var accessKeyID: String
    package var secretAccessKey: Secret
    /// Goes with short-lived keys.
    package var sessionToken: Secret?
    package var region: String
    package var service: String
    /// The end of the keys in seconds since 1970; nil when they have none.
    package var expiresAt: Int?

    package init(
        accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil, region: String = "",
        service: String = ""
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.region = region
        self.service = service
    }

    /// Reads {AccessKeyId, SecretAccessKey, SessionToken?, Expiration?}; nil for anything else.
    package init?(_ text: [UInt8], parser: JSONParser) {
        guard let root = parser.object(text), let id = root.member("AccessKeyId")?.string,
            let secret = root.member("SecretAccessKey")?.string, TokenAnswer.isUsable(id),
            TokenAnswer.isUsable(secret)
        else { return nil }
        self.init(accessKeyID: id, secretAccessKey: Secret(secret))
        // The metadata server names it differently.
        if let token = root.member("SessionToken")?.string ?? root.member("Token")?.string {
            guard TokenAnswer.isUsable(token) else { return nil }
            sessionToken = Secret(token)
        }
        if let end = root.member("Expiration"), end.string?.isEmpty != true {
            guard let seconds = Timestamp.seconds(end) else { return nil }
            expiresAt = seconds
        }
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(accessKeyID)
        writer.put(secretAccessKey.expose())
        writer.put(sessionToken) { $0.put($1.expose()) }
        writer.put(region)
        writer.put(service)
        writer.put(expiresAt) { $0.put(Int64($1)) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        accessKeyID = try reader.getString()
        secretAccessKey = Secret(bytes: try reader.getArray())
        sessionToken = try reader.getOptional { (reader) throws(WireError) in
            Secret(bytes: try reader.getArray())
        }
        region = try reader.getString()
        service = try reader.getString()
        expiresAt = try reader.getOptional { (reader) throws(WireError) in
            Int(clamping: try reader.get(Int64.self))
        }
    }
}
