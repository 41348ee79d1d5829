// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import HTTP1

/// llhttp refuses most of this before the reader sees it; the reader does not count on that.
@Suite("Header lines without llhttp before them")
struct FieldReaderTests {
    /// Reads lines as if llhttp had found name and value where the colon is.
    static func read(_ lines: [String]) throws(HTTPError) -> FieldReader {
        var bytes: [UInt8] = []
        var fields: [HeaderField] = []
        for line in lines {
            let name = line.utf8.prefix { $0 != 0x3A }.count
            let value = line.utf8.dropFirst(name + 1).prefix { $0 == 0x20 }.count + name + 1
            fields.append(
                HeaderField(
                    nameOffset: UInt32(bytes.count), nameLength: UInt32(name),
                    valueOffset: UInt32(bytes.count + value), valueLength: UInt32(line.utf8.count - value)))
            bytes += Array("\(line)\r\n".utf8)
        }
        bytes += [0x0D, 0x0A]
        var reader = FieldReader(isHTTP11: true)
        try bytes.span.withUnsafeBytes { (bytes) throws(HTTPError) in
            try reader.read(fields, of: bytes, from: 0)
        }
        return reader
    }

    @Test(
        "are refused when they leave the framing in doubt",
        arguments: [
            (["Host: h", "Content-Length: 5", "Content-Length: 5"], HTTPError.duplicateContentLength),
            (["Host: h", "Content-Length: 5", "Transfer-Encoding: chunked"], .conflictingFraming),
            (["Host: h", "Transfer-Encoding: chunked", "Content-Length: 5"], .conflictingFraming),
            (
                ["Host: h", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
                .unsupportedTransferEncoding
            ),
            (["Host: h", "Content-Length: +5"], .invalidContentLength),
            (["Host: h", "Content-Length:"], .invalidContentLength),
            (["Host: h", "Content-Length: 18446744073709551616"], .invalidContentLength),
            (["Host: h", "Content-Length: 36893488147419103232"], .invalidContentLength),
            (["Host: h", "A b: c"], .invalidHeaderName),
            (["Host : h"], .invalidHeaderName),
        ])
    func refuse(lines: [String], error: HTTPError) {
        #expect(throws: error) { try Self.read(lines) }
    }

    @Test("are read to the same meaning")
    func accept() throws {
        let reader = try Self.read(["Host: h", "Content-Length:  5 "])
        #expect(reader.meaning.framing == .length(5))
        #expect(reader.trimmed.map(\.valueLength) == [1, 1])
    }

    @Test("are refused when a value begins elsewhere than llhttp saw it")
    func disagreement() {
        var reader = FieldReader(isHTTP11: true)
        let bytes = Array("Host: h\r\n\r\n".utf8)
        for (nameOffset, valueOffset) in [(1, 6), (0, 5), (0, 7)] as [(UInt32, UInt32)] {
            let field = HeaderField(
                nameOffset: nameOffset, nameLength: 4 - nameOffset, valueOffset: valueOffset, valueLength: 1)
            #expect(throws: HTTPError.invalidHeaderName) {
                try bytes.span.withUnsafeBytes { (bytes) throws(HTTPError) in
                    try reader.read([field], of: bytes, from: 0)
                }
            }
        }
    }
}
