// SPDX-License-Identifier: Apache-2.0
// A string on its way from one JSON text into another. Conversations are megabytes of such strings, mostly source code
// full of escapes: kept as it stood, a string is neither copied nor decoded nor checked nor escaped anew.
// Source: RFC 8259 §7 (strings).

import Bytes

/// A string as it was given, or as it stood between the quotes of a JSON text. Both forms of one text are equal.
package struct JSONString: Sendable {
    private enum Form: Sendable {
        case text(String)
        /// Between the quotes, escapes and all; keeps the whole text alive.
        case written(ArraySlice<UInt8>)
    }

    private var form: Form

    package init(_ text: String) {
        form = .text(text)
    }

    /// - Parameter written: what stands between the quotes of a string that a parser has accepted, without halves of
    ///   surrogate pairs.
    package init(written: ArraySlice<UInt8>) {
        form = .written(written)
    }

    package var isEmpty: Bool {
        switch form {
        case .text(let text): text.isEmpty
        case .written(let bytes): bytes.isEmpty
        }
    }

    /// The text itself. Costs a pass over it; not for large texts that only pass.
    package var text: String {
        switch form {
        case .text(let text): text
        case .written(let bytes): bytes.withUnsafeBytes(JSONString.decoded)
        }
    }

    /// Whether the text begins with `prefix`, which holds nothing that anybody would escape.
    package func hasPrefix(_ prefix: StaticString) -> Bool {
        let prefix = UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
        return switch form {
        case .text(let text): text.utf8.starts(with: prefix)
        case .written(let bytes): bytes.starts(with: prefix)
        }
    }

    package mutating func append(_ piece: String) {
        var text = text
        // Released first, so that the text grows in place.
        form = .written([])
        text += piece
        form = .text(text)
    }

    /// Texts one behind the other with `separator` between them. What is written already is not decoded for it.
    package static func joined(_ texts: [JSONString], separator: String) -> JSONString {
        if texts.count == 1 { return texts[0] }
        var bytes: [UInt8] = []
        for (index, text) in texts.enumerated() {
            if index > 0 { JSONWriter.append(escaped: separator, to: &bytes) }
            text.append(to: &bytes)
        }
        return JSONString(written: bytes[...])
    }

    /// Appends what stands between the quotes.
    func append(to bytes: inout [UInt8]) {
        switch form {
        case .text(let text): JSONWriter.append(escaped: text, to: &bytes)
        case .written(let written): bytes.append(contentsOf: written)
        }
    }

    private static func decoded(_ written: UnsafeRawBufferPointer) -> String {
        guard var escape = written.firstIndex(of: ASCII.backslash, from: 0) else {
            return String(decoding: written, as: UTF8.self)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(written.count)
        var start = 0
        while escape + 1 < written.count {
            bytes.append(contentsOf: written.slice(start..<escape))
            start = append(escape: escape, of: written, to: &bytes)
            guard let next = written.firstIndex(of: ASCII.backslash, from: start) else { break }
            escape = next
        }
        bytes.append(contentsOf: written.slice(start..<written.count))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends what the escape at `index` stands for and returns the index behind it.
    private static func append(escape index: Int, of written: UnsafeRawBufferPointer, to bytes: inout [UInt8])
        -> Int
    {
        switch written[index + 1] {
        case UInt8(ascii: "n"): bytes.append(ASCII.lineFeed)
        case UInt8(ascii: "t"): bytes.append(ASCII.tab)
        case UInt8(ascii: "r"): bytes.append(ASCII.carriageReturn)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "u"):
            var unit = codeUnit(written, at: index + 2)
            var end = index + 6
            if unit & 0xFC00 == 0xD800, end + 1 < written.count, written[end] == ASCII.backslash {
                let low = codeUnit(written, at: end + 2)
                if low & 0xFC00 == 0xDC00 {
                    unit = 0x10000 + ((unit & 0x3FF) << 10 | low & 0x3FF)
                    end += 6
                }
            }
            // Half a pair stands for nothing.
            let scalar = Unicode.Scalar(unit) ?? "\u{FFFD}"
            bytes.append(contentsOf: Character(scalar).utf8)
            return min(end, written.count)
        // A quote, a backslash or a solidus.
        case let byte: bytes.append(byte)
        }
        return index + 2
    }

    /// The four hexadecimal digits at `start`.
    private static func codeUnit(_ written: UnsafeRawBufferPointer, at start: Int) -> UInt32 {
        guard start + 4 <= written.count else { return 0xFFFD }
        var unit: UInt32 = 0
        for byte in written.slice(start..<(start + 4)) {
            unit = unit << 4 | UInt32(byte < 0x3A ? byte & 0xF : (byte & 0xF) + 9)
        }
        return unit
    }
}

extension JSONString: Equatable {
    package static func == (left: JSONString, right: JSONString) -> Bool {
        if case .written(let a) = left.form, case .written(let b) = right.form, a == b { return true }
        return left.text == right.text
    }
}
