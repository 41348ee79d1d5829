// SPDX-License-Identifier: Apache-2.0
// A request head that was accepted. It owns a copy of its bytes and so outlives the connection's buffer.
// Source: RFC 9110 §5 (fields), §9 (methods); RFC 9112 §3 (request line).

import Bytes

/// A request's method, target and header lines, and what they mean.
package struct RequestHead: Sendable {
    package let method: Method
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    package let minorVersion: Int
    package let bodyFraming: BodyFraming
    /// The client expects the connection to stay open after the answer.
    package let keepAlive: Bool
    /// The client waits for "100 Continue" before it sends the body.
    package let expectsContinue: Bool
    package let upgrade: Upgrade
    package let contentEncoding: ContentEncoding

    @usableFromInline
    let bytes: [UInt8]
    private let methodEnd: Int
    private let pathRange: Range<Int>
    private let queryRange: Range<Int>
    private let fields: [HeaderField]

    init(bytes: [UInt8], line: RequestLine, method: Method, fields: [HeaderField], meaning: HeadMeaning) {
        self.bytes = bytes
        self.method = method
        self.fields = fields
        minorVersion = line.isHTTP11 ? 1 : 0
        methodEnd = line.method.upperBound
        pathRange = line.path
        queryRange = line.query
        bodyFraming = meaning.framing
        keepAlive = meaning.keepAlive
        expectsContinue = meaning.expectsContinue
        upgrade = meaning.upgrade
        contentEncoding = meaning.contentEncoding
    }

    /// The method as the client wrote it.
    package var methodName: String { text(0..<methodEnd) }

    /// Appends the method as the client wrote it.
    package func appendMethod(to out: inout [UInt8]) { out.append(contentsOf: bytes[..<methodEnd]) }

    /// The path as the client wrote it, escapes included; "*" in an OPTIONS request for the server itself.
    package var path: String { pathRange.isEmpty ? "/" : text(pathRange) }

    /// What follows "?", escapes included, or "".
    package var query: String { text(queryRange) }

    /// Lends the path's bytes.
    package func withPath<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        bytes.withUnsafeBytes { bytes in
            pathRange.isEmpty
                ? withUnsafeBytes(of: UInt8(ascii: "/"), body) : body(bytes.slice(pathRange))
        }
    }

    /// The number of header lines.
    package var headerCount: Int { fields.count }

    /// The value of the first header line with this name, without white space around it.
    ///
    /// Case of the name does not matter. Bytes that are no UTF-8 become U+FFFD.
    package func first(_ name: StaticString) -> String? {
        withFirst(name) { String(decoding: $0, as: UTF8.self) }
    }

    /// Lends the value of the first header line with this name; nil when there is none.
    ///
    /// Inlined into its callers: for a type that is known at run time only, it is slower than the rest of a head.
    @inlinable
    package func withFirst<Value>(_ name: StaticString, _ body: (UnsafeRawBufferPointer) -> Value) -> Value? {
        guard let value = range(ofFirst: name) else { return nil }
        return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[value])) }
    }

    /// Where the value of the first header line with this name stands in `bytes`.
    @usableFromInline
    func range(ofFirst name: StaticString) -> Range<Int>? {
        bytes.withUnsafeBytes { bytes in
            fields.first { ASCII.equalIgnoringCase(bytes.slice($0.name), name) }?.value
        }
    }

    /// Lends name and value of each header line, in the client's order.
    package func forEachHeader(
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        bytes.withUnsafeBytes { bytes in
            for field in fields { body(bytes.slice(field.name), bytes.slice(field.value)) }
        }
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}
