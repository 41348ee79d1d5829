// SPDX-License-Identifier: Apache-2.0
// The conversation of a canonical request: turns of typed parts.
// Source: API references of Anthropic (content blocks), OpenAI (messages, input items), Google (Content, Part), 2026.

package import JSON

/// A run of parts by one speaker.
package struct Turn: Equatable, Sendable {
    package enum Role: UInt8, Sendable {
        /// The operator, in the middle of a conversation; what stands before it is `CanonicalRequest.system`.
        case system
        /// The person, and the results of tools.
        case user
        /// The model: texts, thoughts, calls of tools.
        case assistant
    }

    package var role: Role
    package var parts: [Part]
    /// The effort from this turn on (`output_config.effort` of a message of Messages); see
    /// `CanonicalRequest.effort`. A turn may hold nothing else.
    package var effort: String?
    /// Members of the message that have no place here, in order.
    package var extra: [ExtraMember] = []

    package init(_ role: Role, _ parts: [Part], extra: [ExtraMember] = []) {
        self.role = role
        self.parts = parts
        self.extra = extra
    }
}

/// One part of a turn.
package enum Part: Equatable, Sendable {
    case text(TextPart)
    case image(ImagePart)
    case document(DocumentPart)
    case reasoning(ReasoningPart)
    case toolCall(ToolCall)
    case toolResult(ToolResult)
    /// What the model said instead of an answer.
    case refusal(String)
    /// Something that only its own dialect understands (a hosted tool's call or result, a compaction, audio).
    case opaque(OpaquePart)
}

package struct TextPart: Equatable, Sendable {
    /// As it was written where it only passes, since conversations are long; see `text`.
    package var content: JSONString
    /// Messages `cache_control`, an object.
    package var cacheControl: JSONText?
    /// Responses `phase` of an assistant's message: "commentary", "final_answer".
    package var phase: String?
    /// The id of the message it belongs to, in Responses; parts of one message share it.
    package var messageID: String?
    /// On the first text of a message in Responses: members of the message that have no place here.
    package var messageExtra: [ExtraMember] = []
    package var extra: [ExtraMember] = []

    package init(_ content: JSONString, cacheControl: JSONText? = nil, phase: String? = nil) {
        self.content = content
        self.cacheControl = cacheControl
        self.phase = phase
    }

    package init(_ text: String, cacheControl: JSONText? = nil, phase: String? = nil) {
        self.init(JSONString(text), cacheControl: cacheControl, phase: phase)
    }

    /// The content, decoded; costs a pass over it.
    package var text: String {
        get { content.text }
        set { content = JSONString(newValue) }
    }
}

/// Where the bytes of an image or document are.
package enum MediaSource: Equatable, Sendable {
    /// The base64 text as the client sent it; its alphabet and padding are checked by the decoder.
    case base64(mediaType: String, data: String)
    case url(String)
    /// A file that was uploaded to the provider.
    case file(id: String)
    /// Plain text (a document only).
    case text(String)
}

package struct ImagePart: Equatable, Sendable {
    package var source: MediaSource
    /// OpenAI `detail`: "low", "high", "auto", "original".
    package var detail: String?
    package var cacheControl: JSONText?
    package var extra: [ExtraMember] = []

    package init(_ source: MediaSource, detail: String? = nil, cacheControl: JSONText? = nil) {
        self.source = source
        self.detail = detail
        self.cacheControl = cacheControl
    }
}

package struct DocumentPart: Equatable, Sendable {
    package var source: MediaSource
    /// File name or title.
    package var title: String?
    /// What the client says about it, for the model (Messages `context`).
    package var context: String?
    package var cacheControl: JSONText?
    package var extra: [ExtraMember] = []

    package init(
        _ source: MediaSource, title: String? = nil, context: String? = nil, cacheControl: JSONText? = nil
    ) {
        self.source = source
        self.title = title
        self.context = context
        self.cacheControl = cacheControl
    }
}

/// Thoughts of the model and the state that its provider wants back.
package struct ReasoningPart: Equatable, Sendable {
    /// What may be shown; empty when the provider shows nothing.
    package var text: String
    /// The text is a summary made by the provider and not the thoughts themselves.
    package var isSummary: Bool
    package var state: ReasoningState?
    /// The item's id in Responses.
    package var itemID: String?
    package var extra: [ExtraMember] = []

    package init(_ text: String, isSummary: Bool = false, state: ReasoningState? = nil, itemID: String? = nil)
    {
        self.text = text
        self.isSummary = isSummary
        self.state = state
        self.itemID = itemID
    }
}

/// A part that passes only between a client and a provider of the same dialect.
package struct OpaquePart: Equatable, Sendable {
    /// The dialect that knows the part; types of two dialects may have the same name.
    package var dialect: Dialect
    /// The value of its `type` member, or the name of its only member in Gemini.
    package var type: String
    /// The whole part as it was written.
    package var json: JSONText
    /// What a model of another dialect is told in its place, or nil when nothing is lost without it.
    package var summary: String?
    /// What the provider searched the web for, when that is what it did.
    package var search: String?

    package init(
        _ dialect: Dialect, type: String, json: JSONText, summary: String? = nil, search: String? = nil
    ) {
        self.dialect = dialect
        self.type = type
        self.json = json
        self.summary = summary
        self.search = search
    }
}

/// A member of an object that the canonical form has no place for.
package struct ExtraMember: Equatable, Sendable {
    package var name: String
    package var value: JSONText

    package init(_ name: String, _ value: JSONText) {
        self.name = name
        self.value = value
    }
}

extension [ExtraMember] {
    /// Takes the first member of that name out and returns its value; nil when there is none.
    package mutating func take(_ name: String) -> JSONText? {
        guard let index = firstIndex(where: { $0.name == name }) else { return nil }
        return remove(at: index).value
    }
}

/// JSON as it was written: numbers keep their digits, members their order.
package struct JSONText: Equatable, Sendable {
    /// One JSON value, valid UTF-8 and already checked by a parser.
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    package var text: String { String(decoding: bytes, as: UTF8.self) }
}
