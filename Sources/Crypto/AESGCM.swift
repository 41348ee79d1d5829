// SPDX-License-Identifier: Apache-2.0
// Authenticated encryption: what was altered or belongs elsewhere does not open.
// Source: NIST SP 800-38D; EVP_EncryptInit(3ssl), "AEAD Interface".

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
        let cipher = newContext(key, nonce)
        defer { EVP_CIPHER_CTX_free(cipher) }
        var length: Int32 = 0
        check(EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), nil, key, nonce))
        check(EVP_EncryptUpdate(cipher, nil, &length, context, Int32(context.count)))
        var output = [UInt8](repeating: 0, count: text.count)
        check(EVP_EncryptUpdate(cipher, &output, &length, text, Int32(text.count)))
        var rest = [UInt8](repeating: 0, count: 16)
        check(EVP_EncryptFinal_ex(cipher, &rest, &length))
        var tag = [UInt8](repeating: 0, count: tagBytes)
        check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(tagBytes), &tag))
        return nonce + output + tag
    }

    /// Decrypts what `seal` made, or nil when the key or the context is another or a byte was altered.
    package static func open(_ sealed: [UInt8], key: [UInt8], context: [UInt8]) -> [UInt8]? {
        guard sealed.count >= nonceBytes + tagBytes else { return nil }
        let nonce = Array(sealed.prefix(nonceBytes))
        let body = Array(sealed[nonceBytes..<(sealed.count - tagBytes)])
        var tag = Array(sealed.suffix(tagBytes))
        let cipher = newContext(key, nonce)
        defer { EVP_CIPHER_CTX_free(cipher) }
        var length: Int32 = 0
        check(EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), nil, key, nonce))
        check(EVP_DecryptUpdate(cipher, nil, &length, context, Int32(context.count)))
        var output = [UInt8](repeating: 0, count: body.count)
        check(EVP_DecryptUpdate(cipher, &output, &length, body, Int32(body.count)))
        check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, Int32(tagBytes), &tag))
        var rest = [UInt8](repeating: 0, count: 16)
        guard EVP_DecryptFinal_ex(cipher, &rest, &length) == 1 else { return nil }
        return output
    }

    private static func newContext(_ key: [UInt8], _ nonce: [UInt8]) -> OpaquePointer {
        LibCrypto.prepare()
        precondition(key.count == keyBytes && nonce.count == nonceBytes)
        guard let cipher = EVP_CIPHER_CTX_new() else { fatalError("libcrypto: out of memory") }
        return cipher
    }

    private static func check(_ result: Int32) {
        // Only memory and wrong use can fail here; the tag is judged by EVP_DecryptFinal_ex alone.
        guard result == 1 else { fatalError("libcrypto: AES-GCM failed") }
    }
}
