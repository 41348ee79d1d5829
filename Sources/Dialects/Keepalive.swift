// SPDX-License-Identifier: Apache-2.0
// What is sent to a client while its upstream is silent.
// Source: WHATWG HTML §9.2.7 (comments), Anthropic API reference (ping), codex-cli 0.163.0: its idle timer restarts with
// each event that carries data and not with comments; it and openai-python 3.52 ignore types they do not know.
// google-genai 3.4.0 takes every line that is neither empty nor "data: " for JSON, so only an empty line is left.

package import Gateway

package enum Keepalive {
    /// The bytes to send at an event boundary, behind the stream's first event.
    package static func bytes(_ dialect: Dialect) -> [UInt8] {
        switch dialect {
        case .chat: Array(": keepalive\n\n".utf8)
        case .responses: Array("event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n".utf8)
        case .messages: Array("event: ping\ndata: {\"type\": \"ping\"}\n\n".utf8)
        case .gemini: Array("\n".utf8)
        }
    }
}
