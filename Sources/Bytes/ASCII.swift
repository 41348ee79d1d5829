// SPDX-License-Identifier: Apache-2.0
// ASCII helpers for protocol text, which is bytes and not characters.
// Source: RFC 20; RFC 9110 §5.1 (field names compare without case).

/// Named bytes are computed so that another module reads them without a call.
package enum ASCII {
    @inline(__always) package static var tab: UInt8 { 0x09 }
    @inline(__always) package static var lineFeed: UInt8 { 0x0A }
    @inline(__always) package static var carriageReturn: UInt8 { 0x0D }
    @inline(__always) package static var space: UInt8 { 0x20 }
    @inline(__always) package static var quote: UInt8 { 0x22 }
    @inline(__always) package static var comma: UInt8 { 0x2C }
    @inline(__always) package static var colon: UInt8 { 0x3A }
    @inline(__always) package static var backslash: UInt8 { 0x5C }

    /// A-Z becomes a-z, everything else stays.
    @inline(__always)
    package static func lower(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// The value of a hexadecimal digit of either case, 0…15, or nil.
    @inline(__always)
    package static func hexDigit(_ byte: UInt8) -> UInt8? {
        if byte &- 0x30 < 10 { return byte &- 0x30 }
        let letter = lower(byte) &- 0x61
        return letter < 6 ? letter + 10 : nil
    }

    /// Whether two byte sequences are equal but for the case of ASCII letters.
    @inline(__always)
    package static func equalIgnoringCase(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        // Most names that are compared have different lengths.
        a.count == b.count && sameLetters(a, b)
    }

    /// Compares bytes of equal number, eight at a time.
    private static func sameLetters(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        let count = a.count
        guard count >= 8 else {
            for index in 0..<count where lower(a[index]) != lower(b[index]) { return false }
            return true
        }
        var position = 0
        while true {
            let left = a.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let right = b.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            if left != right, lower(left) != lower(right) { return false }
            guard position + 8 < count else { return true }
            // The last eight may overlap those before.
            position = min(position + 8, count - 8)
        }
    }

    /// `lower` of eight bytes.
    private static func lower(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let high = ones << 7
        let low = word & ~high
        // The high bit of a byte: whether it is A or above, and whether it is above Z. No sum crosses into the next byte.
        let letters = (low &+ ones &* (0x80 - 0x41)) & ~(low &+ ones &* (0x80 - 0x5B)) & ~word & high
        return word | letters >> 2
    }

    /// Whether the text is equal to `b` but for the case of ASCII letters.
    @inline(__always)
    package static func equalIgnoringCase(_ a: UnsafeRawBufferPointer, _ b: StaticString) -> Bool {
        equalIgnoringCase(a, UnsafeRawBufferPointer(start: b.utf8Start, count: b.utf8CodeUnitCount))
    }
}
