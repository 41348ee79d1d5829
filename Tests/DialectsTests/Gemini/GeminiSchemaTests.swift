// SPDX-License-Identifier: Apache-2.0
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct GeminiSchemaTests {
    static let cases: [(String, String)] = [
        ("{}", #"{"type":"OBJECT"}"#), ("true", #"{"type":"OBJECT"}"#), ("not JSON", #"{"type":"OBJECT"}"#),
        (#"{"type":"string"}"#, #"{"type":"STRING"}"#),
        (#"{"type":["string","null"]}"#, #"{"type":"STRING","nullable":true}"#),
        (#"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#, #"{"type":"INTEGER","nullable":true}"#),
        (
            #"{"oneOf":[{"type":"integer"},{"type":"string"},{"type":"null"}],"description":"d"}"#,
            #"{"description":"d","nullable":true,"anyOf":[{"type":"INTEGER"},{"type":"STRING"}]}"#
        ),
        (
            #"{"type":"object","$schema":"x","additionalProperties":false,"properties":{"a":{"type":"string","maxLength":3}},"required":["a","b"]}"#,
            #"{"type":"OBJECT","properties":{"a":{"type":"STRING","maxLength":3}},"required":["a"]}"#
        ),
        (#"{"type":"object","properties":{}}"#, #"{"type":"OBJECT"}"#),
        (#"{"type":"array"}"#, #"{"type":"ARRAY","items":{"type":"STRING"}}"#),
        (#"{"type":"array","items":{}}"#, #"{"type":"ARRAY","items":{"type":"STRING"}}"#),
        (
            #"{"type":"array","items":[{"type":"number"}],"minItems":1}"#,
            #"{"type":"ARRAY","minItems":1,"items":{"type":"NUMBER"}}"#
        ),
        (#"{"enum":["a","","b"]}"#, #"{"type":"STRING","enum":["a","b"]}"#),
        (#"{"const":"a"}"#, #"{"type":"STRING","enum":["a"]}"#),
        (#"{"type":"integer","enum":[1,2]}"#, #"{"type":"INTEGER"}"#),
        (#"{"type":"string","enum":["a",null]}"#, #"{"type":"STRING","nullable":true,"enum":["a"]}"#),
        (#"{"type":"string","format":"uri"}"#, #"{"type":"STRING"}"#),
        (#"{"type":"string","format":"date-time"}"#, #"{"type":"STRING","format":"date-time"}"#),
        (#"{"type":"integer","format":"int64"}"#, #"{"type":"INTEGER","format":"int64"}"#),
        (
            #"{"type":"integer","exclusiveMinimum":0,"exclusiveMaximum":9}"#,
            #"{"type":"INTEGER","minimum":1,"maximum":8}"#
        ),
        (#"{"type":"number","exclusiveMinimum":0.5}"#, #"{"type":"NUMBER","minimum":0.5}"#),
        (
            #"{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991}"#,
            #"{"type":"INTEGER"}"#
        ),
        (
            #"{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"boolean"}}}]}"#,
            #"{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"BOOLEAN"}},"required":["a"]}"#
        ),
        (
            ##"{"$defs":{"P":{"type":"object","properties":{"x":{"type":"number"}}}},"type":"object","properties":{"p":{"$ref":"#/$defs/P","description":"point"},"q":{"$ref":"#/$defs/P"}}}"##,
            #"{"type":"OBJECT","properties":{"p":{"type":"OBJECT","description":"point","properties":{"x":{"type":"NUMBER"}}},"q":{"type":"OBJECT","properties":{"x":{"type":"NUMBER"}}}}}"#
        ),
        (
            ##"{"definitions":{"a/b":{"type":"string"}},"properties":{"p":{"$ref":"#/definitions/a~1b"},"q":{"$ref":"#/none"}}}"##,
            #"{"type":"OBJECT","properties":{"p":{"type":"STRING"},"q":{"type":"OBJECT"}}}"#
        ),
        (
            ##"{"$ref":"#/$defs/N","$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"},"v":{"type":"string"}}}}}"##,
            #"{"type":"OBJECT","properties":{"next":{"type":"OBJECT"},"v":{"type":"STRING"}}}"#
        ),
        (##"{"$ref":"#"}"##, #"{"type":"OBJECT"}"#),
        (
            ##"{"properties":{"a":{"anyOf":[{"$ref":"#"}]}}}"##,
            #"{"type":"OBJECT","properties":{"a":{"type":"OBJECT","properties":{"a":{"type":"OBJECT"}}}}}"#
        ),
    ]

    @Test(arguments: cases)
    func `a schema becomes what Gemini takes`(schema: String, cleaned: String) {
        var dropped = 0
        #expect(GeminiSchema.cleaned(JSONText(schema), dropped: &dropped).text == cleaned)
    }

    @Test func `what is left out is counted`() {
        var dropped = 0
        _ = GeminiSchema.cleaned(
            JSONText(
                #"{"type":"object","additionalProperties":false,"not":{},"properties":{"a":{"type":"string","format":"uri"}}}"#
            ),
            dropped: &dropped)
        #expect(dropped == 3)
    }

    @Test func `a schema of a hundred levels ends in any object`() throws {
        let deep =
            String(repeating: #"{"type":"object","properties":{"a":"#, count: 100) + #"{"type":"string"}"#
            + String(repeating: "}}", count: 100)
        var dropped = 0
        let cleaned = GeminiSchema.cleaned(JSONText(deep), dropped: &dropped)
        #expect(dropped == 1)
        #expect(cleaned.text.split(separator: "properties").count == GeminiSchema.maximumDepth + 1)
        #expect(cleaned.isObject)
    }

    @Test func `definitions that use each other twice do not grow without end`() {
        let definitions = (0..<40).map { index in
            ##""D\##(index)":{"type":"object","properties":{"a":{"$ref":"#/$defs/D\##(index + 1)"},"b":{"$ref":"#/$defs/D\##(index + 1)"}}}"##
        }
        var dropped = 0
        let cleaned = GeminiSchema.cleaned(
            JSONText(##"{"$ref":"#/$defs/D0","$defs":{\##(definitions.joined(separator: ","))}}"##),
            dropped: &dropped)
        #expect(cleaned.isObject)
        #expect(cleaned.bytes.count < 100 * GeminiSchema.maximumNodes)
    }
}
