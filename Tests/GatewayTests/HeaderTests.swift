// SPDX-License-Identifier: Apache-2.0
// Which header fields cross, and the block they travel in.

import Gateway
import IPC
import Testing

@Suite("Header policy") struct HeaderPolicyTests {
    private func forwardsRequest(_ name: String) -> Bool {
        Array(name.utf8).withUnsafeBytes { HeaderPolicy.forwardsRequest($0) }
    }

    private func forwardsResponse(_ name: String, modelChanged: Bool = false) -> Bool {
        Array(name.utf8).withUnsafeBytes { HeaderPolicy.forwardsResponse($0, modelChanged: modelChanged) }
    }

    private func spellings(_ name: String) -> [String] {
        [name, name.uppercased(), name.prefix(1).uppercased() + name.dropFirst()]
    }

    @Test(
        "A client's field about the connection, its framing, its coding or its credential stays here",
        arguments: [
            "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
            "trailer", "transfer-encoding", "upgrade", "host", "content-length", "expect", "content-encoding",
            "accept-encoding", "authorization", "x-api-key", "cookie", "x-ccr-request-id", "x-ccr-tier",
        ])
    func requestDrops(name: String) {
        for spelling in spellings(name) { #expect(!forwardsRequest(spelling), "\(spelling)") }
    }

    @Test(
        "A client's field that says something to the provider goes on",
        arguments: [
            "accept", "content-type", "user-agent", "anthropic-version", "anthropic-beta", "openai-beta",
            "x-stainless-lang", "session_id", "originator", "x-codex-turn-state",
            "hos",
            "hostt", "x-api-keys", "t", "a-field-of-tomorrow", "",
        ])
    func requestPasses(name: String) {
        for spelling in spellings(name) { #expect(forwardsRequest(spelling), "\(spelling)") }
    }

    @Test(
        "A provider's field about its connection, its account or its servers stays here",
        arguments: [
            "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authentication-info",
            "te", "trailer", "transfer-encoding", "upgrade", "content-length", "set-cookie", "set-cookie2",
            "alt-svc", "strict-transport-security", "www-authenticate", "openai-organization",
            "openai-project",
            "anthropic-organization-id", "cf-ray", "cf-cache-status", "server", "via",
        ])
    func responseDrops(name: String) {
        for spelling in spellings(name) { #expect(!forwardsResponse(spelling), "\(spelling)") }
    }

    @Test(
        "A provider's field that says something to the client goes on",
        arguments: [
            "content-type", "content-encoding", "retry-after", "request-id", "x-request-id",
            "anthropic-ratelimit-tokens-remaining", "x-ratelimit-reset-requests", "openai-processing-ms",
            "x-codex-primary-used-percent", "date", "a-field-of-tomorrow",
        ])
    func responsePasses(name: String) {
        for spelling in spellings(name) { #expect(forwardsResponse(spelling), "\(spelling)") }
    }

    @Test("The answering model's name goes on only when it is the one the client named")
    func openAIModel() {
        for spelling in spellings("openai-model") {
            #expect(forwardsResponse(spelling))
            #expect(!forwardsResponse(spelling, modelChanged: true))
        }
    }
}

@Suite("Header block") struct HeaderBlockTests {
    private func text(_ block: HeaderBlock) -> String { String(decoding: block.bytes, as: UTF8.self) }

    @Test("Fields stand in order, each ended by a zero byte, in libcurl's notation")
    func notation() {
        var block = HeaderBlock()
        block.append("Accept", "a: b")
        block.append("X-Empty", "")
        block.suppress("Expect")
        #expect(text(block) == "Accept: a: b\u{0}X-Empty;\u{0}Expect:\u{0}")
        var both = HeaderBlock()
        both.append("a", "1")
        both.append(block)
        #expect(text(both) == "a: 1\u{0}" + text(block))
    }

    @Test(
        "A field is found by its whole name in any case",
        arguments: [
            ("accept", true), ("ACCEPT", true), ("x-empty", true), ("accep", false), ("ccept", false),
            ("value", false), ("expect", true), ("", false),
        ])
    func contains(name: String, expected: Bool) {
        var block = HeaderBlock()
        block.append("Accept", "value: x")
        block.append("X-Empty", "")
        block.suppress("Expect")
        let found =
            switch name {
            case "accept": block.contains("accept")
            case "ACCEPT": block.contains("ACCEPT")
            case "x-empty": block.contains("x-empty")
            case "accep": block.contains("accep")
            case "ccept": block.contains("ccept")
            case "value": block.contains("value")
            case "expect": block.contains("expect")
            default: block.contains("")
            }
        #expect(found == expected)
    }

    @Test("A block that does not end with its zero byte is refused")
    func unterminated() {
        var writer = WireWriter()
        writer.put(Array("Accept: x".utf8))
        #expect(throws: WireError.invalidValue("header block")) {
            try Sample.decode(HeaderBlock.self, writer.bytes)
        }
    }
}

@Suite("Fields that a Connection field names") struct NominatedFieldsTests {
    private func nominated(_ values: [String]) -> NominatedFields {
        var fields = NominatedFields()
        for value in values { Array(value.utf8).withUnsafeBytes { fields.add(connection: $0) } }
        return fields
    }

    private func contains(_ fields: NominatedFields, _ name: String) -> Bool {
        Array(name.utf8).withUnsafeBytes { fields.contains($0) }
    }

    @Test("The usual options name no field", arguments: ["", "keep-alive", "Close", " keep-alive ,close,, "])
    func usual(value: String) {
        #expect(nominated([value]).isEmpty)
    }

    @Test("Every other option names one, in any case and any number of fields")
    func named() {
        let fields = nominated(["keep-alive, X-One\t,x-two", "X-THREE"])
        for name in ["x-one", "X-Two", "x-three"] { #expect(contains(fields, name), "\(name)") }
        for name in ["x-on", "x-one,", "keep-alive", ""] { #expect(!contains(fields, name), "\(name)") }
    }
}
