// SPDX-License-Identifier: Apache-2.0
// Authenticated encryption: what was altered or belongs elsewhere does not open.
// Source: NIST SP 800-38D; RFC 8439; EVP_EncryptInit(3ssl), "AEAD Interface".

import CCrypto

/// AES-256 in Galois/counter mode.
package enum AESGCM {
    package static let keyBytes = 32
    package static let nonceBytes = 12
    package static let tagBytes = 16

    /// Encrypts `text`; returns nonce, ciphertext and tag in a row, `text.count + 28` bytes.
    ///
    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - context: authenticated, not encrypted; must be the same to open.
    package static func seal(_ text: [UInt8], key: [UInt8], context: [UInt8]) -> [UInt8] {
        seal(text, key: key, nonce: Random.bytes(nonceBytes), context: context)
    }

    /// As above with a given nonce of 12 bytes, which must never be used twice with one key.
    static func seal(_ text: [UInt8], key: [UInt8], nonce: [UInt8], context: [UInt8]) -> [UInt8] {
        let cipher = AEAD.newContext(key, nonce)
        defer { EVP_CIPHER_CTX_free(cipher) }
        var length: Int32 = 0
        AEAD.check(EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), nil, key, nonce))
        AEAD.check(EVP_EncryptUpdate(cipher, nil, &length, context, Int32(context.count)))
        var output = [UInt8](repeating: 0, count: text.count)
        AEAD.check(EVP_EncryptUpdate(cipher, &output, &length, text, Int32(text.count)))
        var rest = [UInt8](repeating: 0, count: 16)
        AEAD.check(EVP_EncryptFinal_ex(cipher, &rest, &length))
        var tag = [UInt8](repeating: 0, count: tagBytes)
        AEAD.check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(tagBytes), &tag))
        return nonce + output + tag
    }

    /// Decrypts what `seal` made, or nil when the key or the context is another or a byte was altered.
    package static func open(_ sealed: [UInt8], key: [UInt8], context: [UInt8]) -> [UInt8]? {
        guard sealed.count >= nonceBytes + tagBytes else { return nil }
        return AEAD.open(
            sealed.dropFirst(nonceBytes), EVP_aes_256_gcm(), key: key,
            nonce: Array(sealed.prefix(nonceBytes)),
            context: context)
    }

}

/// ChaCha20 and Poly1305 (RFC 8439); only what others sealed is opened.
enum ChaChaPoly {
    /// Decrypts ciphertext and tag; nil when the key is another or a byte was altered.
    static func open(_ sealed: ArraySlice<UInt8>, key: [UInt8], nonce: [UInt8]) -> [UInt8]? {
        AEAD.open(sealed, EVP_chacha20_poly1305(), key: key, nonce: nonce, context: [])
    }
}

/// What both have in common: keys of 32 bytes, nonces of 12, tags of 16 behind the ciphertext.
private enum AEAD {
    static func open(
        _ sealed: ArraySlice<UInt8>, _ algorithm: OpaquePointer?, key: [UInt8], nonce: [UInt8],
        context: [UInt8]
    ) -> [UInt8]? {
        guard sealed.count >= AESGCM.tagBytes else { return nil }
        let body = Array(sealed.dropLast(AESGCM.tagBytes))
        var tag = Array(sealed.suffix(AESGCM.tagBytes))
        let cipher = newContext(key, nonce)
        defer { EVP_CIPHER_CTX_free(cipher) }
        var length: Int32 = 0
        check(EVP_DecryptInit_ex(cipher, algorithm, nil, key, nonce))
        check(EVP_DecryptUpdate(cipher, nil, &length, context, Int32(context.count)))
        var output = [UInt8](repeating: 0, count: body.count)
        check(EVP_DecryptUpdate(cipher, &output, &length, body, Int32(body.count)))
        check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, Int32(AESGCM.tagBytes), &tag))
        var rest = [UInt8](repeating: 0, count: 16)
        guard EVP_DecryptFinal_ex(cipher, &rest, &length) == 1 else { return nil }
        return output
    }

    static func newContext(_ key: [UInt8], _ nonce: [UInt8]) -> OpaquePointer {
        LibCrypto.prepare()
        precondition(key.count == AESGCM.keyBytes && nonce.count == AESGCM.nonceBytes)
        guard let cipher = EVP_CIPHER_CTX_new() else { fatalError("libcrypto: out of memory") }
        return cipher
    }

    static func check(_ result: Int32) {
        // Only memory and wrong use can fail here; the tag is judged by EVP_DecryptFinal_ex alone.
        guard result == 1 else { fatalError("libcrypto: authenticated encryption failed") }
    }
}
