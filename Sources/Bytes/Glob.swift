// SPDX-License-Identifier: Apache-2.0
// Patterns in which "*" stands for any number of bytes; everything else stands for itself.

package enum Glob {
    /// Whether the pattern fits the whole text. Takes at most the product of their lengths.
    package static func matches(_ pattern: [UInt8], _ text: UnsafeRawBufferPointer) -> Bool {
        pattern.withUnsafeBytes { matches($0, text) }
    }

    private static func matches(_ pattern: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        var index = 0
        /// Where to go on when what follows the last star does not fit.
        var retry: (place: Int, index: Int)?
        while index < text.count || place < pattern.count {
            if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                place += 1
                retry = (place, index)
            } else if index < text.count, place < pattern.count, pattern[place] == text[index] {
                place += 1
                index += 1
            } else if let again = retry, again.index < text.count {
                place = again.place
                index = again.index + 1
                retry = (place, index)
            } else {
                return false
            }
        }
        return true
    }
}
