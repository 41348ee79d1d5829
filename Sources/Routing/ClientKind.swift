// SPDX-License-Identifier: Apache-2.0
// Which kind of client sent a request, told from its headers.
// Source: Codex CLI 0.163 ("codex_cli_rs/…", "codex_exec/…") and Claude Code 2.1 ("claude-cli/…", "claude-code/…").

import Bytes

/// A client whose ways ccr knows.
package enum ClientKind: UInt8, CaseIterable, Sendable {
    case codex = 1
    case claudeCode = 2
    case other = 3

    /// The label in metrics, logs and on the command line.
    package var name: String {
        switch self {
        case .codex: "codex"
        case .claudeCode: "claude_code"
        case .other: "other"
        }
    }

    /// Looks at the value of User-Agent (empty when missing) and at whether any header begins with "anthropic-".
    ///
    /// "codex" in the user agent wins over everything, because Codex may be pointed at an Anthropic-like path.
    package static func detect(userAgent: UnsafeRawBufferPointer, hasAnthropicHeader: Bool) -> ClientKind {
        if contains(userAgent, "codex") { return .codex }
        if hasAnthropicHeader || contains(userAgent, "claude-cli") || contains(userAgent, "claude-code") {
            return .claudeCode
        }
        return .other
    }

    /// Whether the text contains `word`, which is in lower case, but for the case of ASCII letters.
    private static func contains(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard text.count >= length else { return false }
        search: for start in 0...(text.count - length) {
            for index in 0..<length where ASCII.lower(text[start + index]) != word.utf8Start[index] {
                continue search
            }
            return true
        }
        return false
    }
}
