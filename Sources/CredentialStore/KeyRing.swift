// SPDX-License-Identifier: Apache-2.0
// The master keys and what is derived from them. Nothing is encrypted with a master key itself.
// Source: RFC 5869; NIST SP 800-57 part 1 §5.3.5 (a rotation keeps the old key until nothing uses it).

package import Config
import Crypto

/// A key with its number; the number stands in front of what the key sealed.
package struct NumberedKey: Equatable, Sendable {
    package let number: UInt32
    package let key: Secret

    package init(number: UInt32, key: Secret) {
        self.number = number
        self.key = key
    }
}

/// What a key is for.
package enum KeyPurpose: Equatable, Sendable {
    case vault
    case fingerprint
    case spool
    /// The published tokens of one provider.
    case worker(provider: String)

    var info: String {
        switch self {
        case .vault: "ccr vault/v1"
        case .fingerprint: "ccr fp/v1"
        case .spool: "ccr spool/v1"
        case .worker(let provider): "ccr worker/\(provider)/v1"
        }
    }
}

/// The master keys, the one in use first.
package struct KeyRing: Equatable, Sendable {
    package private(set) var masters: [NumberedKey]

    /// - Parameter text: lines "ccr-key NUMBER BASE64URL", the key in use first; or 32 bytes, which become number 1.
    package init(_ text: [UInt8]) throws(StoreError) {
        masters = []
        if text.count == 32 {
            masters = [NumberedKey(number: 1, key: Secret(bytes: text))]
            return
        }
        for line in text.split(separator: 0x0A) {
            let parts = line.split(separator: 0x20)
            guard parts.count == 3, parts[0].elementsEqual("ccr-key".utf8),
                let number = UInt32(String(decoding: parts[1], as: UTF8.self)), number > 0,
                let key = Base64.decodeURL(parts[2]), key.count == 32,
                !masters.contains(where: { $0.number == number })
            else { throw .key("the master key is neither 32 bytes nor lines “ccr-key NUMBER KEY”") }
            masters.append(NumberedKey(number: number, key: Secret(bytes: key)))
        }
        guard !masters.isEmpty, masters.count <= 8 else { throw .key("the master key file holds no key") }
    }

    private init(masters: [NumberedKey]) {
        self.masters = masters
    }

    /// A ring with one new key.
    package static func make() -> KeyRing {
        KeyRing(masters: [NumberedKey(number: 1, key: Secret(bytes: Random.bytes(32)))])
    }

    /// This ring with a new key in front.
    package func rotated() -> KeyRing {
        let next = (masters.map(\.number).max() ?? 0) + 1
        return KeyRing(masters: [NumberedKey(number: next, key: Secret(bytes: Random.bytes(32)))] + masters)
    }

    /// Only the key in use.
    package func retired() -> KeyRing { KeyRing(masters: Array(masters.prefix(1))) }

    /// The form in which it is stored.
    package var text: [UInt8] {
        masters.flatMap { master in
            Array("ccr-key \(master.number) \(Base64.encodeURL(master.key.expose()))\n".utf8)
        }
    }

    /// The keys for a purpose, the one in use first.
    package func keys(for purpose: KeyPurpose) -> [NumberedKey] {
        masters.map { master in
            NumberedKey(
                number: master.number,
                key: Secret(bytes: HKDF.key(from: master.key.expose(), info: purpose.info)))
        }
    }

    /// 12 bytes that tell whether two secrets are the same and say nothing else about them.
    package func fingerprint(_ secret: Secret) -> [UInt8] {
        fingerprints(secret)[0]
    }

    /// One fingerprint per key, for comparison with what an older key made.
    package func fingerprints(_ secret: Secret) -> [[UInt8]] {
        keys(for: .fingerprint).map {
            Array(HMACSHA256.code(secret.expose(), key: $0.key.expose()).prefix(12))
        }
    }
}

/// Sealed bytes: version, number of the key, then what `AESGCM` makes. The place they belong to is authenticated, so
/// that a row does not open in another's place or with an older content.
package enum Envelope {
    private static let version: UInt8 = 1

    /// Where sealed bytes belong.
    package struct Place: Sendable {
        let table: String
        let column: String
        let credential: String
        let generation: UInt64

        package init(table: String, column: String, credential: String, generation: UInt64) {
            self.table = table
            self.column = column
            self.credential = credential
            self.generation = generation
        }

        var context: [UInt8] {
            var bytes: [UInt8] = []
            for part in ["ccr1", table, column, credential, String(generation)] {
                bytes.append(UInt8(truncatingIfNeeded: part.utf8.count >> 8))
                bytes.append(UInt8(truncatingIfNeeded: part.utf8.count))
                bytes += Array(part.utf8)
            }
            return bytes
        }
    }

    package static func seal(_ secret: Secret, _ key: NumberedKey, _ place: Place) -> [UInt8] {
        var bytes = [version]
        withUnsafeBytes(of: key.number.bigEndian) { bytes += Array($0) }
        return bytes + AESGCM.seal(secret.expose(), key: key.key.expose(), context: place.context)
    }

    /// - Returns: nil when none of the keys fits, the place is another, or a byte was altered.
    package static func open(_ sealed: [UInt8], _ keys: [NumberedKey], _ place: Place) -> Secret? {
        guard sealed.count > 5, sealed[0] == version else { return nil }
        let number = sealed[1..<5].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard let key = keys.first(where: { $0.number == number }) else { return nil }
        return AESGCM.open(Array(sealed.dropFirst(5)), key: key.key.expose(), context: place.context).map {
            Secret(bytes: $0)
        }
    }
}
