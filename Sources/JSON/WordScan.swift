// SPDX-License-Identifier: Apache-2.0
// Looks at eight bytes at a time for what a JSON string must escape.
// Source: RFC 8259 §7; Hacker's Delight, second edition, §6-1 (finding a byte in a word).

import Bytes

enum WordScan {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    static func isASCII(_ text: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        var seen: UInt64 = 0
        while index + 8 <= text.count {
            seen |= text.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < text.count {
            seen |= UInt64(text[index])
            index += 1
        }
        return seen & highs == 0
    }

    /// The first control character, quote or backslash at or behind `start`.
    static func firstSpecial(in text: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index + 8 <= text.count {
            let word = text.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let hits = specials(UInt64(littleEndian: word))
            // The lowest hit is exact; those above it may be borrows.
            if hits != 0 { return index + hits.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < text.count {
            let byte = text[index]
            if byte < 0x20 || byte == ASCII.quote || byte == ASCII.backslash { return index }
            index += 1
        }
        return nil
    }

    /// The high bit of every byte that is special; a byte above a hit may be set as well.
    @inline(__always)
    private static func specials(_ word: UInt64) -> UInt64 {
        let quotes = word ^ (ones &* UInt64(ASCII.quote))
        let backslashes = word ^ (ones &* UInt64(ASCII.backslash))
        let controls = (word &- ones &* 0x20) & ~word
        return (controls | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes) & highs
    }
}
