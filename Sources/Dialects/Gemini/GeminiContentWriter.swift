// SPDX-License-Identifier: Apache-2.0
// Writes a conversation as the contents of a Gemini request.
// Source: Gemini API reference (Content, Part, function calling, thought signatures), 2026. Observed: a model's content must
// not come first; the content behind function calls must hold as many responses; Gemini 3 refuses the first call of
// a step of the running turn without its signature.

import Gateway
import JSON

struct GeminiContentWriter {
    private enum Role: String {
        case user
        case model
    }

    private let request: CanonicalRequest
    private let target: RequestTarget
    private let model: GeminiModel
    private let tools: GeminiToolWriter
    private(set) var notes: RequestNotes
    /// Texts of the system instruction.
    private(set) var system: [String] = []
    /// Names of calls as they are written, by id.
    private var names: [String: String] = [:]
    /// The parts of the content that is being written, and its role.
    private var parts = JSONWriter()
    private var partCount = 0
    private var role: Role?
    private var hasContent = false
    /// For the next part that the model wrote.
    private var signature: String?
    /// A call was written in this content.
    private var hasCall = false

    private var isOwn: Bool { request.dialect == .gemini }

    init(
        _ request: CanonicalRequest, _ target: RequestTarget, _ model: GeminiModel, _ tools: GeminiToolWriter,
        _ notes: RequestNotes
    ) {
        self.request = request
        self.target = target
        self.model = model
        self.tools = tools
        self.notes = notes
    }

    /// Writes the value of `contents`, an array.
    mutating func writeContents(to writer: inout JSONWriter) {
        readSystem()
        writer.array { writer in
            if isOwn {
                // Read because state of another provider had to be taken out: its calls need something in its place.
                let running = GeminiContentWriter.beginningOfRunningTurn(request.turns)
                for (index, turn) in request.turns.enumerated() {
                    write(turn, isRunning: index > running, &writer)
                    end(&writer, extra: turn.extra)
                }
            } else {
                let turns = Pairing.paired(request.turns, &notes.losses)
                let running = GeminiContentWriter.beginningOfRunningTurn(turns)
                for (index, turn) in turns.enumerated() {
                    notes.losses.add(.member, turn.extra.count)
                    write(turn, isRunning: index > running, &writer)
                }
                if role == .model, model.rules.has(.noPrefill) { write(text: "Continue.", .user, &writer) }
                end(&writer, extra: [])
                if !hasContent { write(text: "(no content)", .user, &writer) }
                end(&writer, extra: [])
            }
        }
    }

    /// The last turn in which a person speaks: what follows is one turn of the model's, whatever tools it calls.
    private static func beginningOfRunningTurn(_ turns: [Turn]) -> Int {
        turns.lastIndex { turn in
            turn.role == .user && turn.parts.contains { if case .toolResult = $0 { false } else { true } }
        } ?? -1
    }

    private mutating func readSystem() {
        for (index, text) in OperatorNote.texts(request.system, &notes.losses).enumerated() {
            if index == 0, text.isBillingHeader { continue }
            if text.cacheControl != nil { notes.losses.add(.cacheHint) }
            system.append(text.text)
        }
    }

    // MARK: - Contents

    /// Goes on with the content of this role, or ends the one before and begins another.
    private mutating func begin(_ role: Role, _ writer: inout JSONWriter) {
        guard self.role != role else { return }
        end(&writer, extra: [])
        if !hasContent, role == .model, !isOwn {
            // The model cannot speak first.
            self.role = .user
            add { $0.member("text", "(no content)") }
            end(&writer, extra: [])
        }
        self.role = role
    }

    private mutating func end(_ writer: inout JSONWriter, extra: [ExtraMember]) {
        flushSignature()
        defer {
            parts = JSONWriter()
            partCount = 0
            role = nil
            hasCall = false
        }
        guard let role, partCount > 0 || !extra.isEmpty else { return }
        hasContent = true
        let bytes = parts.bytes
        writer.object { writer in
            writer.member("role", role.rawValue)
            writer.member("parts", array: { if partCount > 0 { $0.raw(bytes) } })
            writer.members(isOwn ? extra : [])
        }
    }

    private mutating func add(_ members: (inout JSONWriter) -> Void) {
        parts.object(members)
        partCount += 1
    }

    private mutating func write(text: String, _ role: Role, _ writer: inout JSONWriter) {
        begin(role, &writer)
        add { $0.member("text", text) }
    }

    private mutating func write(_ turn: Turn, isRunning: Bool, _ writer: inout JSONWriter) {
        switch turn.role {
        case .system: writeSystem(turn, &writer)
        case .user:
            begin(.user, &writer)
            // Pictures of results stand behind all results where they have no place inside.
            var late: [Part] = []
            for part in turn.parts {
                if case .toolResult(let result) = part {
                    write(result, &late)
                } else if isOwn {
                    write(part, isRunning: isRunning)
                }
            }
            for part in (isOwn ? [] : turn.parts) + late {
                if case .toolResult = part { continue }
                write(part, isRunning: isRunning)
            }
        case .assistant:
            begin(.model, &writer)
            for part in turn.parts { write(part, isRunning: isRunning) }
            flushSignature()
        }
    }

    /// The operator has no place in the middle, so it is a user's turn that says whose words they are.
    private mutating func writeSystem(_ turn: Turn, _ writer: inout JSONWriter) {
        for case .text(let note) in OperatorNote.parts(turn.parts, &notes.losses) {
            write(text: note.text, .user, &writer)
        }
    }

    // MARK: - Parts

    private mutating func write(_ part: Part, isRunning: Bool) {
        switch part {
        case .text(let text):
            if text.cacheControl != nil { notes.losses.add(.cacheHint) }
            count(text.extra)
            guard !text.content.isEmpty || isOwn else { return }
            let extra = text.extra
            addSigned(extra) { $0.member("text", text.content) }
        case .refusal(let text): addSigned([]) { $0.member("text", text) }
        case .image(let image):
            if image.cacheControl != nil { notes.losses.add(.cacheHint) }
            writeMedia(image.source, image.extra)
        case .document(let document):
            if document.cacheControl != nil { notes.losses.add(.cacheHint) }
            if let context = document.context { add { $0.member("text", context) } }
            writeMedia(document.source, document.extra)
        case .reasoning(let reasoning): write(reasoning)
        case .toolCall(let call): write(call, isRunning: isRunning)
        case .opaque(let opaque):
            if isOwn {
                flushSignature()
                parts.raw(opaque.json.bytes)
                partCount += 1
            } else if let sound = opaque.sound {
                writeMedia(sound, [])
            } else {
                notes.losses.add(.opaquePart)
                if let summary = opaque.summary { add { $0.member("text", summary) } }
            }
        case .toolResult: break
        }
    }

    private mutating func count(_ extra: [ExtraMember]) {
        if !isOwn { notes.losses.add(.member, extra.count) }
    }

    /// A part of the model's; the signature that belongs to it goes along.
    private mutating func addSigned(_ extra: [ExtraMember], _ members: (inout JSONWriter) -> Void) {
        let signature = signature
        self.signature = nil
        let own = isOwn ? extra : []
        add { writer in
            members(&writer)
            writer.optional("thoughtSignature", signature)
            writer.members(own)
        }
    }

    /// A signature that stood on a part of its own.
    private mutating func flushSignature() {
        guard signature != nil else { return }
        addSigned([]) { $0.member("text", "") }
    }

    private mutating func write(_ reasoning: ReasoningPart) {
        let isThought = isOwn && (!reasoning.text.isEmpty || reasoning.state == nil)
        guard let state = reasoning.state else {
            if isThought {
                writeThought(reasoning)
            } else if !reasoning.text.isEmpty {
                notes.losses.add(.reasoningText)
            }
            return
        }
        guard state.form == .thoughtSignature, target.accepts(state, dialect: .gemini, of: request) else {
            return notes.losses.add(.foreignReasoning)
        }
        flushSignature()
        signature = String(decoding: state.bytes, as: UTF8.self)
        if isThought { writeThought(reasoning) }
    }

    private mutating func writeThought(_ reasoning: ReasoningPart) {
        addSigned(reasoning.extra) { writer in
            writer.member("text", reasoning.text)
            writer.member("thought", true)
        }
    }

    // MARK: - Media

    private mutating func writeMedia(_ source: MediaSource, _ extra: [ExtraMember]) {
        if !isOwn { notes.losses.add(.member, extra.count) }
        switch source {
        case .base64(let mediaType, let data):
            addSigned(extra) { GeminiContentWriter.write(mediaType: mediaType, data: data, to: &$0) }
        case .url(let url) where !isOwn && model.rules.has(.noImageURLs) && !GeminiMedia.isStored(url):
            notes.losses.add(.media)
            add { $0.member("text", "[a file that is not available]") }
        case .url(let url):
            var extra = extra
            let index = extra.firstIndex { $0.name == "mimeType" }
            let type = isOwn ? index.map { extra.remove(at: $0).value } : nil
            let isOwn = isOwn
            addSigned(extra) { writer in
                writer.member(
                    "fileData",
                    object: { writer in
                        if let type {
                            writer.member("mimeType", json: type)
                        } else if !isOwn {
                            writer.member("mimeType", GeminiMedia.type(of: url))
                        }
                        writer.member("fileUri", url)
                    })
            }
        case .text(let text): add { $0.member("text", text) }
        case .file:
            notes.losses.add(.media)
            add { $0.member("text", "[a file that is not available]") }
        }
    }

    private static func write(mediaType: String, data: String, to writer: inout JSONWriter) {
        writer.member(
            "inlineData",
            object: { writer in
                writer.member("mimeType", mediaType)
                writer.member("data", data)
            })
    }

    // MARK: - Calls and responses

    private mutating func write(_ call: ToolCall, isRunning: Bool) {
        if call.cacheControl != nil { notes.losses.add(.cacheHint) }
        count(call.extra)
        let name = tools.name(of: call, &notes)
        names[call.id] = name
        if signature == nil, !hasCall, isRunning, model.demandsSignatures {
            signature = GeminiSignature.placeholder
        }
        hasCall = true
        let id = writtenID(call.id)
        let arguments = tools.arguments(of: call)
        addSigned(call.extra) { writer in
            writer.member(
                "functionCall",
                object: { writer in
                    writer.optional("id", id)
                    writer.member("name", name)
                    writer.member("args", json: arguments)
                })
        }
    }

    private func writtenID(_ id: String) -> String? {
        isOwn ? (GeminiCallID.isMade(id) ? nil : id) : model.hasCallIDs ? id : nil
    }

    private mutating func write(_ result: ToolResult, _ late: inout [Part]) {
        if result.cacheControl != nil { notes.losses.add(.cacheHint) }
        count(result.extra)
        var text: [JSONString] = []
        var media: [Part] = []
        for part in result.content {
            switch part {
            case .text(let piece): text.append(piece.content)
            case .refusal(let piece): text.append(JSONString(piece))
            case .image, .document: media.append(part)
            case .opaque(let opaque):
                notes.losses.add(.opaquePart)
                if let summary = opaque.summary { text.append(JSONString(summary)) }
            case .reasoning, .toolCall, .toolResult: break
            }
        }
        for tool in result.loadedTools {
            text.append(JSONString("tool \(tool.name) is now available"))
        }
        let inner = media.filter { isOwn || (model.demandsSignatures && GeminiContentWriter.isInline($0)) }
        if inner.count < media.count {
            late.append(.text(TextPart("[of the result of \(result.callID)]")))
            late += media.filter { !(isOwn || (model.demandsSignatures && GeminiContentWriter.isInline($0))) }
        }
        let joined = JSONString.joined(text, separator: "\n")
        let id = writtenID(result.callID)
        let name = names[result.callID] ?? "unknown"
        let object = isOwn && !result.isError ? JSONText(joined.text) : nil
        let extra = isOwn ? result.extra : []
        add { writer in
            writer.member(
                "functionResponse",
                object: { writer in
                    writer.optional("id", id)
                    writer.member("name", name)
                    if let object, object.isObject {
                        writer.member("response", json: object)
                    } else {
                        writer.member(
                            "response", object: { $0.member(result.isError ? "error" : "output", joined) })
                    }
                    if !inner.isEmpty {
                        writer.member(
                            "parts",
                            array: { for part in inner { GeminiContentWriter.writeInline(part, to: &$0) } })
                    }
                    writer.members(extra)
                })
        }
    }

    private static func isInline(_ part: Part) -> Bool {
        switch part {
        case .image(let image): if case .base64 = image.source { true } else { false }
        case .document(let document): if case .base64 = document.source { true } else { false }
        case .text, .reasoning, .toolCall, .toolResult, .refusal, .opaque: false
        }
    }

    private static func writeInline(_ part: Part, to writer: inout JSONWriter) {
        let source: MediaSource
        switch part {
        case .image(let image): source = image.source
        case .document(let document): source = document.source
        case .text, .reasoning, .toolCall, .toolResult, .refusal, .opaque: return
        }
        guard case .base64(let mediaType, let data) = source else { return }
        writer.object { write(mediaType: mediaType, data: data, to: &$0) }
    }
}
