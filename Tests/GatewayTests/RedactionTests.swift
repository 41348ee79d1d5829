// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@Suite("Text of other programs")
struct RedactionTests {
    @Test(
        "whatever looks like a secret is taken out, and the rest stays on one line",
        arguments: [
            ("cannot connect\nto host", "cannot connect to host"),
            ("Bearer abc denied", "Bearer [redacted] denied"),
            ("token: x1 is bad", "token: [redacted] is bad"),
            ("key sk-12 gho_1 eyJa.b.c", "key [redacted] [redacted] [redacted]"),
            ("{\"access_token\":\"sk-ant-1\"}", "[redacted]"),
            ("a0123456789b0123456789 /usr/bin/aws", "[redacted] /usr/bin/aws"),
            ("colour\u{1B}[31m", "colour [31m"),
        ])
    func line(_ text: String, _ wanted: String) {
        #expect(Redaction.line(Array(text.utf8)) == wanted)
    }

    @Test(
        "of a provider's words only keys, tokens and queries are taken out",
        arguments: [
            (
                "Incorrect API key provided: sk-secr******1234. You can find it at https://h/account?key=sk-secret-1234.",
                "Incorrect API key provided: [redacted]. You can find it at https://h/account?[redacted]."
            ),
            ("Invalid API Key: 0123456789abcdef0123!", "Invalid API Key: [redacted]!"),
            ("{\"api_key\":\"AIzaSyA-0123456789\"}", "{\"api_key\":\"[redacted]\"}"),
            ("api_key=xai-0123456789ab&x", "api_key=[redacted]"),
            ("Bearer eyJhbGciOi.e30.x2 is expired", "Bearer [redacted] is expired"),
            (
                "`tool_use` ids were found: toolu_01A09q90qw90lq917835lq9. See https://h/errors.",
                "`tool_use` ids were found: toolu_01A09q90qw90lq917835lq9. See https://h/errors."
            ),
            (
                "The model claude-haiku-4-5-20251001 takes 8192 tokens; token 20000\n„Ōslo“ 🙂",
                "The model claude-haiku-4-5-20251001 takes 8192 tokens; token 20000\n„Ōslo“ 🙂"
            ), ("sk-1", "sk-1"), ("...", "..."), ("", ""),
        ])
    func quote(_ text: String, _ wanted: String) {
        #expect(Redaction.quote(text) == wanted)
    }
}
