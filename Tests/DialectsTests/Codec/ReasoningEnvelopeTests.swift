// SPDX-License-Identifier: Apache-2.0
import Dialects
import Gateway
import Testing

@Suite struct ReasoningEnvelopeTests {
    private let origin = Origin(provider: "kimi", model: "k2-thinking")

    @Test(arguments: ReasoningState.Form.allCases)
    func `a sealed state opens as it was`(_ form: ReasoningState.Form) throws {
        let state = ReasoningState(form, origin: origin, bytes: Array(0...255), itemID: "rs_1")
        let text = try #require(ReasoningEnvelope.seal(state))
        #expect(text.hasPrefix("ccr1:"))
        #expect(text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C })
        #expect(ReasoningEnvelope.open(text) == state)
    }

    @Test func `a state of unknown origin is not sealed`() {
        #expect(ReasoningEnvelope.seal(ReasoningState(.signature, origin: nil, bytes: [1])) == nil)
    }

    @Test func `what was cut, changed or never an envelope does not open`() throws {
        let text = try #require(
            ReasoningEnvelope.seal(ReasoningState(.signature, origin: origin, bytes: Array("abc".utf8))))
        for count in 0..<text.count { #expect(ReasoningEnvelope.open(String(text.prefix(count))) == nil) }
        #expect(ReasoningEnvelope.open(text + "AA") == nil)
        #expect(ReasoningEnvelope.open(text + "=") == nil)
        #expect(ReasoningEnvelope.open("EqQBCgIYAhIM1gbcDa9GJwZA2b3h") == nil)
    }

    @Test func `base64url agrees with its standard`() {
        // RFC 4648 §10, without padding.
        let vectors = [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ]
        for (plain, encoded) in vectors {
            #expect(Base64URL.encode(Array(plain.utf8)) == encoded)
            #expect(Base64URL.decode(encoded.utf8) == Array(plain.utf8))
        }
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
        #expect(Base64URL.decode("Zh".utf8) == nil, "bits left over must be zero")
        #expect(Base64URL.decode("Z".utf8) == nil)
        #expect(Base64URL.decode("Zg+/".utf8) == nil)
    }
}
