// SPDX-License-Identifier: Apache-2.0
// Where every value of a parsed document stands in its text, so that large substructures can be taken over as they were
// written: simdjson's tape and its list of structural bytes walked in lockstep.
// Source: simdjson 3.0 doc/tape.md; RFC 8259 §2 (tokens and white space).

import Bytes

/// The places of a document's values. Valid as long as the values it is asked about.
package struct SourceMap {
    private let text: UnsafeRawBufferPointer
    /// By tape index: the offset of a value's first byte, and for the word that closes a container, of its closing byte.
    private let offsets: [UInt32]
    /// The strings of the text are those of the values: none held half a surrogate pair, which stands for another text.
    package let holdsStrings: Bool

    /// - Parameters:
    ///   - parser: has just parsed `text`; asked before its next parse.
    ///   - text: the document as it was given, from which bytes are taken.
    /// - Returns: nil when the parser holds no document.
    package init?(_ parser: JSONParser, text: UnsafeRawBufferPointer) {
        guard let offsets = parser.sourceOffsets() else { return nil }
        self.text = text
        self.offsets = offsets
        holdsStrings = !parser.isNarrowed
    }

    /// The bytes of a value as they were written; of a string with its quotes and escapes.
    package func bytes(of value: JSONValue) -> UnsafeRawBufferPointer { text.slice(range(of: value)) }

    /// Where those bytes are.
    package func range(of value: JSONValue) -> Range<Int> {
        let start = Int(offsets[value.index])
        switch value.kind {
        case .object, .array:
            let closing = Tape.containerEnd(value.tape[value.index]) - 1
            return start..<(Int(offsets[closing]) + 1)
        case .string:
            let next = Int(offsets[value.index + 1])
            return start..<(next > start ? endOfString(before: next) : endOfString(from: start))
        case .number, .bool, .null: return start..<endOfScalar(from: start)
        }
    }

    /// Between a string and the token behind it are white space, a comma or a colon, and no quote.
    private func endOfString(before next: Int) -> Int {
        var end = next
        while end > 0, text[end - 1] != ASCII.quote { end -= 1 }
        return end
    }

    /// Of a string behind which nothing comes.
    private func endOfString(from start: Int) -> Int {
        var index = start + 1
        while index < text.count, text[index] != ASCII.quote {
            index += text[index] == ASCII.backslash ? 2 : 1
        }
        return min(index + 1, text.count)
    }

    private func endOfScalar(from start: Int) -> Int {
        var index = start
        while index < text.count, SourceMap.belongsToScalar(text[index]) { index += 1 }
        return index
    }

    /// Digits, letters and signs; what ends a number or a literal is none of them.
    private static func belongsToScalar(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension SourceMap {
    /// The offsets for `init`, by tape index.
    static func offsets(
        tape: UnsafePointer<UInt64>, source: UnsafePointer<UInt8>, structurals: UnsafeBufferPointer<UInt32>
    ) -> [UInt32] {
        // The root word at 0 holds the index of its closing word.
        let end = Tape.containerEnd(tape[0]) - 1
        return [UInt32](unsafeUninitializedCapacity: end + 1) { offsets, count in
            offsets.initialize(repeating: 0)
            var word = 1
            for offset in structurals {
                let byte = source[Int(offset)]
                if byte == ASCII.comma || byte == ASCII.colon { continue }
                guard word < end else { break }
                offsets[word] = offset
                switch Tape.tag(tape[word]) {
                case Tape.signed, Tape.unsigned, Tape.double: word += 2
                default: word += 1
                }
            }
            count = end + 1
        }
    }
}
