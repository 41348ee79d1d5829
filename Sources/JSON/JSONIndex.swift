// SPDX-License-Identifier: Apache-2.0
// Where the values of a document stand in its text. A scan of the text finds the tokens; one pass over them checks the grammar and notes where each array and object ends. Nothing else is kept, and no string or number is
// decoded before somebody asks for it: of a long conversation nearly all only passes.
// Source: RFC 8259; Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.

import Bytes

/// A token is named by its number among the document's tokens. What values need is inlined into other targets.
@usableFromInline
struct JSONIndex {
    /// The document; its owner keeps it in place.
    @usableFromInline private(set) var text = UnsafeRawBufferPointer(start: nil, count: 0)
    /// By token, the offset of its first byte; behind the last token stands the length of the text.
    @usableFromInline private(set) var offsets: UnsafePointer<UInt32>
    private(set) var count = 0
    /// By the token that opens an array or object, the token that closes it. Written for those tokens only.
    @usableFromInline private(set) var closings: UnsafeMutablePointer<UInt32>
    private var closingCapacity = 0
    /// At least one string holds an escape, so that what is written may not be what is meant.
    private(set) var hasEscapes = false
    /// Some characters of printable ASCII are written by their numbers.
    private(set) var hasPrintableEscapes = false
    /// Some escapes stand for half a surrogate pair: what they mean is not what is written.
    private(set) var hasHalfPairs = false
    /// How long the strings are when they are decoded.
    private(set) var lengths = JSONLengths()
    /// The last of the strings that had to be decoded; in front of each one stands a pointer to the one before. No array,
    /// so that whoever looks at the index counts no references.
    private var decoded: UnsafeMutableRawPointer?
    /// The arrays and objects that are open during the pass.
    private let open: UnsafeMutablePointer<UInt32>
    private let maximumDepth: Int

    init(maximumDepth: Int) {
        closings = .allocate(capacity: 0)
        offsets = UnsafePointer(closings)
        open = .allocate(capacity: maximumDepth)
        self.maximumDepth = maximumDepth
    }

    /// Frees what the index holds, which is not used again.
    func deallocate() {
        freeDecoded()
        closings.deallocate()
        open.deallocate()
    }

    /// Forgets the document.
    mutating func clear() {
        freeDecoded()
        decoded = nil
        text = UnsafeRawBufferPointer(start: nil, count: 0)
        count = 0
    }

    /// Forgets the document and gives the memory back.
    mutating func release() {
        clear()
        closings.deallocate()
        closings = .allocate(capacity: 0)
        closingCapacity = 0
    }

    private func freeDecoded() {
        var next = decoded
        while let memory = next {
            next = memory.load(as: UnsafeMutableRawPointer?.self)
            memory.deallocate()
        }
    }

    // MARK: - Tokens

    @inlinable @inline(__always)
    func offset(_ token: Int) -> Int { Int(offsets[token]) }

    /// The first byte of a token, which tells its kind.
    @inlinable @inline(__always)
    func byte(_ token: Int) -> UInt8 {
        text.baseAddress.unsafelyUnwrapped.load(fromByteOffset: offset(token), as: UInt8.self)
    }

    /// The first letter of the string at `token` as it is written; the quote of an empty one.
    @inlinable @inline(__always)
    func letter(_ token: Int) -> UInt8 {
        text.baseAddress.unsafelyUnwrapped.load(fromByteOffset: offset(token) + 1, as: UInt8.self)
    }

    /// The token that closes the array or object that `token` opens.
    @inlinable @inline(__always)
    func closing(_ token: Int) -> Int { Int(closings[token]) }

    /// The token behind the value that begins at `token`.
    @inlinable @inline(__always)
    func next(_ token: Int) -> Int { JSONIndex.opens(byte(token)) ? closing(token) + 1 : token + 1 }

    /// `{` and `[` differ in one bit, like a letter's case.
    @inlinable @inline(__always)
    static func opens(_ byte: UInt8) -> Bool { byte | 0x20 == UInt8(ascii: "{") }

    /// Whether the string at `token` is the name of a member.
    @inline(__always)
    func isName(_ token: Int) -> Bool { token + 1 < count && byte(token + 1) == ASCII.colon }

    /// The text behind the opening quote of the string at `token`.
    @inline(__always)
    func rest(_ token: Int) -> UnsafeRawBufferPointer { text.slice((offset(token) + 1)..<text.count) }

    /// What is written between the quotes of the string at `token`.
    @inline(__always)
    func written(_ token: Int) -> UnsafeRawBufferPointer {
        let start = offset(token) + 1
        return UnsafeRawBufferPointer(rebasing: text[start..<(endOfString(token) - 1)])
    }

    /// How many bytes are written between the quotes of the string at `token`.
    @inlinable @inline(__always)
    func writtenCount(_ token: Int) -> Int { endOfString(token) - offset(token) - 2 }

    /// The bytes of the value that begins at `token`; of a string with its quotes.
    func range(_ token: Int) -> Range<Int> {
        let start = offset(token)
        switch byte(token) {
        case UInt8(ascii: "{"), UInt8(ascii: "["): return start..<(offset(closing(token)) + 1)
        case UInt8(ascii: "\""): return start..<endOfString(token)
        default:
            var end = start
            while end < text.count, !JSONIndex.isDelimiter(text[end]) { end += 1 }
            return start..<end
        }
    }

    /// Between a string and the token behind it is white space only.
    @inlinable @inline(__always)
    func endOfString(_ token: Int) -> Int {
        let base = text.baseAddress.unsafelyUnwrapped
        var end = offset(token + 1)
        while base.load(fromByteOffset: end - 1, as: UInt8.self) != UInt8(ascii: "\"") { end -= 1 }
        return end
    }

    /// Decodes a written string, or as much of it as makes at least `limit` bytes; the bytes live as long as the index
    /// of this document.
    mutating func decode(_ written: UnsafeRawBufferPointer, limit: Int = .max) -> UnsafeRawBufferPointer {
        guard hasEscapes, written.firstIndex(of: UInt8(ascii: "\\"), from: 0) != nil else { return written }
        let header = MemoryLayout<UnsafeMutableRawPointer?>.size
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: header + written.count, alignment: MemoryLayout<UnsafeMutableRawPointer?>.alignment)
        memory.storeBytes(of: decoded, as: UnsafeMutableRawPointer?.self)
        decoded = memory
        let bytes = UnsafeMutableRawBufferPointer(start: memory + header, count: written.count)
        let count = JSONEscape.decode(written, into: bytes, limit: limit)
        return UnsafeRawBufferPointer(start: memory + header, count: count)
    }

    // MARK: - Building

    /// Reads a document in place of the one before.
    ///
    /// - Returns: why it is none.
    mutating func read(_ text: UnsafeRawBufferPointer, _ scanner: JSONScanner) -> JSONError.Reason? {
        clear()
        if let fault = scanner.finish(text) { return fault }
        guard let tokens = scanner.offsets else { return .outOfMemory }
        if closingCapacity < scanner.count {
            closings.deallocate()
            closingCapacity = scanner.count + scanner.count / 4 + 64
            closings = .allocate(capacity: closingCapacity)
        }
        self.text = text
        offsets = tokens
        count = scanner.count
        hasEscapes = scanner.hasEscapes
        hasPrintableEscapes = scanner.hasPrintableEscapes
        hasHalfPairs = scanner.hasHalfPairs
        lengths = scanner.lengths
        if let fault = checkGrammar() {
            clear()
            return fault
        }
        return nil
    }

    /// One round per value: the value itself, then all that closes behind it.
    private func checkGrammar() -> JSONError.Reason? {
        var token = 0
        var depth = 0
        while true {
            guard token < count else { return .malformed }
            switch byte(token) {
            case UInt8(ascii: "\""): token += 1
            case let opening where JSONIndex.opens(opening):
                if token + 1 < count, byte(token + 1) == opening + 2 {
                    closings[token] = UInt32(token + 1)
                    token += 2
                } else {
                    guard depth < maximumDepth else { return .tooDeep }
                    open[depth] = UInt32(token)
                    depth += 1
                    token += 1
                    guard opening == UInt8(ascii: "[") || passName(&token) else { return .malformed }
                    continue
                }
            case let first:
                if let fault = checkScalar(first, at: offset(token)) { return fault }
                token += 1
            }
            var isFollowed = false
            while depth > 0, !isFollowed {
                guard token < count else { return .malformed }
                let opening = Int(open[depth - 1])
                if byte(token) == UInt8(ascii: ",") {
                    token += 1
                    guard byte(opening) == UInt8(ascii: "[") || passName(&token) else { return .malformed }
                    isFollowed = true
                } else {
                    // The closing brackets stand two behind the opening ones in ASCII.
                    guard byte(token) == byte(opening) + 2 else { return .malformed }
                    closings[opening] = UInt32(token)
                    depth -= 1
                    token += 1
                }
            }
            if !isFollowed { return token == count ? nil : .malformed }
        }
    }

    /// Passes a member's name and the colon behind it.
    @inline(__always)
    private func passName(_ token: inout Int) -> Bool {
        guard token < count, byte(token) == ASCII.quote, isName(token) else { return false }
        token += 2
        return true
    }

    private func checkScalar(_ first: UInt8, at start: Int) -> JSONError.Reason? {
        let end: Int?
        switch first {
        case UInt8(ascii: "t"): end = endOfLiteral("true", at: start)
        case UInt8(ascii: "f"): end = endOfLiteral("false", at: start)
        case UInt8(ascii: "n"): end = endOfLiteral("null", at: start)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            var index = start
            return JSONNumber.pass(text, &index) && isDelimited(index) ? nil : .invalidNumber
        default: return .malformed
        }
        guard let end, isDelimited(end) else { return .malformed }
        return nil
    }

    private func endOfLiteral(_ literal: StaticString, at start: Int) -> Int? {
        text.slice(start..<text.count).hasPrefix(literal) ? start + literal.utf8CodeUnitCount : nil
    }

    /// A byte behind a scalar that is neither white space nor a token of its own is part of it.
    @inline(__always)
    private func isDelimited(_ end: Int) -> Bool { end == text.count || JSONIndex.isDelimiter(text[end]) }

    @inline(__always)
    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"),
            UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["),
            UInt8(ascii: "]"):
            true
        default: false
        }
    }
}
