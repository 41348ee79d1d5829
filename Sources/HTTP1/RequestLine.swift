// SPDX-License-Identifier: Apache-2.0
// The request line: exactly one space on each side of the target, and a target in one of three forms.
// Source: RFC 9112 §3, §3.2.1 (origin-form), §3.2.2 (absolute-form), §3.2.4 (asterisk-form).

import Bytes
import CLLHTTP

/// A request method that ccr answers or refuses by name.
package enum Method: UInt8, CaseIterable, Sendable {
    case get, head, post, put, delete, options, patch, trace
    /// Any other registered method.
    case other

    init(llhttp number: UInt8) {
        switch llhttp_method(rawValue: UInt32(number)) {
        case HTTP_GET: self = .get
        case HTTP_HEAD: self = .head
        case HTTP_POST: self = .post
        case HTTP_PUT: self = .put
        case HTTP_DELETE: self = .delete
        case HTTP_OPTIONS: self = .options
        case HTTP_PATCH: self = .patch
        case HTTP_TRACE: self = .trace
        default: self = .other
        }
    }
}

/// The parts of a request line, as offsets from its start.
struct RequestLine {
    let method: Range<Int>
    let target: Range<Int>
    /// Empty when an absolute target has no path, which means "/".
    let path: Range<Int>
    /// Without the "?".
    let query: Range<Int>
    let isHTTP11: Bool

    /// - Parameter line: without its CRLF and without control characters.
    init(_ line: UnsafeRawBufferPointer) throws(HTTPError) {
        guard
            let methodEnd = line.firstIndex(of: ASCII.space, from: 0), methodEnd > 0,
            let targetEnd = line.firstIndex(of: ASCII.space, from: methodEnd + 1), targetEnd > methodEnd + 1
        else { throw .invalidRequestLine }
        let version = line.slice((targetEnd + 1)..<line.count)
        isHTTP11 = version.equals("HTTP/1.1")
        guard isHTTP11 || version.equals("HTTP/1.0") else {
            throw version.hasPrefix("HTTP/") && version.firstIndex(of: ASCII.space, from: 0) == nil
                ? .unsupportedVersion : .invalidRequestLine
        }
        method = 0..<methodEnd
        target = (methodEnd + 1)..<targetEnd
        let characters = CharacterClass.target
        for offset in target where !characters.contains(line[offset]) { throw .invalidTarget }
        let pathStart = try Self.pathStart(line.slice(target), method: line.slice(method)) + target.lowerBound
        let question = line.slice(0..<targetEnd).firstIndex(of: UInt8(ascii: "?"), from: pathStart)
        path = pathStart..<(question ?? targetEnd)
        query = (question.map { $0 + 1 } ?? targetEnd)..<targetEnd
    }

    /// The offset in `target` at which its path begins.
    private static func pathStart(
        _ target: UnsafeRawBufferPointer, method: UnsafeRawBufferPointer
    ) throws(HTTPError) -> Int {
        if target[0] == UInt8(ascii: "/") { return 0 }
        if target.equals("*"), method.equals("OPTIONS") { return 0 }
        let scheme =
            target.count > 7 && ASCII.equalIgnoringCase(target.slice(0..<7), "http://")
            ? 7 : target.count > 8 && ASCII.equalIgnoringCase(target.slice(0..<8), "https://") ? 8 : 0
        guard scheme > 0 else { throw .invalidTarget }
        var end = scheme
        while end < target.count, CharacterClass.authority.contains(target[end]) { end += 1 }
        // User information is deprecated and no use to a gateway: "@" is no authority character here.
        guard end > scheme, end == target.count || target[end] == 0x2F || target[end] == 0x3F else {
            throw .invalidTarget
        }
        return end
    }
}
