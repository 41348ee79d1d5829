// SPDX-License-Identifier: Apache-2.0
// Gives the members of the top-level object their places in the source, by walking simdjson's tape and its list
// of structural bytes in lockstep: the tape knows decoded names, the list knows offsets.
// Source: simdjson 3.0 doc/tape.md; RFC 8259 §2 (tokens and white space).

import Bytes

/// One member of the top-level object.
struct TopLevelMember {
    /// The name's word on the tape.
    let nameIndex: Int
    /// Byte offsets of the value.
    let start: Int
    let end: Int

    /// Lists the members in order; empty when the document is no object. The document has been validated.
    static func index(
        tape: UnsafePointer<UInt64>, source: UnsafePointer<UInt8>, structurals: UnsafeBufferPointer<UInt32>
    ) -> [TopLevelMember] {
        guard Tape.tag(tape[1]) == Tape.object else { return [] }
        let end = Tape.containerEnd(tape[1]) - 1
        var members: [TopLevelMember] = []
        var word = 2
        // Structural 0 is the opening brace; a member begins with its name's quote, then the colon, then the value.
        var structural = 1
        while word < end {
            let start = Int(structurals[structural + 2])
            let valueEnd: Int
            if opens(source[start]) {
                structural = closing(structural + 2, source, structurals) + 1
                valueEnd = Int(structurals[structural - 1]) + 1
            } else {
                structural += 3
                valueEnd = endOfScalar(before: Int(structurals[structural]), source)
            }
            members.append(TopLevelMember(nameIndex: word, start: start, end: valueEnd))
            structural += 1
            word = Tape.next(tape, word + 1)
        }
        return members
    }

    /// `{` and `[` differ in one bit, like a letter's case.
    @inline(__always)
    private static func opens(_ byte: UInt8) -> Bool { byte | 0x20 == 0x7B }
    @inline(__always)
    private static func closes(_ byte: UInt8) -> Bool { byte | 0x20 == 0x7D }

    /// The structural that closes the container opened at `opening`.
    private static func closing(
        _ opening: Int, _ source: UnsafePointer<UInt8>, _ structurals: UnsafeBufferPointer<UInt32>
    ) -> Int {
        var depth = 1
        var index = opening
        while depth > 0 {
            index += 1
            let byte = source[Int(structurals[index])]
            depth += (opens(byte) ? 1 : 0) - (closes(byte) ? 1 : 0)
        }
        return index
    }

    /// The offset behind a scalar, given the offset of the comma or brace that follows it.
    private static func endOfScalar(before next: Int, _ source: UnsafePointer<UInt8>) -> Int {
        var end = next
        while isSpace(source[end - 1]) { end -= 1 }
        return end
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == ASCII.space || byte == ASCII.lineFeed || byte == ASCII.carriageReturn || byte == ASCII.tab
    }
}
