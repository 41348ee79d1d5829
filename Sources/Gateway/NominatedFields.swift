// SPDX-License-Identifier: Apache-2.0
// The fields that a Connection field names: they are meant for one hop and do not cross ccr.
// Source: RFC 9110 §7.6.1.

import Bytes

package struct NominatedFields {
    private var names: [[UInt8]] = []

    package init() {}

    package var isEmpty: Bool { names.isEmpty }

    /// Adds what the value of a Connection field names.
    package mutating func add(connection value: UnsafeRawBufferPointer) {
        var start = 0
        while start < value.count {
            let end = value.firstIndex(of: ASCII.comma, from: start) ?? value.count
            var name = start..<end
            while let first = name.first, NominatedFields.isBlank(value[first]) { name.removeFirst() }
            while let last = name.last, NominatedFields.isBlank(value[last]) { name.removeLast() }
            let option = value.slice(name)
            // The options of nearly every message, which name no field.
            if !option.isEmpty, !ASCII.equalIgnoringCase(option, "keep-alive"),
                !ASCII.equalIgnoringCase(option, "close")
            {
                names.append(Array(option))
            }
            start = end + 1
        }
    }

    /// Whether the field with this name was named; case does not matter.
    package func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        names.contains { candidate in candidate.withUnsafeBytes { ASCII.equalIgnoringCase($0, name) } }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == ASCII.space || byte == ASCII.tab }
}
