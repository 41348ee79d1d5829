// SPDX-License-Identifier: Apache-2.0
// Names of tools as the provider knows them and back. Namespaces are flattened, what is too long is shortened, what was
// no function becomes one; the table undoes all of it in the answer.
// Source: OpenAI (function names ^[a-zA-Z0-9_-]{1,64}$), Anthropic ({1,128}), Google (up to 64, begins with a letter or
// underscore), API references 2026.

import Bytes
package import Gateway

package struct ToolNameTable: Equatable, Sendable {
    /// What a name stands for.
    package struct Entry: Equatable, Sendable {
        package let tool: ToolName
        /// The form in which the client expects a call.
        package let form: CallForm
        /// The provider sees free text as an object with this only member.
        package let isWrapped: Bool

        package init(tool: ToolName, form: CallForm, isWrapped: Bool) {
            self.tool = tool
            self.form = form
            self.isWrapped = isWrapped
        }
    }

    /// The member that holds free text of a tool that had to become a function.
    package static let wrappedMember = "input"

    private var upstreamNames: [ToolName: String] = [:]
    private var entries: [String: Entry] = [:]

    package init() {}

    /// The name for the provider: unique in the request, stable for the same tool from request to request.
    ///
    /// - Parameter maximum: bytes, at least 16.
    package mutating func register(
        _ tool: ToolName, form: CallForm, isWrapped: Bool, maximum: Int = 64
    ) -> String {
        if let known = upstreamNames[tool] { return known }
        let flat = tool.namespace.map { "\($0)__\(tool.name)" } ?? tool.name
        var name = ToolNameTable.cleaned(flat)
        // A digest of the whole name makes the short one unique and the same in every request.
        if name.utf8.count > maximum || name != flat || entries[name] != nil {
            name = ToolNameTable.shortened(name, of: flat, maximum: maximum)
        }
        var salted = flat
        while entries[name] != nil {
            salted += "'"
            name = ToolNameTable.shortened(name, of: salted, maximum: maximum)
        }
        upstreamNames[tool] = name
        entries[name] = Entry(tool: tool, form: form, isWrapped: isWrapped)
        return name
    }

    /// The provider's name of a tool that was registered.
    package func upstreamName(_ tool: ToolName) -> String? { upstreamNames[tool] }

    /// What a name in the provider's answer stands for; nil for a name that the provider made up.
    package func entry(_ upstreamName: String) -> Entry? { entries[upstreamName] }

    package var isEmpty: Bool { entries.isEmpty }

    /// Letters, digits, underscore and hyphen; a first byte that is a letter or underscore.
    private static func cleaned(_ name: String) -> String {
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                bytes.append(byte)
            default: bytes.append(UInt8(ascii: "_"))
            }
        }
        if bytes.first.map({ $0 == UInt8(ascii: "-") || $0 &- 0x30 < 10 }) ?? true {
            bytes.insert(UInt8(ascii: "_"), at: 0)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func shortened(_ name: String, of original: String, maximum: Int) -> String {
        // FNV-1a, 32 bits: names are few, and the digest is no secret.
        var hash: UInt32 = 0x811C_9DC5
        for byte in original.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        var digest: [UInt8] = []
        for shift in stride(from: 28, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: hash >> UInt32(shift)) & 0xF
            digest.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
        let prefix = name.utf8.prefix(maximum - 9)
        return String(decoding: prefix, as: UTF8.self) + "_" + String(decoding: digest, as: UTF8.self)
    }
}
