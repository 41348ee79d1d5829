// SPDX-License-Identifier: Apache-2.0
// Keyed hashing and the derivation of keys from a key.
// Source: RFC 2104 (HMAC), RFC 5869 (HKDF); HMAC(3ssl).

import CCrypto

/// HMAC with SHA-256.
package enum HMACSHA256 {
    /// The code of `message` under `key`, 32 bytes.
    package static func code(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        LibCrypto.prepare()
        return [UInt8](unsafeUninitializedCapacity: 32) { output, count in
            var size: UInt32 = 0
            guard
                HMAC(
                    EVP_sha256(), key, Int32(key.count), message, message.count, output.baseAddress, &size)
                    != nil, size == 32
            else { fatalError("HMAC failed") }
            count = 32
        }
    }
}

/// HKDF with SHA-256.
package enum HKDF {
    /// Derives `count` bytes (1…8160) from key material; the same inputs always give the same key.
    ///
    /// - Parameters:
    ///   - info: what the key is for; different purposes give unrelated keys.
    ///   - salt: may be empty.
    package static func key(from material: [UInt8], salt: [UInt8] = [], info: String, count: Int = 32)
        -> [UInt8]
    {
        let pseudorandom = HMACSHA256.code(
            material, key: salt.isEmpty ? [UInt8](repeating: 0, count: 32) : salt)
        var output: [UInt8] = []
        var block: [UInt8] = []
        var number: UInt8 = 1
        while output.count < count {
            block = HMACSHA256.code(block + Array(info.utf8) + [number], key: pseudorandom)
            output += block
            number += 1
        }
        return Array(output.prefix(count))
    }
}
