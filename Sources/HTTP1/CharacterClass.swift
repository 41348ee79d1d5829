// SPDX-License-Identifier: Apache-2.0
// Sets of bytes that the grammar of HTTP names.
// Source: RFC 9110 §5.6.2 (token); RFC 3986 §3.2 (authority); RFC 9112 §3.2 (target without fragment).

/// A set of ASCII characters as 128 bits, so that membership is a shift and not a table in memory.
struct CharacterClass {
    private let low: UInt64
    private let high: UInt64

    private init(_ characters: StaticString) {
        var low: UInt64 = 0
        var high: UInt64 = 0
        for index in 0..<characters.utf8CodeUnitCount {
            let byte = characters.utf8Start[index]
            if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
        }
        self.low = low
        self.high = high
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let bits = byte < 64 ? low : high
        return byte < 128 && bits >> UInt64(byte & 63) & 1 == 1
    }

    /// Characters of a method or a field name.
    static let token = CharacterClass(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    /// Characters of a host with a port, without user information.
    static let authority = CharacterClass(
        "-._~%!$&'()*+,;=:[]0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    /// Visible characters but "#": clients send some that a URI should have escaped, such as "|" and "{".
    static let target = CharacterClass(
        "!\"$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~")
}
