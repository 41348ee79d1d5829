// SPDX-License-Identifier: Apache-2.0
// JSON has values that simdjson has no form for: integers beyond 64 bits, numbers beyond a double, and escapes of half
// a surrogate pair. Here they are overwritten in a copy, each at its length, so that offsets in the text stay right.
// Source: RFC 8259 §6 and §7 (ranges and precision of numbers, lone surrogates), RFC 3629 §3 (surrogates).

import Bytes

/// One pass over a text that simdjson refused. It does not judge the grammar: simdjson reads the result once more.
struct WideValues {
    /// Larger texts are not looked at: this reads a text about ten times as slowly as simdjson does.
    static let maximumBytes = 16 << 20

    private let bytes: UnsafeMutableRawBufferPointer
    private var hasChanged = false

    private init(_ bytes: UnsafeMutableRawBufferPointer) {
        self.bytes = bytes
    }

    /// Puts the nearest value that fits in the place of every one that does not.
    ///
    /// - Returns: whether there was any.
    static func narrow(_ bytes: UnsafeMutableRawBufferPointer) -> Bool {
        var pass = WideValues(bytes)
        pass.run()
        return pass.hasChanged
    }

    private mutating func run() {
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case ASCII.quote: index = string(from: index + 1)
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): index = number(from: index)
            default: index += 1
            }
        }
    }

    // MARK: - Strings

    /// Passes a string whose first byte stands at `start`; returns the offset behind its closing quote.
    private mutating func string(from start: Int) -> Int {
        let text = UnsafeRawBufferPointer(bytes)
        var index = start
        var quote = text.firstIndex(of: ASCII.quote, from: index)
        while let end = quote {
            guard let escape = text.slice(0..<end).firstIndex(of: ASCII.backslash, from: index) else {
                return end + 1
            }
            index = pass(escape)
            // The quote was part of the escape.
            if index > end { quote = text.firstIndex(of: ASCII.quote, from: index) }
        }
        return bytes.count
    }

    /// Passes the escape at `start`; returns the offset behind it.
    private mutating func pass(_ start: Int) -> Int {
        guard let unit = codeUnit(at: start) else { return start + 2 }
        if unit & 0xFC00 == 0xD800, let low = codeUnit(at: start + 6), low & 0xFC00 == 0xDC00 {
            return start + 12
        }
        // The replacement character of Unicode.
        if unit & 0xF800 == 0xD800 { overwrite(start + 2..<start + 6, "FFFD".utf8) }
        return start + 6
    }

    /// The number in `\uXXXX`.
    private func codeUnit(at start: Int) -> UInt16? {
        guard start + 6 <= bytes.count, bytes[start] == ASCII.backslash, bytes[start + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for index in start + 2..<start + 6 {
            guard let digit = ASCII.hexDigit(bytes[index]) else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    // MARK: - Numbers

    /// Passes the number at `start`; returns the offset behind it.
    private mutating func number(from start: Int) -> Int {
        guard let end = FaultFinder.endOfNumber(in: UnsafeRawBufferPointer(bytes), from: start) else {
            return start + 1
        }
        // Without an exponent, what has 18 digits fits.
        guard end - start > 18 || bytes[start..<end].contains(where: { $0 | 0x20 == UInt8(ascii: "e") })
        else {
            return end
        }
        let text = String(decoding: bytes[start..<end], as: UTF8.self)
        guard Int64(text) == nil, UInt64(text) == nil, let value = Double(text) else { return end }
        if value.isInfinite {
            let digits = text.hasPrefix("-") ? start + 1 : start
            overwrite(digits..<end, ("1e" + String(repeating: "0", count: end - digits - 5) + "308").utf8)
        } else if text.utf8.allSatisfy({ $0 &- 0x30 < 10 || $0 == UInt8(ascii: "-") }) {
            // Its first digits, and an exponent in place of the last two.
            overwrite(end - 2..<end, "e2".utf8)
        }
        return end
    }

    private mutating func overwrite(_ range: Range<Int>, _ text: some Collection<UInt8>) {
        UnsafeMutableRawBufferPointer(rebasing: bytes[range]).copyBytes(from: text)
        hasChanged = true
    }
}
