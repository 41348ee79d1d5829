// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dialects

@Suite struct StopCutterTests {
    private func cut(_ pieces: [String], at sequences: [String]) -> (String, String?) {
        var cutter = StopCutter(sequences)
        var text = ""
        for piece in pieces { text += cutter.received(piece) }
        return (text + cutter.ended(), cutter.found)
    }

    static let cases: [(text: String, sequences: [String], shown: String, found: String?)] = [
        ("one END two", ["END"], "one ", "END"),
        ("one EN two", ["END"], "one EN two", nil),
        ("aaab", ["aab"], "a", "aab"),
        ("x\n\ny", ["\n\n"], "x", "\n\n"),
        ("ends with EN", ["END"], "ends with EN", nil),
        ("é stop ö", ["ö"], "é stop ", "ö"),
        ("first of two: b a", ["a", "b"], "first of two: ", "b"),
        ("nothing", [], "nothing", nil),
        ("nothing", [""], "nothing", nil),
    ]

    @Test(arguments: cases)
    func `the text ends before the sequence`(
        _ text: String, _ sequences: [String], _ shown: String, _ found: String?
    ) {
        #expect(cut([text], at: sequences) == (shown, found))
        #expect(cut(text.map(String.init), at: sequences) == (shown, found))
    }

    @Test func `text that cannot begin a sequence is not held back`() {
        var cutter = StopCutter(["END"])
        #expect(cutter.received("hello") == "hello")
        #expect(cutter.received(" E") == " ")
        #expect(cutter.received("x") == "Ex")
    }
}
