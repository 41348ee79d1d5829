// SPDX-License-Identifier: Apache-2.0
// The keys that clients may present, kept as hashes: a set holds no key, and the time of a lookup says nothing
// about the keys in it.
// Source: RFC 6819 §5.1.4.1 (store hashes of credentials); CRYPTO_memcmp(3ssl).

/// A fixed set of client keys.
package struct KeySet: Sendable {
    private let digests: [SHA256.Digest]

    /// - Parameter keys: each key's bytes, in the order in which `index` counts them.
    package init(keys: [[UInt8]]) {
        digests = keys.map { SHA256.digest($0) }
    }

    /// - Parameter digests: the SHA-256 of each key, 32 bytes; others match nothing.
    package init(digests: [[UInt8]]) {
        self.digests = digests.compactMap { SHA256.Digest(bytes: $0) }
    }

    package var isEmpty: Bool { digests.isEmpty }

    /// The position of the key that was presented, or nil. Every key is compared, whichever fits.
    package func index(of presented: UnsafeRawBufferPointer) -> Int? {
        let digest = SHA256.digest(presented)
        var found: Int?
        for (index, candidate) in digests.enumerated() {
            let isEqual = candidate == digest
            found = isEqual ? index : found
        }
        return found
    }
}
