// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

@Suite struct MalformedRequestTests {
    static func messages(_ content: String) -> String {
        #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"},{"role":"user","content":[\#(content)]}]}"#
    }

    static let ofMessages: [(String, String)] = [
        ("[]", "the body must be an object"),
        (#"{"model":"m"}"#, "messages: is missing"),
        (#"{"messages":{}}"#, "messages: must be an array"),
        (#"{"messages":[1]}"#, "messages[0]: must be an object"),
        (#"{"messages":[{"content":"a"}]}"#, "messages[0].role: is missing"),
        (
            #"{"messages":[{"role":"tool","content":"a"}]}"#,
            #"messages[0].role: must be "user", "assistant" or "system""#
        ),
        (#"{"messages":[{"role":"user"}]}"#, "messages[0].content: is missing"),
        (#"{"messages":[{"role":"user","content":5}]}"#, "messages[0].content: must be a string or an array"),
        (messages("7"), "messages[1].content[0]: must be an object"),
        (messages(#"{"text":"a"}"#), "messages[1].content[0].type: is missing"),
        (messages(#"{"type":7}"#), "messages[1].content[0].type: must be a string"),
        (messages(#"{"type":"hologram"}"#), "messages[1].content[0].type: is no known type of a block"),
        (messages(#"{"type":"text"}"#), "messages[1].content[0].text: is missing"),
        (messages(#"{"type":"text","text":1}"#), "messages[1].content[0].text: must be a string"),
        (
            messages(#"{"type":"text","text":"a","cache_control":1}"#),
            "messages[1].content[0].cache_control: must be an object"
        ),
        (messages(#"{"type":"image"}"#), "messages[1].content[0].source: is missing"),
        (
            messages(#"{"type":"image","source":{"type":"x"}}"#),
            "messages[1].content[0].source.type: is no known type of a source"
        ),
        (
            messages(#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"***"}}"#),
            "messages[1].content[0].source.data: is no base64"
        ),
        (
            messages(#"{"type":"image","source":{"type":"base64","data":"QUJD"}}"#),
            "messages[1].content[0].source.media_type: is missing"
        ),
        (
            messages(#"{"type":"image","source":{"type":"text","data":"x"}}"#),
            "messages[1].content[0].source.type: is no known type of a source"
        ),
        (
            messages(#"{"type":"document","source":{"type":"url","url":""}}"#),
            "messages[1].content[0].source.url: must not be empty"
        ),
        (
            messages(#"{"type":"tool_use","id":"a","name":"f","input":"{}"}"#),
            "messages[1].content[0].input: must be an object"
        ),
        (messages(#"{"type":"tool_use","id":"a","name":"f"}"#), "messages[1].content[0].input: is missing"),
        (
            messages(#"{"type":"tool_use","id":"","name":"f","input":{}}"#),
            "messages[1].content[0].id: must not be empty"
        ),
        (
            messages(#"{"type":"tool_result","content":"a"}"#),
            "messages[1].content[0].tool_use_id: is missing"
        ),
        (
            messages(#"{"type":"tool_result","tool_use_id":"a","is_error":"no"}"#),
            "messages[1].content[0].is_error: must be true or false"
        ),
        (
            messages(
                #"{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"Q"}}]}"#
            ),
            "messages[1].content[0].content[0].source.data: is no base64"
        ),
        (
            messages(
                #"{"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}"#
            ),
            "messages[1].content[0].content[0].type: cannot be part of a result"
        ),
        (messages(#"{"type":"thinking","signature":"x"}"#), "messages[1].content[0].thinking: is missing"),
        (#"{"messages":[],"system":[{"type":"image"}]}"#, #"system[0].type: must be "text""#),
        (#"{"messages":[],"system":3}"#, "system: must be a string or an array"),
        (#"{"messages":[],"tools":[{}]}"#, "tools[0].name: is missing"),
        (
            #"{"messages":[],"tools":[{"type":"hologram","name":"x"}]}"#,
            "tools[0].type: is no known type of a tool"
        ),
        (
            #"{"messages":[],"tools":[{"name":"x","input_schema":"{}"}]}"#,
            "tools[0].input_schema: must be an object"
        ),
        (#"{"messages":[],"tool_choice":"auto"}"#, "tool_choice: must be an object"),
        (#"{"messages":[],"tool_choice":{"type":"tool"}}"#, "tool_choice.name: is missing"),
        (#"{"messages":[],"thinking":{"type":"enabled"}}"#, "thinking.budget_tokens: is missing"),
        (
            #"{"messages":[],"thinking":{"type":"often"}}"#,
            #"thinking.type: must be "enabled", "adaptive" or "disabled""#
        ),
        (#"{"messages":[],"max_tokens":"8"}"#, "max_tokens: must be an integer"),
        (#"{"messages":[],"temperature":"hot"}"#, "temperature: must be a number"),
        (#"{"messages":[],"stop_sequences":["a",1]}"#, "stop_sequences[1]: must be a string"),
        (#"{"messages":[],"metadata":{"user_id":1}}"#, "metadata.user_id: must be a string"),
        (
            #"{"messages":[],"output_config":{"format":{"type":"json_schema"}}}"#,
            "output_config.format.schema: is missing"
        ),
        (#"{"messages":[],"stream":"yes"}"#, "stream: must be true or false"),
    ]

    @Test(arguments: ofMessages)
    func `a fault in a Messages request is told by its field`(body: String, message: String) {
        #expect(CodecSupport.refusal(MessagesRequests.self, body) == message)
    }

    static func chat(_ message: String) -> String {
        #"{"model":"m","messages":[{"role":"user","content":"a"},\#(message)]}"#
    }

    static let ofChat: [(String, String)] = [
        ("3", "the body must be an object"),
        ("{}", "messages: is missing"),
        (chat("[]"), "messages[1]: must be an object"),
        (chat(#"{"role":"robot","content":"a"}"#), "messages[1].role: is no known role"),
        (chat(#"{"role":"user"}"#), "messages[1].content: is missing"),
        (chat(#"{"role":"user","content":{}}"#), "messages[1].content: must be a string or an array"),
        (
            chat(#"{"role":"user","content":[{"type":"hologram"}]}"#),
            "messages[1].content[0].type: is no known type of a content part"
        ),
        (
            chat(#"{"role":"user","content":[{"type":"image_url"}]}"#),
            "messages[1].content[0].image_url: is missing"
        ),
        (
            chat(
                #"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,?"}}]}"#
            ),
            "messages[1].content[0].image_url.url: is no base64"
        ),
        (
            chat(#"{"role":"user","content":[{"type":"image_url","image_url":"data:image/png,x"}]}"#),
            "messages[1].content[0].image_url: is a data URL without base64"
        ),
        (
            chat(#"{"role":"user","content":[{"type":"file","file":{}}]}"#),
            "messages[1].content[0].file.file_id: is missing"
        ),
        (
            chat(#"{"role":"user","content":[{"type":"file","file":{"file_data":"?"}}]}"#),
            "messages[1].content[0].file.file_data: is no base64"
        ),
        (chat(#"{"role":"assistant","tool_calls":[{}]}"#), "messages[1].tool_calls[0].function: is missing"),
        (
            chat(#"{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}"#),
            "messages[1].tool_calls[0].id: is missing"
        ),
        (
            chat(#"{"role":"assistant","tool_calls":[{"id":"a","function":{}}]}"#),
            "messages[1].tool_calls[0].function.name: is missing"
        ),
        (
            chat(#"{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":1}}]}"#),
            "messages[1].tool_calls[0].function.arguments: must be a string"
        ),
        (chat(#"{"role":"tool","content":"a"}"#), "messages[1].tool_call_id: is missing"),
        (chat(#"{"role":"function","content":"a"}"#), "messages[1].name: is missing"),
        (#"{"messages":[],"n":2}"#, "n: must be 1"),
        (#"{"messages":[],"tools":[{"type":"function"}]}"#, "tools[0].function: is missing"),
        (
            #"{"messages":[],"tools":[{"type":"function","function":{"name":""}}]}"#,
            "tools[0].function.name: must not be empty"
        ),
        (#"{"messages":[],"tools":[{"type":"hologram"}]}"#, "tools[0].type: is no known type of a tool"),
        (
            #"{"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":[]}}]}"#,
            "tools[0].function.parameters: must be an object"
        ),
        (
            #"{"messages":[],"tool_choice":"always"}"#,
            #"tool_choice: must be "auto", "none", "required" or an object"#
        ),
        (
            #"{"messages":[],"tool_choice":{"type":"function","function":{}}}"#,
            "tool_choice.function.name: is missing"
        ),
        (
            #"{"messages":[],"response_format":{"type":"yaml"}}"#,
            #"response_format.type: must be "text", "json_object" or "json_schema""#
        ),
        (
            #"{"messages":[],"response_format":{"type":"json_schema"}}"#,
            "response_format.json_schema: is missing"
        ),
        (#"{"messages":[],"stop":1}"#, "stop: must be a string or an array"),
        (
            #"{"messages":[],"stream_options":{"include_usage":1}}"#,
            "stream_options.include_usage: must be true or false"
        ),
        (#"{"messages":[],"reasoning":{"effort":1}}"#, "reasoning.effort: must be a string"),
    ]

    @Test(arguments: ofChat)
    func `a fault in a Chat request is told by its field`(body: String, message: String) {
        #expect(CodecSupport.refusal(ChatRequests.self, body) == message)
    }

    // MARK: - Large and strange, but no fault

    private static var targets: [any RequestCodec.Type] {
        [ChatRequests.self, MessagesRequests.self, ResponsesRequests.self]
    }

    private func pass(_ codec: any RequestCodec.Type, _ body: String) throws {
        let request = try CodecSupport.decode(codec, body)
        for target in Self.targets {
            let written = try CodecSupport.encode(target, request).body
            _ = try JSONParser().parse(Array(written.utf8))
        }
    }

    @Test func `ten thousand tools pass, also those of one name`() throws {
        let tools = (0..<10_000).map { #"{"name":"tool\#($0 % 9000)","input_schema":{"type":"object"}}"# }
        try pass(
            MessagesRequests.self,
            #"{"messages":[{"role":"user","content":"a"}],"tools":[\#(tools.joined(separator: ","))]}"#)
    }

    @Test func `schemas of a hundred levels pass`() throws {
        var schema = #"{"type":"object"}"#
        for _ in 0..<100 { schema = #"{"type":"object","properties":{"a":\#(schema)}}"# }
        try pass(
            ChatRequests.self,
            #"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":\#(schema),"strict":true}}],"response_format":{"type":"json_schema","json_schema":{"schema":\#(schema)}}}"#
        )
    }

    @Test func `ids that occur again and again pass`() throws {
        let turn =
            #"{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":{}},{"type":"tool_use","id":"x","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"x"},{"type":"tool_result","tool_use_id":"x"}]}"#
        let turns = Array(repeating: turn, count: 500).joined(separator: ",")
        try pass(MessagesRequests.self, #"{"messages":[{"role":"user","content":"a"},\#(turns)]}"#)
    }

    @Test func `fifty megabytes in one string pass`() throws {
        let text = String(repeating: "0123456789", count: 5 << 20)
        try pass(MessagesRequests.self, #"{"messages":[{"role":"user","content":"\#(text)"}]}"#)
    }

    @Test func `names of any length and letters pass as names that the target takes`() throws {
        let long = String(repeating: "ü.x", count: 200)
        let body =
            #"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"\#(long)"}},{"type":"function","function":{"name":"\#(long)y"}}]}"#
        let request = try CodecSupport.decode(ChatRequests.self, body)
        let (written, notes) = try CodecSupport.encode(MessagesRequests.self, request)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(written.utf8)) as? [String: Any])
        let names = try #require(object["tools"] as? [[String: Any]]).compactMap { $0["name"] as? String }
        #expect(Set(names).count == 2)
        for name in names {
            #expect(name.utf8.count <= 128 && name.utf8.allSatisfy(ResponsesItemID.isLetter))
            #expect(notes.toolNames.entry(name)?.tool.name.hasPrefix(long) == true)
        }
    }
}
