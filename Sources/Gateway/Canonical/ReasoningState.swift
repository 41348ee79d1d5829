// SPDX-License-Identifier: Apache-2.0
// State of a model's reasoning that its provider wants back and nobody else may see: signatures, encrypted thoughts.
// Clients carry it for ccr in the fields that their dialect has for it; the envelope of Dialects says whose it is.
// Source: Anthropic (extended thinking: signature, redacted_thinking), OpenAI (reasoning.encrypted_content),
// Google (thought signatures), DeepSeek (reasoning_content), OpenRouter (reasoning_details); documents of 2026.

/// Who made a piece of state, and the only one to whom it may go back.
package struct Origin: Hashable, Sendable {
    /// The provider's name in the configuration.
    package var provider: String
    /// The provider's name of the model.
    package var model: String

    package init(provider: String, model: String) {
        self.provider = provider
        self.model = model
    }
}

package struct ReasoningState: Equatable, Sendable {
    /// What the bytes are.
    package enum Form: UInt8, CaseIterable, Sendable {
        /// Messages `thinking.signature`.
        case signature = 1
        /// Messages `redacted_thinking.data`.
        case redacted = 2
        /// Responses `reasoning.encrypted_content`.
        case encryptedContent = 3
        /// Gemini `thoughtSignature`. Its reasoning part stands directly before the part that carries it there, or
        /// is the last of its turn when it stood on a part of its own.
        case thoughtSignature = 4
        /// Chat `reasoning_content`: the text of the thoughts itself must come back; the bytes repeat it.
        case reasoningContent = 5
        /// OpenRouter `reasoning_details`, a JSON array.
        case reasoningDetails = 6
    }

    package var form: Form
    /// Nil: the client wrote it in the native field of its own dialect, so it may go to a provider of that dialect
    /// only, and whether that one made it is not known.
    package var origin: Origin?
    /// As the provider sent it.
    package var bytes: [UInt8]
    /// The item's id in Responses, which goes back with `encryptedContent`.
    package var itemID: String?

    package init(_ form: Form, origin: Origin?, bytes: [UInt8], itemID: String? = nil) {
        self.form = form
        self.origin = origin
        self.bytes = bytes
        self.itemID = itemID
    }
}
