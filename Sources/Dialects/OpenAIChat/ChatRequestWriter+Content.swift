// SPDX-License-Identifier: Apache-2.0
// Contents of Chat messages: texts, images, files.
// Source: OpenAI API reference (chat completions: content parts), 2026.

import Gateway
import JSON

/// A content part of a user's message.
enum ChatContent {
    case text(TextPart)
    case image(url: MediaSource, ImagePart)
    case file(DocumentPart)
    case raw(JSONText)
}

extension ChatRequestWriter {
    /// Texts of separate parts in one string: a blank line keeps them apart.
    static func joined(_ texts: [JSONString]) -> JSONString {
        JSONString.joined(texts.filter { !$0.isEmpty }, separator: "\n\n")
    }

    /// What a part is where there is only text; nil for nothing. What is no text is counted.
    mutating func textOf(_ part: Part) -> JSONString? {
        switch part {
        case .text(let text):
            countHints(text.cacheControl, text.extra)
            return text.content
        case .refusal(let text): return JSONString(text)
        case .opaque(let opaque):
            notes.losses.add(.opaquePart)
            return opaque.summary.map { JSONString($0) }
        case .document(let document):
            if case .text = document.source { return JSONString(Self.text(of: document)) }
            notes.losses.add(.media)
            return JSONString("[a document that cannot be shown here]")
        case .image:
            notes.losses.add(.media)
            return JSONString("[an image that cannot be shown here]")
        case .reasoning, .toolCall, .toolResult: return nil
        }
    }

    mutating func contents(of parts: [Part]) -> [ChatContent] {
        var contents: [ChatContent] = []
        for part in parts {
            switch part {
            case .image(let image):
                if rules.has(.noImages) || !isReachable(image.source) {
                    contents.append(.text(TextPart(textOf(part) ?? JSONString(""))))
                } else {
                    countHints(image.cacheControl, image.extra)
                    contents.append(.image(url: image.source, image))
                }
            case .document(let document): contents.append(content(of: document, part))
            case .opaque(let opaque) where isSameDialect: contents.append(.raw(opaque.json))
            case .text(let text):
                countHints(text.cacheControl, text.extra)
                if !text.content.isEmpty || isSameDialect { contents.append(.text(text)) }
            default: if let text = textOf(part) { contents.append(.text(TextPart(text))) }
            }
        }
        return contents
    }

    /// The provider gets at the bytes.
    private func isReachable(_ source: MediaSource) -> Bool {
        switch source {
        case .base64: true
        case .url: !rules.has(.noImageURLs)
        case .file, .text: false
        }
    }

    private mutating func content(of document: DocumentPart, _ part: Part) -> ChatContent {
        switch document.source {
        case .base64 where rules.has(.noDocuments), .file where rules.has(.noDocuments):
            return .text(TextPart(textOf(part) ?? JSONString("")))
        case .base64:
            countHints(document.cacheControl, document.extra)
            if document.context != nil { notes.losses.add(.member) }
            return .file(document)
        case .file where isSameDialect: return .file(document)
        case .text: return .text(TextPart(Self.text(of: document)))
        case .url(let url):
            notes.losses.add(.media)
            return .text(TextPart("[document at \(url)]"))
        case .file: return .text(TextPart(textOf(part) ?? JSONString("")))
        }
    }

    /// A document of plain text, with what is said about it on top.
    static func text(of document: DocumentPart) -> String {
        guard case .text(let text) = document.source else { return "" }
        return [document.title, document.context, text].compactMap { $0 }.filter { !$0.isEmpty }
            .joined(separator: "\n\n")
    }

    /// Whether hints for the prompt cache are written, which only some providers know.
    var keepsCacheHints: Bool { isSameDialect || rules.has(.cacheControl) }

    /// - Parameter keepsParts: texts stay parts; else texts alone become one string, which every server takes.
    func write(_ contents: [ChatContent], keepsParts: Bool, _ writer: inout JSONWriter) {
        var texts: [JSONString] = []
        var isPlain = true
        for case .text(let part) in contents {
            texts.append(part.content)
            if keepsParts, !part.extra.isEmpty { isPlain = false }
            if keepsCacheHints, part.cacheControl != nil { isPlain = false }
        }
        let isText = texts.count == contents.count
        if isText, rules.has(.stringContent) || isPlain && (!keepsParts || texts.count == 1) {
            return writer.member("content", Self.joined(texts))
        }
        writer.member("content", array: { writer in for content in contents { write(content, &writer) } })
    }

    private func write(_ content: ChatContent, _ writer: inout JSONWriter) {
        switch content {
        case .text(let part): write(part, &writer)
        case .image(let source, let image):
            writer.object { writer in
                writer.member("type", "image_url")
                writer.member(
                    "image_url",
                    object: { writer in
                        writer.member("url", Self.url(of: source))
                        writer.optional("detail", image.detail)
                    })
                write(image.cacheControl, image.extra, &writer)
            }
        case .file(let document):
            writer.object { writer in
                writer.member("type", "file")
                writer.member(
                    "file",
                    object: { writer in
                        if case .file(let id) = document.source { writer.member("file_id", id) }
                        if case .base64 = document.source {
                            writer.member("filename", document.title ?? "document.pdf")
                            writer.member("file_data", Self.url(of: document.source))
                        }
                    })
                write(document.cacheControl, document.extra, &writer)
            }
        case .raw(let json): writer.raw(json.bytes)
        }
    }

    func write(_ part: TextPart, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "text")
            writer.member("text", part.content)
            write(part.cacheControl, part.extra, &writer)
        }
    }

    private func write(_ cacheControl: JSONText?, _ extra: [ExtraMember], _ writer: inout JSONWriter) {
        if keepsCacheHints, let cacheControl { writer.member("cache_control", json: cacheControl) }
        if isSameDialect { writer.members(extra) }
    }

    private static func url(of source: MediaSource) -> String {
        switch source {
        case .base64(let mediaType, let data): MediaText.dataURL(mediaType: mediaType, data: data)
        case .url(let url): url
        case .file, .text: ""
        }
    }

    // MARK: - Losses

    mutating func countHints(_ cacheControl: JSONText?, _ extra: [ExtraMember]) {
        guard !isSameDialect else { return }
        if cacheControl != nil, !keepsCacheHints { notes.losses.add(.cacheHint) }
        for member in extra { notes.losses.add(member.name == "citations" ? .citation : .member) }
    }

    mutating func countExtra(_ turn: Turn) {
        if !isSameDialect, !turn.extra.isEmpty { notes.losses.add(.member, turn.extra.count) }
    }
}
