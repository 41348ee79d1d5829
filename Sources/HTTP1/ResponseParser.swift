// SPDX-License-Identifier: Apache-2.0
// Reads what an upstream answers: its head, then where its body ends. State machines without I/O; the connection that
// the bytes come from is the caller's.
// Source: RFC 9112 §4 (status line), §5 (fields), §6 (body), §9.3 (persistence); RFC 9110 §15.2 (interim answers).

import Bytes

/// Why bytes are no answer. The connection is of no further use.
package enum ResponseError: Error, Equatable {
    /// No "HTTP/1.x NNN", or a change of protocol that nobody asked for.
    case invalidStatusLine
    /// A NUL in the head.
    case invalidField
    /// More than `ResponseParser.headBytes` without an end.
    case headTooLarge
    /// A Content-Length that is no number, or several that differ.
    case invalidContentLength
    /// A coding other than one "chunked".
    case unsupportedTransferEncoding
    /// A chunk whose frame is broken.
    case invalidChunk
}

/// Finds the head of one answer.
package struct ResponseParser {
    /// The head of a final answer.
    package struct Head: Equatable {
        package fileprivate(set) var status = 0
        package fileprivate(set) var body = ResponseBody.Framing.untilClose
        /// Whether the upstream takes another request on the connection behind this answer.
        package fileprivate(set) var keepsConnection = false
        /// The bytes that it takes, with the interim ones before it.
        package fileprivate(set) var length = 0
    }

    /// The most bytes of a head, all interim ones before it included.
    package static let headBytes = 131_072

    /// How far the bytes have been searched for the end of a head.
    private var searched = 0
    /// Where the head that is being searched begins: behind the interim ones.
    private var start = 0

    package init() {}

    /// Looks for a final answer's head at the start of `bytes`, and passes interim ones over.
    ///
    /// - Parameters:
    ///   - bytes: everything that has arrived, from the first byte on, at each call.
    ///   - line: gets each line of the final head without its line end, the status line first; only when the head is
    ///     complete.
    /// - Returns: nil while the head is not complete.
    package mutating func parseHead(
        _ bytes: UnsafeRawBufferPointer, line: (UnsafeRawBufferPointer) -> Void
    ) throws(ResponseError) -> Head? {
        while let end = try endOfHead(bytes) {
            let head = bytes.slice(start..<end)
            let status = try Self.status(head)
            if status >= 200 {
                return try read(head, status: status, line)
            }
            // Nobody asked for another protocol, so nothing that follows would be understood.
            guard status != 101 else { throw .invalidStatusLine }
            start = end
        }
        return nil
    }

    /// One past the empty line, or nil if it is not there yet.
    private mutating func endOfHead(_ bytes: UnsafeRawBufferPointer) throws(ResponseError) -> Int? {
        var position = max(searched, start)
        while let feed = bytes.firstIndex(of: ASCII.lineFeed, from: position) {
            // A line feed alone ends a line, too (RFC 9112 §2.2).
            let next = feed + 1
            if next < bytes.count, bytes[next] == ASCII.lineFeed { return try checked(next + 1) }
            if next + 1 < bytes.count, bytes[next] == ASCII.carriageReturn, bytes[next + 1] == ASCII.lineFeed
            {
                return try checked(next + 2)
            }
            if next + 1 >= bytes.count {
                searched = feed
                return try unfinished(bytes)
            }
            position = next
        }
        searched = bytes.count
        return try unfinished(bytes)
    }

    private func unfinished(_ bytes: UnsafeRawBufferPointer) throws(ResponseError) -> Int? {
        guard Self.mayBegin(bytes.slice(start..<bytes.count)) else { throw .invalidStatusLine }
        guard bytes.count <= Self.headBytes else { throw .headTooLarge }
        return nil
    }

    /// Whether the bytes so far are the start of a status line: what is none may never have an end.
    private static func mayBegin(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let version: StaticString = "HTTP/1."
        let known = min(bytes.count, version.utf8CodeUnitCount)
        return UnsafeRawBufferPointer(start: version.utf8Start, count: known).elementsEqual(
            bytes.slice(0..<known))
    }

    private mutating func checked(_ end: Int) throws(ResponseError) -> Int {
        guard end <= Self.headBytes else { throw .headTooLarge }
        searched = end
        return end
    }

    /// The number in "HTTP/1.1 200 OK".
    private static func status(_ head: UnsafeRawBufferPointer) throws(ResponseError) -> Int {
        guard head.count > 12, head.hasPrefix("HTTP/1."), head[7] &- 0x30 < 10, head[8] == ASCII.space else {
            throw .invalidStatusLine
        }
        var status = 0
        for digit in head[9..<12] {
            guard digit &- 0x30 < 10 else { throw .invalidStatusLine }
            status = status * 10 + Int(digit &- 0x30)
        }
        // Behind the number: a space and the reason, or the end of the line.
        guard status >= 100,
            head[12] == ASCII.space || head[12] == ASCII.carriageReturn || head[12] == ASCII.lineFeed
        else { throw .invalidStatusLine }
        return status
    }

    private func read(
        _ head: UnsafeRawBufferPointer, status: Int, _ line: (UnsafeRawBufferPointer) -> Void
    ) throws(ResponseError) -> Head {
        guard head.firstIndex(of: 0, from: 0) == nil else { throw .invalidField }
        var fields = FramingFields(isHTTP11: head[7] != UInt8(ascii: "0"))
        var position = 0
        while let feed = head.firstIndex(of: ASCII.lineFeed, from: position) {
            let end = feed > position && head[feed - 1] == ASCII.carriageReturn ? feed - 1 : feed
            guard end > position else { break }
            let content = head.slice(position..<end)
            if position > 0 { try fields.read(content) }
            line(content)
            position = feed + 1
        }
        let body = try fields.framing(status: status)
        return Head(
            status: status, body: body, keepsConnection: body != .untilClose && fields.keepsConnection,
            length: start + head.count)
    }
}

/// The fields that say where the body ends and whether the connection stays.
private struct FramingFields {
    private let isHTTP11: Bool
    private var length: UInt64?
    private var isChunked = false
    private var closes = false
    private var keepsAlive = false

    init(isHTTP11: Bool) {
        self.isHTTP11 = isHTTP11
    }

    mutating func read(_ line: UnsafeRawBufferPointer) throws(ResponseError) {
        // Most fields have other lengths or first letters, so that few are compared.
        switch ASCII.lower(line[0]) {
        case UInt8(ascii: "c"):
            if let value = Self.value(line, of: "content-length") {
                try readLength(value)
            } else if let value = Self.value(line, of: "connection") {
                Self.eachElement(value) {
                    if ASCII.equalIgnoringCase($0, "close") { closes = true }
                    if ASCII.equalIgnoringCase($0, "keep-alive") { keepsAlive = true }
                }
            }
        case UInt8(ascii: "t"):
            guard let value = Self.value(line, of: "transfer-encoding") else { return }
            guard !isChunked, ASCII.equalIgnoringCase(value, "chunked") else {
                throw .unsupportedTransferEncoding
            }
            isChunked = true
        default: break
        }
    }

    private mutating func readLength(_ value: UnsafeRawBufferPointer) throws(ResponseError) {
        guard let number = value.decimal.map(UInt64.init), length == nil || length == number else {
            throw .invalidContentLength
        }
        length = number
    }

    /// RFC 9112 §6.3, for answers to requests other than HEAD and CONNECT.
    func framing(status: Int) throws(ResponseError) -> ResponseBody.Framing {
        if status == 204 || status == 304 { return .length(0) }
        if isChunked { return .chunked }
        return length.map { .length($0) } ?? .untilClose
    }

    var keepsConnection: Bool {
        // An answer with both framings may have been put together by somebody else (RFC 9112 §6.3), and so one with
        // chunks that HTTP/1.0 does not know (§6.1).
        !closes && (isHTTP11 || keepsAlive && !isChunked) && !(isChunked && length != nil)
    }

    /// The field's value if the line is a field of this name.
    private static func value(_ line: UnsafeRawBufferPointer, of name: StaticString)
        -> UnsafeRawBufferPointer?
    {
        let size = name.utf8CodeUnitCount
        guard line.count > size, line[size] == ASCII.colon,
            ASCII.equalIgnoringCase(line.slice(0..<size), name)
        else {
            return nil
        }
        return line.slice((size + 1)..<line.count).trimmed
    }

    private static func eachElement(_ list: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void)
    {
        var start = 0
        while start <= list.count {
            let end = list.firstIndex(of: ASCII.comma, from: start) ?? list.count
            body(list.slice(start..<end).trimmed)
            start = end + 1
        }
    }
}

/// Takes the frames off the body of one answer.
package struct ResponseBody {
    /// How the body's end is found.
    package enum Framing: Equatable {
        /// So many bytes.
        case length(UInt64)
        case chunked
        /// Everything until the upstream closes.
        case untilClose
    }

    private enum State {
        case length(UInt64)
        case chunked(ChunkedDecoder)
        case untilClose
        case complete
    }

    private var state: State

    package init(_ framing: Framing) {
        state =
            switch framing {
            case .length(0): .complete
            case .length(let count): .length(count)
            // What passes is not kept, so an answer may be as long as its upstream likes.
            case .chunked: .chunked(ChunkedDecoder(bodyLimit: .max, extensionLimit: .max))
            case .untilClose: .untilClose
            }
    }

    /// Whether the body has arrived.
    package var isComplete: Bool {
        if case .complete = state { true } else { false }
    }

    /// Whether the body is complete if the upstream closes now.
    package var endsWithConnection: Bool {
        if case .untilClose = state { true } else { false }
    }

    /// Takes the next bytes of the connection and moves what belongs to the body to their start.
    ///
    /// - Returns: the bytes of the body, and those of the connection that were used up: fewer than given only when the
    ///   body is complete.
    package mutating func decode(_ bytes: UnsafeMutableRawBufferPointer) throws(ResponseError) -> (
        body: Int, consumed: Int
    ) {
        switch state {
        case .complete: return (0, 0)
        case .untilClose: return (bytes.count, bytes.count)
        case .length(let remaining):
            let count = Int(min(remaining, UInt64(bytes.count)))
            state = remaining == UInt64(count) ? .complete : .length(remaining - UInt64(count))
            return (count, count)
        case .chunked(var decoder):
            var size = 0
            do {
                let (consumed, isComplete) = try decoder.decode(UnsafeRawBufferPointer(bytes)) { data in
                    // Data moves towards the start only, over frames that have been read.
                    if let from = data.baseAddress, let to = bytes.baseAddress {
                        (to + size).copyMemory(from: from, byteCount: data.count)
                        size += data.count
                    }
                }
                state = isComplete ? .complete : .chunked(decoder)
                return (size, consumed)
            } catch {
                throw .invalidChunk
            }
        }
    }
}
