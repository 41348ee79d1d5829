// SPDX-License-Identifier: Apache-2.0
// What readers and writers of Gemini share: both spellings of names, signatures, and ids for calls that have none.
// Source: Gemini API reference (Content, Part) and google-genai 3.4.0 (types.py); protocol buffers' JSON mapping, which
// takes names in lowerCamelCase and as they are in the schema, and bytes in either alphabet of base64.

import Gateway
import JSON

extension JSONValue {
    /// The spelling of a name that this object uses.
    func spelling(_ camel: StaticString, _ snake: StaticString) -> StaticString {
        member(camel) == nil && member(snake) != nil ? snake : camel
    }

    /// A member in either spelling that is there and not null.
    func either(_ camel: StaticString, _ snake: StaticString) -> JSONValue? { field(spelling(camel, snake)) }
}

/// What stands in `thoughtSignature`: base64, of which Gemini knows the meaning, or of an envelope.
enum GeminiSignature {
    /// Accepted in place of a signature that was never made, at the price of worse answers.
    static let placeholder = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

    /// The field's text for a state that a client is to carry.
    static func text(of state: ReasoningState) -> String {
        guard let envelope = ReasoningEnvelope.seal(state) else {
            return String(decoding: state.bytes, as: UTF8.self)
        }
        let text = Base64URL.encode(Array(envelope.utf8))
        return MediaText.standardBase64(text) ?? text
    }

    /// The state that a client brings back; nil for an envelope that was damaged on its way.
    static func state(_ text: String) -> ReasoningState? {
        if let bytes = decoded(text) {
            let inner = String(decoding: bytes, as: UTF8.self)
            if ReasoningEnvelope.isEnvelope(inner) { return ReasoningEnvelope.open(inner) }
        }
        return ReasoningState(.thoughtSignature, origin: nil, bytes: Array(text.utf8))
    }

    private static func decoded(_ text: String) -> [UInt8]? {
        // Envelopes begin with "ccr1:"; the rest need not be taken apart.
        guard text.hasPrefix("Y2NyMT") else { return nil }
        var letters: [UInt8] = []
        letters.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "+"): letters.append(UInt8(ascii: "-"))
            case UInt8(ascii: "/"): letters.append(UInt8(ascii: "_"))
            case UInt8(ascii: "="): break
            default: letters.append(byte)
            }
        }
        return Base64URL.decode(letters)
    }
}

/// Ids of calls that came without one. They follow from the place in the conversation, so that the same history has the
/// same ids in every request.
enum GeminiCallID {
    private static let prefix = "gemini-call-"

    static func made(_ number: Int) -> String { prefix + String(number) }

    static func isMade(_ id: String) -> Bool { id.hasPrefix(prefix) }
}
