// SPDX-License-Identifier: Apache-2.0
// What the operator says in the middle of a conversation, for models that hear their operator only in front.
// Source: Claude Code 2.1.329 (<system-reminder> in turns of the user), 2026.

import Gateway
import JSON

enum OperatorNote {
    /// The texts as one of the user's, marked as what it is; nothing when there are none.
    static func parts(_ parts: [Part], _ losses: inout Losses) -> [Part] {
        let texts = self.texts(parts, &losses).map(\.text).filter { !$0.isEmpty }
        guard !texts.isEmpty else { return [] }
        return [.text(TextPart("<system-reminder>\n\(texts.joined(separator: "\n\n"))\n</system-reminder>"))]
    }

    /// What of an operator's parts is text, for providers that take no more of one.
    static func texts(_ parts: [Part], _ losses: inout Losses) -> [TextPart] {
        var texts: [TextPart] = []
        for part in parts {
            switch part {
            case .text(let text): texts.append(text)
            case .opaque(let opaque):
                losses.add(.opaquePart)
                if let summary = opaque.summary { texts.append(TextPart(summary)) }
            case .image, .document: losses.add(.media)
            case .reasoning, .toolCall, .toolResult, .refusal: break
            }
        }
        return texts
    }
}
