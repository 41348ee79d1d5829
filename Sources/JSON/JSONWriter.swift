// SPDX-License-Identifier: Apache-2.0
// Writes compact JSON, member by member, into a byte array.
// Source: RFC 8259 §7 (strings), §6 (numbers).

import Bytes

/// Builds one JSON text. Commas are placed by the writer; the caller closes what it opens.
package struct JSONWriter {
    /// The text so far.
    package private(set) var bytes: [UInt8]
    /// A value stands before the next one.
    private var needsComma = false

    /// - Parameter bytes: what the text is appended to, e.g. the "data: " of an event.
    package init(after bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// Writes an object; `body` writes its members.
    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        enclose(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    /// Writes an array; `body` writes its elements.
    package mutating func array(_ body: (inout JSONWriter) -> Void) {
        enclose(UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    /// Writes a member's name; its value comes next.
    package mutating func key(_ name: StaticString) {
        separate()
        bytes.append(ASCII.quote)
        bytes.append(name)
        bytes.append(ASCII.quote)
        bytes.append(ASCII.colon)
        needsComma = false
    }

    /// Writes a member's name that is not known beforehand; its value comes next.
    package mutating func key(_ name: String) {
        string(name)
        bytes.append(ASCII.colon)
        needsComma = false
    }

    package mutating func string(_ value: String) {
        separate()
        JSONWriter.append(string: value, to: &bytes)
    }

    /// Appends a string with its quotes, for texts that are put together by hand.
    package static func append(string value: String, to bytes: inout [UInt8]) {
        var value = value
        // A String is always UTF-8.
        value.withUTF8 { append(escaped: UnsafeRawBufferPointer($0), to: &bytes) }
    }

    /// Writes a string from its UTF-8 bytes; what is not UTF-8 becomes U+FFFD.
    package mutating func string(utf8 value: UnsafeRawBufferPointer) {
        separate()
        if WordScan.isASCII(value) {
            JSONWriter.append(escaped: value, to: &bytes)
        } else {
            var repaired = String(decoding: value, as: UTF8.self)
            repaired.withUTF8 { JSONWriter.append(escaped: UnsafeRawBufferPointer($0), to: &bytes) }
        }
    }

    package mutating func int(_ value: Int) {
        separate()
        bytes.append(decimal: value)
    }

    /// Writes a number; infinities and NaN have no JSON form and become null.
    package mutating func double(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        bytes.append(contentsOf: value.description.utf8)
    }

    package mutating func bool(_ value: Bool) {
        separate()
        bytes.append(value ? "true" : "false")
    }

    package mutating func null() {
        separate()
        bytes.append("null")
    }

    /// Writes a value that is JSON already.
    package mutating func raw(_ json: some Sequence<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
    }

    private mutating func enclose(_ open: UInt8, _ close: UInt8, _ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(open)
        needsComma = false
        body(&self)
        bytes.append(close)
        needsComma = true
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma {
            bytes.append(ASCII.comma)
        }
        needsComma = true
    }

    /// Appends the text in quotes, in runs of bytes that need no escape.
    private static func append(escaped text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        bytes.append(ASCII.quote)
        var start = 0
        while let index = WordScan.firstSpecial(in: text, from: start) {
            let byte = text[index]
            bytes.append(contentsOf: text.slice(start..<index))
            start = index + 1
            bytes.append(ASCII.backslash)
            switch byte {
            case ASCII.quote, ASCII.backslash: bytes.append(byte)
            case ASCII.lineFeed: bytes.append(UInt8(ascii: "n"))
            case ASCII.carriageReturn: bytes.append(UInt8(ascii: "r"))
            case ASCII.tab: bytes.append(UInt8(ascii: "t"))
            default:
                bytes.append(byte < 0x10 ? "u000" : "u00")
                bytes.append(hexadecimal: Int(byte))
            }
        }
        bytes.append(contentsOf: text.slice(start..<text.count))
        bytes.append(ASCII.quote)
    }
}

extension JSONWriter {
    package mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    /// Writes a string member, or null.
    package mutating func member(_ name: StaticString, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }

    package mutating func member(_ name: StaticString, _ value: Int) {
        key(name)
        int(value)
    }

    package mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        bool(value)
    }

    /// Writes a member that is an object.
    package mutating func member(_ name: StaticString, object body: (inout JSONWriter) -> Void) {
        key(name)
        object(body)
    }

    /// Writes a member that is an array.
    package mutating func member(_ name: StaticString, array body: (inout JSONWriter) -> Void) {
        key(name)
        array(body)
    }
}
