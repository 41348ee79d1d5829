// SPDX-License-Identifier: Apache-2.0
import Config
import Gateway
import JSON
import Testing

@testable import Routing

/// The traits of a request, and its body after the changes.
func traits(
    _ body: String, _ endpoint: Endpoint = .messages, _ client: ClientKind = .claudeCode,
    headers: [(String, String)] = [], probes: RuleProbes = RuleProbes()
) throws -> (traits: RequestTraits, rest: String) {
    let parser = JSONParser()
    let bytes = Array(body.utf8)
    let root = try parser.parse(bytes)
    var reader = RequestReader(endpoint: endpoint, client: client, probes: probes)
    for (name, value) in headers {
        Array(name.utf8).withUnsafeBytes { name in
            Array(value.utf8).withUnsafeBytes { reader.header(name, $0) }
        }
    }
    let (traits, splices) = bytes.withUnsafeBytes {
        reader.read(JSONLookup(root), tokens: 1, parser: parser, text: $0)
    }
    withExtendedLifetime(parser) {}
    var rest: [UInt8] = []
    var position = 0
    for splice in splices {
        rest += bytes[position..<splice.offset] + splice.replacement
        position = splice.offset + splice.length
    }
    return (traits, String(decoding: rest + bytes[position...], as: UTF8.self))
}

/// The names of the kinds that a request is of, the strongest first.
private func kinds(
    _ body: String, _ endpoint: Endpoint, _ client: ClientKind, headers: [(String, String)] = []
) throws -> [String] {
    let traits = try traits(body, endpoint, client, headers: headers).traits
    let kinds = RequestKinds(traits.signs, from: client)
    return KindTable.precedence.filter { kinds.contains(RequestKinds($0)) }.map(\.name)
}

private func fixture(_ path: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    return String(decoding: try DiskFiles().read("/\(root)/Fixtures/\(path)", limit: 1 << 20), as: UTF8.self)
}

@Suite("What a request is for")
struct ClassificationTests {
    @Test(
        "is told from what Claude Code really sends",
        arguments: [
            ("first-turn", []), ("tool-result", []), ("tool-search", []), ("safeguards", []),
            ("earlier-model", []), ("count-tokens", []), ("title", ["background"]),
            ("subagent", ["subagent"]), ("web-search", ["webSearch"]),
        ] as [(String, [String])])
    func claudeCode(name: String, expected: [String]) throws {
        #expect(try kinds(try fixture("messages/\(name).json"), .messages, .claudeCode) == expected)
    }

    @Test(
        "is told from what Codex really sends",
        arguments: [("codex-lite", []), ("codex-standard", ["image"])])
    func codex(name: String, always: [String]) throws {
        let body = try fixture("responses/\(name).json")
        #expect(try kinds(body, .responses, .codex) == always)
        // The same requests as a title thread, a spawned agent and a compaction describe themselves.
        let changes = [
            (#"\"thread_source\":\"user\""#, #"\"thread_source\":\"thread_title\""#, "background"),
            (#"\"thread_source\":\"user\""#, #"\"thread_source\":\"subagent\""#, "subagent"),
            (#"\"request_kind\":\"turn\""#, #"\"request_kind\":\"compaction\""#, "compact"),
        ]
        for (from, to, kind) in changes {
            let changed = body.replacing(from, with: to)
            try #require(changed != body)
            #expect(try kinds(changed, .responses, .codex) == [kind] + always)
        }
    }

    @Test(
        "is told from header fields and bodies by the table of signs",
        arguments: [
            (
                #"{"input":[]}"#, .responses, .codex,
                ("x-codex-turn-metadata", #"{"request_kind": "compaction"}"#), ["compact"]
            ),
            (#"{"input":[]}"#, .responses, .codex, ("X-OpenAI-Subagent", "collab_spawn"), ["subagent"]),
            (#"{"input":[]}"#, .responses, .codex, ("x-openai-subagent", "compact"), ["compact"]),
            (
                #"{"input":[{"type":"message","role":"user","content":[]},{"type":"compaction_trigger"}]}"#,
                .responses, .other, ("a", "b"), ["compact"]
            ),
            (
                #"{"input":[{"type":"compaction_trigger"},{"type":"message","role":"user","content":[]}]}"#,
                .responses, .other, ("a", "b"), []
            ),
            (#"{"input":[]}"#, .responsesCompact, .codex, ("a", "b"), ["compact"]),
            (#"{"messages":[]}"#, .messages, .claudeCode, ("x-claude-code-agent-id", "0f"), ["subagent"]),
            (
                #"{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"Write <analysis> then <summary>."}]},{"role":"system","content":"x"}]}"#,
                .messages, .claudeCode, ("a", "b"), ["compact"]
            ),
            (
                #"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"<analysis><summary>"}]}]}"#,
                .messages, .claudeCode, ("a", "b"), []
            ),
            (#"{"messages":[],"max_tokens":1}"#, .messages, .claudeCode, ("a", "b"), ["background"]),
            (
                #"{"messages":[],"tools":[{"name":"Bash"}],"output_config":{"format":{"type":"json_schema","schema":{"properties":{"title":{}}}}}}"#,
                .messages, .claudeCode, ("a", "b"), []
            ),
            // Metadata of a turn are short; what is longer is not looked at.
            (
                #"{"input":[]}"#, .responses, .codex,
                (
                    "x-codex-turn-metadata",
                    #"{"p":"\#(String(repeating: "x", count: 17_000))","request_kind":"compaction"}"#
                ),
                []
            ),
            (#"{"messages":[],"max_tokens":1}"#, .messages, .other, ("a", "b"), []),
            (
                #"{"messages":[],"model":"claude-3-5-haiku"}"#, .messages, .claudeCode, ("a", "b"),
                ["background"]
            ),
            (
                #"{"messages":[],"model":"claude-haiku-5-5","tools":[{"name":"Bash"}]}"#, .messages,
                .claudeCode, ("a", "b"), []
            ),
            (
                #"{"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"Bash"}]}"#,
                .messages, .other, ("a", "b"), []
            ),
            (
                #"{"contents":[],"tools":[{"google_search":{}}]}"#, .generateContent, .other, ("a", "b"),
                ["webSearch"]
            ),
            (
                #"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image"}]}]}]}"#,
                .messages, .other, ("a", "b"), ["image"]
            ),
            (
                #"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]}"#,
                .chatCompletions, .other, ("a", "b"), ["image"]
            ),
            (
                #"{"input":[{"type":"function_call_output","output":[{"type":"input_image"}]}]}"#, .responses,
                .other, ("a", "b"), ["image"]
            ),
            (
                #"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":""}}]}]}"#,
                .generateContent, .other, ("a", "b"), ["image"]
            ),
            (
                #"{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":""}}]}]}"#,
                .generateContent, .other, ("a", "b"), []
            ),
            // Claude Code asks unknown models for high effort by itself.
            (#"{"messages":[],"output_config":{"effort":"high"}}"#, .messages, .claudeCode, ("a", "b"), []),
            (
                #"{"messages":[],"output_config":{"effort":"max"}}"#, .messages, .claudeCode, ("a", "b"),
                ["think"]
            ),
            (#"{"input":[],"reasoning":{"effort":"high"}}"#, .responses, .codex, ("a", "b"), ["think"]),
            (#"{"messages":[],"reasoning_effort":"xhigh"}"#, .chatCompletions, .other, ("a", "b"), ["think"]),
            (
                #"{"messages":[],"thinking":{"type":"enabled","budget_tokens":9}}"#, .messages, .other,
                ("a", "b"), ["think"]
            ),
            (
                #"{"messages":[],"thinking":{"type":"enabled","budget_tokens":9}}"#, .messages, .claudeCode,
                ("a", "b"), []
            ),
        ] as [(String, Endpoint, ClientKind, (String, String), [String])])
    func signs(
        body: String, endpoint: Endpoint, client: ClientKind, header: (String, String), expected: [String]
    ) throws {
        #expect(try kinds(body, endpoint, client, headers: [header]) == expected)
    }

    @Test("has a reason in the table for every sign, and a rank for every kind")
    func complete() {
        let seen = KindTable.rows.reduce(into: RequestSigns()) { $0.formUnion($1.sign) }
        #expect(seen == RequestSigns(rawValue: (1 << 19) - 1))
        #expect(Set(KindTable.precedence) == Set(RequestKind.routed))
    }
}

@Suite("Tags in prompts")
struct TagTests {
    @Test(
        "name a subagent's model and are taken out",
        arguments: [
            (
                #"{"system":"<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>Do it","messages":[]}"#,
                #"{"system":"Do it","messages":[]}"#
            ),
            (
                #"{"system":"  <CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>Do it","messages":[]}"#,
                #"{"system":"  Do it","messages":[]}"#
            ),
            // Of two tags in a text with escapes the first one goes.
            (
                #"{"messages":[{"role":"user","content":"<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>\"Do\" it [web]"}]}"#,
                #"{"messages":[{"role":"user","content":"\"Do\" it [web]"}]}"#
            ),
            (
                #"{"messages":[{"role":"user","content":[{"type":"text","text":"<system-reminder>"},{"type":"text","text":"\n <CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>\"Do\" it"}]}]}"#,
                #"{"messages":[{"role":"user","content":[{"type":"text","text":"<system-reminder>"},{"type":"text","text":"\n \"Do\" it"}]}]}"#
            ),
            (
                #"{"system":" \u003cCCR-SUBAGENT-MODEL\u003ep,m\u003c/CCR-SUBAGENT-MODEL\u003eDo it","messages":[]}"#,
                #"{"system":" Do it","messages":[]}"#
            ),
        ])
    func agent(body: String, rest: String) throws {
        var probes = RuleProbes()
        probes.readsSearchTags = true
        let outcome = try traits(body, probes: probes)
        #expect(outcome.traits.taggedModel == "p,m")
        #expect(outcome.traits.signs.contains(.agentTag))
        #expect(outcome.rest == rest)
    }

    @Test(
        "are no tags elsewhere",
        arguments: [
            #"{"system":"Write <CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>","messages":[]}"#,
            #"{"system":"<CCR-SUBAGENT-MODEL>p,m","messages":[]}"#,
            #"{"system":"\#(String(repeating: " ", count: 65))<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>"}"#,
            #"{"messages":[\#(String(repeating: #"{"role":"user","content":"a"},"#, count: 8)){"role":"user","content":"<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>"}]}"#,
            #"{"messages":[{"role":"assistant","content":"<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>"}]}"#,
            #"{"messages":[{"role":"user","content":[{"type":"tool_result","content":"<CCR-SUBAGENT-MODEL>p,m</CCR-SUBAGENT-MODEL>"}]}]}"#,
            #"{"messages":[{"role":"user","content":"see [search] here"},{"role":"assistant","content":"[search]"}]}"#,
            #"{"messages":[{"role":"user","content":"[search] old"},{"role":"user","content":"new"}]}"#,
        ])
    func none(body: String) throws {
        var probes = RuleProbes()
        probes.readsSearchTags = true
        let outcome = try traits(body, probes: probes)
        #expect(outcome.traits.taggedModel == nil)
        #expect(outcome.traits.signs.isEmpty)
        #expect(outcome.rest == body)
    }

    @Test(
        "ask for a search and are taken out, when searches have a route",
        arguments: [
            ("[search] news", "news"), ("news [web]", "news"), ("[web]news", "news"), ("[search]", ""),
            (#"\u005bsearch] news"#, "news"), (#"news [web\u005D"#, "news"),
        ])
    func search(text: String, rest: String) throws {
        let body = { (text: String) in #"{"messages":[{"role":"user","content":"\#(text)"}]}"# }
        var probes = RuleProbes()
        #expect(try traits(body(text), probes: probes).rest == body(text))
        probes.readsSearchTags = true
        let outcome = try traits(body(text), probes: probes)
        #expect(outcome.traits.signs == .searchTag)
        #expect(outcome.rest == body(rest))
    }
}

@Suite("The session of a request")
struct SessionTests {
    private func session(
        _ body: String, _ endpoint: Endpoint, _ headers: [(String, String)] = []
    ) throws -> UInt64 { try traits(body, endpoint, .other, headers: headers).traits.session }

    @Test("is the same wherever the client names it, and none when it does not")
    func same() throws {
        let id = "0189-ab"
        let expected = Array(id.utf8).withUnsafeBytes { SessionHash.of($0) }
        #expect(try session("{}", .messages) == 0)
        #expect(try session("{}", .messages, [("X-Claude-Code-Session-Id", id)]) == expected)
        #expect(
            try session(
                #"{"metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"0189-ab\"}"}}"#, .messages)
                == expected)
        #expect(
            try session(#"{"metadata":{"user_id":"user_1_account__session_0189-ab"}}"#, .messages) == expected
        )
        #expect(try session("{}", .responses, [("session-id", id)]) == expected)
        #expect(try session("{}", .responses, [("session_id", id)]) == expected)
        #expect(
            try session(#"{"client_metadata":{"session_id":"0189-ab"},"prompt_cache_key":"k"}"#, .responses)
                == expected)
        #expect(try session(#"{"prompt_cache_key":"0189-ab"}"#, .chatCompletions) == expected)
    }
}
