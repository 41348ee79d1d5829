// SPDX-License-Identifier: Apache-2.0
// RSA signatures of JSON web tokens.
// Source: RFC 7518 §3.3 (RS256: RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 bits or more);
// EVP_DigestSignInit(3ssl), PEM_read_bio_PrivateKey(3ssl).

import CCrypto

/// A private RSA key that signs; its memory is freed and wiped by libcrypto.
package final class RSASigner {
    private let key: OpaquePointer

    /// Why a text is no usable key.
    package enum Failure: Error, Equatable {
        /// No PEM of a private key, or one that is protected by a passphrase.
        case unreadable
        /// Another kind of key than RSA.
        case notRSA
        /// Fewer than 2048 bits.
        case tooShort(bits: Int)
    }

    /// - Parameter pem: a private key in PEM form, PKCS#8 or PKCS#1, without a passphrase.
    package init(pem: [UInt8]) throws(Failure) {
        LibCrypto.prepare()
        guard let source = BIO_new_mem_buf(pem, Int32(pem.count)) else {
            fatalError("libcrypto: out of memory")
        }
        defer { BIO_free(source) }
        // Without this callback libcrypto would ask the terminal for a passphrase.
        guard let key = PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in -1 }, nil) else {
            ERR_clear_error()
            throw .unreadable
        }
        let bits = Int(EVP_PKEY_get_bits(key))
        guard EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA, bits >= 2048 else {
            let isRSA = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA
            EVP_PKEY_free(key)
            throw isRSA ? .tooShort(bits: bits) : .notRSA
        }
        self.key = key
    }

    deinit {
        EVP_PKEY_free(key)
    }

    /// The RS256 signature of `message`.
    package func signature(of message: [UInt8]) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { fatalError("libcrypto: out of memory") }
        defer { EVP_MD_CTX_free(context) }
        var size = Int(EVP_PKEY_get_size(key))
        var output = [UInt8](repeating: 0, count: size)
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, &output, &size, message, message.count) == 1
        else { fatalError("libcrypto: an RSA key does not sign") }
        return Array(output.prefix(size))
    }
}
