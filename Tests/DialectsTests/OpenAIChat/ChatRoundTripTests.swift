// SPDX-License-Identifier: Apache-2.0
import Gateway
import Testing

@testable import Dialects

enum ChatFixture {
    /// What a request of Chat can hold.
    static let full = #"""
        {"model":"m","temperature":0.5,"top_p":0.9,"stop":["a","b"],"seed":7,"presence_penalty":0.1,
        "frequency_penalty":0.2,"max_tokens":10,"reasoning_effort":"high","verbosity":"low",
        "service_tier":"flex","safety_identifier":"u","prompt_cache_key":"k","metadata":{"a":"b"},
        "logit_bias":{"1":2},"parallel_tool_calls":false,"stream":true,"stream_options":{"include_usage":true},
        "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","x":1.50},"strict":false}},
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}},
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},
        {"type":"custom","custom":{"name":"c","description":"d","format":{"type":"text"}}}],
        "messages":[{"role":"system","content":"s"},{"role":"system","content":"t"},
        {"role":"user","name":"n","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD","detail":"low"}},
            {"type":"image_url","image_url":{"url":"https://e.org/i"}},{"type":"file","file":{"filename":"x.pdf","file_data":"data:application/pdf;base64,QUJD"}},
            {"type":"file","file":{"file_id":"f"}},{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}]},
        {"role":"assistant","content":"b","reasoning_content":"r","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},
            {"id":"2","type":"custom","custom":{"name":"c","input":"free"}}]},
        {"role":"tool","tool_call_id":"2","content":"y"},{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"p"},{"type":"text","text":"q"}]},
        {"role":"system","content":"mid"},{"role":"user","content":"go"},
        {"role":"assistant","content":null,"refusal":"no"},{"role":"assistant","content":"c","reasoning":"r","reasoning_details":[{"type":"reasoning.text","text":"r"}],"audio":{"id":"x"}},
        {"role":"assistant","content":"d","reasoning":"only"},{"role":"user","content":"end"}]}
        """#
}

@Suite struct ChatRoundTripTests {
    @Test func `everything that a request can hold comes back`() throws {
        let request = try CodecSupport.decode(ChatRequests.self, ChatFixture.full)
        let (written, notes) = try CodecSupport.encode(ChatRequests.self, request)
        #expect(try CodecSupport.normalised(written) == CodecSupport.normalised(ChatFixture.full))
        #expect(notes.losses.isEmpty)
        // Numbers keep their digits where the tree is not read.
        #expect(written.contains(#""x":1.50"#))
    }

    @Test(arguments: [
        (
            #"{"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}}"#,
            #"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":{"type":"function","function":{"name":"f"}}}"#
        ),
        (
            #"{"max_completion_tokens":5,"user":"u","stop":"x"}"#,
            #"{"max_tokens":5,"safety_identifier":"u","stop":["x"]}"#
        ),
        (
            #"{"reasoning":{"effort":"low"},"response_format":{"type":"text"}}"#,
            #"{"reasoning_effort":"low"}"#
        ),
        (#"{"reasoning":{"enabled":false}}"#, #"{"reasoning_effort":"none"}"#),
        (#"{"thinking":{"type":"disabled"}}"#, #"{"reasoning_effort":"none"}"#),
        (#"{"enable_thinking":true,"thinking_budget":3000}"#, #"{"reasoning_effort":"medium"}"#),
        (#"{"n":1,"tool_choice":"required"}"#, "{}"),
    ])
    func `what has an earlier or another form gets the present one`(given: String, expected: String) throws {
        func body(_ members: String) -> String {
            let rest = members.dropFirst()
            return #"{"model":"m","messages":[{"role":"user","content":"a"}]"#
                + (rest == "}" ? "}" : "," + rest)
        }
        let request = try CodecSupport.decode(ChatRequests.self, body(given))
        let written = try CodecSupport.encode(ChatRequests.self, request).body
        #expect(try CodecSupport.normalised(written) == CodecSupport.normalised(body(expected)))
    }

    @Test func `a function's result belongs to the call before it`() throws {
        let request = try CodecSupport.decode(
            ChatRequests.self,
            #"""
            {"messages":[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
            {"role":"function","name":"f","content":"r"},
            {"role":"assistant","content":null,"function_call":{"name":"g","arguments":"{}"}},
            {"role":"function","name":"g","content":"s"}]}
            """#)
        var losses = Losses()
        #expect(Pairing.paired(request.turns, &losses) == request.turns)
        #expect(losses.isEmpty && request.turns.count == 4)
    }
}

@Suite struct MessagesFromChatTests {
    @Test func `a request of Chat becomes one of Messages`() throws {
        let request = try CodecSupport.decode(ChatRequests.self, ChatFixture.full)
        let (body, notes) = try CodecSupport.encode(MessagesRequests.self, request)
        try CodecSupport.expect(body, isGolden: "chat-to-messages.json")
        #expect(notes.losses[.foreignReasoning] == 2 && notes.losses[.reasoningText] == 1)
        #expect(notes.losses[.opaquePart] == 2 && notes.losses[.media] == 1)
        #expect(
            notes.losses.parameters == [
                "service_tier", "seed", "presence_penalty", "frequency_penalty", "verbosity",
                "prompt_cache_key",
                "metadata", "logit_bias",
            ])
    }
}
