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

    /// For how long the client stands that not a byte of an answer comes, less a minute in which the provider may begin;
    /// nil for as long as it may be. Source: Codex 0.163 sets no timeout for the head of an answer; Claude Code 2.1
    /// breaks a connection off after 300 s of silence; the SDKs of OpenAI and Anthropic give up after 600 s.
    private var patienceUsec: UInt64? {
        switch self {
        case .codex: nil
        case .claudeCode: 240_000_000
        case .other: 540_000_000
        }
    }

    /// When a request must not wait inside ccr any longer.
    ///
    /// - Parameter totalMsec: how long requests may last.
    package func waitsUntil(startedUsec: UInt64, totalMsec: Int) -> UInt64 {
        let total = UInt64(totalMsec) * 1_000
        return startedUsec + min(total, patienceUsec ?? total)
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
