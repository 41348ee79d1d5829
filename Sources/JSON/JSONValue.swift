// SPDX-License-Identifier: Apache-2.0
// A value on simdjson's tape: a 64-bit word holds a tag in its top byte and a payload below.
// Source: simdjson 3.0 doc/tape.md.

import Bytes

/// Reading of single tape words.
enum Tape {
    static let object = UInt8(ascii: "{")
    static let array = UInt8(ascii: "[")
    static let string = UInt8(ascii: "\"")
    static let signed = UInt8(ascii: "l")
    static let unsigned = UInt8(ascii: "u")
    static let double = UInt8(ascii: "d")
    static let yes = UInt8(ascii: "t")
    static let no = UInt8(ascii: "f")

    @inline(__always)
    static func tag(_ word: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> 56) }

    /// The index behind the closing word of a container.
    @inline(__always)
    static func containerEnd(_ word: UInt64) -> Int { Int(UInt32(truncatingIfNeeded: word)) }

    /// The index of the value that follows the value at `index`.
    @inline(__always)
    static func next(_ tape: UnsafePointer<UInt64>, _ index: Int) -> Int {
        switch tag(tape[index]) {
        case object, array: containerEnd(tape[index])
        case signed, unsigned, double: index + 2
        default: index + 1
        }
    }
}

/// One JSON value: a view, valid until its parser's next parse or release.
package struct JSONValue {
    package enum Kind: Equatable, Sendable {
        case object
        case array
        case string
        case number
        case bool
        case null
    }

    let tape: UnsafePointer<UInt64>
    let strings: UnsafePointer<UInt8>
    let index: Int

    private var tag: UInt8 { Tape.tag(tape[index]) }

    package var kind: Kind {
        switch tag {
        case Tape.object: .object
        case Tape.array: .array
        case Tape.string: .string
        case Tape.signed, Tape.unsigned, Tape.double: .number
        case Tape.yes, Tape.no: .bool
        default: .null
        }
    }

    package var isObject: Bool { tag == Tape.object }
    package var isArray: Bool { tag == Tape.array }
    package var isNull: Bool { kind == .null }

    /// The value of a member, the first one when the name occurs twice; nil when absent or not an object.
    package func member(_ name: StaticString) -> JSONValue? {
        for (key, value) in members where key.equals(name) { return value }
        return nil
    }

    /// The decoded bytes of a string, always valid UTF-8; nil for anything else.
    package var stringBytes: UnsafeRawBufferPointer? {
        tag == Tape.string ? text(tape[index]) : nil
    }

    /// The string; nil for anything else.
    package var string: String? {
        stringBytes.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether the value is exactly this string.
    package func isString(_ text: StaticString) -> Bool {
        stringBytes?.equals(text) ?? false
    }

    /// The integer; also of a number written with a fraction or exponent, if its value is whole and fits.
    package var int: Int? {
        switch tag {
        case Tape.signed: Int(Int64(bitPattern: tape[index + 1]))
        case Tape.unsigned: Int(exactly: tape[index + 1])
        case Tape.double: Int(exactly: Double(bitPattern: tape[index + 1]))
        default: nil
        }
    }

    /// The number, rounded where a large integer needs it.
    package var double: Double? {
        switch tag {
        case Tape.signed: Double(Int64(bitPattern: tape[index + 1]))
        case Tape.unsigned: Double(tape[index + 1])
        case Tape.double: Double(bitPattern: tape[index + 1])
        default: nil
        }
    }

    package var bool: Bool? {
        switch tag {
        case Tape.yes: true
        case Tape.no: false
        default: nil
        }
    }

    /// How many members or elements; 0 for a scalar.
    package var count: Int {
        guard isObject || isArray else { return 0 }
        let count = Int(tape[index] >> 32) & Self.saturatedCount
        guard count == Self.saturatedCount else { return count }
        return isObject
            ? members.reduce(into: 0) { count, _ in count += 1 }
            : elements.reduce(into: 0) { count, _ in count += 1 }
    }

    /// The tape's count stops here.
    private static let saturatedCount = 0xFF_FFFF

    /// The members of an object in their order; empty for anything else.
    package var members: JSONMembers {
        JSONMembers(tape: tape, strings: strings, position: index + 1, end: isObject ? end : index + 1)
    }

    /// The elements of an array; empty for anything else.
    package var elements: JSONElements {
        JSONElements(tape: tape, strings: strings, position: index + 1, end: isArray ? end : index + 1)
    }

    /// Calls `body` with every member's decoded name and value, in order.
    package func forEachMember(_ body: (UnsafeRawBufferPointer, JSONValue) -> Void) {
        for (key, value) in members { body(key, value) }
    }

    /// Calls `body` with every element of an array, in order.
    package func forEachElement(_ body: (JSONValue) -> Void) {
        for element in elements { body(element) }
    }

    /// The closing word of a container.
    private var end: Int { Tape.containerEnd(tape[index]) - 1 }

    private func text(_ word: UInt64) -> UnsafeRawBufferPointer {
        Self.text(word, strings)
    }

    fileprivate static func text(_ word: UInt64, _ strings: UnsafePointer<UInt8>) -> UnsafeRawBufferPointer {
        let start = UnsafeRawPointer(strings) + Int(word & 0xFF_FFFF_FFFF_FFFF)
        let length = Int(start.loadUnaligned(as: UInt32.self))
        return UnsafeRawBufferPointer(start: start + 4, count: length)
    }
}

/// The members of an object.
package struct JSONMembers: Sequence, IteratorProtocol {
    fileprivate let tape: UnsafePointer<UInt64>
    fileprivate let strings: UnsafePointer<UInt8>
    fileprivate var position: Int
    fileprivate let end: Int

    package mutating func next() -> (key: UnsafeRawBufferPointer, value: JSONValue)? {
        guard position < end else { return nil }
        let key = JSONValue.text(tape[position], strings)
        let value = JSONValue(tape: tape, strings: strings, index: position + 1)
        position = Tape.next(tape, position + 1)
        return (key, value)
    }
}

/// The elements of an array.
package struct JSONElements: Sequence, IteratorProtocol {
    fileprivate let tape: UnsafePointer<UInt64>
    fileprivate let strings: UnsafePointer<UInt8>
    fileprivate var position: Int
    fileprivate let end: Int

    package mutating func next() -> JSONValue? {
        guard position < end else { return nil }
        let value = JSONValue(tape: tape, strings: strings, index: position)
        position = Tape.next(tape, position)
        return value
    }
}
