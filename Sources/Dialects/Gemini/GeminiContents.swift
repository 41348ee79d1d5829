// SPDX-License-Identifier: Apache-2.0
// Reads the contents of a Gemini request: each content becomes a turn.
// Source: Gemini API reference (generateContent: Content, Part, FunctionCall, FunctionResponse) and google-genai 3.4.0
// (types.py), 2026.

import Gateway
import JSON

struct GeminiContents {
    private let source: RequestSource
    private(set) var turns: [Turn] = []
    /// Calls without a response so far, in order.
    private var open: [(id: String, name: String)] = []
    private var callIDs: Set<String> = []
    private var made = 0

    init(_ source: RequestSource) {
        self.source = source
    }

    /// Reads one content or an array of them.
    mutating func read(_ contents: JSONValue) throws(FieldError) {
        if contents.isObject { return try read(content: contents) }
        guard contents.isArray else { throw FieldError("", "must be an array") }
        var index = 0
        for content in contents.elements {
            do throws(FieldError) {
                try read(content: content)
            } catch {
                throw error.within(index)
            }
            index += 1
        }
    }

    private mutating func read(content: JSONValue) throws(FieldError) {
        guard content.isObject else { throw FieldError("", "must be an object") }
        let role: Turn.Role
        switch try content.text("role") ?? "user" {
        case "user", "function", "tool", "": role = .user
        case "model": role = .assistant
        default: throw FieldError("role", "must be user or model")
        }
        var turn = Turn(role, [], extra: source.extraMembers(of: content, besides: ["role", "parts"]))
        try content.readList("parts") { (part) throws(FieldError) in try read(part, into: &turn) }
        turns.append(turn)
    }

    /// The texts of `systemInstruction`: a content, or just a text.
    static func system(_ value: JSONValue, _ source: RequestSource) throws(FieldError) -> [Part] {
        if let text = source.string(value) { return [.text(TextPart(text))] }
        guard value.isObject else { throw FieldError("", "must be an object") }
        var reader = GeminiContents(source)
        var turn = Turn(.system, [])
        try value.readList("parts") { (part) throws(FieldError) in try reader.read(part, into: &turn) }
        return turn.parts
    }

    /// Members that make a part one which the canonical form knows.
    private static let carriers: [StaticString] = [
        "text", "inlineData", "inline_data", "fileData", "file_data", "functionCall", "function_call",
        "functionResponse", "function_response",
    ]
    private static let known = carriers + ["thought", "thoughtSignature", "thought_signature"]

    private mutating func read(_ part: JSONValue, into turn: inout Turn) throws(FieldError) {
        guard part.isObject else { throw FieldError("", "must be an object") }
        let signature = part.spelling("thoughtSignature", "thought_signature")
        let state = try part.text(signature).flatMap(GeminiSignature.state)
        let extra = source.extraMembers(of: part, besides: GeminiContents.known)
        if try part.flag("thought") == true, let text = try part.text("text") {
            return append(thought: text, state, extra, to: &turn)
        }
        let isOpaque = !GeminiContents.carriers.contains { part.field($0) != nil }
        if let state, !isOpaque {
            // The rule of `ReasoningState.Form.thoughtSignature`. An opaque part holds its own.
            turn.parts.append(.reasoning(ReasoningPart("", isSummary: true, state: state)))
        }
        if part.field("text") != nil {
            let text = try source.requiredString("text", of: part)
            // An empty text was there for its signature only.
            if state != nil, text.isEmpty { return }
            var piece = TextPart(text)
            piece.extra = extra
            turn.parts.append(.text(piece))
        } else if let data = part.either("inlineData", "inline_data") {
            turn.parts.append(try inlineData(data, part, extra))
        } else if let file = part.either("fileData", "file_data") {
            turn.parts.append(try fileData(file, part, extra))
        } else if let call = part.either("functionCall", "function_call") {
            turn.parts.append(.toolCall(try self.call(call, part, extra)))
        } else if let response = part.either("functionResponse", "function_response") {
            turn.parts.append(.toolResult(try result(response, part, extra)))
        } else if let name = part.members.first(where: { !$0.value.isNull }).map({
            String(decoding: $0.key, as: UTF8.self)
        }) {
            turn.parts.append(
                .opaque(OpaquePart(.gemini, type: name, json: source.json(part), summary: summary(part))))
        } else {
            throw FieldError("", "must have text, data, a call or a response")
        }
    }

    /// Thoughts that ccr streamed come back in pieces, each perhaps in a content of its own, with the state at the last
    /// one: they are one again.
    private mutating func append(
        thought text: String, _ state: ReasoningState?, _ extra: [ExtraMember], to turn: inout Turn
    ) {
        var pieces = [text]
        if state?.origin != nil {
            while let piece = takeThought(of: &turn) { pieces.append(piece) }
        }
        var thought = ReasoningPart(pieces.reversed().joined(), isSummary: true, state: state)
        thought.extra = extra
        turn.parts.append(.reasoning(thought))
    }

    /// The thought without a state that stands last, taken out.
    private mutating func takeThought(of turn: inout Turn) -> String? {
        if case .reasoning(let piece)? = turn.parts.last {
            guard piece.state == nil else { return nil }
            turn.parts.removeLast()
            return piece.text
        }
        guard turn.parts.isEmpty, turn.role == .assistant, let last = turns.last, last.role == .assistant,
            case .reasoning(let piece)? = last.parts.last, piece.state == nil
        else { return nil }
        turns[turns.count - 1].parts.removeLast()
        if turns.last?.parts.isEmpty == true { turns.removeLast() }
        return piece.text
    }

    private func summary(_ part: JSONValue) -> String? {
        if let code = part.either("executableCode", "executable_code")?.member("code")?.string {
            return "[ran code]\n\(code)"
        }
        return part.either("codeExecutionResult", "code_execution_result")?.member("output")?.string.map {
            "[output]\n\($0)"
        }
    }

    // MARK: - Media

    private func inlineData(_ data: JSONValue, _ part: JSONValue, _ extra: [ExtraMember]) throws(FieldError)
        -> Part
    {
        let name = part.spelling("inlineData", "inline_data")
        do throws(FieldError) {
            let mediaType = try data.identifier(data.spelling("mimeType", "mime_type"))
            guard let bytes = MediaText.standardBase64(try data.requiredText("data")) else {
                throw FieldError("data", "is no base64")
            }
            return media(.base64(mediaType: mediaType, data: bytes), mediaType, part, extra)
        } catch {
            throw error.within("\(name)")
        }
    }

    private func fileData(_ file: JSONValue, _ part: JSONValue, _ extra: [ExtraMember]) throws(FieldError)
        -> Part
    {
        let name = part.spelling("fileData", "file_data")
        do throws(FieldError) {
            let uri = try file.identifier(file.spelling("fileUri", "file_uri"))
            let type = file.spelling("mimeType", "mime_type")
            var extra = extra
            if let value = file.field(type) { extra.append(ExtraMember("mimeType", source.json(value))) }
            return media(.url(uri), try file.text(type) ?? GeminiMedia.type(of: uri), part, extra)
        } catch {
            throw error.within("\(name)")
        }
    }

    /// Sounds and films have no place in other dialects.
    private func media(
        _ media: MediaSource, _ mediaType: String, _ part: JSONValue, _ extra: [ExtraMember]
    ) -> Part {
        if mediaType.hasPrefix("image/") {
            var image = ImagePart(media)
            image.extra = extra
            return .image(image)
        }
        if mediaType.hasPrefix("audio/") || mediaType.hasPrefix("video/") {
            return .opaque(
                OpaquePart(
                    .gemini, type: "inlineData", json: source.json(part),
                    summary: Recording.absent))
        }
        var document = DocumentPart(media)
        document.extra = extra
        return .document(document)
    }

    // MARK: - Calls

    private mutating func call(
        _ value: JSONValue, _ part: JSONValue, _ extra: [ExtraMember]
    ) throws(FieldError) -> ToolCall {
        do throws(FieldError) {
            let name = try value.identifier("name")
            let id = try value.text("id") ?? makeID()
            guard callIDs.insert(id).inserted else { throw FieldError("id", "is used by an earlier call") }
            open.append((id, name))
            var call = ToolCall(
                id: id, name: name, arguments: try source.objectJSON("args", of: value)?.text ?? "{}")
            call.extra = extra
            return call
        } catch {
            throw error.within("\(part.spelling("functionCall", "function_call"))")
        }
    }

    /// The response of a call by its id, else of the first one of its name that has none.
    private mutating func result(
        _ value: JSONValue, _ part: JSONValue, _ extra: [ExtraMember]
    ) throws(FieldError) -> ToolResult {
        do throws(FieldError) {
            let name = try value.identifier("name")
            let given = try value.text("id")
            let index = open.firstIndex { call in given.map { call.id == $0 } ?? (call.name == name) }
            var result = ToolResult(callID: given ?? index.map { open[$0].id } ?? makeID(), content: [])
            if let index { open.remove(at: index) }
            if let response = try value.object("response") { read(response, into: &result) }
            try value.readList("parts") { (piece) throws(FieldError) in
                var turn = Turn(.user, [])
                try read(piece, into: &turn)
                result.content += turn.parts
            }
            result.extra =
                extra + source.extraMembers(of: value, besides: ["id", "name", "response", "parts"])
            return result
        } catch {
            throw error.within("\(part.spelling("functionResponse", "function_response"))")
        }
    }

    /// A text in `output` or `error`, as Google advises; any other object is the result itself.
    private func read(_ response: JSONValue, into result: inout ToolResult) {
        var text = source.json(response).text
        if response.count == 1 {
            for (name, isError) in [("output", false), ("error", true)] as [(StaticString, Bool)] {
                // A text that looks like an object would come back as one.
                guard let value = response.member(name)?.string, !value.hasPrefix("{") else { continue }
                text = value
                result.isError = isError
            }
        }
        result.content.append(.text(TextPart(text)))
    }

    private mutating func makeID() -> String {
        made += 1
        return GeminiCallID.made(made)
    }
}

enum GeminiMedia {
    private static let types = [
        ("png", "image/png"), ("jpg", "image/jpeg"), ("jpeg", "image/jpeg"), ("gif", "image/gif"),
        ("webp", "image/webp"), ("heic", "image/heic"), ("heif", "image/heif"), ("pdf", "application/pdf"),
        ("txt", "text/plain"), ("html", "text/html"), ("mp4", "video/mp4"), ("mp3", "audio/mpeg"),
        ("wav", "audio/wav"),
    ]

    /// The file is with Google already.
    static func isStored(_ url: String) -> Bool {
        url.hasPrefix("gs://") || url.hasPrefix("https://generativelanguage.googleapis.com/")
            || url.hasPrefix("https://www.youtube.com/") || url.hasPrefix("https://youtu.be/")
    }

    /// The media type by the ending of a path; what it is not known of is taken for a picture.
    static func type(of url: String) -> String {
        let path = url.prefix { $0 != "?" && $0 != "#" }.lowercased()
        return types.first { path.hasSuffix("." + $0.0) }?.1 ?? "image/jpeg"
    }
}
