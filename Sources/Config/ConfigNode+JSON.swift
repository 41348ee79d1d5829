// SPDX-License-Identifier: Apache-2.0
// Writes a value of a configuration as JSON, for what is sent on as it was written.
// Source: RFC 8259 §7 (strings).

extension ConfigNode {
    /// The value as JSON.
    var json: String {
        switch value {
        case .null: "null"
        case .boolean(let flag): flag ? "true" : "false"
        case .number(let digits): digits
        case .string(let text): ConfigNode.quotedJSON(text)
        case .array(let elements): "[" + elements.map(\.json).joined(separator: ",") + "]"
        case .object:
            "{"
                + uniqueMembers.map { ConfigNode.quotedJSON($0.key) + ":" + $0.node.json }.joined(
                    separator: ",")
                + "}"
        }
    }

    private static func quotedJSON(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
