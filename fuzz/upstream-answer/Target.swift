// SPDX-License-Identifier: Apache-2.0
// Fuzzes answers of upstreams, head and body: the same bytes must say the same whole and in pieces, and a body never says
// more than its connection did.
// Source: RFC 9112 §4…§7; https://llvm.org/docs/LibFuzzer.html.

import HTTP1

/// What comes of the bytes of one connection.
private struct Course: Equatable {
    var head: ResponseParser.Head?
    var lines: [[UInt8]] = []
    var body: [UInt8] = []
    /// Bytes that belong to the answer.
    var consumed = 0
    var isComplete = false
    var endsWithConnection = false
    var isRefused = false

    /// - Parameter step: the bytes of each piece.
    init(_ bytes: UnsafeRawBufferPointer, step: Int) {
        do throws(ResponseError) {
            try read(bytes, step)
        } catch {
            isRefused = true
            // What came in front of a fault in the same piece is of no use to anybody, and differs by piece.
            lines = []
            body = []
            consumed = 0
        }
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer, _ step: Int) throws(ResponseError) {
        var parser = ResponseParser()
        var end = 0
        while head == nil, end < bytes.count {
            end = min(end + step, bytes.count)
            var lines: [[UInt8]] = []
            head = try parser.parseHead(UnsafeRawBufferPointer(rebasing: bytes[..<end])) {
                lines.append(Array($0))
            }
            self.lines = lines
        }
        guard let head else { return }
        check(head, UnsafeRawBufferPointer(rebasing: bytes[..<head.length]))
        consumed = head.length
        var body = ResponseBody(head.body)
        repeat {
            // In memory of its own, for the frames are taken off in place.
            let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: end - consumed, alignment: 1)
            defer { piece.deallocate() }
            piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[consumed..<end]))
            let decoded = try body.decode(piece)
            guard decoded.body <= decoded.consumed, decoded.consumed == piece.count || body.isComplete else {
                fatalError("bytes left over")
            }
            self.body += piece[..<decoded.body]
            consumed += decoded.consumed
            end = min(end + step, bytes.count)
        } while consumed < bytes.count && !body.isComplete
        isComplete = body.isComplete
        endsWithConnection = body.endsWithConnection
    }

    /// What every accepted head has.
    private func check(_ head: ResponseParser.Head, _ bytes: UnsafeRawBufferPointer) {
        guard 200...999 ~= head.status, bytes.count <= ResponseParser.headBytes, bytes.last == 0x0A else {
            fatalError("a head that is none")
        }
        guard !lines.isEmpty, lines.allSatisfy({ !$0.isEmpty && !$0.contains(0x0A) && !$0.contains(0) })
        else {
            fatalError("a line that is none")
        }
        guard !head.keepsConnection || head.body != .untilClose else {
            fatalError("no end, and something behind it")
        }
    }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let whole = Course(bytes, step: max(count, 1))
    for step in [1, 7, 2 + Int(bytes.last ?? 0) % 61] where step < count {
        guard Course(bytes, step: step) == whole else { fatalError("pieces of \(step) differ from whole") }
    }
    return 0
}
