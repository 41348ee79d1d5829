// SPDX-License-Identifier: Apache-2.0
// Opens files of the age format that a passphrase protects.
// Source: C2SP, "The age file encryption format" v1 (header, scrypt recipient, payload); RFC 7914; EVP_PBE_scrypt(3ssl).

import CCrypto

package enum AgeFile {
    /// 2^20 rounds take 1 GiB.
    private static let workFactors = 1...20
    private static let scryptBlocks: UInt64 = 8
    private static let maximumMemory: UInt64 = 1100 << 20
    private static let nonceBytes = 16
    /// What a piece of the payload holds, and its tag.
    private static let pieceBytes = 65_536 + 16
    /// The number of the first piece is 0, and a byte behind it says that it is the last one.
    private static let lastPiece = [UInt8](repeating: 0, count: 11) + [1]

    /// The content of at most 64 KiB; nil when it is larger, this is no such file, the passphrase is another, or a byte
    /// was altered.
    package static func open(_ file: [UInt8], passphrase: [UInt8]) -> [UInt8]? {
        var rest = file[...]
        guard line(&rest)?.elementsEqual("age-encryption.org/v1".utf8) == true,
            let words = line(&rest)?.split(separator: 0x20), words.count == 4,
            words[0].elementsEqual("->".utf8), words[1].elementsEqual("scrypt".utf8),
            let salt = decoded(words[2]), let factor = Int(String(decoding: words[3], as: UTF8.self)),
            workFactors.contains(factor), let wrapped = line(&rest).flatMap({ decoded($0) }),
            let last = line(&rest), last.starts(with: "--- ".utf8), let code = decoded(last.dropFirst(4)),
            let outer = scrypt(passphrase, salt, factor),
            let key = ChaChaPoly.open(wrapped[...], key: outer, nonce: [UInt8](repeating: 0, count: 12))
        else { return nil }
        let head = Array(file[..<(last.startIndex + 3)])
        guard rest.count <= nonceBytes + pieceBytes,
            HMACSHA256.code(head, key: HKDF.key(from: key, info: "header")) == code
        else { return nil }
        let inner = HKDF.key(from: key, salt: Array(rest.prefix(nonceBytes)), info: "payload")
        return ChaChaPoly.open(rest.dropFirst(nonceBytes), key: inner, nonce: lastPiece)
    }

    private static func scrypt(_ passphrase: [UInt8], _ salt: [UInt8], _ factor: Int) -> [UInt8]? {
        LibCrypto.prepare()
        let salt = Array("age-encryption.org/v1/scrypt".utf8) + salt
        var key = [UInt8](repeating: 0, count: AESGCM.keyBytes)
        let result = passphrase.withUnsafeBytes {
            EVP_PBE_scrypt(
                $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, salt, salt.count,
                1 << UInt64(factor),
                scryptBlocks, 1, maximumMemory, &key, key.count)
        }
        return result == 1 ? key : nil
    }

    private static func line(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: 0x0A) else { return nil }
        defer { rest = rest[(end + 1)...] }
        return rest[..<end]
    }

    /// Base64 of the plain alphabet without padding.
    private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        Base64.decodeURL(
            text.map {
                $0 == UInt8(ascii: "+") ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0
            })
    }
}
