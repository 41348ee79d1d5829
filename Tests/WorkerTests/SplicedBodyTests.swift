// SPDX-License-Identifier: Apache-2.0
// Bodies with replaced ranges, small ones in memory and large ones in a file.

import Curl
import Gateway
import Posix
import Testing

@testable import Worker

/// Splices of the text "0123456789" and what they make of it.
struct SpliceCase: Sendable, CustomTestStringConvertible {
    let splices: [Splice]
    let expected: String
    var testDescription: String { expected }

    init(_ splices: [(Int, Int, String)], _ expected: String) {
        self.splices = splices.map {
            Splice(offset: $0.0, length: $0.1, replacement: Array($0.2.utf8))
        }
        self.expected = expected
    }

    static let all = [
        SpliceCase([], "0123456789"),
        SpliceCase([(0, 0, "abc")], "abc0123456789"),
        SpliceCase([(0, 3, "x")], "x3456789"),
        SpliceCase([(4, 2, "")], "01236789"),
        SpliceCase([(4, 2, "forty-five")], "0123forty-five6789"),
        SpliceCase([(10, 0, "end")], "0123456789end"),
        SpliceCase([(7, 3, "end")], "0123456end"),
        SpliceCase([(0, 10, "all")], "all"),
        SpliceCase([(0, 10, "")], ""),
        SpliceCase([(1, 0, "a"), (1, 2, "b"), (3, 1, "c"), (9, 1, "d")], "0abc45678d"),
    ]
}

@Suite("Spliced bodies") struct SplicedBodyTests {
    private let text = Array("0123456789".utf8)

    /// The same body in memory and in a file that holds more behind it.
    private func bodies(_ splices: [Splice]) throws -> [SplicedBody?] {
        let memory = try SharedMemory(name: "t", capacity: 10)
        try memory.append(text + Array("left over from another".utf8))
        let file = try SharedMemoryView(memory.duplicateDescriptor())
        return [
            SplicedBody(inline: text, splices: splices),
            SplicedBody(file: file, size: text.count, splices: splices),
        ]
    }

    @Test("Replaced ranges are replaced and every other byte stays", arguments: SpliceCase.all)
    func whole(test: SpliceCase) throws {
        for body in try bodies(test.splices) {
            let body = try #require(body)
            #expect(body.size == test.expected.utf8.count)
            var buffer = [UInt8](repeating: 0x2A, count: body.size + 5)
            let count = buffer.withUnsafeMutableBytes { body.read(from: 0, into: $0) }
            #expect(String(decoding: buffer[..<count], as: UTF8.self) == test.expected)
            #expect(buffer[count...].allSatisfy { $0 == 0x2A }, "nothing is written behind the end")
        }
    }

    @Test("Reading works from every offset with every buffer", arguments: SpliceCase.all)
    func everyOffset(test: SpliceCase) throws {
        let expected = Array(test.expected.utf8)
        for body in try bodies(test.splices) {
            let body = try #require(body)
            for offset in 0...expected.count {
                for room in 1...(expected.count + 1) {
                    var buffer = [UInt8](repeating: 0, count: room)
                    let count = buffer.withUnsafeMutableBytes { body.read(from: offset, into: $0) }
                    let wanted = expected[offset...].prefix(room)
                    #expect(Array(buffer[..<count]) == Array(wanted), "\(room) bytes from \(offset)")
                }
            }
        }
    }

    @Test(
        "The pieces, put together, are the body, from whatever offset and in whatever order",
        arguments: SpliceCase.all)
    func pieces(test: SpliceCase) throws {
        let expected = Array(test.expected.utf8)
        for body in try bodies(test.splices) {
            let body = try #require(body)
            #expect(body.bytes == expected)
            for offset in Array(0...expected.count) + (0...expected.count).reversed() {
                var rest: [UInt8] = []
                while offset + rest.count < expected.count {
                    let piece = body.piece(from: offset + rest.count)
                    try #require(!piece.isEmpty)
                    rest += piece
                }
                #expect(rest == Array(expected[offset...]))
                #expect(body.piece(from: expected.count).isEmpty)
            }
        }
    }

    @Test("A small body lies in one piece, and so does a large one that is not changed")
    func contiguous() throws {
        for body in try bodies([]) { #expect(body?.contiguous?.elementsEqual(text) == true) }
        let changed = try bodies(SpliceCase([(4, 2, "x")], "").splices)
        #expect(changed[0]?.contiguous?.elementsEqual("0123x6789".utf8) == true)
        #expect(changed[1] != nil && changed[1]?.contiguous == nil)
    }

    @Test("What was written here is the body as it is")
    func written() {
        let body = SplicedBody(written: text)
        #expect(body.bytes == text)
        #expect(body.contiguous?.elementsEqual(text) == true)
        #expect(body.piece(from: 7).elementsEqual(text[7...]))
    }

    @Test(
        "Splices that lie outside of the body or contradict each other are refused",
        arguments: [
            [(11, 0, "x")], [(10, 1, "x")], [(0, 11, "x")], [(-1, 1, "x")], [(3, -1, "x")],
            [(4, 2, "a"), (5, 1, "b")], [(4, 2, "a"), (3, 0, "b")], [(.max, 1, "x")], [(1, .max, "x")],
            [(.max, .max, "x")],
        ] as [[(Int, Int, String)]])
    func refused(splices: [(Int, Int, String)]) throws {
        for body in try bodies(SpliceCase(splices, "").splices) { #expect(body == nil) }
    }

    @Test("An empty body stays empty unless something is put in")
    func empty() throws {
        #expect(SplicedBody(inline: [], splices: [])?.size == 0)
        #expect(SplicedBody(inline: [], splices: SpliceCase([(0, 0, "{}")], "").splices)?.size == 2)
    }
}
