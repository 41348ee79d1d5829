// SPDX-License-Identifier: Apache-2.0
// What a worker needs to sign a request: header fields, ready to be sent, and where the provider serves this account.

package import Config
package import Credentials
package import IPC

/// A published token; its fields hold secrets.
package struct PublishedToken: Equatable, Sendable, WireCodable {
    /// Name and value in order.
    package var fields: [(name: String, value: Secret)]
    /// Replaces scheme, host and port of the provider's URLs; nil for the configured ones.
    package var origin: String?
    /// Signs each request, for services that want that in place of a token.
    package var keys: SigningKeys?

    package init(
        fields: [(name: String, value: Secret)], origin: String? = nil, keys: SigningKeys? = nil
    ) {
        self.fields = fields
        self.origin = origin
        self.keys = keys
    }

    package static func == (a: PublishedToken, b: PublishedToken) -> Bool {
        a.origin == b.origin && a.keys == b.keys
            && a.fields.elementsEqual(b.fields) { $0.name == $1.name && $0.value == $1.value }
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(list: fields) { writer, field in
            writer.put(field.name)
            writer.put(field.value.expose())
        }
        writer.put(origin) { $0.put($1) }
        writer.put(keys) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        fields = try reader.getList { (reader) throws(WireError) in
            (name: try reader.getString(), value: Secret(bytes: try reader.getArray()))
        }
        origin = try reader.getOptional { (reader) throws(WireError) in try reader.getString() }
        keys = try reader.getOptional { (reader) throws(WireError) in try reader.get(SigningKeys.self) }
    }

    /// As it is sealed.
    package var sealedForm: Secret {
        var writer = WireWriter()
        writer.put(self)
        return Secret(bytes: writer.bytes)
    }

    /// Reads what `sealedForm` made; nil for anything else.
    package init?(sealedForm: Secret) {
        let token = sealedForm.expose().withUnsafeBytes { bytes -> PublishedToken? in
            var reader = WireReader(bytes)
            guard let token = try? reader.get(PublishedToken.self), (try? reader.end()) != nil else {
                return nil
            }
            return token
        }
        guard let token else { return nil }
        self = token
    }
}
