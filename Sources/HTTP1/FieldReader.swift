// SPDX-License-Identifier: Apache-2.0
// Gives the header lines of a request their meaning: framing of the body, persistence, upgrade, coding. The lines
// must cover the head without a gap, so that nothing is in the head which was not looked at.
// Source: RFC 9110 §5.6.1 (lists), §7.2 (Host), §7.6.1 (Connection), §7.8 (Upgrade), §8.4 (Content-Encoding),
// §10.1.1 (Expect); RFC 9112 §3.2, §5.1 (field lines), §6.1-6.3 (framing), §9.3 (persistence).

import Bytes

/// A header line, as offsets into the head.
struct HeaderField {
    var nameOffset: UInt32
    var nameLength: UInt32
    var valueOffset: UInt32
    var valueLength: UInt32

    var name: Range<Int> { Int(nameOffset)..<(Int(nameOffset) + Int(nameLength)) }
    var value: Range<Int> { Int(valueOffset)..<(Int(valueOffset) + Int(valueLength)) }
}

/// How long the body of a request is.
package enum BodyFraming: Equatable, Sendable {
    case none
    /// Bytes; 0 when Content-Length says so.
    case length(UInt64)
    case chunked
}

/// The protocol a client asks to change to.
package enum Upgrade: Equatable, Sendable {
    case none
    case webSocket
    case other
}

/// The coding of a request body.
package enum ContentEncoding: Equatable, Sendable {
    case identity
    case gzip
    case deflate
    case zstd
    /// A coding that is not decoded, or several; the first 40 bytes of the header's value.
    case other(String)
}

/// What the header lines say together.
struct HeadMeaning {
    var framing = BodyFraming.none
    var keepAlive = true
    var expectsContinue = false
    var upgrade = Upgrade.none
    var contentEncoding = ContentEncoding.identity
}

/// Reads the header lines of one head.
struct FieldReader {
    private(set) var meaning = HeadMeaning()
    /// The fields without white space around their values.
    private(set) var trimmed: [HeaderField] = []

    private let isHTTP11: Bool
    private var hasHost = false
    private var hasTransferEncoding = false
    private var hasContentEncoding = false
    private var connectionCloses = false
    private var connectionKeepsAlive = false
    private var connectionUpgrades = false
    private var upgrade = Upgrade.none

    init(isHTTP11: Bool) {
        self.isHTTP11 = isHTTP11
    }

    /// Reads all fields; there must be as many as lines, and as each takes the next whole line they cover the head.
    /// - Parameter start: the offset of the first header line.
    mutating func read(
        _ fields: [HeaderField], of bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(HTTPError) {
        trimmed = fields
        var position = start
        for index in trimmed.indices {
            position = try Self.trim(&trimmed[index], of: bytes, at: position)
            let field = trimmed[index]
            try interpret(name: bytes.slice(field.name), value: bytes.slice(field.value))
        }
        try conclude()
    }

    /// Checks that a field begins at `position`, has a name, one colon, and runs to its CRLF.
    /// - Returns: the offset behind the CRLF.
    private static func trim(
        _ field: inout HeaderField, of bytes: UnsafeRawBufferPointer, at position: Int
    ) throws(HTTPError) -> Int {
        let name = field.name
        guard name.lowerBound == position, !name.isEmpty, bytes[name.upperBound] == ASCII.colon else {
            throw .invalidHeaderName
        }
        let token = CharacterClass.token
        for offset in name where !token.contains(bytes[offset]) { throw .invalidHeaderName }
        // The head ends with CRLF and has no CR elsewhere: the next CR ends this line.
        guard let end = bytes.firstIndex(of: ASCII.carriageReturn, from: name.upperBound) else {
            throw .invalidHeaderName
        }
        var value = (name.upperBound + 1)..<end
        while let first = value.first, isBlank(bytes[first]) { value.removeFirst() }
        while let last = value.last, isBlank(bytes[last]) { value.removeLast() }
        // llhttp must have seen the same value, but for white space behind it.
        guard value.isEmpty || (field.value.lowerBound == value.lowerBound && field.value.upperBound <= end)
        else {
            throw .invalidHeaderName
        }
        field.valueOffset = UInt32(value.lowerBound)
        field.valueLength = UInt32(value.count)
        return end + 2
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private mutating func interpret(
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    ) throws(HTTPError) {
        // The length tells the eight names apart before a byte is compared.
        switch name.count {
        case 4 where ASCII.equalIgnoringCase(name, "host"): try readHost(value)
        case 6 where ASCII.equalIgnoringCase(name, "expect"):
            meaning.expectsContinue = ASCII.equalIgnoringCase(value, "100-continue")
        case 7 where ASCII.equalIgnoringCase(name, "upgrade"):
            upgrade = ASCII.equalIgnoringCase(value, "websocket") ? .webSocket : .other
        case 10 where ASCII.equalIgnoringCase(name, "connection"): readConnection(value)
        case 14 where ASCII.equalIgnoringCase(name, "content-length"): try readLength(value)
        case 16 where ASCII.equalIgnoringCase(name, "content-encoding"): readEncoding(value)
        case 17 where ASCII.equalIgnoringCase(name, "transfer-encoding"):
            guard !hasTransferEncoding, isHTTP11, ASCII.equalIgnoringCase(value, "chunked") else {
                throw .unsupportedTransferEncoding
            }
            hasTransferEncoding = true
        default: break
        }
    }

    private mutating func readHost(_ value: UnsafeRawBufferPointer) throws(HTTPError) {
        guard !hasHost else { throw .duplicateHost }
        hasHost = true
        guard !value.isEmpty, value.allSatisfy(CharacterClass.authority.contains) else { throw .invalidHost }
    }

    private mutating func readLength(_ value: UnsafeRawBufferPointer) throws(HTTPError) {
        guard meaning.framing == .none else { throw .duplicateContentLength }
        guard !value.isEmpty else { throw .invalidContentLength }
        var length: UInt64 = 0
        for byte in value {
            let (product, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- 0x30))
            guard byte &- 0x30 < 10, !overflow, !carry else { throw .invalidContentLength }
            length = sum
        }
        meaning.framing = .length(length)
    }

    private mutating func readEncoding(_ value: UnsafeRawBufferPointer) {
        if !hasContentEncoding,
            let row = Self.encodings.first(where: { ASCII.equalIgnoringCase(value, $0.name) })
        {
            meaning.contentEncoding = row.encoding
        } else {
            meaning.contentEncoding = .other(String(decoding: value.prefix(40), as: UTF8.self))
        }
        hasContentEncoding = true
    }

    private static let encodings: [(name: StaticString, encoding: ContentEncoding)] = [
        ("gzip", .gzip), ("x-gzip", .gzip), ("deflate", .deflate), ("zstd", .zstd), ("identity", .identity),
    ]

    private mutating func readConnection(_ value: UnsafeRawBufferPointer) {
        var rest = 0..<value.count
        while !rest.isEmpty {
            let end = value.firstIndex(of: ASCII.comma, from: rest.lowerBound) ?? rest.upperBound
            var option = rest.lowerBound..<end
            while let first = option.first, Self.isBlank(value[first]) { option.removeFirst() }
            while let last = option.last, Self.isBlank(value[last]) { option.removeLast() }
            let name = value.slice(option)
            if ASCII.equalIgnoringCase(name, "close") { connectionCloses = true }
            if ASCII.equalIgnoringCase(name, "keep-alive") { connectionKeepsAlive = true }
            if ASCII.equalIgnoringCase(name, "upgrade") { connectionUpgrades = true }
            rest = min(end + 1, rest.upperBound)..<rest.upperBound
        }
    }

    /// What depends on several lines.
    private mutating func conclude() throws(HTTPError) {
        guard hasHost || !isHTTP11 else { throw .missingHost }
        if hasTransferEncoding {
            guard meaning.framing == .none else { throw .conflictingFraming }
            meaning.framing = .chunked
        }
        meaning.keepAlive = !connectionCloses && (isHTTP11 || connectionKeepsAlive)
        // HTTP/1.0 knows neither; a server must ignore them there (RFC 9110 §7.8 and §10.1.1).
        meaning.expectsContinue = meaning.expectsContinue && isHTTP11
        meaning.upgrade = connectionUpgrades && isHTTP11 ? upgrade : .none
    }
}
