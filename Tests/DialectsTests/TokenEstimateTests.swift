// SPDX-License-Identifier: Apache-2.0
import Dialects
import JSON
import Testing

@Suite struct TokenEstimateTests {
    private func tokens(_ text: String) throws -> Int {
        let parser = JSONParser()
        let root = try parser.parse(Array(text.utf8))
        return withExtendedLifetime(parser) { TokenEstimate(root, parser.lengths).tokens }
    }

    @Test func `English costs a token for about every four letters`() throws {
        let words = String(repeating: "the quick brown fox jumps over the lazy dog ", count: 100)
        let estimate = try tokens(#"{"content":"\#(words)"}"#)
        #expect((1000...1350).contains(estimate), "\(estimate) for \(words.utf8.count) bytes")
    }

    @Test func `other scripts cost more by the letter and less by the byte`() throws {
        let chinese = try tokens(#"{"content":"\#(String(repeating: "世界", count: 500))"}"#)
        #expect((700...1300).contains(chinese), "\(chinese)")
    }

    @Test func `an image costs what images cost and not what its base64 weighs`() throws {
        let data = String(repeating: "iVBORw0KGgo", count: 20_000)
        for part in [
            #"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"\#(data)"}}"#,
            #"{"type":"image_url","image_url":{"url":"data:image/png;base64,\#(data)"}}"#,
            #"{"inlineData":{"mimeType":"image/png","data":"\#(data)"}}"#,
            #"{"inline_data":{"mime_type":"image/png","data":"\#(data)"}}"#,
            #"{"type":"input_audio","input_audio":{"data":"\#(data)","format":"wav"}}"#,
        ] {
            let estimate = try tokens(#"{"messages":[{"role":"user","content":[\#(part)]}]}"#)
            #expect((1000...2500).contains(estimate), "\(estimate)")
        }
    }

    @Test func `what says that a text is an image may stand behind it, or around it`() throws {
        let data = String(repeating: "iVBORw0KGgo", count: 20_000)
        for part in [
            #"{"data":"\#(data)","media_type":"image/png"}"#,
            #"{"mimeType":"image/png","data":"\#(data)","n":{}}"#,
            #"{"image_url":{"detail":{"url":"\#(data)"}}}"#,
            #"{"a":{"file_data":"\#(data)"},"b":[{"url":"x"}]}"#,
        ] {
            let estimate = try tokens(#"{"content":[\#(part)]}"#)
            #expect((1600...1650).contains(estimate), "\(estimate)")
        }
        // Of what stands beside an image, or in a list of its own, nothing is said.
        for part in [
            #"{"image_url":{"url":"x"},"data":"\#(data)"}"#, #"{"media_type":"x","a":["\#(data)"]}"#,
        ] {
            #expect(try tokens(#"{"content":[\#(part)]}"#) > 50_000)
        }
    }

    @Test func `long text without spaces is text where no image stands`() throws {
        let estimate = try tokens(#"{"content":"\#(String(repeating: "abcdefghij", count: 2_000))"}"#)
        #expect(estimate > 5_000)
    }

    @Test func `a byte of another script counts wherever in a text it stands`() throws {
        for length in [0, 1, 7, 63, 64, 65, 500, 100_000] {
            let ascii = String(repeating: "a", count: length)
            let before = try tokens(#"{"content":"\#(ascii)"}"#)
            let with64 = try tokens(#"{"content":"\#(ascii)\#(String(repeating: "é", count: 64))"}"#)
            // 128 bytes at 6 sixteenths of a token each.
            #expect(abs(with64 - before - 48) <= 1, "after \(length) bytes")
        }
    }

    @Test func `a long text costs what its parts cost, whatever scripts they are in`() throws {
        let english = String(repeating: "the quick brown fox jumps over the lazy dog ", count: 130)
        let chinese = String(repeating: "世界", count: 900)
        let parts = try tokens(#"{"a":"\#(english)"}"#) + tokens(#"{"a":"\#(chinese)"}"#)
        let whole = try tokens(#"{"a":"\#(String(repeating: english + chinese, count: 40))"}"#)
        #expect(abs(whole - 40 * parts) < 40 * parts / 100, "\(whole) instead of \(40 * parts)")
    }

    @Test(arguments: [3, 40, 4_000])
    func `a text costs the same with its characters escaped or not`(_ count: Int) throws {
        for (plain, escaped) in [
            ("世界", #"\u4e16\u754c"#), ("a/b c<", #"a\/b c\u003c"#), ("😀 smile", #"\ud83d\uDE00 smile"#),
            (#"line\nand \"word\" "#, #"\u006cine\nand \"\u0077ord\" "#),
        ] {
            let texts = [plain, escaped].map { String(repeating: $0, count: count) }
            let estimates = try texts.map { try tokens("{\"a\":\"\($0)\"}") }
            #expect(abs(estimates[0] - estimates[1]) <= 1, "\(escaped): \(estimates)")
        }
    }

    @Test func `a long name costs what a long text costs`() throws {
        let long = String(repeating: "name ", count: 20_000)
        let name = try tokens("{\"\(long)\":1}")
        let text = try tokens("{\"a\":\"\(long)\"}")
        #expect(abs(name - text) <= 2)
    }

    @Test func `nothing costs at least one token`() throws {
        #expect(try tokens("{}") == 1)
    }
}
