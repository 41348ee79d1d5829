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
        case .written(let bytes): bytes.withUnsafeBytes(JSONEscape.string)
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
}

extension JSONString: Equatable {
    package static func == (left: JSONString, right: JSONString) -> Bool {
        if case .written(let a) = left.form, case .written(let b) = right.form, a == b { return true }
        return left.text == right.text
    }
}
