// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dialects

@Suite struct WrappedInputTests {
    /// Feeds the pieces and returns everything that came out.
    private func unwrap(_ pieces: [String]) -> String {
        var input = WrappedInput()
        var text = ""
        for piece in pieces { text += input.received(piece) }
        return text + input.ended()
    }

    static let cases: [(json: String, text: String)] = [
        (#"{"input":"*** Begin Patch\n+é😀\n"}"#, "*** Begin Patch\n+é😀\n"),
        (#"{ "input" : "a\"b\\c\/d\t\r\b\f" }"#, "a\"b\\c/d\t\r\u{8}\u{c}"),
        (#"{"input":"\u00e9\ud83d\ude00\u0041"}"#, "é😀A"),
        (#"{"input":"\ud83dx\ude00"}"#, "\u{FFFD}x\u{FFFD}"),
        (#"{"input":"","other":"no"}"#, ""),
        (#"{"command":"ls"}"#, #"{"command":"ls"}"#),
        ("ls -l", "ls -l"),
        (#"{"input":["ls"]}"#, #"{"input":["ls"]}"#),
        ("", ""),
    ]

    @Test(arguments: cases)
    func `the text comes out at once`(_ json: String, _ text: String) {
        #expect(unwrap([json]) == text)
    }

    @Test(arguments: cases)
    func `the text comes out character by character`(_ json: String, _ text: String) {
        #expect(unwrap(json.map(String.init)) == text)
    }

    @Test func `text is passed on before the call ends`() {
        var input = WrappedInput()
        #expect(input.received(#"{"input":"first"#) == "first")
        #expect(input.received(" second") == " second")
    }

    @Test func `what was cut off in the middle ends as far as it came`() {
        #expect(unwrap([#"{"input":"half\u00"#]) == "half")
        #expect(unwrap([#"{"inp"#]) == #"{"inp"#)
    }
}
