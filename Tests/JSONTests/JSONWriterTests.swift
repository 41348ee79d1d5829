// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite struct JSONWriterTests {
    let parser = JSONParser()

    private func text(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func `objects and arrays nest with commas in place`() {
        let text = text { writer in
            writer.object { writer in
                writer.member("a", 1)
                writer.member(
                    "b",
                    array: { writer in
                        writer.int(1)
                        writer.object { _ in }
                        writer.array { _ in }
                        writer.string("x")
                        writer.null()
                    })
                writer.member("c", object: { $0.member("d", true) })
                writer.member("e", nil)
                writer.key("f\"" as String)
                writer.double(1.5)
                writer.key("g")
                writer.raw(Array("{\"h\":[]}".utf8))
                writer.member("i", "j")
            }
        }
        #expect(
            text == #"{"a":1,"b":[1,{},[],"x",null],"c":{"d":true},"e":null,"f\"":1.5,"g":{"h":[]},"i":"j"}"#)
    }

    @Test func `text is appended after what stands before it`() {
        var writer = JSONWriter(after: Array("data: ".utf8))
        writer.object { _ in }
        #expect(writer.bytes == Array("data: {}".utf8))
    }

    @Test(arguments: [
        ("", #""""#), ("a\"b\\c", #""a\"b\\c""#), ("\n\r\t", #""\n\r\t""#),
        ("\u{0}\u{1}\u{1F}\u{7F}", "\"\\u0000\\u0001\\u001f\u{7F}\""),
        ("é😀", "\"é😀\""), ("\u{2028}", "\"\u{2028}\""),
    ])
    func `strings are escaped as RFC 8259 asks`(value: String, expected: String) {
        #expect(text { $0.string(value) } == expected)
    }

    @Test(arguments: [[0xFF], [0x61, 0xC3], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF0, 0x9F, 0x98]])
    func `bytes that are not UTF-8 are replaced`(bytes: [UInt8]) throws {
        var writer = JSONWriter()
        bytes.withUnsafeBytes { writer.string(utf8: $0) }
        let value = try #require(try parser.parse(writer.bytes).string)
        #expect(value == String(decoding: bytes, as: UTF8.self))
    }

    @Test(arguments: [0, 1, -1, Int.max, Int.min])
    func `integers are exact`(value: Int) throws {
        var writer = JSONWriter()
        writer.int(value)
        #expect(try parser.parse(writer.bytes).int == value)
    }

    @Test(arguments: [
        0.1, 1e300, -1e-300, 1e16, Double.leastNonzeroMagnitude, Double.greatestFiniteMagnitude,
    ])
    func `numbers survive a round trip`(value: Double) throws {
        var writer = JSONWriter()
        writer.double(value)
        #expect(try parser.parse(writer.bytes).double == value)
    }

    @Test func `numbers without a JSON form become null`() {
        #expect(text { $0.double(.infinity) } == "null")
        #expect(text { $0.double(.nan) } == "null")
    }

    @Test func `every single scalar survives a round trip`() throws {
        for value in stride(from: UInt32(0), through: 0x10FFFF, by: 1)
        where value < 0x3000 || value % 997 == 0 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            var writer = JSONWriter()
            writer.string(String(Character(scalar)))
            #expect(try parser.parse(writer.bytes).string?.unicodeScalars.first == scalar)
        }
    }

    @Test(arguments: 4_080..<4_105)
    func `escapes are in place however long the runs between them are`(length: Int) throws {
        let run = String(repeating: "é", count: length / 2) + String(repeating: "a", count: length % 2)
        let value = "\n" + run + "\u{1}" + run + run + "\"" + run.prefix(20) + "\\"
        var writer = JSONWriter()
        writer.string(value)
        #expect(try parser.parse(writer.bytes).string == value)
        #expect(writer.bytes.count == value.utf8.count + 2 + 3 + 5)
    }
}
