// SPDX-License-Identifier: Apache-2.0
// Numbers of JSON texts, of any length. One that no type can hold is JSON all the same.
// Source: RFC 8259 §6.

import Bytes

enum JSONNumber {
    /// Passes the number that begins at `index`; leaves it at the fault when none does.
    static func pass(_ text: UnsafeRawBufferPointer, _ index: inout Int) -> Bool {
        if index < text.count, text[index] == UInt8(ascii: "-") { index += 1 }
        if index < text.count, text[index] == UInt8(ascii: "0") {
            index += 1
        } else {
            guard passDigits(text, &index) else { return false }
        }
        if index < text.count, text[index] == UInt8(ascii: ".") {
            index += 1
            guard passDigits(text, &index) else { return false }
        }
        if index < text.count, text[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < text.count, text[index] == UInt8(ascii: "+") || text[index] == UInt8(ascii: "-") {
                index += 1
            }
            guard passDigits(text, &index) else { return false }
        }
        return true
    }

    /// The value of a number as it is written, if it is whole and fits.
    static func int(_ written: UnsafeRawBufferPointer) -> Int? {
        let isNegative = written.first == UInt8(ascii: "-")
        var value = 0
        for byte in written.dropFirst(isNegative ? 1 : 0) {
            let digit = Int(byte) - 0x30
            // A fraction or an exponent.
            guard 0..<10 ~= digit else { return Int(exactly: double(written)) }
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooLargeNow) =
                isNegative ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
            // Its nearest double may be whole and fit, as if it were written with an exponent.
            guard !isTooLarge, !isTooLargeNow else { return Int(exactly: double(written)) }
            value = sum
        }
        return value
    }

    /// The nearest finite value.
    static func double(_ written: UnsafeRawBufferPointer) -> Double {
        let value = Double(String(decoding: written, as: UTF8.self)) ?? 0
        return value.isInfinite ? .greatestFiniteMagnitude * (value < 0 ? -1 : 1) : value
    }

    private static func passDigits(_ text: UnsafeRawBufferPointer, _ index: inout Int) -> Bool {
        let start = index
        while index < text.count, text[index] &- 0x30 < 10 { index += 1 }
        return index > start
    }
}
