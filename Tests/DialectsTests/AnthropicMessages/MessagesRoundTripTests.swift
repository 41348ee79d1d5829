// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import Testing

@testable import Dialects

/// Bodies of Claude Code 2.1.329, long texts cut.
enum MessagesFixture {
    static let names = [
        "tool-result", "first-turn", "safeguards", "title", "web-search", "subagent", "count-tokens",
        "tool-search",
        "earlier-model",
    ]

    static func body(_ name: String) throws -> String {
        String(decoding: try CodecSupport.file("Fixtures/messages/\(name).json"), as: UTF8.self)
    }

    /// Sorted members; a content that is a text as the one block that it is short for, and what says nothing left out.
    static func normalised(_ json: String) throws -> String {
        let value = try JSONSerialization.jsonObject(with: Data(json.utf8))
        let data = try JSONSerialization.data(withJSONObject: spelled(value), options: [.sortedKeys])
        return try CodecSupport.normalised(String(decoding: data, as: UTF8.self))
    }

    private static func spelled(_ value: Any) -> Any {
        if let array = value as? [Any] { return array.map(spelled) }
        guard var object = value as? [String: Any] else { return value }
        object = object.mapValues(spelled)
        let isResult = object["type"] as? String == "tool_result"
        if let text = object["content"] as? String, object["role"] != nil || isResult {
            object["content"] = [["type": "text", "text": text]]
        }
        if let text = object["system"] as? String { object["system"] = [["type": "text", "text": text]] }
        if let tools = object["tools"] as? [Any], tools.isEmpty { object["tools"] = nil }
        if isResult, object["is_error"] as? Bool == false { object["is_error"] = nil }
        return object
    }
}

@Suite struct MessagesRoundTripTests {
    @Test(arguments: MessagesFixture.names)
    func `a request of Claude Code loses nothing on the way to its own dialect`(name: String) throws {
        let body = try MessagesFixture.body(name)
        let request = try CodecSupport.decode(
            MessagesRequests.self, Array(body.utf8), model: "claude-opus-5-5")
        let (written, notes) = try CodecSupport.encode(MessagesRequests.self, request)
        let expected = try MessagesFixture.normalised(body)
            .replacing("claude-sonnet-4-5", with: "claude-opus-5-5")
        #expect(try MessagesFixture.normalised(written) == expected)
        #expect(notes.losses.isEmpty)
    }

    @Test func `everything that a request can hold comes back`() throws {
        let body = #"""
            {"model":"m","max_tokens":10,"temperature":0.5,"top_p":0.9,"top_k":3,"stop_sequences":["a","b"],
            "system":"s","stream":true,"service_tier":"standard_only","metadata":{"user_id":"u","other":1},
            "thinking":{"type":"enabled","budget_tokens":5000,"display":"later"},
            "output_config":{"effort":"max","format":{"type":"json_schema","schema":{"type":"object"}},"task_budget":{"a":1}},
            "tool_choice":{"type":"tool","name":"t","disable_parallel_tool_use":true},
            "tools":[{"name":"t","description":"d","input_schema":{"type":"object","a":1.50},"strict":true,"eager_input_streaming":true,
                "cache_control":{"type":"ephemeral","ttl":"1h"}},
                {"type":"bash_20250124","name":"bash"},{"type":"code_execution_20250825","name":"code_execution"},
                {"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"},
                {"type":"mcp_toolset","mcp_server_name":"x"}],
            "mcp_servers":[{"type":"url","url":"https://e.org","name":"x"}],
            "messages":[
            {"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"},"cache_control":{"type":"ephemeral"}},
                {"type":"image","source":{"type":"url","url":"https://e.org/i"}},{"type":"image","source":{"type":"file","file_id":"f"}},
                {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QUJD"},"title":"t","context":"c","citations":{"enabled":true}},
                {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"}},
                {"type":"document","source":{"type":"content","content":[{"type":"text","text":"part"}]}},
                {"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}]}]},
            {"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"abc"},{"type":"redacted_thinking","data":"def"},
                {"type":"thinking","thinking":"unsigned","signature":""},
                {"type":"text","text":"x","citations":[{"type":"char_location","cited_text":"y","document_index":0,"start_char_index":0,"end_char_index":1}]},
                {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"q"}},
                {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"u","title":"t","encrypted_content":"e"}]},
                {"type":"tool_use","id":"a","name":"t","input":{"n":1.0,"big":12345678901234567890},"caller":{"type":"direct"}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":[{"type":"text","text":"no"},
                {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}},{"type":"tool_reference","tool_name":"t"}]}]},
            {"role":"system","content":[],"output_config":{"effort":"low","x":1},"clear_at":3},
            {"role":"assistant","content":"prefill"}]}
            """#
        let request = try CodecSupport.decode(MessagesRequests.self, body)
        let (written, notes) = try CodecSupport.encode(MessagesRequests.self, request)
        #expect(try MessagesFixture.normalised(written) == MessagesFixture.normalised(body))
        #expect(notes.losses.isEmpty)
        // Numbers keep their digits where the tree is not read.
        #expect(written.contains(#"{"n":1.0,"big":12345678901234567890}"#))
        #expect(written.contains(#""a":1.50"#))
    }
}
