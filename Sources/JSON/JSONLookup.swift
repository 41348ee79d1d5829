// SPDX-License-Identifier: Apache-2.0
// An object that is asked for many names, most of which it does not have.

import Bytes

/// An object that knows the first letters of its members' names, and so does not look for a name that begins with another.
package struct JSONLookup {
    package let value: JSONValue
    /// A bit for each letter, by its last six bits: two letters may share one.
    private let letters: UInt64

    /// Passes over the members once; valid as long as the value.
    package init(_ value: JSONValue) {
        self.value = value
        var letters: UInt64 = 0
        var members = value.members
        while let (name, _) = members.nextKey() { letters |= JSONLookup.bit(name.firstLetter) }
        self.letters = letters
    }

    /// Whether it has no members.
    package var isEmpty: Bool { letters == 0 }

    /// The value of a member as `JSONValue.member` has it.
    @inline(__always)
    package func member(_ name: StaticString) -> JSONValue? {
        // A name that begins with an escape may be any.
        let wanted = JSONLookup.bit(name.utf8Start[0]) | JSONLookup.bit(ASCII.backslash)
        return letters & wanted == 0 ? nil : value.member(name)
    }

    @inline(__always)
    private static func bit(_ letter: UInt8) -> UInt64 { 1 << UInt64(letter & 63) }
}
