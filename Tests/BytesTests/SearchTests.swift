// SPDX-License-Identifier: Apache-2.0
// Searching, comparing and appending bytes.

import Testing

@testable import Bytes

@Suite("Byte search") struct SearchTests {
    @Test(
        "A byte is found at or after the start, never before it",
        arguments: [
            ("", 0, nil), ("abc", 0, nil), (":abc", 0, 0), ("ab:c:", 0, 2), ("ab:c:", 2, 2), ("ab:c:", 3, 4),
            ("ab:c:", 5, nil), ("ab:c:", 9, nil),
        ] as [(String, Int, Int?)])
    func singleByte(text: String, start: Int, expected: Int?) {
        #expect(Array(text.utf8).withUnsafeBytes { $0.firstIndex(of: ASCII.colon, from: start) } == expected)
    }

    @Test("Every byte value is found at every place of a long text")
    func everyByte() {
        for value in UInt8.min...UInt8.max {
            for place in [0, 1, 15, 16, 63] {
                var text = [UInt8](repeating: ~value, count: 64)
                text[place] = value
                #expect(text.withUnsafeBytes { $0.firstIndex(of: value, from: 0) } == place)
            }
        }
    }

    @Test(
        "A needle is found at its first place, whole and nowhere else",
        arguments: [
            ("", nil), ("usag", nil), ("usage", 0), ("uusage", 1), ("usagusage usage", 4), ("USAGE", nil),
            ("a\u{0}usage", 2),
        ] as [(String, Int?)])
    func needle(text: String, expected: Int?) {
        #expect(Array(text.utf8).withUnsafeBytes { $0.firstIndex(of: "usage") } == expected)
    }

    @Test("A needle is found behind any number of others that begin like it", arguments: 0...20)
    func falseStarts(count: Int) {
        for start in ["u", "usa", "usag", "u x"] {
            let text = Array(String(repeating: start, count: count).utf8)
            let found = (text + Array("usage usage".utf8)).withUnsafeBytes { $0.firstIndex(of: "usage") }
            #expect(found == text.count)
            #expect(text.withUnsafeBytes { $0.firstIndex(of: "usage") } == nil)
        }
    }

    @Test("An empty needle is found at the beginning of a text that is there")
    func emptyNeedle() {
        #expect([UInt8(1)].withUnsafeBytes { $0.firstIndex(of: "") } == 0)
    }

    @Test(
        "A prefix fits only when all of it is there",
        arguments: [
            ("data: x", true, false), ("data:", true, true), ("data", false, false), ("xdata:", false, false),
            ("", false, false),
        ])
    func prefix(text: String, isPrefix: Bool, isEqual: Bool) {
        Array(text.utf8).withUnsafeBytes { bytes in
            #expect(bytes.hasPrefix("data:") == isPrefix)
            #expect(bytes.equals("data:") == isEqual)
        }
    }

    @Test(
        "A suffix fits only when all of it is there",
        arguments: [("a.delta", true), (".delta", true), ("delta", false), (".delta.", false), ("", false)])
    func suffix(text: String, isSuffix: Bool) {
        #expect(Array(text.utf8).withUnsafeBytes { $0.hasSuffix(".delta") } == isSuffix)
    }

    @Test("Nothing equals nothing, with and without an address")
    func nothing() {
        #expect(UnsafeRawBufferPointer(start: nil, count: 0).equals(""))
        #expect([UInt8(1)].withUnsafeBytes { $0.slice(1..<1).equals("") })
        #expect(!UnsafeRawBufferPointer(start: nil, count: 0).equals("a"))
    }

    @Test("A slice begins to count at its own start")
    func slice() {
        Array("0123456".utf8).withUnsafeBytes { bytes in
            let slice = bytes.slice(2..<5)
            #expect(slice.count == 3)
            #expect(slice.startIndex == 0)
            #expect(slice.equals("234"))
        }
    }
}

@Suite("Appending to bytes") struct AppendTests {
    private func text(_ body: (inout [UInt8]) -> Void) -> String {
        var bytes = Array("=".utf8)
        body(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("Text is appended as UTF-8")
    func staticText() {
        #expect(text { $0.append("grüße" as StaticString) } == "=grüße")
    }

    @Test(
        "An integer is appended in decimal as Swift prints it",
        arguments: [0, 1, 9, 10, 99, 100, 12_345, -1, -10, .max, .min])
    func decimal(value: Int) {
        #expect(text { $0.append(decimal: value) } == "=\(value)")
    }

    @Test(
        "An integer is appended in hexadecimal as Swift prints it",
        arguments: [0, 1, 9, 10, 15, 16, 0xff, 0x100, 0xdead_beef, .max, -1, .min])
    func hexadecimal(value: Int) {
        #expect(
            text { $0.append(hexadecimal: value) } == "=" + String(UInt(bitPattern: value), radix: 16))
    }
}

@Suite("ASCII") struct ASCIITests {
    @Test func `the hexadecimal digits of both cases have their value and no other byte has one`() {
        for byte in UInt8.min...UInt8.max {
            let expected = byte < 0x80 ? Character(UnicodeScalar(byte)).hexDigitValue : nil
            #expect(ASCII.hexDigit(byte).map(Int.init) == expected, "byte \(byte)")
        }
    }

    @Test("Only A to Z become small letters")
    func lower() {
        for byte in UInt8.min...UInt8.max {
            let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            #expect(ASCII.lower(byte) == (isCapital ? byte + 32 : byte))
        }
    }

    @Test(
        "Comparison passes over the case of letters and of nothing else",
        arguments: [
            ("content-type", true), ("Content-Type", true), ("CONTENT-TYPE", true), ("content-typ", false),
            ("content-typee", false), ("content\u{0D}type", false), ("", false),
        ])
    func comparison(text: String, expected: Bool) {
        Array(text.utf8).withUnsafeBytes { bytes in
            #expect(ASCII.equalIgnoringCase(bytes, "Content-Type") == expected)
            Array("cOnTeNt-TyPe".utf8).withUnsafeBytes {
                #expect(ASCII.equalIgnoringCase(bytes, $0) == expected)
                #expect(ASCII.equalIgnoringCase($0, bytes) == expected)
            }
        }
    }

    @Test(
        "Characters that differ in the letters' case bit alone stay apart", arguments: ["[", "@", "\\", "^"])
    func caseBit(text: String) {
        let other = text.utf8.map { $0 ^ 0x20 }
        Array(text.utf8).withUnsafeBytes { a in
            other.withUnsafeBytes { b in #expect(!ASCII.equalIgnoringCase(a, b)) }
        }
    }

    @Test(
        "Names of eight bytes and more are compared as their letters are one by one",
        arguments: [8, 9, 15, 16, 17])
    func longNames(size: Int) {
        for first in UInt8.min...UInt8.max {
            for second in [first, first ^ 0x20, first &+ 1, first ^ 0x80] {
                for place in [0, 7, size - 1] {
                    var a = [UInt8](repeating: 0x61, count: size)
                    var b = a
                    (a[place], b[place]) = (first, second)
                    let expected = ASCII.lower(first) == ASCII.lower(second)
                    a.withUnsafeBytes { a in
                        b.withUnsafeBytes { b in #expect(ASCII.equalIgnoringCase(a, b) == expected) }
                    }
                }
            }
        }
    }

    @Test(
        "Spaces and tabs around a text go, those within it stay",
        arguments: [("", ""), (" ", ""), ("\t a\t b \t", "a\t b"), ("a", "a"), ("\ra", "\ra")])
    func trimmed(text: String, expected: String) {
        Array(text.utf8).withUnsafeBytes { #expect(String(decoding: $0.trimmed, as: UTF8.self) == expected) }
    }

    @Test(
        "A number is digits alone, eighteen at most",
        arguments: [
            ("0", 0), ("007", 7), ("999999999999999999", 999_999_999_999_999_999),
            ("1000000000000000000", nil),
            ("", nil), ("+1", nil), ("1 ", nil), ("1a", nil), ("/", nil), (":", nil),
        ] as [(String, Int?)])
    func decimal(text: String, expected: Int?) {
        Array(text.utf8).withUnsafeBytes { #expect($0.decimal == expected) }
    }
}
