// SPDX-License-Identifier: Apache-2.0
// ASCII helpers for protocol text, which is bytes and not characters.
// Source: RFC 20; RFC 9110 §5.1 (field names compare without case).

package enum ASCII {
    package static let tab: UInt8 = 0x09
    package static let lineFeed: UInt8 = 0x0A
    package static let carriageReturn: UInt8 = 0x0D
    package static let space: UInt8 = 0x20
    package static let quote: UInt8 = 0x22
    package static let comma: UInt8 = 0x2C
    package static let colon: UInt8 = 0x3A
    package static let backslash: UInt8 = 0x5C

    /// A-Z becomes a-z, everything else stays.
    @inline(__always)
    package static func lower(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Whether two byte sequences are equal but for the case of ASCII letters.
    package static func equalIgnoringCase(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        for index in 0..<a.count where lower(a[index]) != lower(b[index]) { return false }
        return true
    }

    /// Whether the text is equal to `b` but for the case of ASCII letters.
    package static func equalIgnoringCase(_ a: UnsafeRawBufferPointer, _ b: StaticString) -> Bool {
        equalIgnoringCase(a, UnsafeRawBufferPointer(start: b.utf8Start, count: b.utf8CodeUnitCount))
    }
}
