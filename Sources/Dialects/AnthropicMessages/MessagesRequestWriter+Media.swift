// SPDX-License-Identifier: Apache-2.0
// Images and documents as blocks of Messages.
// Source: Anthropic API reference (vision, PDF support, documents), 2026.

import Gateway
import JSON

extension MessagesRequestWriter {
    mutating func write(_ image: ImagePart, _ writer: inout JSONWriter) {
        guard isSameDialect || !rules.has(.noImages) && isReachable(image.source) else {
            notes.losses.add(.media)
            return write(TextPart("[an image that cannot be shown here]"), &writer)
        }
        writer.object { writer in
            writer.member("type", "image")
            Self.write(image.source, &writer)
            finish(image.cacheControl, image.extra, &writer)
        }
    }

    mutating func write(_ document: DocumentPart, _ writer: inout JSONWriter) {
        var source = document.source
        if !isSameDialect, case .base64(let type, let data) = source, type != "application/pdf" {
            // Anthropic reads PDF and plain text only.
            guard type.hasPrefix("text/") || type == "application/json", let text = Self.text(ofBase64: data)
            else {
                notes.losses.add(.media)
                return write(TextPart("[a document of type \(type) that cannot be shown here]"), &writer)
            }
            source = .text(text)
        }
        if !isSameDialect, rules.has(.noDocuments), case .text(let text) = source {
            let texts = [document.title, document.context, text].compactMap { $0 }.filter { !$0.isEmpty }
            if !texts.isEmpty { write(TextPart(texts.joined(separator: "\n\n")), &writer) }
            return
        }
        guard isSameDialect || !rules.has(.noDocuments) && isReachable(source) else {
            notes.losses.add(.media)
            return write(TextPart("[a document that cannot be shown here]"), &writer)
        }
        writer.object { writer in
            writer.member("type", "document")
            Self.write(source, &writer)
            writer.optional("title", document.title)
            writer.optional("context", document.context)
            finish(document.cacheControl, document.extra, &writer)
        }
    }

    /// The provider gets at the bytes.
    private func isReachable(_ source: MediaSource) -> Bool {
        switch source {
        case .base64, .text: true
        case .url: !rules.has(.noImageURLs)
        case .file: false
        }
    }

    private mutating func finish(
        _ cacheControl: JSONText?, _ extra: [ExtraMember], _ writer: inout JSONWriter
    ) {
        if let cacheControl { writer.member("cache_control", json: cacheControl) }
        if isSameDialect {
            writer.members(extra)
        } else if !extra.isEmpty {
            notes.losses.add(.member, extra.count)
        }
    }

    private static func write(_ source: MediaSource, _ writer: inout JSONWriter) {
        writer.member(
            "source",
            object: { writer in
                switch source {
                case .base64(let mediaType, let data):
                    writer.member("type", "base64")
                    writer.member("media_type", mediaType)
                    writer.member("data", data)
                case .url(let url):
                    writer.member("type", "url")
                    writer.member("url", url)
                case .file(let id):
                    writer.member("type", "file")
                    writer.member("file_id", id)
                case .text(let text):
                    writer.member("type", "text")
                    writer.member("media_type", "text/plain")
                    writer.member("data", text)
                }
            })
    }

    private static func text(ofBase64 data: String) -> String? {
        let letters = data.utf8.lazy.filter { $0 != UInt8(ascii: "=") }.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
        }
        return Base64URL.decode(Array(letters)).map { String(decoding: $0, as: UTF8.self) }
    }
}
