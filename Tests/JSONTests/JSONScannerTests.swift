// SPDX-License-Identifier: Apache-2.0
// A document that is looked at while it arrives is read as one that is there.

import JSON
import Testing

@Suite struct JSONScannerTests {
    private let parser = JSONParser()

    /// What a document is read as: its strings, numbers and structure, or why it is none.
    private func reading(_ text: [UInt8], pieces size: Int?) -> String {
        text.withUnsafeBytes { text in
            var scanner: JSONScanner?
            if let size {
                let early = JSONScanner()
                scanner = early
                var copies: [[UInt8]] = []
                for end in stride(from: size, to: text.count + size, by: size) {
                    // In another place each time, and with something else behind it.
                    copies.append(Array(text[..<min(end, text.count)]) + Array(repeating: 0x22, count: 80))
                    copies[copies.count - 1].withUnsafeBytes {
                        early.advance(UnsafeRawBufferPointer(rebasing: $0[..<min(end, text.count)]))
                    }
                }
            }
            do throws(JSONError) {
                let root = try parser.parse(text, scanner: scanner)
                return "\(description(root)) \(parser.lengths)"
            } catch {
                return error.description
            }
        }
    }

    private func description(_ value: JSONValue) -> String {
        switch value.kind {
        case .object:
            let members = value.members.map {
                "\(String(decoding: $0.key, as: UTF8.self)):\(description($0.value))"
            }
            return "{\(members.joined(separator: ","))}"
        case .array: return "[\(value.elements.map { description($0) }.joined(separator: ","))]"
        case .string: return value.string ?? "no string"
        case .number: return value.double.map { "\($0)" } ?? "no number"
        case .bool: return value.bool == true ? "yes" : "no"
        case .null: return "null"
        }
    }

    private static let padding = String(repeating: "x", count: 50)
    private static let documents = [
        #"{"a":[1,-2.5e3,true,false,null,{}],"b":"\#(padding)\n\\\u00e9\ud83d\ude00é世😀\#(padding)","c\u0041":"\\\\"}"#,
        #" [ "\#(padding)" , 12345678901234567890 ,"\ud83d","\ude00\ud83d\\ude00" , [ [ ] ] ] "#,
        #"["\#(padding)\#(padding)\u12"]"#, #"["\#(padding)","#, #"["\#(padding)\"#, #"{"a":1}}"#, "", " ",
        "\"", "[1 2]",
        #"["\#(padding)\q"]"#, #"\#(padding)"#, "[\"\(padding)\t\"]", #"["\#(padding)"x]"#, #"[tru\u0065]"#,
    ].map { Array($0.utf8) }
    /// Characters of two, three and four bytes at places that blocks cut.
    private static let cut = (52...66).map { count in
        Array("[\"\(String(repeating: "y", count: count))é世😀\(padding)é世😀\(padding)\"]".utf8)
    }
    /// Text that is no UTF-8, at places that pieces and blocks cut.
    private static let broken: [[UInt8]] = {
        let wrong: [[UInt8]] = [
            [0xC3], [0xE4, 0xB8], [0xF0, 0x9F, 0x98], [0x80], [0x80, 0x80, 0x80, 0x80, 0x80],
            [0xED, 0xA0, 0x80],
            [0xC0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
        ]
        return [5, 61, 62, 63, 64].flatMap { count -> [[UInt8]] in
            let start = Array("[\"\(String(repeating: "y", count: count))".utf8)
            return wrong.map { start + $0 + Array("\(padding)\",\"é\"]".utf8) }
        }
    }()

    @Test(arguments: [1, 2, 3, 7, 63, 64, 65, 80, 81, 1000])
    func `pieces of any size change nothing`(size: Int) {
        for document in Self.documents + Self.cut + Self.broken {
            #expect(reading(document, pieces: size) == reading(document, pieces: nil))
        }
    }

    @Test func `what is no UTF-8 is refused wherever it is cut`() {
        for document in Self.broken {
            #expect(reading(document, pieces: 64) == "the JSON text is not valid UTF-8")
        }
    }

    /// Places in a string that blocks of 64 bytes and groups of them cut differently.
    private static let places = [0, 1] + Array(54...66) + Array(4_085...4_100) + [8_190, 20_000]

    @Test(arguments: [
        #"\u12G4"#, #"\u12"#, #"\u"#, #"\uu123"#, #"\q"#, "\u{1}", "\n", #"\\\x"#,
        String(repeating: #"\u"#, count: 5_000),
    ])
    func `a wrong escape or a control character is found wherever it stands`(wrong: String) {
        for place in Self.places {
            let start = String(repeating: "x", count: place)
            for end in ["\"]", "\(Self.padding)\",1]", "\(String(repeating: "y", count: 9_000))\"]"] {
                #expect(throws: JSONError.self) { try parser.parse(Array("[\"\(start)\(wrong)\(end)".utf8)) }
            }
        }
    }

    @Test func `control characters that are white space may stand between long strings only`() throws {
        for place in Self.places {
            let long = String(repeating: "x", count: place)
            let text = "[\n\t\"\(long)\",\r\n\"\(long)\"\n]"
            #expect(try parser.parse(Array(text.utf8)).elements.map(\.string) == [long, long])
        }
    }

    @Test(arguments: [
        #"\u00e9"#, #"\u4e2d"#, #"\u001b"#, #"\u0041"#, #"\ud83d\ude00"#, #"\u07FF\u0800"#, #"\\u00e9"#,
    ])
    func `characters that are written by number count as what they are, however many there are`(
        escape: String
    ) throws {
        for count in [1, 2, 3, 4, 15, 16, 17, 31, 33, 2_000] {
            for place in 0..<8 {
                let start = String(repeating: "x", count: place)
                let text = "[\"\(start)\(String(repeating: escape, count: count))\"]"
                let decoded = try #require(parser.parse(Array(text.utf8)).elements.map(\.string).first ?? nil)
                #expect(parser.lengths.excess == text.utf8.count - 4 - decoded.utf8.count)
                #expect(parser.lengths.foreign == decoded.utf8.count - decoded.utf8.count { $0 < 0x80 })
            }
        }
    }

    @Test func `a document of very many tokens is read too`() {
        let text = Array("[\(String(repeating: "1,\"é\",", count: 150_000))2]".utf8)
        let scanner = JSONScanner()
        text.withUnsafeBytes { text in
            for end in stride(from: 65_536, to: text.count, by: 65_536) {
                scanner.advance(UnsafeRawBufferPointer(rebasing: text[..<end]))
            }
            let root = try? parser.parse(text, scanner: scanner)
            #expect(root?.count == 300_001)
            #expect(root?.elements.map(\.int).last == 2)
            #expect(parser.lengths.foreign == 300_000)
        }
    }

    @Test func `the next document is read without the scanner of the last one`() throws {
        let scanner = JSONScanner()
        let text = Array("[1,2,3]".utf8)
        let count = try text.withUnsafeBytes { (text) throws(JSONError) in
            scanner.advance(text)
            return try parser.parse(text, scanner: scanner).count
        }
        #expect(count == 3)
        #expect(try parser.parse(Array("[1,2]".utf8)).count == 2)
        #expect(try parser.parse(Array("[]".utf8)).count == 0)
    }
}
