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
    /// Of an opaque block: as it began, the input that followed, and what took the place of other members.
    private let start: JSONText
    private var input: [UInt8] = []
    private var later: [(name: StaticString, value: JSONText)] = []
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

    /// The summary of a compaction, which comes in one piece.
    mutating func compacted(_ delta: JSONValue) {
        for name in MessagesBlocks.compactionDelta {
            guard let value = delta.member(name) else { continue }
            later.removeAll { "\($0.name)" == "\(name)" }
            later.append((name, value.compactJSON))
        }
    }

    /// The whole block of a kind that only Messages has: as it began, with what came later.
    var part: OpaquePart {
        let json = start.withValue(whole) ?? start
        return OpaquePart(
            .messages, type: type, json: json, summary: json.withValue(MessagesBlocks.summary) ?? nil)
    }

    private func whole(_ block: JSONValue) -> JSONText {
        var later = later
        if !input.isEmpty {
            later.append(("input", JSONText.object(ofArguments: String(decoding: input, as: UTF8.self))))
        }
        return later.isEmpty ? start : block.with(later)
    }
}
