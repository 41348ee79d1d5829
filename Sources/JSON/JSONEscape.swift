// SPDX-License-Identifier: Apache-2.0
// Decodes what stands between the quotes of a JSON string.
// Source: RFC 8259 §7; RFC 3629 §3 (surrogates have no UTF-8).

import Bytes

enum JSONEscape {
    /// Decodes a string whose escapes have been checked. Half a surrogate pair becomes U+FFFD.
    ///
    /// - Parameters:
    ///   - bytes: at least as long as `written`: no escape is shorter than what it stands for.
    ///   - limit: it may end once so many bytes are written.
    /// - Returns: how many bytes were written.
    static func decode(
        _ written: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer, limit: Int = .max
    ) -> Int {
        var index = 0
        var count = 0
        while index < written.count, count < limit {
            if written[index] == UInt8(ascii: "\\"), index + 1 < written.count {
                let scalar = scalar(written, &index)
                if scalar.isASCII {
                    bytes[count] = UInt8(truncatingIfNeeded: scalar.value)
                    count += 1
                } else {
                    for byte in scalar.utf8 {
                        bytes[count] = byte
                        count += 1
                    }
                }
                continue
            }
            let end = written.firstIndex(of: UInt8(ascii: "\\"), from: index + 1) ?? written.count
            UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
                .copyMemory(from: written.slice(index..<end))
            count += end - index
            index = end
        }
        return count
    }

    /// Decodes a string whose escapes have been checked.
    static func string(_ written: UnsafeRawBufferPointer) -> String {
        guard written.firstIndex(of: UInt8(ascii: "\\"), from: 0) != nil else {
            return String(decoding: written, as: UTF8.self)
        }
        return String(unsafeUninitializedCapacity: written.count) { bytes in
            decode(written, into: UnsafeMutableRawBufferPointer(bytes))
        }
    }

    /// What the escape at `index` stands for; leaves `index` behind it.
    private static func scalar(_ written: UnsafeRawBufferPointer, _ index: inout Int) -> Unicode.Scalar {
        let kind = written[index + 1]
        index += 2
        switch kind {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "u"):
            var unit = codeUnit(written, at: index)
            index = min(index + 4, written.count)
            if unit & 0xFC00 == 0xD800, index + 6 <= written.count, written[index] == UInt8(ascii: "\\"),
                written[index + 1] == UInt8(ascii: "u")
            {
                let low = codeUnit(written, at: index + 2)
                if low & 0xFC00 == 0xDC00 {
                    unit = 0x10000 + ((unit & 0x3FF) << 10 | low & 0x3FF)
                    index += 6
                }
            }
            return Unicode.Scalar(unit) ?? "\u{FFFD}"
        // A quote, a backslash or a solidus.
        default: return Unicode.Scalar(kind)
        }
    }

    /// The four hexadecimal digits at `start`.
    private static func codeUnit(_ written: UnsafeRawBufferPointer, at start: Int) -> UInt32 {
        guard start + 4 <= written.count else { return 0xFFFD }
        var unit: UInt32 = 0
        for byte in written.slice(start..<(start + 4)) {
            unit = unit << 4 | UInt32(ASCII.hexDigit(byte) ?? 0)
        }
        return unit
    }
}
