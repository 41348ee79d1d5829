// SPDX-License-Identifier: Apache-2.0
// Copies of parsed values, for answers whose text is gone once the event has been read.

import Gateway
import JSON

extension JSONValue {
    /// The value as compact JSON. Strings are escaped anew and large numbers may lose digits that no reader keeps; for the
    /// bytes as they were written see `SourceMap`.
    var compactJSON: JSONText {
        var writer = JSONWriter()
        copy(to: &writer)
        return JSONText(writer.bytes)
    }

    func copy(to writer: inout JSONWriter) {
        switch kind {
        case .object:
            writer.object { writer in
                for (key, value) in members {
                    writer.key(String(decoding: key, as: UTF8.self))
                    value.copy(to: &writer)
                }
            }
        case .array: writer.array { for element in elements { element.copy(to: &$0) } }
        case .string: if let bytes = stringBytes { writer.string(utf8: bytes) }
        case .number: if let int { writer.int(int) } else { writer.double(double ?? 0) }
        case .bool: writer.bool(bool ?? false)
        case .null: writer.null()
        }
    }

    /// The elements of a member of an object; none when it is absent or no array.
    func elements(of name: StaticString) -> JSONElements {
        // An object has no elements itself.
        (member(name) ?? self).elements
    }
}
