// SPDX-License-Identifier: Apache-2.0
// JSON of other programs and services: only whether it is an object matters.

package import JSON

extension JSONParser {
    /// The object that the text is, or nil for anything else. What is wrong with a foreign text helps nobody.
    package func object(_ text: [UInt8]) -> JSONValue? {
        guard let value = try? parse(text), value.isObject else { return nil }
        return value
    }
}
