// SPDX-License-Identifier: Apache-2.0
// Writes response heads and the frames of chunked bodies into a buffer. A header that would break the head or
// contradict its framing is left out, whatever a provider sent.
// Source: RFC 9110 §5.5 (field values), §7.6.1 (hop-by-hop fields), §15 (status codes); RFC 9112 §4, §6, §7.1.

import Bytes

/// Writes a response head in three steps: `begin`, any number of `header`, `end`.
package enum ResponseHead {
    /// How the body's end is found.
    package enum Framing: Equatable, Sendable {
        /// No body at all: status 1xx, 204 and 304.
        case none
        /// This many bytes; for an answer to HEAD the length that GET would have had.
        case length(Int)
        /// Chunks, for clients that speak HTTP/1.1.
        case chunked
        /// Everything until the connection ends; `keepAlive` must be false.
        case untilClose
    }

    /// Appends the status line.
    ///
    /// - Parameter status: 100 to 999; anything else is written as 500.
    package static func begin(status: Int, into out: inout [UInt8]) {
        let status = 100...999 ~= status ? status : 500
        out.append("HTTP/1.1 ")
        out.append(decimal: status)
        // The space belongs there even when no reason follows (RFC 9112 §4).
        out.append(ASCII.space)
        out.append(reason(status))
        endLine(&out)
    }

    /// Appends a header of ccr's own; name and value must be legal.
    package static func header(_ name: StaticString, _ value: StaticString, into out: inout [UInt8]) {
        out.append(name)
        out.append(": ")
        out.append(value)
        endLine(&out)
    }

    /// Appends a header whose value was made at run time.
    ///
    /// - Returns: false when the value holds a control character and the header was left out.
    @discardableResult
    package static func header(_ name: StaticString, _ value: String, into out: inout [UInt8]) -> Bool {
        var value = value
        return value.withUTF8 { value in
            let name = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            return append(name, UnsafeRawBufferPointer(value), into: &out)
        }
    }

    /// Appends a header of ccr's own whose name was made at run time, too.
    @discardableResult
    package static func header(_ name: UnsafeRawBufferPointer, _ value: String, into out: inout [UInt8])
        -> Bool
    {
        var value = value
        return value.withUTF8 { append(name, UnsafeRawBufferPointer($0), into: &out) }
    }

    /// Appends a header that came from a provider.
    ///
    /// - Returns: false when it was left out: the name is no token, the value holds a control character, or the
    ///   field speaks of the connection or of the body's framing, which `end` decides.
    @discardableResult
    package static func header(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, into out: inout [UInt8]
    ) -> Bool {
        guard !connectionFields.contains(where: { ASCII.equalIgnoringCase(name, $0) }) else { return false }
        return append(name, value, into: &out)
    }

    /// Appends the headers that frame the body, and the empty line.
    ///
    /// - Parameters:
    ///   - keepAlive: whether another request may follow on the connection.
    ///   - isHTTP11: what the client speaks; HTTP/1.0 must be told that the connection stays.
    package static func end(framing: Framing, keepAlive: Bool, isHTTP11: Bool, into out: inout [UInt8]) {
        switch framing {
        case .none, .untilClose: break
        case .length(let count):
            out.append("content-length: ")
            out.append(decimal: count)
            endLine(&out)
        case .chunked: header("transfer-encoding", "chunked", into: &out)
        }
        if !keepAlive {
            header("connection", "close", into: &out)
        } else if !isHTTP11 {
            header("connection", "keep-alive", into: &out)
        }
        endLine(&out)
    }

    private static func append(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, into out: inout [UInt8]
    ) -> Bool {
        guard !name.isEmpty, name.allSatisfy(CharacterClass.token.contains) else { return false }
        guard value.allSatisfy({ $0 >= ASCII.space && $0 != 0x7F || $0 == ASCII.tab }) else { return false }
        out.append(contentsOf: name)
        out.append(": ")
        out.append(contentsOf: value)
        endLine(&out)
        return true
    }

    private static func endLine(_ out: inout [UInt8]) {
        out.append(ASCII.carriageReturn)
        out.append(ASCII.lineFeed)
    }

    private static let connectionFields: [StaticString] = [
        "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding",
        "upgrade",
    ]

    /// The reason phrase; empty for a status without one.
    private static func reason(_ status: Int) -> StaticString {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 103: "Early Hints"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 424: "Failed Dependency"
        case 425: "Too Early"
        case 426: "Upgrade Required"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 451: "Unavailable For Legal Reasons"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: ""
        }
    }
}

/// The frames of a chunked response body; data goes between `begin` and `end`.
package enum ChunkFrame {
    /// Behind the data of each chunk.
    package static let end: StaticString = "\r\n"
    /// Behind the last chunk: no trailers.
    package static let last: StaticString = "0\r\n\r\n"

    /// Appends the size line of a chunk.
    ///
    /// - Parameter count: the bytes of the chunk, above 0: a chunk of 0 bytes would end the body.
    package static func begin(_ count: Int, into out: inout [UInt8]) {
        guard count > 0 else { fatalError("a chunk of \(count) bytes") }
        out.append(hexadecimal: count)
        out.append(end)
    }
}
