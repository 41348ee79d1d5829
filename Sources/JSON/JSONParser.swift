// SPDX-License-Identifier: Apache-2.0
// Reads JSON with simdjson and walks its tape in place: no call and no copy per value.
// Source: RFC 8259; simdjson 3.0 doc/tape.md.

import Bytes
import CSimdjson

/// Where a member of the top-level object stands in the source.
package enum MemberLocation: Equatable, Sendable {
    case absent
    /// Byte range of the value; a string's quotes are part of it.
    case found(Range<Int>)
    /// The name occurs more than once: readers disagree on which value counts, so neither may be trusted.
    case duplicate
}

/// A reusable parser; keep one per process, its buffers grow to the largest document seen.
///
/// Values are views without a reference: they are valid until the next parse or release, and only while the parser
/// is held elsewhere (a local variable that is not used again may be gone: `withExtendedLifetime`).
package final class JSONParser {
    /// The largest document in bytes.
    package static let maximumBytes = 1 << 30

    private let parser: OpaquePointer
    private var document = ccr_json_document()
    /// Built at the first question after a parse; nil before it.
    private var members: [TopLevelMember]?
    /// Values of the document had to be narrowed, so that they are not quite what its text says.
    private(set) var isNarrowed = false

    /// - Parameter maximumDepth: how many arrays and objects may stand inside each other, empty ones not counted.
    package init(maximumDepth: Int = 256) {
        // simdjson counts the level at which it refuses.
        guard let parser = ccr_json_create(Self.maximumBytes, maximumDepth + 1) else {
            fatalError("no memory for a JSON parser")
        }
        self.parser = parser
    }

    deinit {
        ccr_json_destroy(parser)
    }

    /// Parses one document. Numbers beyond 64-bit integers and doubles, and escapes of half a surrogate pair, are JSON;
    /// they become the nearest value that there is.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8 text. When padded, it must stay in place while values or source ranges are asked for.
    ///   - padded: `padding` readable bytes follow the text; otherwise it is copied first.
    /// - Throws: `JSONError`: answer 400 when a client sent it.
    package func parse(_ bytes: UnsafeRawBufferPointer, padded: Bool) throws(JSONError) -> JSONValue {
        members = nil
        document = ccr_json_document()
        isNarrowed = false
        var code = ccr_json_parse(parser, bytes.baseAddress, bytes.count, padded, &document)
        // When it is no JSON all the same, the first error is the one to tell.
        if code != 0, parseNarrowed(bytes, after: code) {
            code = 0
            isNarrowed = true
        }
        guard code == 0, let tape = document.tape, let strings = document.strings else {
            throw JSONError(code: code, text: bytes)
        }
        return JSONValue(tape: tape, strings: strings, index: 1)
    }

    /// Parses a copy whose values are narrowed; false when none had to be or the rest is no JSON.
    private func parseNarrowed(_ bytes: UnsafeRawBufferPointer, after code: Int32) -> Bool {
        let fault = ccr_json_classify(code)
        guard fault == ccr_json_bad_number || fault == ccr_json_bad_string,
            bytes.count <= WideValues.maximumBytes
        else { return false }
        var copy = Array(bytes)
        return copy.withUnsafeMutableBytes { copy in
            WideValues.narrow(copy)
                && ccr_json_parse(parser, copy.baseAddress, copy.count, false, &document) == 0
        }
    }

    /// Parses one document after copying it.
    package func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        let result = bytes.withUnsafeBytes { view -> Result<JSONValue, JSONError> in
            Result { () throws(JSONError) in try parse(view, padded: false) }
        }
        return try result.get()
    }

    /// Bytes that must be readable behind a text that is parsed without copying.
    package static var padding: Int { ccr_json_padding }

    /// Finds a member of the top-level object of the last successful parse.
    ///
    /// Names compare decoded, so `"mod\u0065l"` is `model`. The first question walks the document once, later
    /// ones only its top-level names.
    package func sourceRange(ofTopLevel name: StaticString) -> MemberLocation {
        guard let tape = document.tape, let strings = document.strings else { return .absent }
        let members = members ?? indexTopLevel()
        self.members = members
        var location = MemberLocation.absent
        for member in members {
            let key = JSONValue(tape: tape, strings: strings, index: member.nameIndex)
            guard key.isString(name) else { continue }
            guard location == .absent else { return .duplicate }
            location = .found(member.start..<member.end)
        }
        return location
    }

    /// Whether any string of the last document, member names included, begins with `prefix`.
    package func holdsString(withPrefix prefix: StaticString) -> Bool {
        guard let tape = document.tape, let strings = document.strings else { return false }
        let end = Tape.containerEnd(tape[0]) - 1
        var word = 1
        while word < end {
            switch Tape.tag(tape[word]) {
            case Tape.string:
                let value = JSONValue(tape: tape, strings: strings, index: word)
                if value.stringBytes?.hasPrefix(prefix) == true { return true }
                word += 1
            case Tape.signed, Tape.unsigned, Tape.double: word += 2
            default: word += 1
            }
        }
        return false
    }

    /// The places of all values for a `SourceMap`; nil when no document is held.
    func sourceOffsets() -> [UInt32]? {
        guard let tape = document.tape, let structurals = document.structurals, let source = document.source
        else {
            return nil
        }
        return SourceMap.offsets(
            tape: tape, source: source,
            structurals: UnsafeBufferPointer(start: structurals, count: document.structural_count))
    }

    /// Gives the buffers back; worth it after a huge document. All values become invalid.
    package func releaseMemory() {
        members = nil
        document = ccr_json_document()
        ccr_json_release(parser)
    }

    private func indexTopLevel() -> [TopLevelMember] {
        guard let tape = document.tape, let structurals = document.structurals, let source = document.source
        else {
            return []
        }
        return TopLevelMember.index(
            tape: tape, source: source,
            structurals: UnsafeBufferPointer(start: structurals, count: document.structural_count))
    }
}
