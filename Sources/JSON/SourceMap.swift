// SPDX-License-Identifier: Apache-2.0
// Where the values of a parsed document stand in its text, so that large substructures can be taken over as they were
// written.

import Bytes

/// The places of a document's values. Valid as long as the values it is asked about.
package struct SourceMap {
    private let index: UnsafeMutablePointer<JSONIndex>

    /// - Parameter parser: asked before its next parse.
    /// - Returns: nil when the parser holds no document.
    package init?(_ parser: JSONParser) {
        guard let index = parser.document else { return nil }
        self.index = index
    }

    /// The strings of the text are those of the values: none holds half a surrogate pair, which stands for another text.
    package var holdsStrings: Bool { !index.pointee.hasHalfPairs }

    /// The bytes of a value as they were written; of a string with its quotes and escapes.
    package func bytes(of value: JSONValue) -> UnsafeRawBufferPointer {
        index.pointee.text.slice(range(of: value))
    }

    /// Where those bytes are.
    package func range(of value: JSONValue) -> Range<Int> { index.pointee.range(value.token) }
}
