// SPDX-License-Identifier: Apache-2.0
// Looks for a member in JSON text without parsing it. An unescaped quoted name followed by a colon cannot stand
// inside a JSON string, so a hit is a member, though maybe not of the top-level object.
// Source: RFC 8259 §7 (a quote inside a string is always escaped).

import Bytes
import JSON

enum MemberScan {
    /// The offset of the value of the first member `quotedName` whose value begins with one of two bytes.
    ///
    /// - Parameter quotedName: the name with its quotes, e.g. `"usage"`.
    @inline(__always)
    static func value(
        of quotedName: StaticString, in json: UnsafeRawBufferPointer, beginningWith first: UInt8,
        or second: UInt8
    ) -> Int? {
        var start = 0
        while let hit = json.slice(start..<json.count).firstIndex(of: quotedName) {
            start += hit + quotedName.utf8CodeUnitCount
            guard let value = valueStart(json, from: start) else { continue }
            if json[value] == first || json[value] == second { return value }
        }
        return nil
    }

    /// The non-negative integer that is the value of the first member `quotedName`.
    @inline(__always)
    static func integer(of quotedName: StaticString, in json: UnsafeRawBufferPointer) -> Int? {
        guard let hit = json.firstIndex(of: quotedName),
            var index = valueStart(json, from: hit + quotedName.utf8CodeUnitCount)
        else { return nil }
        var number: Int?
        while index < json.count, json[index] &- 0x30 < 10, (number ?? 0) < 1 << 50 {
            number = (number ?? 0) * 10 + Int(json[index] - 0x30)
            index += 1
        }
        return number
    }

    /// The `type` of an event's data; reads it in place where providers put it, else parses.
    @inline(__always)
    static func withType(
        of json: UnsafeRawBufferPointer, _ parser: JSONParser, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        if json.hasPrefix("{\"type\":\""), let end = json.firstIndex(of: ASCII.quote, from: 9) {
            body(json.slice(9..<end))
        } else if let type = (try? parser.parse(json))?.member("type")?.stringBytes {
            // What does not parse has no type, and an event without a type means nothing.
            body(type)
        }
    }

    /// The object that the last member `quotedName` holds, found in the end of a document.
    static func lastObject(of quotedName: StaticString, in text: UnsafeRawBufferPointer) -> Range<Int>? {
        var found: Range<Int>?
        var start = 0
        while let hit = text.slice(start..<text.count).firstIndex(of: quotedName) {
            start += hit + quotedName.utf8CodeUnitCount
            guard let value = valueStart(text, from: start), text[value] == UInt8(ascii: "{") else {
                continue
            }
            guard let end = objectEnd(text, from: value) else { continue }
            found = value..<end
        }
        return found
    }

    private static func objectEnd(_ text: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var depth = 0
        var isInString = false
        var isEscaped = false
        for index in start..<text.count {
            let byte = text[index]
            if isInString {
                isInString = isEscaped || byte != ASCII.quote
                isEscaped = !isEscaped && byte == ASCII.backslash
                continue
            }
            switch byte {
            case ASCII.quote: isInString = true
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 { return index + 1 }
            default: break
            }
        }
        return nil
    }

    /// The first byte of the value when a colon follows `from`.
    @inline(__always)
    private static func valueStart(_ json: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index < json.count, isSpace(json[index]) { index += 1 }
        guard index < json.count, json[index] == ASCII.colon else { return nil }
        index += 1
        while index < json.count, isSpace(json[index]) { index += 1 }
        return index < json.count ? index : nil
    }

    @inline(__always)
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == ASCII.space || byte == ASCII.lineFeed || byte == ASCII.carriageReturn || byte == ASCII.tab
    }
}
