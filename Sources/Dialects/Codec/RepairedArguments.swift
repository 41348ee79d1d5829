// SPDX-License-Identifier: Apache-2.0
// Arguments that a model almost wrote as JSON: a comma too many, brackets or a string that were not closed.
// Source: RFC 8259 §4, §5; answers of small models, which leave these out when they reach their limit.

import Bytes
import Gateway

enum RepairedArguments {
    /// Longer ones are not looked at.
    private static let maximumBytes = 1 << 20

    /// The arguments as an object; nil when that takes more than commas, brackets and a quote.
    static func object(_ text: String) -> JSONText? {
        guard text.utf8.count <= maximumBytes else { return nil }
        var bytes: [UInt8] = []
        /// The closing bytes of what is open.
        var open: [UInt8] = []
        var isInString = false
        var isEscaped = false
        for byte in text.utf8 {
            if isInString {
                bytes.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == ASCII.backslash {
                    isEscaped = true
                } else if byte == ASCII.quote {
                    isInString = false
                }
                continue
            }
            switch byte {
            case ASCII.quote: isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): open.append(byte + 2)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard open.popLast() == byte else { return nil }
                dropComma(&bytes)
            default: break
            }
            bytes.append(byte)
        }
        if isEscaped { bytes.removeLast() }
        if isInString { bytes.append(ASCII.quote) }
        dropComma(&bytes)
        bytes += open.reversed()
        let repaired = JSONText(bytes)
        return repaired.isObject ? repaired : nil
    }

    private static func dropComma(_ bytes: inout [UInt8]) {
        guard let last = bytes.lastIndex(where: { $0 > ASCII.space }), bytes[last] == ASCII.comma else {
            return
        }
        bytes.remove(at: last)
    }
}
