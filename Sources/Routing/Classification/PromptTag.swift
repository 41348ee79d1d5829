// SPDX-License-Identifier: Apache-2.0
// Tags in prompts by which a person or an agent chooses a route, and how they are taken out before the prompt goes on.
// Source: claude-code-router v1 (<CCR-SUBAGENT-MODEL>), CCR-Rust ([search], [web]).

import Bytes
import Gateway
import JSON

enum PromptTag {
    /// The tag of a subagent.
    struct Agent {
        let model: String
        /// Where the tag stands in the text.
        let range: Range<Int>
    }

    private static let opening: StaticString = "<CCR-SUBAGENT-MODEL>"
    private static let closing: StaticString = "</CCR-SUBAGENT-MODEL>"
    /// Longest name that is taken for one.
    private static let maximumModelBytes = 512
    /// White space in front of it that is passed over.
    private static let maximumBlankBytes = 64
    /// How much of a text has to be seen to find the tag of a subagent.
    static let agentTagBytes =
        maximumBlankBytes + opening.utf8CodeUnitCount + maximumModelBytes + closing.utf8CodeUnitCount

    /// Whether a text may begin with the tag of a subagent, by how it is written: the bracket behind white space, or an
    /// escape in its place.
    static func mayHoldAgent(_ written: UnsafeRawBufferPointer) -> Bool {
        guard let first = written.first(where: { $0 > ASCII.space }) else { return false }
        return first == UInt8(ascii: "<") || first == ASCII.backslash
    }

    /// Whether a text may begin or end with a tag that asks for a search, by how it is written: the bracket, or an escape
    /// in its place.
    static func mayHoldSearch(_ written: UnsafeRawBufferPointer) -> Bool {
        guard let first = written.first, let last = written.last else { return false }
        return first == UInt8(ascii: "[") || first == ASCII.backslash || last == UInt8(ascii: "]")
            || ASCII.lower(last) == UInt8(ascii: "d")
    }

    /// The tag at the beginning of a text, behind white space.
    static func agent(in text: UnsafeRawBufferPointer) -> Agent? {
        var start = 0
        while start < text.count, start < maximumBlankBytes, text[start] <= 0x20 { start += 1 }
        let name = start + opening.utf8CodeUnitCount
        guard start < text.count, text.slice(start..<text.count).hasPrefix(opening) else { return nil }
        let rest = text.slice(name..<min(text.count, name + maximumModelBytes + closing.utf8CodeUnitCount))
        guard let length = rest.firstIndex(of: closing), length > 0 else { return nil }
        let model = String(decoding: rest.slice(0..<length), as: UTF8.self)
        return Agent(model: model, range: start..<(name + length + closing.utf8CodeUnitCount))
    }

    /// The tag that begins or ends a text, with the blank between them.
    static func search(in text: UnsafeRawBufferPointer) -> Range<Int>? {
        for tag in ["[search]", "[web]"] as [StaticString] {
            let length = tag.utf8CodeUnitCount
            if text.hasPrefix(tag) {
                return 0..<(text.count > length && text[length] == ASCII.space ? length + 1 : length)
            }
            if text.hasSuffix(tag) {
                let start = text.count - length
                return (start > 0 && text[start - 1] == ASCII.space ? start - 1 : start)..<text.count
            }
        }
        return nil
    }

    /// The change that takes `range` out of a text.
    ///
    /// - Parameters:
    ///   - value: the text; `source` is how it is written in the document that begins at `base`.
    static func removal(
        _ range: Range<Int>, of value: JSONValue, _ source: UnsafeRawBufferPointer, in base: UnsafeRawPointer
    ) -> Splice {
        let offset = source.baseAddress.map { UnsafeRawPointer($0) - base } ?? 0
        guard let text = value.stringBytes else { return Splice(offset: offset, length: 0, replacement: []) }
        // Without an escape the text stands there as it is, one byte behind the quote.
        if source.count == text.count + 2 {
            return Splice(offset: offset + 1 + range.lowerBound, length: range.count, replacement: [])
        }
        var writer = JSONWriter()
        var rest = Array(text[..<range.lowerBound])
        rest.append(contentsOf: text[range.upperBound...])
        writer.string(String(decoding: rest, as: UTF8.self))
        return Splice(offset: offset, length: source.count, replacement: writer.bytes)
    }
}

/// Members of JSON texts that are small and flat, and not worth a parser: the value of a member that is a string.
enum FlatText {
    static func member(_ name: StaticString, in text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var rest = text
        while let place = rest.firstIndex(of: name) {
            var index = place + name.utf8CodeUnitCount
            let isKey = place > 0 && rest[place - 1] == ASCII.quote
            rest = rest.slice(index..<rest.count)
            index = 0
            guard isKey, rest.first == ASCII.quote else { continue }
            index += 1
            while index < rest.count, rest[index] <= 0x20 || rest[index] == ASCII.colon { index += 1 }
            guard index < rest.count, rest[index] == ASCII.quote else { continue }
            guard let end = rest.firstIndex(of: ASCII.quote, from: index + 1) else { return nil }
            return rest.slice((index + 1)..<end)
        }
        return nil
    }
}
