// SPDX-License-Identifier: Apache-2.0
import Crypto
import Testing

@Suite("Crypto")
struct CryptoTests {
    /// FIPS 180-4 examples and the empty input.
    static let vectors: [(String, String)] = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ]

    @Test("SHA-256 gives the published digests", arguments: vectors)
    func digests(text: String, hex: String) {
        let digest = SHA256.digest(Array(text.utf8))
        #expect(digest.hexText == hex)
        #expect(digest.withBytes { $0.count } == 32)
        #expect(digest == SHA256.digest(Array(text.utf8)))
        #expect(digest != SHA256.digest(Array((text + "x").utf8)))
    }

    @Test(
        "bytes are equal when every byte is",
        arguments: [
            ("", "", true), ("a", "a", true), ("a", "b", false), ("abcd", "abcx", false),
            ("xbcd", "abcd", false),
            ("abc", "abcd", false), ("abc", "", false),
        ])
    func comparison(a: String, b: String, isEqual: Bool) {
        let result = Array(a.utf8).withUnsafeBytes { a in
            Array(b.utf8).withUnsafeBytes { b in ConstantTime.equal(a, b) }
        }
        #expect(result == isEqual)
    }

    @Test("a key is found at its place, and nothing else is")
    func keys() {
        let set = KeySet(keys: [Array("one".utf8), Array("two".utf8), []])
        for (key, place) in [("one", 0), ("two", 1), ("", 2), ("tw", nil), ("three", nil), ("one\0", nil)] {
            #expect(Array(key.utf8).withUnsafeBytes { set.index(of: $0) } == place)
        }
        #expect(!set.isEmpty)
        #expect(KeySet(keys: []).isEmpty)
        #expect(Array("one".utf8).withUnsafeBytes { KeySet(keys: []).index(of: $0) } == nil)
    }

    @Test("random bytes fill every length and differ", arguments: [0, 1, 255, 256, 257, 1000])
    func random(count: Int) {
        let bytes = Random.bytes(count)
        #expect(bytes.count == count)
        guard count > 100 else { return }
        #expect(bytes != Random.bytes(count))
        // 20 zero bytes at the end would say that the last piece was not filled.
        #expect(bytes.suffix(20).contains { $0 != 0 })
    }

    @Test("random numbers differ")
    func numbers() {
        #expect(Set((0..<100).map { _ in Random.uint64() }).count == 100)
    }
}
