// SPDX-License-Identifier: Apache-2.0
// SHA-256 and comparison without a timing channel, both from libcrypto.
// Source: FIPS 180-4; SHA256(3ssl), CRYPTO_memcmp(3ssl).

import CCrypto

/// The hash function.
package enum SHA256 {
    /// A hash of 32 bytes; two of them compare in constant time.
    package struct Digest: Equatable, Sendable {
        private let words: (UInt64, UInt64, UInt64, UInt64)

        /// - Parameter bytes: 32 bytes.
        fileprivate init(_ words: (UInt64, UInt64, UInt64, UInt64)) {
            self.words = words
        }

        /// A hash computed before; nil unless there are 32 bytes.
        package init?(bytes: [UInt8]) {
            guard bytes.count == 32 else { return nil }
            words = bytes.withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
        }

        /// Lends the 32 bytes.
        package func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
            withUnsafeBytes(of: words, body)
        }

        /// 64 lower-case hexadecimal digits.
        package var hexText: String {
            withBytes { bytes in
                String(unsafeUninitializedCapacity: 64) { text in
                    for (index, byte) in bytes.enumerated() {
                        text[2 * index] = Self.digit(byte >> 4)
                        text[2 * index + 1] = Self.digit(byte & 0xF)
                    }
                    return 64
                }
            }
        }

        private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

        package static func == (a: Digest, b: Digest) -> Bool {
            a.withBytes { a in b.withBytes { b in ConstantTime.equal(a, b) } }
        }
    }

    /// Hashes `bytes` at once.
    package static func digest(_ bytes: UnsafeRawBufferPointer) -> Digest {
        LibCrypto.prepare()
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { words in
            _ = CCrypto.SHA256(
                bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count,
                words.bindMemory(to: UInt8.self).baseAddress)
        }
        return Digest(words)
    }

    /// Hashes `bytes` at once.
    package static func digest(_ bytes: [UInt8]) -> Digest {
        bytes.withUnsafeBytes { digest($0) }
    }
}

/// Comparison whose time does not depend on where the bytes differ.
package enum ConstantTime {
    /// Whether both hold the same bytes; different lengths are told apart at once.
    package static func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        guard let first = a.baseAddress, let second = b.baseAddress else { return true }
        return CRYPTO_memcmp(first, second, a.count) == 0
    }
}
