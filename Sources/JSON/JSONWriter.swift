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

    /// - Parameter reserving: how many bytes the text will have, roughly.
    package init(reserving count: Int) {
        bytes = []
        bytes.reserveCapacity(count)
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

    package mutating func string(_ value: JSONString) {
        separate()
        bytes.append(ASCII.quote)
        value.append(to: &bytes)
        bytes.append(ASCII.quote)
    }

    /// Appends a string with its quotes, for texts that are put together by hand.
    package static func append(string value: String, to bytes: inout [UInt8]) {
        bytes.append(ASCII.quote)
        append(escaped: value, to: &bytes)
        bytes.append(ASCII.quote)
    }

    /// Appends a string without quotes.
    static func append(escaped value: String, to bytes: inout [UInt8]) {
        var value = value
        // A String is always UTF-8.
        value.withUTF8 { append(escaped: UnsafeRawBufferPointer($0), to: &bytes) }
    }

    /// Writes a string from its UTF-8 bytes; what is not UTF-8 becomes U+FFFD.
    package mutating func string(utf8 value: UnsafeRawBufferPointer) {
        separate()
        bytes.append(ASCII.quote)
        if WordScan.isASCII(value) {
            JSONWriter.append(escaped: value, to: &bytes)
        } else {
            JSONWriter.append(escaped: String(decoding: value, as: UTF8.self), to: &bytes)
        }
        bytes.append(ASCII.quote)
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

    /// Appends the text, escaped. Code has an escape every few words, so what lies between them is put together in a small
    /// buffer and not appended run by run.
    private static func append(escaped text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        guard var special = WordScan.firstSpecial(in: text, from: 0) else {
            bytes.append(contentsOf: text)
            return
        }
        withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 8) { buffer in
            var filled = 0
            var start = 0
            while true {
                if buffer.count - filled < special - start + longestEscape {
                    bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
                    filled = 0
                }
                if special - start + longestEscape > buffer.count {
                    bytes.append(contentsOf: text.slice(start..<special))
                } else {
                    UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                        .copyMemory(from: text.slice(start..<special))
                    filled += special - start
                }
                guard special < text.count else { break }
                filled += write(escapeOf: text[special], to: buffer, at: filled)
                start = special + 1
                special = WordScan.firstSpecial(in: text, from: start) ?? text.count
            }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
        }
    }

    /// Of a control character: `\u001f`.
    private static let longestEscape = 6
    private static let hexDigits: StaticString = "0123456789abcdef"

    /// Returns how many bytes were written.
    @inline(__always)
    private static func write(
        escapeOf byte: UInt8, to buffer: UnsafeMutableRawBufferPointer, at index: Int
    ) -> Int {
        buffer[index] = ASCII.backslash
        switch byte {
        case ASCII.quote, ASCII.backslash: buffer[index + 1] = byte
        case ASCII.lineFeed: buffer[index + 1] = UInt8(ascii: "n")
        case ASCII.carriageReturn: buffer[index + 1] = UInt8(ascii: "r")
        case ASCII.tab: buffer[index + 1] = UInt8(ascii: "t")
        default:
            buffer[index + 1] = UInt8(ascii: "u")
            buffer[index + 2] = UInt8(ascii: "0")
            buffer[index + 3] = UInt8(ascii: "0")
            buffer[index + 4] = hexDigits.utf8Start[Int(byte >> 4)]
            buffer[index + 5] = hexDigits.utf8Start[Int(byte & 0xF)]
            return longestEscape
        }
        return 2
    }
}

extension JSONWriter {
    package mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    package mutating func member(_ name: StaticString, _ value: JSONString) {
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
