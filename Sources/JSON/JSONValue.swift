// SPDX-License-Identifier: Apache-2.0
// A value of a parsed document: where it begins. What it holds is read from the text when it is asked for. What walks over
// whole documents ask of each value is inlined into other targets.
// Source: RFC 8259.

import Bytes
import Glibc

/// One JSON value: a view, valid until its parser's next parse or release, while the text stays in place.
package struct JSONValue {
    package enum Kind: Equatable, Sendable {
        case object
        case array
        case string
        case number
        case bool
        case null
    }

    @usableFromInline let index: UnsafeMutablePointer<JSONIndex>
    /// Its first token.
    @usableFromInline let token: Int

    @inlinable @inline(__always)
    init(index: UnsafeMutablePointer<JSONIndex>, token: Int) {
        self.index = index
        self.token = token
    }

    @inlinable @inline(__always)
    var first: UInt8 { index.pointee.byte(token) }

    @inlinable
    package var kind: Kind {
        switch first {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
        case UInt8(ascii: "n"): .null
        default: .number
        }
    }

    @inlinable @inline(__always) package var isObject: Bool { first == UInt8(ascii: "{") }
    @inlinable @inline(__always) package var isArray: Bool { first == UInt8(ascii: "[") }
    @inlinable @inline(__always) package var isString: Bool { first == UInt8(ascii: "\"") }
    @inlinable @inline(__always) package var isNull: Bool { first == UInt8(ascii: "n") }

    // MARK: - Strings

    /// The string as it is written between its quotes, escapes and all; nil for anything else.
    package var writtenBytes: UnsafeRawBufferPointer? {
        first == UInt8(ascii: "\"") ? index.pointee.written(token) : nil
    }

    /// How many bytes are written between a string's quotes; 0 for anything else.
    @inlinable @inline(__always)
    package var writtenCount: Int { isString ? index.pointee.writtenCount(token) : 0 }

    /// The decoded bytes of a string, always valid UTF-8; nil for anything else. With escapes it costs a pass and memory
    /// that is kept as long as the document.
    package var stringBytes: UnsafeRawBufferPointer? {
        writtenBytes.map { index.pointee.decode($0) }
    }

    /// The beginning of a string, decoded: all of it, or at least `count` bytes; nil for anything else.
    package func stringPrefix(_ count: Int) -> UnsafeRawBufferPointer? {
        writtenBytes.map { index.pointee.decode($0, limit: count) }
    }

    /// The string; nil for anything else.
    package var string: String? {
        writtenBytes.map(JSONEscape.string)
    }

    /// Whether the value is exactly this string, which holds nothing that must be escaped.
    @inlinable @inline(__always)
    package func isString(_ text: StaticString) -> Bool { mayBegin(with: text) && equals(text) }

    /// Whether the value is a string that begins with `prefix`, which holds nothing that must be escaped.
    @inlinable @inline(__always)
    package func hasPrefix(_ prefix: StaticString) -> Bool { mayBegin(with: prefix) && begins(with: prefix) }

    /// The first letter of a string as it is written; the quote of an empty one.
    @inlinable @inline(__always)
    var firstLetter: UInt8 { index.pointee.letter(token) }

    /// Whether this is a string whose first letter is that of `text`, or an escape: most have another one, which is seen
    /// without looking for their end.
    @inlinable @inline(__always)
    func mayBegin(with text: StaticString) -> Bool {
        guard isString else { return false }
        let letter = firstLetter
        return letter == text.utf8Start[0] || letter == ASCII.backslash || text.utf8CodeUnitCount == 0
    }

    @usableFromInline
    func equals(_ text: StaticString) -> Bool {
        switch beginning(text) {
        case .other: false
        case .same(let next): next == ASCII.quote
        case .escaped: stringBytes?.equals(text) == true
        }
    }

    @usableFromInline
    func begins(with prefix: StaticString) -> Bool {
        switch beginning(prefix) {
        case .other: false
        case .same: true
        case .escaped: stringPrefix(prefix.utf8CodeUnitCount)?.hasPrefix(prefix) == true
        }
    }

    /// How the beginning of a string compares with a text that holds nothing that must be escaped.
    private enum Beginning {
        case other
        /// As it is written; with the byte behind it.
        case same(UInt8)
        /// An escape stands where they differ first.
        case escaped
    }

    /// Compares a string as it is written, without looking for its end: that differs from all that `text` may hold.
    @inline(__always)
    private func beginning(_ text: StaticString) -> Beginning {
        let expected = text.utf8Start
        let size = text.utf8CodeUnitCount
        let written = index.pointee.rest(token)
        if written.count > size, memcmp(written.baseAddress.unsafelyUnwrapped, expected, size) == 0 {
            return .same(written[size])
        }
        var place = 0
        while written[place] == expected[place] { place += 1 }
        return written[place] == ASCII.backslash ? .escaped : .other
    }

    /// Whether the value is a string with `text` in it, which is printable ASCII that need not be escaped.
    package func contains(_ text: StaticString) -> Bool {
        guard let written = writtenBytes else { return false }
        if written.firstIndex(of: text) != nil { return true }
        // What need not be escaped may be, by its number.
        return index.pointee.hasPrintableEscapes && written.firstIndex(of: "\\u00") != nil
            && stringBytes?.firstIndex(of: text) != nil
    }

    // MARK: - Other scalars

    /// The integer; also of a number written with a fraction or exponent, if its value is whole and fits.
    package var int: Int? {
        kind == .number ? JSONNumber.int(index.pointee.text.slice(index.pointee.range(token))) : nil
    }

    /// The number, the nearest there is to what is written.
    package var double: Double? {
        kind == .number ? JSONNumber.double(index.pointee.text.slice(index.pointee.range(token))) : nil
    }

    package var bool: Bool? {
        switch first {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: nil
        }
    }

    // MARK: - Members and elements

    /// The value of a member, the first one when the name occurs twice; nil when absent or not an object.
    package func member(_ name: StaticString) -> JSONValue? {
        var members = members
        while let (key, value) = members.nextKey() {
            if key.isString(name) { return value }
        }
        return nil
    }

    /// The values of two members as `member` has them, found in one pass.
    package func members(_ first: StaticString, _ second: StaticString) -> (JSONValue?, JSONValue?) {
        var one: JSONValue?
        var other: JSONValue?
        var members = members
        while let (key, value) = members.nextKey() {
            if one == nil, key.isString(first) {
                one = value
            } else if other == nil, key.isString(second) {
                other = value
            }
            if one != nil, other != nil { break }
        }
        return (one, other)
    }

    /// How many members or elements, counted one by one; 0 for a scalar.
    package var count: Int {
        switch kind {
        case .object: members.reduce(into: 0) { count, _ in count += 1 }
        case .array: elements.reduce(into: 0) { count, _ in count += 1 }
        case .string, .number, .bool, .null: 0
        }
    }

    /// The members of an object in their order; empty for anything else.
    @inlinable @inline(__always)
    package var members: JSONMembers {
        JSONMembers(index: index, token: token + 1, end: isObject ? index.pointee.closing(token) : token + 1)
    }

    /// The elements of an array; empty for anything else.
    @inlinable @inline(__always)
    package var elements: JSONElements {
        JSONElements(index: index, token: token + 1, end: isArray ? index.pointee.closing(token) : token + 1)
    }

    /// Calls `body` with every member's decoded name and value, in order.
    package func forEachMember(_ body: (UnsafeRawBufferPointer, JSONValue) -> Void) {
        for (key, value) in members { body(key, value) }
    }

    /// Calls `body` with every element of an array, in order.
    package func forEachElement(_ body: (JSONValue) -> Void) {
        for element in elements { body(element) }
    }
}

/// The members of an object.
package struct JSONMembers: Sequence, IteratorProtocol {
    @usableFromInline let index: UnsafeMutablePointer<JSONIndex>
    /// The next name, or the closing brace.
    @usableFromInline var token: Int
    @usableFromInline let end: Int

    @inlinable @inline(__always)
    init(index: UnsafeMutablePointer<JSONIndex>, token: Int, end: Int) {
        (self.index, self.token, self.end) = (index, token, end)
    }

    package mutating func next() -> (key: UnsafeRawBufferPointer, value: JSONValue)? {
        guard let (key, value) = nextKey() else { return nil }
        return (index.pointee.decode(index.pointee.written(key.token)), value)
    }

    /// The next member with its name as a value, which is not decoded.
    @inlinable @inline(__always)
    package mutating func nextKey() -> (key: JSONValue, value: JSONValue)? {
        guard token < end else { return nil }
        let key = JSONValue(index: index, token: token)
        // Between them stands the colon, behind them a comma or the closing brace.
        let value = JSONValue(index: index, token: token + 2)
        token = Swift.min(index.pointee.next(token + 2) + 1, end)
        return (key, value)
    }
}

/// The elements of an array.
package struct JSONElements: Sequence, IteratorProtocol {
    @usableFromInline let index: UnsafeMutablePointer<JSONIndex>
    /// The next element, or the closing bracket.
    @usableFromInline var token: Int
    @usableFromInline let end: Int

    @inlinable @inline(__always)
    init(index: UnsafeMutablePointer<JSONIndex>, token: Int, end: Int) {
        (self.index, self.token, self.end) = (index, token, end)
    }

    @inlinable @inline(__always)
    package mutating func next() -> JSONValue? {
        guard token < end else { return nil }
        let value = JSONValue(index: index, token: token)
        token = Swift.min(index.pointee.next(token) + 1, end)
        return value
    }
}
