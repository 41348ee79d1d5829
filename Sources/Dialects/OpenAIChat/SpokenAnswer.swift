// SPDX-License-Identifier: Apache-2.0
// An answer that a model of Chat Completions speaks: sound, its transcript, and an id by which later requests refer to it.
// Source: OpenAI API reference (chat completions: audio), openai-python 3.52 (a chunk carries an id, data, a piece of the
// transcript, or the expiry), 2026.

import Gateway
import JSON

struct SpokenAnswer {
    static let member: StaticString = "audio"
    private static let absent = "[a spoken answer that is not available]"

    private var id: String?
    private var data = ""
    private var transcript = ""
    private var expires: Int?

    /// More than an answer may hold.
    var isOverfull: Bool {
        data.utf8.count + transcript.utf8.count > AnswerTranslator.maximumDocumentBytes
    }

    /// Takes what a chunk or a document holds of it.
    mutating func add(_ piece: JSONValue) {
        if let id = piece.member("id")?.string { self.id = id }
        if let data = piece.member("data")?.string { self.data += data }
        if let words = piece.member("transcript")?.string { transcript += words }
        if let expires = piece.member("expires_at")?.int { self.expires = expires }
    }

    /// The whole of it.
    var part: OpaquePart {
        var writer = JSONWriter()
        writer.object { writer in
            writer.optional("id", id)
            writer.member("data", data)
            writer.member("transcript", transcript)
            writer.optional("expires_at", expires)
        }
        return OpaquePart(.chat, type: "\(Self.member)", json: JSONText(writer.bytes))
    }

    /// A reference to an earlier one.
    ///
    /// - Parameter isAlone: the message says nothing else.
    static func part(of reference: JSONText, isAlone: Bool) -> OpaquePart {
        OpaquePart(.chat, type: "\(member)", json: reference, summary: isAlone ? absent : nil)
    }
}

extension OpaquePart {
    var isSpokenAnswer: Bool { dialect == .chat && type == "\(SpokenAnswer.member)" }

    /// What is said in a spoken answer; nil for other parts and for silence.
    var transcript: String? {
        guard isSpokenAnswer else { return nil }
        let words = json.withValue { $0.member("transcript")?.string } ?? nil
        return words?.isEmpty == false ? words : nil
    }
}
