// SPDX-License-Identifier: Apache-2.0
// What front reads from a request's JSON, and the changes it makes to it.

import Gateway
import JSON
import Testing

@testable import Front

func readBody(_ text: String) throws -> RequestBody {
    let parser = JSONParser()
    return try Array(text.utf8).withUnsafeBytes { try RequestBody($0, parser: parser) }
}

/// The text after the splices, which must lie in order.
func apply(_ splices: [Splice], to text: String) -> String {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var position = 0
    for splice in splices {
        #expect(splice.offset >= position)
        result += bytes[position..<splice.offset] + splice.replacement
        position = splice.offset + splice.length
    }
    return String(decoding: result + bytes[position...], as: UTF8.self)
}

@Suite("Request bodies") struct RequestBodyTests {
    @Test("Values beyond the parser's types are no reason to refuse a body, and stay as they are")
    func wideValues() throws {
        let text = #"{"seed":123456789012345678901234,"top_p":1e400,"user":"\ud800","model":"m"}"#
        let body = try readBody(text)
        #expect(body.model == "m")
        let splices = body.splices(model: "other", maxTokens: nil, temperature: nil, dialect: .chat)
        #expect(apply(splices, to: text) == text.replacing(#""m""#, with: #""other""#))
    }

    @Test(
        "The model and the place of its value are found wherever the member stands",
        arguments: [
            (#"{"model":"m","stream":true}"#, "m", #""m""#), (#"{"stream":true,"model":"m"}"#, "m", #""m""#),
            (#" { "a" : [ {"model":"x"} ] , "model" : "m" } "#, "m", #""m""#),
            (#"{"mod\u0065l":"m"}"#, "m", #""m""#), (#"{"model":"a\u002fb\n"}"#, "a/b\n", #""a\u002fb\n""#),
            (#"{"model":"grüße"}"#, "grüße", #""grüße""#), (#"{"model":""}"#, "", #""""#),
            (#"{"models":"no","model":"m","Model":"no"}"#, "m", #""m""#),
        ])
    func model(text: String, model: String, source: String) throws {
        let body = try readBody(text)
        #expect(body.model == model)
        let range = try #require(body.modelRange)
        #expect(String(decoding: Array(text.utf8)[range], as: UTF8.self) == source)
    }

    @Test(
        "A body without a model is read",
        arguments: ["{}", " {\n} ", #"{"a":{"model":"x"}}"#, #"{"stream":false,"b":[1,2]}"#])
    func noModel(text: String) throws {
        let body = try readBody(text)
        #expect(body.model == nil)
        #expect(body.modelRange == nil)
    }

    @Test(
        "The stream switch is true, false, null or missing",
        arguments: [
            (#"{"stream":true}"#, true), (#"{"stream":false}"#, false), (#"{"stream":null}"#, false),
            ("{}", false),
            (#"{"a":{"stream":true}}"#, false), (#"{"model":"m","stre\u0061m":true}"#, true),
        ])
    func stream(text: String, expected: Bool) throws {
        #expect(try readBody(text).isStreaming == expected)
    }

    @Test(
        "What contradicts itself or has the wrong type is refused with the reason",
        arguments: [
            ("", "the request has no body"), ("[]", "the body is no JSON object"),
            ("7", "the body is no JSON object"), (#""text""#, "the body is no JSON object"),
            (#"{"model":7}"#, "\"model\" is no string"), (#"{"model":null}"#, "\"model\" is no string"),
            (#"{"model":["m"]}"#, "\"model\" is no string"),
            (#"{"model":"a","model":"b"}"#, "\"model\" occurs more than once"),
            (#"{"model":"a","x":1,"mo\u0064el":"a"}"#, "\"model\" occurs more than once"),
            (#"{"stream":"true"}"#, "\"stream\" is neither true nor false"),
            (#"{"stream":1}"#, "\"stream\" is neither true nor false"),
            (#"{"stream":true,"stream":true}"#, "\"stream\" occurs more than once"),
        ])
    func refused(text: String, message: String) {
        #expect(throws: GatewayError(.invalidRequest, message)) { try readBody(text) }
    }

    @Test(
        "What is no JSON is refused",
        arguments: ["{", "{]", #"{"a":}"#, "x", "  ", "{}{}", "{\"a\":\"\u{1}\"}"])
    func invalid(text: String) {
        let error = #expect(throws: GatewayError.self) { try readBody(text) }
        #expect(error?.kind == .invalidRequest)
        #expect(error?.message.hasPrefix("the body is no valid JSON: ") == true)
    }

    @Test("Every beginning of a body is refused and none is fatal")
    func cut() throws {
        let text = #"{"model":"m","stream":true,"messages":[{"role":"user","content":"x\ny"}],"n":1.5e3}"#
        for length in 0..<text.utf8.count {
            #expect(throws: GatewayError.self) { try readBody(String(text.prefix(length))) }
        }
        #expect(try readBody(text).isStreaming)
    }

    @Test("A model's name has a bound", arguments: [(512, true), (513, false)])
    func longName(length: Int, isAccepted: Bool) throws {
        let text = #"{"model":"\#(String(repeating: "m", count: length))"}"#
        if isAccepted {
            #expect(try readBody(text).model?.utf8.count == length)
        } else {
            #expect(throws: GatewayError(.invalidRequest, "\"model\" is longer than 512 bytes")) {
                try readBody(text)
            }
        }
    }

    @Test("An error never quotes the body")
    func noQuote() {
        for text in [#"{"model":{"secret":1}}"#, #"{"secret"}"#, #"{"stream":"secret"}"#] {
            let error = #expect(throws: GatewayError.self) { try readBody(text) }
            #expect(error?.message.contains("secret") == false)
        }
    }
}

/// A body, what is asked for, and the result.
struct SpliceExpectation: Sendable, CustomTestStringConvertible {
    let text: String
    var model = "new"
    var maxTokens: Int?
    var temperature: Double?
    var dialect = Dialect.chat
    let expected: String
    var testDescription: String { "\(text) -> \(expected)" }
}

@Suite("Changes of request bodies") struct RequestBodySpliceTests {
    private static let cases = [
        SpliceExpectation(text: #"{"model":"old","a":1}"#, expected: #"{"model":"new","a":1}"#),
        SpliceExpectation(text: #"{"a":1 , "model" : "old" }"#, expected: #"{"a":1 , "model" : "new" }"#),
        SpliceExpectation(text: #"{"model":"new","a":1}"#, expected: #"{"model":"new","a":1}"#),
        SpliceExpectation(text: #"{"model":"n\u0065w"}"#, expected: #"{"model":"n\u0065w"}"#),
        SpliceExpectation(text: #"{"model":"old"}"#, model: "a\"b\\c\n", expected: #"{"model":"a\"b\\c\n"}"#),
        SpliceExpectation(text: "{}", expected: #"{"model":"new"}"#),
        SpliceExpectation(text: " \n{ }", expected: " \n{\"model\":\"new\" }"),
        SpliceExpectation(text: #"{"a":1}"#, expected: #"{"model":"new","a":1}"#),
        SpliceExpectation(
            text: #"{"model":"old"}"#, maxTokens: 9, temperature: 0.5,
            expected: #"{"max_tokens":9,"temperature":0.5,"model":"new"}"#),
        SpliceExpectation(
            text: #"{"model":"new"}"#, maxTokens: 9, dialect: .messages,
            expected: #"{"max_tokens":9,"model":"new"}"#),
        SpliceExpectation(
            text: #"{"input":[]}"#, maxTokens: 9, dialect: .responses,
            expected: #"{"model":"new","max_output_tokens":9,"input":[]}"#),
        SpliceExpectation(
            text: "{}", maxTokens: 9, temperature: 1,
            expected: #"{"model":"new","max_tokens":9,"temperature":1}"#),
        SpliceExpectation(
            text: #"{"temperature":0,"model":"new"}"#, temperature: 0.5,
            expected: #"{"temperature":0,"model":"new"}"#),
        SpliceExpectation(
            text: #"{"max_tokens":1,"model":"new"}"#, maxTokens: 9,
            expected: #"{"max_tokens":1,"model":"new"}"#),
        SpliceExpectation(
            text: #"{"max_completion_tokens":1,"model":"new"}"#, maxTokens: 9,
            expected: #"{"max_completion_tokens":1,"model":"new"}"#),
        SpliceExpectation(
            text: #"{"max_output_tokens":1,"model":"new"}"#, maxTokens: 9, dialect: .responses,
            expected: #"{"max_output_tokens":1,"model":"new"}"#),
    ]

    @Test("The changed text is exactly as expected, byte for byte", arguments: cases)
    func exact(test: SpliceExpectation) throws {
        let splices = try splices(test)
        let result = apply(splices, to: test.text)
        // A fraction's spelling is the JSON writer's own business.
        #expect(
            result == test.expected
                || result == test.expected.replacing("\"temperature\":1}", with: "\"temperature\":1.0}"))
    }

    @Test("The changed text is JSON that names the wanted model and keeps every member", arguments: cases)
    func reread(test: SpliceExpectation) throws {
        let result = apply(try splices(test), to: test.text)
        #expect(try readBody(result).model == test.model)
        let parser = JSONParser()
        let before = try names(parser.parse(Array(test.text.utf8)))
        let after = try names(parser.parse(Array(result.utf8)))
        #expect(after.isSuperset(of: before))
        #expect(Set(after).count == after.count)
    }

    @Test("A large body keeps every byte outside of the splices")
    func large() throws {
        let content = String(repeating: #"text with \"escapes\" and grüße, "#, count: 5000)
        let text = #"{"messages":[{"content":"\#(content)"}],"model":"old","tools":[{"model":"old"}]}"#
        let body = try readBody(text)
        let splices = body.splices(model: "newer", maxTokens: nil, temperature: nil, dialect: .chat)
        #expect(splices.count == 1)
        #expect(
            apply(splices, to: text)
                == text.replacing(#""model":"old","tools""#, with: #""model":"newer","tools""#))
    }

    private func splices(_ test: SpliceExpectation) throws -> [Splice] {
        try readBody(test.text).splices(
            model: test.model, maxTokens: test.maxTokens, temperature: test.temperature, dialect: test.dialect
        )
    }

    private func names(_ root: JSONValue) -> Set<String> {
        var names: Set<String> = []
        root.forEachMember { name, _ in
            #expect(names.insert(String(decoding: name, as: UTF8.self)).inserted, "a member occurs twice")
        }
        return names
    }
}
