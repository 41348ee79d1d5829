// SPDX-License-Identifier: Apache-2.0
// Why a text is not JSON, said so that a client can be told: never a byte of the text itself.
// Source: RFC 8259.

/// A text that cannot be read as one JSON document.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case empty
        /// Above `JSONParser.maximumBytes`.
        case tooLarge
        case outOfMemory
        /// Nested deeper than the parser allows.
        case tooDeep
        case invalidUTF8
        /// A string that is not closed, holds a control character or a wrong escape.
        case invalidString
        /// Not a JSON number.
        case invalidNumber
        /// A bracket, comma, colon or literal is wrong, or something follows the document.
        case malformed
    }

    package let reason: Reason
    /// Where in the text the fault is, in bytes from 0; nil when it is not known.
    package let offset: Int?

    init(_ reason: Reason, in text: UnsafeRawBufferPointer) {
        self.reason = reason
        switch reason {
        case .invalidString, .invalidNumber, .malformed: offset = FaultFinder.offset(in: text)
        case .empty, .tooLarge, .outOfMemory, .tooDeep, .invalidUTF8: offset = nil
        }
    }

    /// A short sentence for an error answer.
    package var description: String {
        let text =
            switch reason {
            case .empty: "the JSON text is empty"
            case .tooLarge: "the JSON text is too large"
            case .outOfMemory: "no memory to read the JSON text"
            case .tooDeep: "the JSON text is nested too deeply"
            case .invalidUTF8: "the JSON text is not valid UTF-8"
            case .invalidString: "a string in the JSON text is not valid"
            case .invalidNumber: "a number in the JSON text is not valid"
            case .malformed: "a bracket, comma, colon or literal is wrong or missing"
            }
        guard let offset else { return text }
        return "\(text) (byte \(offset))"
    }
}
