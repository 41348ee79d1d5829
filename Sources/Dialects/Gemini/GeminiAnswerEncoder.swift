// SPDX-License-Identifier: Apache-2.0
// Writes an answer as Gemini chunks, or as one response.
// Source: Gemini API reference (GenerateContentResponse) and google-genai 3.4.0 (_api_client.py, types.py), 2026: chunks are
// whole responses; a stream is a sequence of events, or without `alt=sse` one JSON array; an error is a chunk.

import Bytes
package import Gateway
import JSON

/// The state machine of one answer. No I/O.
package struct GeminiAnswerEncoder: AnswerEncoder {
    /// How the chunks of a stream are put in a body.
    package enum Framing: Sendable {
        /// `alt=sse`
        case events
        /// One JSON array.
        case array
    }

    private var context: AnswerContext
    private let framing: Framing
    private var responseID: String?
    private var usage: Usage?
    private var call: ToolCall?
    /// A signature for the next part.
    private var signature: String?
    private var citations: [Citation] = []
    private var hasChunk = false
    private var isOver = false

    package init(_ context: AnswerContext, framing: Framing = .events) {
        self.context = context
        self.framing = framing
    }

    package mutating func encode(_ event: AnswerEvent, into bytes: inout [UInt8]) {
        guard !isOver else { return }
        switch event {
        case .started, .textBegan, .textEnded, .reasoningBegan: break
        case .text(let piece), .refusal(let piece):
            if !piece.isEmpty { send(part: { $0.member("text", piece) }, &bytes) }
        case .reasoning(let piece): if !piece.isEmpty { sendThought(piece, nil, &bytes) }
        case .reasoningPartEnded: sendThought("\n\n", nil, &bytes)
        case .reasoningEnded(let state): if let state { carry(state, &bytes) }
        case .callBegan(let call): self.call = call
        case .arguments(let piece): call?.arguments += piece
        case .callEnded: sendCall(&bytes)
        case .citation(let citation): citations.append(citation)
        case .opaque(let part): if part.isGeminiPart { send(raw: part.json, &bytes) }
        case .usage(let usage): self.usage = usage
        case .finished(let reason, _):
            // A call that was cut short is none.
            call = nil
            flushSignature(&bytes)
            isOver = true
            let end = ChunkEnd(reason: GeminiAnswerEncoder.name(reason), citations: citations, usage: usage)
            send(parts: [], end: end, &bytes)
            if framing == .array { bytes.append("]") }
        case .failed(let error):
            isOver = true
            begin(&bytes)
            var writer = JSONWriter(after: bytes)
            bytes = []
            ErrorBody.writeGoogle(error, to: &writer)
            bytes = writer.bytes
            bytes.append(framing == .array ? "]" : "\n\n")
        }
    }

    package func shows(_ part: OpaquePart) -> Bool { part.isGeminiPart }

    package mutating func encode(_ document: AnswerDocument) -> [UInt8] {
        let id = context.ids.next("")
        var parts: [[UInt8]] = []
        for part in document.parts { append(part, to: &parts) }
        if let signature {
            self.signature = nil
            parts.append(GeminiAnswerEncoder.part(signature) { $0.member("text", "") })
        }
        let end = ChunkEnd(
            reason: GeminiAnswerEncoder.name(document.stop ?? .endTurn),
            citations: document.citations.map(\.citation), usage: document.usage)
        var writer = JSONWriter()
        writeChunk(id: id, parts: parts, end: end, to: &writer)
        return writer.bytes
    }

    private mutating func append(_ part: Part, to parts: inout [[UInt8]]) {
        switch part {
        case .text(let text): parts.append(signed { $0.member("text", text.text) })
        case .refusal(let text): parts.append(signed { $0.member("text", text) })
        case .toolCall(let call): parts.append(signed { GeminiAnswerEncoder.write(call, to: &$0) })
        case .opaque(let opaque): if opaque.isGeminiPart { parts.append(opaque.json.bytes) }
        case .reasoning(let reasoning):
            let isNative = reasoning.state?.form == .thoughtSignature
            let text = reasoning.state.map(GeminiSignature.text)
            if !reasoning.text.isEmpty || (text != nil && !isNative) {
                parts.append(
                    GeminiAnswerEncoder.part(isNative ? nil : text) { writer in
                        writer.member("text", reasoning.text)
                        writer.member("thought", true)
                    })
            }
            if isNative { signature = text }
        case .image, .document, .toolResult: break
        }
    }

    // MARK: - Parts

    private mutating func sendThought(_ text: String, _ signature: String?, _ bytes: inout [UInt8]) {
        let part = GeminiAnswerEncoder.part(signature) { writer in
            writer.member("text", text)
            writer.member("thought", true)
        }
        send(parts: [part], end: nil, &bytes)
    }

    /// Gemini's own signatures stand on the part behind the thoughts, others on the last of the thoughts.
    private mutating func carry(_ state: ReasoningState, _ bytes: inout [UInt8]) {
        let text = GeminiSignature.text(of: state)
        guard state.form == .thoughtSignature else { return sendThought("", text, &bytes) }
        flushSignature(&bytes)
        signature = text
    }

    private mutating func flushSignature(_ bytes: inout [UInt8]) {
        if signature != nil { send(part: { $0.member("text", "") }, &bytes) }
    }

    private mutating func sendCall(_ bytes: inout [UInt8]) {
        guard let call else { return }
        self.call = nil
        send(part: { GeminiAnswerEncoder.write(call, to: &$0) }, &bytes)
    }

    private static func write(_ call: ToolCall, to writer: inout JSONWriter) {
        writer.member(
            "functionCall",
            object: { writer in
                writer.member("id", call.id)
                writer.member("name", call.name)
                writer.member("args", json: JSONText.object(ofArguments: call.arguments))
            })
    }

    private static func part(_ signature: String?, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            members(&writer)
            writer.optional("thoughtSignature", signature)
        }
        return writer.bytes
    }

    /// A part with the signature that waited for it.
    private mutating func signed(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        defer { signature = nil }
        return GeminiAnswerEncoder.part(signature, members)
    }

    private mutating func send(part members: (inout JSONWriter) -> Void, _ bytes: inout [UInt8]) {
        send(parts: [signed(members)], end: nil, &bytes)
    }

    private mutating func send(raw: JSONText, _ bytes: inout [UInt8]) {
        send(parts: [raw.bytes], end: nil, &bytes)
    }

    // MARK: - Chunks

    private struct ChunkEnd {
        let reason: String
        let citations: [Citation]
        let usage: Usage?
    }

    private mutating func begin(_ bytes: inout [UInt8]) {
        switch framing {
        case .events: bytes.append("data: ")
        case .array: bytes.append(hasChunk ? ",\n" : "[")
        }
        hasChunk = true
    }

    private mutating func send(parts: [[UInt8]], end: ChunkEnd?, _ bytes: inout [UInt8]) {
        let id = responseID ?? context.ids.next("")
        responseID = id
        begin(&bytes)
        var writer = JSONWriter(after: bytes)
        bytes = []
        writeChunk(id: id, parts: parts, end: end, to: &writer)
        bytes = writer.bytes
        if framing == .events { bytes.append("\n\n") }
    }

    private func writeChunk(id: String, parts: [[UInt8]], end: ChunkEnd?, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(
                "candidates",
                array: { writer in
                    writer.object { writer in
                        writer.member(
                            "content",
                            object: { writer in
                                writer.member("parts", array: { for part in parts { $0.raw(part) } })
                                writer.member("role", "model")
                            })
                        writer.optional("finishReason", end?.reason)
                        writer.member("index", 0)
                        if let end, !end.citations.isEmpty { write(end.citations, to: &writer) }
                    }
                })
            if let usage = end?.usage {
                writer.member("usageMetadata", object: { GeminiAnswerEncoder.write(usage, to: &$0) })
            }
            writer.member("modelVersion", context.model)
            writer.member("responseId", id)
        }
    }

    private func write(_ citations: [Citation], to writer: inout JSONWriter) {
        writer.member(
            "groundingMetadata",
            object: { writer in
                writer.member(
                    "groundingChunks",
                    array: { writer in
                        for citation in citations {
                            writer.object { writer in
                                writer.member(
                                    "web",
                                    object: { writer in
                                        writer.member("uri", citation.url)
                                        writer.optional("title", citation.title)
                                    })
                            }
                        }
                    })
            })
    }

    /// Writes the members of `usageMetadata`.
    static func write(_ usage: Usage, to writer: inout JSONWriter) {
        let prompt = usage.input + usage.cacheRead + usage.cacheWrite
        writer.member("promptTokenCount", prompt)
        writer.member("candidatesTokenCount", max(0, usage.output - usage.reasoning))
        writer.member("totalTokenCount", prompt + usage.output)
        if usage.cacheRead > 0 { writer.member("cachedContentTokenCount", usage.cacheRead) }
        if usage.reasoning > 0 { writer.member("thoughtsTokenCount", usage.reasoning) }
    }

    private static func name(_ reason: StopReason) -> String {
        switch reason {
        case .endTurn, .stopSequence, .toolUse, .compaction: "STOP"
        case .maxTokens, .contextWindowExceeded: "MAX_TOKENS"
        case .refusal, .contentFilter: "SAFETY"
        case .pauseTurn: "CONTINUATION"
        }
    }
}

extension OpaquePart {
    /// It is a part of a Gemini answer; parts of other dialects have no place in one, and a search stands beside them.
    var isGeminiPart: Bool { dialect == .gemini && search == nil }
}
