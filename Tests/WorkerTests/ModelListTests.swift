// SPDX-License-Identifier: Apache-2.0
import Gateway
import JSON
import Testing

@testable import Worker

@Suite("A provider's list of models")
struct ModelListTests {
    private func read(_ text: String, _ form: ModelListing.Form) -> [OfferedModel]? {
        ModelList.read(Array(text.utf8), form, parser: JSONParser())
    }

    @Test("of ChatGPT holds what Codex would show, the most important first")
    func codex() {
        let text = """
            {"models": [
              {"slug": "gpt-b", "visibility": "list", "priority": 7, "supported_in_api": false, "base_instructions": "x"},
              {"slug": "gpt-hidden", "visibility": "hide", "priority": 0},
              {"slug": "gpt-none", "visibility": "none", "priority": 0},
              {"slug": "gpt-a", "visibility": "list", "priority": 1},
              {"slug": "gpt-c", "visibility": "list"},
              {"slug": "gpt-a", "visibility": "list", "priority": 9},
              {"display_name": "no slug", "visibility": "list"}, 7, null
            ]}
            """
        #expect(read(text, .codex)?.map(\.name) == ["gpt-a", "gpt-b", "gpt-c"])
    }

    @Test("of Copilot holds what the account has accepted, and where it is answered")
    func copilot() {
        let text = """
            {"object": "list", "data": [
              {"id": "gpt", "model_picker_enabled": true, "policy": {"state": "enabled"},
               "supported_endpoints": ["/responses", "ws:/responses"], "capabilities": {"type": "chat"}},
              {"id": "claude", "model_picker_enabled": true, "supported_endpoints": ["/chat/completions", "/v1/messages"]},
              {"id": "gemini", "model_picker_enabled": true, "capabilities": {"type": "chat"}},
              {"id": "unaccepted", "model_picker_enabled": true, "policy": {"state": "unconfigured"}},
              {"id": "forbidden", "model_picker_enabled": true, "policy": {"state": "disabled"}},
              {"id": "of-the-editor", "model_picker_enabled": false, "capabilities": {"type": "chat"}},
              {"id": "embedding", "model_picker_enabled": false, "capabilities": {"type": "embeddings"}}
            ]}
            """
        #expect(
            read(text, .copilot) == [
                OfferedModel(name: "gpt", dialects: [.responses]),
                OfferedModel(name: "claude", dialects: [.chat, .messages]),
                OfferedModel(name: "gemini", dialects: []),
                OfferedModel(name: "embedding", dialects: []),
            ])
    }

    @Test(
        "is nothing else",
        arguments: ["", "[]", "{}", "<html>", #"{"models": 1, "data": {}}"#, #"{"models": [}"#])
    func nothing(_ text: String) {
        for form in ModelListing.Form.allCases { #expect(read(text, form) == nil) }
    }

    @Test("leaves names out that cannot be asked for, and is bounded")
    func bounds() {
        let names = ["", "a b", "a,b", "gpt-*", "é", String(repeating: "x", count: 257)]
        let odd = names.map { #"{"slug": "\#($0)", "visibility": "list"}"# }.joined(separator: ",")
        #expect(read("{\"models\": [\(odd)]}", .codex) == [])
        let many = (0..<1_200).map { #"{"slug": "m\#($0)", "visibility": "list"}"# }.joined(separator: ",")
        #expect(read("{\"models\": [\(many)]}", .codex)?.count == 1_000)
    }
}
