// SPDX-License-Identifier: Apache-2.0
// Reads one HTTP/1.1 response of ccr itself.
// Source: RFC 9112 §4 (status line), §6.3 (body length), §7.1 (chunked).

import Bytes
package import HTTP1

/// A complete response.
package struct HTTPResponse: Equatable, Sendable {
    package let status: Int
    package let body: [UInt8]

    /// Why bytes are no response.
    package enum Fault: Error, Equatable {
        case invalidHead
        case invalidBody(HTTPError)
        case truncated
    }

    /// The response at the beginning of `bytes`, or nil while it is not complete.
    ///
    /// - Parameter atEnd: nothing follows; a body without a length ends here.
    package static func parse(_ bytes: [UInt8], atEnd: Bool) throws(Fault) -> HTTPResponse? {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(Fault) in try parse(buffer, atEnd: atEnd) }
        }
        return try result.get()
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer, atEnd: Bool) throws(Fault) -> HTTPResponse? {
        guard let end = bytes.firstIndex(of: "\r\n\r\n") else {
            if atEnd { throw .truncated }
            return nil
        }
        let lines = String(decoding: bytes.slice(0..<end), as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, first.hasPrefix("HTTP/1."), first.utf8.count >= 12,
            let status = Int(first.dropFirst(9).prefix(3)), 100...599 ~= status
        else { throw .invalidHead }
        var length: Int?
        var isChunked = false
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw .invalidHead }
            let value = line[line.index(after: colon)...].filter { $0 != " " }
            switch line[..<colon].lowercased() {
            case "content-length":
                guard let number = Int(value), number >= 0 else { throw .invalidHead }
                length = number
            case "transfer-encoding": isChunked = value.lowercased() == "chunked"
            default: break
            }
        }
        let rest = bytes.slice((end + 4)..<bytes.count)
        if isChunked { return try chunked(status, rest, atEnd) }
        guard let length else { return atEnd ? HTTPResponse(status: status, body: Array(rest)) : nil }
        if rest.count >= length { return HTTPResponse(status: status, body: Array(rest.prefix(length))) }
        if atEnd { throw .truncated }
        return nil
    }

    private static func chunked(
        _ status: Int, _ bytes: UnsafeRawBufferPointer, _ atEnd: Bool
    ) throws(Fault) -> HTTPResponse? {
        var decoder = ChunkedDecoder(bodyLimit: UInt64(HTTPClient.maximumBytes))
        var body: [UInt8] = []
        do {
            if try decoder.decode(bytes, { body.append(contentsOf: $0) }).isComplete {
                return HTTPResponse(status: status, body: body)
            }
        } catch {
            throw .invalidBody(error)
        }
        if atEnd { throw .truncated }
        return nil
    }
}
