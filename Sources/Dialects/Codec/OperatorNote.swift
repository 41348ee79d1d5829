// SPDX-License-Identifier: Apache-2.0
// What the operator says in the middle of a conversation, for models that hear their operator only in front.
// Source: Claude Code 2.1.329 (<system-reminder> in turns of the user), 2026.

import Gateway
import JSON

enum OperatorNote {
    /// The texts as one of the user's, marked as what it is; nothing when there are none.
    static func parts(_ parts: [Part]) -> [Part] {
        let texts = parts.compactMap { part -> String? in
            guard case .text(let text) = part, !text.content.isEmpty else { return nil }
            return text.text
        }
        guard !texts.isEmpty else { return [] }
        return [.text(TextPart("<system-reminder>\n\(texts.joined(separator: "\n\n"))\n</system-reminder>"))]
    }
}
