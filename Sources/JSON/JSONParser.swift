// SPDX-License-Identifier: Apache-2.0
// Reads JSON: checks a text as a whole and gives its values as views into it.
// Source: RFC 8259.

import Bytes

/// Where a member of the top-level object stands in the source.
package enum MemberLocation: Equatable, Sendable {
    case absent
    /// Byte range of the value; a string's quotes are part of it.
    case found(Range<Int>)
    /// The name occurs more than once: readers disagree on which value counts, so neither may be trusted.
    case duplicate
}

/// How the decoded strings of a document, names included, differ from the written ones, in bytes of UTF-8.
package struct JSONLengths: Equatable, Sendable {
    /// What escapes add to them.
    package var excess = 0
    /// Of the decoded strings: what belongs to characters beyond ASCII.
    package var foreign = 0
}

/// A reusable parser; keep one per process, its buffers grow to the largest document seen.
///
/// Values are views without a reference: they are valid until the next parse or release, and only while the parser
/// is held elsewhere (a local variable that is not used again may be gone: `withExtendedLifetime`).
package final class JSONParser {
    /// The largest document in bytes.
    package static let maximumBytes = 1 << 30

    private let ownScanner = JSONScanner()
    /// That of the last document, if it was another one.
    private var scanner: JSONScanner?
    private let index: UnsafeMutablePointer<JSONIndex>
    /// The document, where the parser has to keep it.
    private var held: [UInt8] = []

    /// - Parameter maximumDepth: how many arrays and objects may stand inside each other, empty ones not counted.
    package init(maximumDepth: Int = 256) {
        index = .allocate(capacity: 1)
        index.initialize(to: JSONIndex(maximumDepth: maximumDepth))
    }

    deinit {
        index.pointee.deallocate()
        index.deinitialize(count: 1)
        index.deallocate()
    }

    /// Parses one document. Numbers beyond 64-bit integers and doubles, and escapes of half a surrogate pair, are JSON;
    /// they are read as the nearest value that there is.
    ///
    /// - Parameters:
    ///   - text: UTF-8; it must stay in place while values or source ranges are asked for.
    ///   - scanner: has looked at this text while it arrived.
    /// - Throws: `JSONError`: answer 400 when a client sent it.
    package func parse(_ text: UnsafeRawBufferPointer, scanner: JSONScanner? = nil) throws(JSONError)
        -> JSONValue
    {
        held = []
        return try read(text, scanner)
    }

    /// Parses one document and keeps it in place.
    package func parse(_ text: [UInt8]) throws(JSONError) -> JSONValue {
        held = text
        // The storage of an array that nobody changes stays where it is while the array is held.
        let view = held.withUnsafeBytes { $0 }
        return try read(view, nil)
    }

    private func read(_ text: UnsafeRawBufferPointer, _ scanner: JSONScanner?) throws(JSONError) -> JSONValue
    {
        self.scanner = scanner
        if scanner == nil { ownScanner.restart() }
        guard text.count <= JSONParser.maximumBytes else {
            index.pointee.clear()
            throw JSONError(.tooLarge, in: text)
        }
        if let fault = index.pointee.read(text, scanner ?? ownScanner) { throw JSONError(fault, in: text) }
        return JSONValue(index: index, token: 0)
    }

    /// Finds a member of the top-level object of the last successful parse.
    ///
    /// Names compare decoded, so `"mod\u0065l"` is `model`.
    package func sourceRange(ofTopLevel name: StaticString) -> MemberLocation {
        guard index.pointee.count > 0 else { return .absent }
        var location = MemberLocation.absent
        var members = JSONValue(index: index, token: 0).members
        while let (key, value) = members.nextKey() {
            guard key.isString(name) else { continue }
            guard location == .absent else { return .duplicate }
            location = .found(index.pointee.range(value.token))
        }
        return location
    }

    /// How long the strings of the last document are.
    package var lengths: JSONLengths { index.pointee.lengths }

    /// Whether any string of the last document begins with one of two prefixes, which hold nothing that must be escaped.
    /// Names of members are not looked at.
    package func holdsString(withPrefix first: StaticString, or second: StaticString) -> Bool {
        let document = index.pointee
        for token in 0..<document.count where document.byte(token) == ASCII.quote {
            switch document.letter(token) {
            case first.utf8Start[0], second.utf8Start[0], ASCII.backslash:
                if document.isName(token) { continue }
                let value = JSONValue(index: index, token: token)
                if value.hasPrefix(first) || value.hasPrefix(second) { return true }
            default: break
            }
        }
        return false
    }

    /// The document that was read last, for a `SourceMap`; nil when none is held.
    var document: UnsafeMutablePointer<JSONIndex>? { index.pointee.count > 0 ? index : nil }

    /// Gives the buffers back; worth it after a huge document. All values become invalid.
    package func releaseMemory() {
        held = []
        index.pointee.release()
        scanner = nil
        ownScanner.release()
    }
}
