// SPDX-License-Identifier: Apache-2.0
import Curl
import Testing

@testable import HTTPClient

@Suite("Heads of plain HTTP requests")
struct PlainRequestHeadTests {
    static func head(
        _ lines: [String], body: (any RequestBody)? = TextBody("{}"), url: String = "http://a:80/b?c"
    )
        throws -> [String]
    {
        let request = TransferRequest(
            url: url, headers: lines.flatMap { Array($0.utf8) + [0] }, body: body, connectTimeoutMsec: 1,
            proxy: "")
        var out = Array("before".utf8)
        PlainRequestHead.write(request, to: try #require(PlainAddress(url)), into: &out)
        let text = String(decoding: out, as: UTF8.self)
        #expect(text.hasPrefix("before") && text.hasSuffix("\r\n\r\n"))
        return text.replacing("\r\n", with: "\n").dropFirst(6).dropLast(2).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
    }

    @Test("name method, target, host and length")
    func whole() throws {
        #expect(try Self.head([]) == ["POST /b?c HTTP/1.1", "Host: a", "Content-Length: 2"])
        #expect(
            try Self.head([], body: nil, url: "http://[::1]:8080") == ["GET / HTTP/1.1", "Host: [::1]:8080"])
        #expect(
            try Self.head(["X: y"], body: TextBody(String(repeating: "x", count: 12_345)))
                == ["POST /b?c HTTP/1.1", "X: y", "Host: a", "Content-Length: 12345"])
    }

    @Test(
        "hold the fields as libcurl's notation says, in their order",
        arguments: [
            (["A: b", "C:d"], ["A: b", "C:d"]), (["A;", "B: c"], ["A:", "B: c"]), (["A:", "B: c"], ["B: c"]),
            (["A: ", "B:\t", "C: d"], ["C: d"]), (["A: b:", "C: d;"], ["A: b:", "C: d;"]),
            (["A: :"], ["A: :"]),
            (["", "A: b"], ["A: b"]), (["Accept:", "Content-Type:", "Expect:"], []),
            (["A: b c "], ["A: b c "]),
            (["A: \u{e4}"], ["A: \u{e4}"]),
        ] as [([String], [String])])
    func notation(lines: (given: [String], written: [String])) throws {
        #expect(try Self.head(lines.given).dropFirst().dropLast(2) == lines.written[...])
    }

    @Test(
        "leave out what would contradict the framing or end the connection, and nothing that only looks like it",
        arguments: ["Content-Length", "Connection", "Transfer-Encoding", "TE"])
    func framing(name: String) throws {
        for name in [name, name.lowercased(), name.uppercased()] {
            for line in [name + ": 5", name + ":5", name + ";", name + ":"] {
                #expect(
                    try Self.head([line, "A: b"]) == [
                        "POST /b?c HTTP/1.1", "A: b", "Host: a", "Content-Length: 2",
                    ])
            }
            for line in ["X-" + name + ": 5", name + "s: 5", String(name.dropLast()) + ": 5"] {
                #expect(try Self.head([line]).contains(line))
            }
        }
    }

    @Test("hold the operator's Host in place of their own, and one of them")
    func host() throws {
        #expect(try Self.head(["host: x"]) == ["POST /b?c HTTP/1.1", "host: x", "Content-Length: 2"])
        #expect(
            try Self.head(["Host:x", "HOST: y"]) == ["POST /b?c HTTP/1.1", "Host:x", "Content-Length: 2"])
        #expect(try Self.head(["Host;"]) == ["POST /b?c HTTP/1.1", "Host:", "Content-Length: 2"])
        #expect(
            try Self.head(["Hosts: x"]) == ["POST /b?c HTTP/1.1", "Hosts: x", "Host: a", "Content-Length: 2"])
    }
}
