// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Crypto

@Suite("Keyed cryptography")
struct KeyedTests {
    @Test("HMAC gives the codes of RFC 4231")
    func hmac() {
        let code = HMACSHA256.code(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
        #expect(hex(code) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test("HKDF gives the keys of RFC 5869, and another one for another purpose")
    func hkdf() {
        let material = [UInt8](repeating: 0x0B, count: 22)
        let withoutSalt = HKDF.key(from: material, info: "", count: 42)
        #expect(
            hex(withoutSalt)
                == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        let info = String(decoding: (0xF0...0xF9).map { UInt8($0 & 0x7F) }, as: UTF8.self)
        #expect(HKDF.key(from: material, info: info) != HKDF.key(from: material, info: info + "x"))
        #expect(HKDF.key(from: material, info: "a", count: 80).count == 80)
    }

    @Test("what age opens with a passphrase opens with it, and with no byte altered or missing")
    func ageFile() {
        let head =
            "age-encryption.org/v1\n-> scrypt LDpCSddwcAWGSdvYItyveQ 10\n4JPPd/IjshWgZ2oQ7v5yLepa4fQ0kv8BS/R2GgZgZX4\n"
            + "--- 4dTPDym0EELuyKhZ+GefkyFtMyJcPiG9Q25o8RBPPZQ\n"
        let file =
            Array(head.utf8)
            + bytes("f46dd28a5499d8efef0b8fb8ee1ec1c5c374ab334bff003865618735b1b2233598d89f29bb")
        let passphrase = Array("swordfish".utf8)
        #expect(AgeFile.open(file, passphrase: passphrase) == Array("hello".utf8))
        #expect(AgeFile.open(file, passphrase: Array("Swordfish".utf8)) == nil)
        for index in file.indices {
            var altered = file
            altered[index] ^= 1
            #expect(AgeFile.open(altered, passphrase: passphrase) == nil, "byte \(index)")
            #expect(AgeFile.open(Array(file[..<index]), passphrase: passphrase) == nil, "\(index) bytes")
        }
        let costly = head.replacing(" 10\n", with: " 21\n")
        #expect(
            AgeFile.open(Array(costly.utf8) + file.dropFirst(head.utf8.count), passphrase: passphrase) == nil)
    }

    @Test("AES-256-GCM gives the ciphertext and tag of its specification, test case 16")
    func gcm() {
        let key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
        let text = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
                + "b16aedf5aa0de657ba637b39")
        let context = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        let sealed = AESGCM.seal(text, key: key, nonce: bytes("cafebabefacedbaddecaf888"), context: context)
        #expect(
            hex(Array(sealed.dropFirst(12)))
                == "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
                + "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b")
        #expect(AESGCM.open(sealed, key: key, context: context) == text)
    }

    @Test("sealed bytes open only unaltered, with their key and their context")
    func sealing() {
        let key = Random.bytes(32)
        let sealed = AESGCM.seal(Array("token".utf8), key: key, context: [1])
        #expect(AESGCM.open(sealed, key: key, context: [1]) == Array("token".utf8))
        #expect(AESGCM.open(sealed, key: key, context: [2]) == nil)
        #expect(AESGCM.open(sealed, key: Random.bytes(32), context: [1]) == nil)
        for index in sealed.indices {
            var altered = sealed
            altered[index] ^= 1
            #expect(AESGCM.open(altered, key: key, context: [1]) == nil)
        }
        for count in 0..<sealed.count {
            #expect(AESGCM.open(Array(sealed.prefix(count)), key: key, context: [1]) == nil)
        }
        #expect(AESGCM.seal([], key: key, context: []) != AESGCM.seal([], key: key, context: []))
        #expect(AESGCM.open(AESGCM.seal([], key: key, context: []), key: key, context: []) == [])
    }

    @Test("RS256 gives the signature that the openssl command gives")
    func rsa() throws {
        let signer = try RSASigner(pem: Array(KeyedTests.key.utf8))
        #expect(hex(signer.signature(of: Array("header.claims".utf8))) == KeyedTests.signature)
    }

    @Test("a key that is short, of another kind or no key is refused by what is wrong with it")
    func badKeys() {
        #expect(throws: RSASigner.Failure.tooShort(bits: 1024)) {
            try RSASigner(pem: Array(KeyedTests.shortKey.utf8))
        }
        #expect(throws: RSASigner.Failure.notRSA) { try RSASigner(pem: Array(KeyedTests.curveKey.utf8)) }
        #expect(throws: RSASigner.Failure.unreadable) { try RSASigner(pem: Array("no key".utf8)) }
        #expect(throws: RSASigner.Failure.unreadable) { try RSASigner(pem: []) }
    }

    @Test(
        "base64 gives the texts of RFC 4648 in both alphabets",
        arguments: [
            ("", "", ""), ("f", "Zg==", "Zg"), ("fo", "Zm8=", "Zm8"), ("foo", "Zm9v", "Zm9v"),
            ("foob", "Zm9vYg==", "Zm9vYg"), ("?>?>", "Pz4/Pg==", "Pz4_Pg"),
        ])
    func base64(text: String, plain: String, urlSafe: String) {
        let bytes = Array(text.utf8)
        #expect(Base64.encode(bytes) == plain)
        #expect(Base64.encodeURL(bytes) == urlSafe)
        #expect(Base64.decodeURL(urlSafe.utf8) == bytes)
    }

    @Test("text that is not base64url is refused", arguments: ["A", "AB=", "Zh", "Zm9", "A+B/", "A B"])
    func badBase64(text: String) {
        #expect(Base64.decodeURL(text.utf8) == nil)
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func bytes(_ hex: String) -> [UInt8] {
        var rest = hex[...]
        var list: [UInt8] = []
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            list.append(byte)
            rest = rest.dropFirst(2)
        }
        return list
    }

    /// Made for this test with `openssl genrsa` and used nowhere else.
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDF+lXU2NC1QnNS
        0vf1numdImbCwbOVtsvYeBesJ0l55zd9WkqC2O2ozCPLw0hcQhLpwEu9O3Rw4XxR
        RYdRzgiqzeLv+ndH9HCd4nUWLylqntd8UdDTnMAKRdp48K4fDLFzMKIxCQupabkA
        VLVtspk1+Awnu2LXYmNWmDHGMjXxIMU4E0bQXnxjIyan6Yqgdz8c6WHGzZJrJ3A+
        jE5FI3DARhd9QGa1BVKP6Y6ikUf0qta5Pk0Y9rDdF2EvQzf4NF3pFON7JIzErFtH
        Gt2gEsNqc1Wunx7eCu8k7XbDxHLViqpPJOyJKwvfgLliaOrJy/3e1+oLz2MOKxuQ
        BpLWZ8IfAgMBAAECggEAF9Ypj2mrd1ImNcqritSJ/B6wO11nFJeLDj0nXIA+cIGj
        mgwiUdlx2T5QRlr002bWhXO0VXcFxgbgGPOYygNXN87M4Wf0BKMsYVYVaDO1djOP
        GQDLdoRg+tuo5PbVgBeJ0KdXtTUJmmmIRL9DjjmlXhdyHzaIkrYzOlyItvxEp7YR
        cI3Q637Lxvoa9fFjoGEczdvxUwXcrezFXODWmo84UwAANVi0jKNDC5iBJVuk8GO6
        90bSzDBtAgE4P/5HvYzehPBNDbsmV7zIh5aRXSzfKFRQfxjRGBxXa2CKAMy7K+ZK
        eRXq+OHk2JT8NVGEoW+dzfV6Hfqz1Prf4g73PVDCgQKBgQDq/Cc7xyrffuWzKxaa
        9BJJwNbFkLOhHeB1G4GUbTuVGPXpT/amnIONIf6bh91tPdgqUSGlHjGrjy5MLyBh
        ua8mOa0Gf3HK810bCaxMKpGl7a9qUgmbPk2R19exxCXIyRmAcLoxDQTpnjbKF67u
        sdrMIQGyDRUuPVS19NvvPja3mQKBgQDXruzybEV1bRcP0eacY07QtdoOL6OZR28E
        g3qQdxQlo5UdpuZIRWopptEDnJSMMzX4nbGRpbTj1JYgd7+crGs3oGPnxmXir7oA
        rp+toNHHwSxRKp8ynXyqe3V0Uor7nMoRZ7RmC93hX9sgL1/x9jx81E+ZCkApD1gD
        QDB64TX6dwKBgQC1Pc80+CVFRKb+TlmdImuIn0gIEde6iUS6joCfbrDqCtqBHb/s
        OgPtMy8h3uUWgQDdgr4kkOlWnZTkBeU/+uvw28Nso5etJY/GbuuJw7ua83y80JHA
        P4ms14HyBovuFc2pl0jE1HnZhsJTlXjDekJ792lLX3PauktAHKAWIzIo4QKBgGh+
        OA+vAuvEIWMpt0dXGY0mPXGYBPOy1wdhx5SMDHe7y/ekr3aeIrPxPNw6FQHjoadE
        hw3gMUYb7WvneC6onf1COITG6v+rUTsZXwUYn+neHeFo+93izM4vqBTmFK2YJZHP
        I2g5IZMaBKiQKzSnrmBv3+xuOe1qoKJai+JMkAE7AoGBAIdRS9A60oNkdloeD7Ty
        dlAR6ELH1crA6FsmHYeFj0l9rMdq3TcMteJzdCYZdn/pgEG/8ToyzYqhSb4MlDmm
        BV9BQF1QNMdZoK4ZHZVJRnZs9O0fKHaXD+s7xwgdiHxM4XPvmOF5jnOvOrDsGmvj
        UCwromNdg/MwJJ7v8y2yZXfm
        -----END PRIVATE KEY-----
        """
    private static let shortKey = """
        -----BEGIN PRIVATE KEY-----
        MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBANMWPbA9d9ECymHq
        lcNW9IWKswGVaR8WWgLGArcf7p6mzJfIAINxrRW0SGMskOLXoJ2Kc03JUPqgWvt4
        cnYeAfdQx+z3CO5q57guaeXU2i+xJAp32kXJRxAXpqb58GCAEVGfMvqv84x40CTX
        PRg534F6XHddayqrw1zz503qlyVdAgMBAAECgYEAxcc4A5KEWgywTXA75Gvr7dfY
        AyrX9O2/Zova7XP44yPL3IbjnET9dLGXhXyzQCfi8NlRUdfHjRyEQsxHCs7w7PCP
        yc+auHbE6DMtURlOz0G2aB9bOXYhAe/gqhi+F+0kH9NKdbzOOcVU+Cg0n0w41Ilk
        POIj+D1yzAAYFOEDYWECQQD+rTI7O0jDjXZABAoad8od0I9+jpDWIVE+ZUTwZT8S
        inQkAQSqN4fPklRJPUvxAJNLwIuqTZw+Ccg8Pxx1xZLFAkEA1C8OXfshjBkWU66+
        mKtxwmmjtvTcvvletPUMRBFUSPW+wPAYHrDDeL1rLOUShFiItOhHm9lA3KI/xPwu
        zN0RuQJAcrP09MJ9wj2bbbekCUm8iXMeveReDWNSISUhSJiBMMuVBYZD4JpEG9QP
        DDGEW5ZjwPGGtfxgi3yCZ8gQ/GYw9QJAOx5xTlYuXq6OvfouOLNsGtL8PnmzF7K7
        ZIfyRvTdGwb9gxxiXAq8K+P6/KNGqYFRdbZSXWYG4HKEegoZsBLYYQJAYVjwm8c2
        kHxozbUsOSHEy++x4A10ZVishHFwF1I0yP1PeBfkYpl+qQIMULqkLXNezXIqS51A
        K+8w8lHX430kwA==
        -----END PRIVATE KEY-----
        """
    private static let curveKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWjqDa1ZkJvyEJSFm
        LFhha/i9kBGTSkPk9BffoGihA72hRANCAAR+L3BZLd7wxQIipK7suLPMkIDMppv2
        Uq0Efk4v6/9OR2AzMHrQKksQ84az618slcnBlWs+gtYYszJJhRUo0fTr
        -----END PRIVATE KEY-----
        """
    /// `printf header.claims | openssl dgst -sha256 -sign key.pem`
    private static let signature =
        "208a75254ff0a43996fda0303b8c9c235f62ad685f920dea9ba1bfc392d71ff1bf643b83c779314339c5677b84"
        + "227a3361524e34fa1db65dade6ad602f62c438a0d747d981609c38ff85f99fddee6ceb287645d373eba3cd3f98"
        + "2b171dd83a5e8dc540ab3f77e1d3732e4afa03c3ca32a4d9fe04766a6e3abafb0595e9817ccf9ff90a68ae92e4"
        + "1a6ea5c8bcc5b3c826ee24233acec28a4eba25b46c992e47d641e78e12ef611dddc49d46635a8c96a9cf1161fe"
        + "a5d8432cf96c709de22c3e92e55d8daa6913ac1b59aa9c36e6ad18e00df3bee2e979a2e1c331d3371f9b3a729b"
        + "ba6669f0c6c6ddc9e6a1e122bf0cc83bfaad554f3a6c49a16d88cb9a308348"
}
