// SPDX-License-Identifier: Apache-2.0
// A block of a Messages answer while it arrives.
// Source: Anthropic API reference (messages streaming: content blocks, deltas; server tools), 2026.

import Bytes
import Gateway
import JSON

struct IncomingBlock {
    enum Kind {
        case text
        case thinking
        case redacted
        case toolUse
        /// A block that only Messages has.
        case opaque
    }

    /// Bytes of the input of a tool that the provider runs itself, at most.
    private static let maximumInputBytes = 4 << 20

    let kind: Kind
    private let origin: Origin
    private let type: String
    /// Of an opaque block: as it began, and what it is elsewhere.
    private let start: JSONText
    private let summary: String?
    private var input: [UInt8] = []
    private var signature: String
    /// A piece of the input has been there.
    var hasInput = false

    init(_ block: JSONValue, origin: Origin) {
        self.origin = origin
        type = block.member("type")?.string ?? ""
        switch type {
        case "text": kind = .text
        case "thinking": kind = .thinking
        case "redacted_thinking": kind = .redacted
        case "tool_use": kind = .toolUse
        default: kind = .opaque
        }
        signature = block.member(kind == .redacted ? "data" : "signature")?.string ?? ""
        start = kind == .opaque ? block.compactJSON : JSONText("")
        summary = kind == .opaque ? MessagesBlocks.summary(of: block) : nil
    }

    var isCall: Bool { kind == .toolUse }

    /// What the provider wants back of a block of thoughts.
    var state: ReasoningState? {
        guard !signature.isEmpty else { return nil }
        return ReasoningState(
            kind == .redacted ? .redacted : .signature, origin: origin, bytes: Array(signature.utf8))
    }

    mutating func sign(_ signature: String) { self.signature += signature }

    /// - Returns: false when there is more than may be.
    mutating func collect(input piece: String) -> Bool {
        guard input.count + piece.utf8.count <= Self.maximumInputBytes else { return false }
        input.append(contentsOf: piece.utf8)
        return true
    }

    /// The whole block of a kind that only Messages has: as it began, with the input that came later.
    var part: OpaquePart {
        guard !input.isEmpty, let json = start.withValue(withInput) else {
            return OpaquePart(type: type, json: start, summary: summary)
        }
        return OpaquePart(type: type, json: json, summary: summary)
    }

    private func withInput(_ block: JSONValue) -> JSONText {
        var writer = JSONWriter()
        writer.object { writer in
            for (key, value) in block.members where !key.equals("input") {
                writer.key(String(decoding: key, as: UTF8.self))
                value.copy(to: &writer)
            }
            writer.member("input", json: JSONText.object(ofArguments: String(decoding: input, as: UTF8.self)))
        }
        return JSONText(writer.bytes)
    }
}
