// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct RepairedArgumentsTests {
    @Test(arguments: [
        (#"{"a":1,}"#, #"{"a":1}"#), (#"{"a":[1,2,],}"#, #"{"a":[1,2]}"#),
        (#"{"a":{"b":1"#, #"{"a":{"b":1}}"#),
        (#"{"a":"x"#, #"{"a":"x"}"#), (#"{"a":"x\"#, #"{"a":"x"}"#), (#"{"a":"},]"}"#, #"{"a":"},]"}"#),
        (#"{"a":[1, "#, #"{"a":[1 ]}"#), ("", "{}"), ("  ", "{}"),
    ])
    func `what lacks a bracket or has a comma too many becomes an object`(text: String, object: String) {
        #expect(JSONText.object(ofArguments: text).text == object)
    }

    @Test(arguments: ["no", "[1]", #"{"a":}"#, #"{"a""#, "{]}", "{'a':1}", "}"])
    func `anything else is kept as it was written`(text: String) throws {
        let kept = JSONText.object(ofArguments: text)
        #expect(kept.withValue { $0.member("_raw")?.string } == text)
    }
}

@Suite struct CacheHintTests {
    private static let chat = #"""
        {"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},
        {"role":"user","content":"c"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"1","content":"d"}]}
        """#

    private func hints(_ body: String, _ quirks: Quirks) throws -> Int {
        var rules = UpstreamRules()
        rules.quirks = quirks
        let written = try CodecSupport.encode(
            MessagesRequests.self, try CodecSupport.decode(ChatRequests.self, body), rules: rules
        ).body
        return written.components(separatedBy: "cache_control").count - 1
    }

    @Test func `the operator's words and the last two turns of the user are cached`() throws {
        #expect(try hints(Self.chat, [.cacheControl]) == 3)
        #expect(try hints(Self.chat, []) == 0)
    }

    @Test func `a client's own hints stand alone`() throws {
        let own = Self.chat.replacing(
            #""content":"a""#,
            with: #""content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]"#)
        #expect(try hints(own, [.cacheControl]) == 1)
    }
}

@Suite struct CyclicSchemaTests {
    private static let schema =
        ##"{"type":"object","$schema":"x","properties":{"n":{"$ref":"#/$defs/node"}},"$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"},"up":{"$ref":"#"}},"allOf":[{"$ref":"#/$defs/node"}]}}}"##

    @Test(arguments: Dialect.allCases, SchemaForm.allCases)
    func `a schema that leads back to itself comes to an end`(dialect: Dialect, form: SchemaForm) throws {
        var rules = UpstreamRules()
        rules.schema = form
        let body =
            #"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":\#(Self.schema)}}],"response_format":{"type":"json_schema","json_schema":{"schema":\#(Self.schema)}}}"#
        let written = try CodecSupport.encode(
            CodecTable.requests(dialect), try CodecSupport.decode(ChatRequests.self, body), rules: rules
        ).body
        #expect(try CodecSupport.normalised(written).contains("object") || written.contains("OBJECT"))
        #expect(written.utf8.count < 20_000)
    }
}
