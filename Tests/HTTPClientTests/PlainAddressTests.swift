// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import HTTPClient

@Suite("Addresses of plain HTTP")
struct PlainAddressTests {
    static let plain: [(url: String, origin: String, host: String, target: String)] = [
        ("http://a.example/v1", "http://a.example", "a.example", "/v1"),
        ("http://a.example", "http://a.example", "a.example", "/"),
        ("http://a.example/", "http://a.example", "a.example", "/"),
        ("http://a.example:8080/v1?q=1", "http://a.example:8080", "a.example:8080", "/v1?q=1"),
        ("http://a.example:80/v1", "http://a.example:80", "a.example", "/v1"),
        ("http://a.example:8/v1", "http://a.example:8", "a.example:8", "/v1"),
        ("http://a.example:180/v1", "http://a.example:180", "a.example:180", "/v1"),
        ("http://a.example?q=1", "http://a.example", "a.example", "/?q=1"),
        ("http://a.example:81?q", "http://a.example:81", "a.example:81", "/?q"),
        ("http://a.example?", "http://a.example", "a.example", "/?"),
        ("http://a.example?/v1", "http://a.example", "a.example", "/?/v1"),
        ("http://127.0.0.1:11434/api", "http://127.0.0.1:11434", "127.0.0.1:11434", "/api"),
        ("http://[::1]:3000/v1", "http://[::1]:3000", "[::1]:3000", "/v1"),
        ("http://[::1]/v1", "http://[::1]", "[::1]", "/v1"),
        ("http://[fe80::80]/v1", "http://[fe80::80]", "[fe80::80]", "/v1"),
        ("http://[fe80::80]:80/v1", "http://[fe80::80]:80", "[fe80::80]", "/v1"),
        ("http://my_host-1/v1", "http://my_host-1", "my_host-1", "/v1"),
        ("http://a/b:c@d", "http://a", "a", "/b:c@d"),
        ("http://a/b?http://c/", "http://a", "a", "/b?http://c/"),
        ("http://a/%2e%2F|{}\"", "http://a", "a", "/%2e%2F|{}\""),
        ("http://a//b/c.d", "http://a", "a", "//b/c.d"),
    ]

    @Test("are cut into what is dialled, the Host, and the target", arguments: plain)
    func cut(address: (url: String, origin: String, host: String, target: String)) throws {
        let cut = try #require(PlainAddress(address.url))
        #expect(cut.origin == address.origin)
        #expect(String(decoding: cut.host, as: UTF8.self) == address.host)
        #expect(String(decoding: cut.target, as: UTF8.self) == address.target)
    }

    @Test(
        "are libcurl's when there is more to do than to cut",
        arguments: [
            "", "http", "http:/", "http://", "http:///v1", "http://?q", "https://a/v1", "HTTP://a/v1",
            "ftp://a/",
            " http://a/", "//a/v1", "a/v1",
            "http://user@a/", "http://user:secret@a/", "http://a@b@c/", "http://a%20b/",
            "http://[fe80::1%25eth0]/",
            "http://a:/", "http://a:080/", "http://a:0/", "http://a:8x/", "http://[::1]:/", "http://a:-1/",
            "http://m\u{fc}nchen.example/", "http://a/\u{fc}", "http://a/?q=\u{fc}", "http://a b/",
            "http://a/b c",
            "http://a/#f", "http://a/v1#f", "http://a/?q#f", "http://a#f", "http://a/.", "http://a/..",
            "http://a/./b",
            "http://a/b/../c", "http://a/.b", "http://a/?q=/..", "http://a/b\r\nX: y", "http://a/b\n",
            "http://a/\t",
            "http://a/\0", "http://a\0/", "http://a/\u{7f}", "http://a\r\n/", "http://a,b/", "http://a\\b/",
        ])
    func others(url: String) {
        #expect(PlainAddress(url) == nil)
    }
}
