// SPDX-License-Identifier: Apache-2.0
import Dialects
import EventStream
import Gateway
import JSON
import Testing

/// An event with its data parsed, or nil for "[DONE]".
private struct Event {
    let name: String
    let text: String
}

@Suite struct EchoTests {
    let parser = JSONParser()

    private func answer(
        _ endpoint: Endpoint, _ body: String, model: String = "echo", streaming: Bool = true,
        id: String = "req_abc"
    ) -> EchoAnswer {
        EchoProvider.answer(
            endpoint: endpoint, streaming: streaming, model: model, body: Array(body.utf8), requestID: id,
            parser: parser)
    }

    private func text(_ answer: EchoAnswer) -> String {
        answer.chunks.map { String(decoding: $0, as: UTF8.self) }.joined()
    }

    private func events(_ answer: EchoAnswer) throws -> [Event] {
        var events: [Event] = []
        var scanner = EventStreamScanner()
        for chunk in answer.chunks {
            let before = events.count
            try chunk.withUnsafeBytes { view in
                try scanner.scan(view) { event in
                    events.append(
                        Event(
                            name: String(decoding: event.name, as: UTF8.self),
                            text: String(decoding: event.data, as: UTF8.self)))
                }
            }
            #expect(events.count == before + 1, "one event per chunk")
            #expect(scanner.isAtBoundary)
        }
        return events
    }

    private func parse(_ text: String) throws -> JSONValue { try parser.parse(Array(text.utf8)) }

    /// A request per endpoint, with a tool and a user's text.
    static let requests: [(Endpoint, String)] = [
        (
            .chatCompletions,
            #"{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"hi é😀"}]}],"tools":[{"type":"function","function":{"name":"run","parameters":{"type":"object","properties":{"cmd":{"type":"string"},"n":{"type":"integer","minimum":2},"k":{"enum":["a","b"]},"o":{"type":"string"}},"required":["cmd","n","k"]}}}],"stream_options":{"include_usage":true}}"#
        ),
        (
            .responses,
            #"{"input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"d"}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"hi é😀"}]}],"tools":[{"type":"web_search"},{"type":"function","name":"run","parameters":{"properties":{"cmd":{"type":"string"},"n":{"type":"integer","minimum":2},"k":{"enum":["a","b"]}},"required":["cmd","n","k"]}}]}"#
        ),
        (
            .messages,
            #"{"messages":[{"role":"user","content":[{"type":"text","text":"<system-reminder>"},{"type":"text","text":"hi é😀"}]}],"tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"run","input_schema":{"properties":{"cmd":{"type":"string"},"n":{"type":"integer","minimum":2},"k":{"enum":["a","b"]}},"required":["cmd","n","k"]}}]}"#
        ),
    ]
    static let models = ["echo", "echo:tools", "echo:think"]

    @Test(arguments: requests, models)
    func `every stream finishes and tells the usage of its JSON answer`(
        request: (Endpoint, String), model: String
    ) throws {
        let answer = answer(request.0, request.1, model: model)
        #expect(answer.status == 200)
        #expect(answer.contentType.hasPrefix("text/event-stream"))
        _ = try events(answer)
        let stream = observe(answer.chunks.map { $0[...] }, request.0)
        #expect(stream.phase == .finished)
        let document = self.answer(request.0, request.1, model: model, streaming: false)
        #expect(document.contentType == "application/json")
        let whole = observe(document.chunks.map { $0[...] }, request.0, isEventStream: false)
        #expect(whole.phase == .finished)
        #expect(whole.usage == stream.usage)
        #expect(stream.usage.input == request.1.utf8.count / 4)
        #expect(stream.usage.output > 0)
        #expect(answer == self.answer(request.0, request.1, model: model), "the same again")
    }

    @Test(arguments: requests)
    func `the last text of the user is repeated`(request: (Endpoint, String)) throws {
        let document = text(answer(request.0, request.1, streaming: false))
        #expect(document.contains("\"You said: hi é😀\""))
        #expect(!document.contains("\"run\""))
    }

    @Test func `a string is a conversation too`() {
        #expect(text(answer(.responses, #"{"input":"one"}"#, streaming: false)).contains("You said: one"))
        #expect(
            text(answer(.completions, #"{"prompt":["one","two"]}"#, streaming: false)).contains(
                "You said: two"))
        #expect(text(answer(.chatCompletions, "{}", streaming: false)).contains(#""You said: ""#))
    }

    private static let arguments = #"{"cmd":"echo","n":2,"k":"a"}"#

    @Test func `chat calls the first tool`() throws {
        let request = Self.requests[0].1
        let root = try parse(text(answer(.chatCompletions, request, model: "echo:tools", streaming: false)))
        let choice = root.member("choices")?.elements.first { _ in true }
        #expect(choice?.member("finish_reason")?.string == "tool_calls")
        let call = choice?.member("message")?.member("tool_calls")?.elements.first { _ in true }
        #expect(call?.member("function")?.member("name")?.string == "run")
        #expect(call?.member("function")?.member("arguments")?.string == Self.arguments)

        var arguments = ""
        for event in try events(answer(.chatCompletions, request, model: "echo:tools")).dropLast() {
            let delta = try parse(event.text).member("choices")?.elements.first { _ in true }?.member("delta")
            let call = delta?.member("tool_calls")?.elements.first { _ in true }
            arguments += call?.member("function")?.member("arguments")?.string ?? ""
        }
        #expect(arguments == Self.arguments)
    }

    @Test func `messages calls the first tool that is not the server's`() throws {
        let answer = answer(.messages, Self.requests[2].1, model: "echo:tools")
        var arguments = ""
        for event in try events(answer) {
            let root = try parse(event.text)
            arguments += root.member("delta")?.member("partial_json")?.string ?? ""
            if event.name == "content_block_start" {
                #expect(root.member("content_block")?.member("name")?.string == "run")
                #expect(root.member("content_block")?.member("input")?.count == 0)
            }
        }
        #expect(arguments == Self.arguments)
        #expect(text(answer).contains(#""stop_reason":"tool_use""#))
    }

    @Test func `responses calls the first function`() throws {
        let last = try #require(try events(answer(.responses, Self.requests[1].1, model: "echo:tools")).last)
        let item = try parse(last.text).member("response")?.member("output")?.elements.first { _ in true }
        #expect(item?.member("type")?.string == "function_call")
        #expect(item?.member("name")?.string == "run")
        #expect(item?.member("arguments")?.string == Self.arguments)
        #expect(item?.member("id")?.string != item?.member("call_id")?.string)
    }

    @Test(arguments: [
        (
            Endpoint.chatCompletions,
            #"{"messages":[{"role":"user","content":"a"},{"role":"tool","tool_call_id":"x","content":"r"}],"tools":[{"type":"function","function":{"name":"run"}}]}"#
        ),
        (
            .responses,
            #"{"input":[{"role":"user","content":"a"},{"type":"function_call_output","output":"r"}],"tools":[{"type":"function","name":"run"}]}"#
        ),
        (
            .messages,
            #"{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"tool_result","content":"r"}]}],"tools":[{"name":"run"}]}"#
        ),
        (.messages, #"{"messages":[{"role":"user","content":"a"}]}"#),
    ])
    func `with a tool's result, or without a tool, there is text`(endpoint: Endpoint, body: String) {
        #expect(text(answer(endpoint, body, model: "echo:tools", streaming: false)).contains("You said: a"))
    }

    @Test func `a tool without a schema gets an empty object`() {
        let body = #"{"messages":[{"role":"user","content":"a"}],"tools":[{"name":"run"}]}"#
        #expect(text(answer(.messages, body, model: "echo:tools", streaming: false)).contains(#""input":{}"#))
    }

    @Test func `blocks of messages open and close in order`() throws {
        var open: Int?
        var expected = 0
        for event in try events(answer(.messages, Self.requests[2].1, model: "echo:think")) {
            let root = try parse(event.text)
            #expect(root.member("type")?.string == event.name)
            switch event.name {
            case "content_block_start":
                #expect(open == nil)
                #expect(root.member("index")?.int == expected)
                open = expected
            case "content_block_delta": #expect(root.member("index")?.int == open)
            case "content_block_stop":
                #expect(root.member("index")?.int == open)
                open = nil
                expected += 1
            default: #expect(open == nil)
            }
        }
        #expect(expected == 2)
    }

    @Test(arguments: models)
    func `the items of responses are the same when done and in the end`(model: String) throws {
        var done: [String] = []
        var final: [String] = []
        var number = 0
        for event in try events(answer(.responses, Self.requests[1].1, model: model)) {
            let root = try parse(event.text)
            #expect(root.member("type")?.string == event.name)
            #expect(root.member("sequence_number")?.int == number)
            number += 1
            if event.name == "response.output_item.done" {
                #expect(root.member("output_index")?.int == done.count)
                done.append(root.member("item")?.member("id")?.string ?? "")
            }
            if event.name == "response.completed" {
                final =
                    root.member("response")?.member("output")?.elements.map { $0.member("id")?.string ?? "?" }
                    ?? []
                #expect(root.member("response")?.member("usage")?.member("total_tokens")?.int != nil)
            }
        }
        #expect(done == final)
        #expect(Set(done).count == done.count)
        #expect(done.count == (model == "echo:think" ? 2 : 1))
    }

    @Test func `reasoning comes before the text`() throws {
        let chat = text(answer(.chatCompletions, Self.requests[0].1, model: "echo:think"))
        let reasoning = try #require(chat.firstRange(of: "reasoning_content"))
        let content = try #require(chat.firstRange(of: "You said"))
        #expect(reasoning.lowerBound < content.lowerBound)
        #expect(
            text(answer(.messages, Self.requests[2].1, model: "echo:think")).contains(
                #""type":"signature_delta","signature":"echo_abc""#))
        #expect(
            text(answer(.responses, Self.requests[1].1, model: "echo:think")).contains(
                "response.reasoning_summary_text.delta"))
    }

    @Test func `ids are made from the request's id and stay within what providers accept`() {
        let long = "req_" + String(repeating: "x", count: 100) + "/é"
        for (endpoint, body) in Self.requests {
            let first = text(answer(endpoint, body, model: "echo:tools", id: "req_1"))
            let second = text(answer(endpoint, body, model: "echo:tools", id: "req_2"))
            #expect(first != second)
            for part in text(answer(endpoint, body, model: "echo:tools", id: long)).split(
                separator: "\"id\":\""
            ).dropFirst() {
                let id = part.prefix { $0 != "\"" }
                #expect(id.utf8.count <= 64)
                #expect(
                    id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") })
            }
        }
    }

    @Test func `a long text is cut at a character`() throws {
        let body =
            #"{"messages":[{"role":"user","content":"x"# + String(repeating: "é", count: 4000) + #""}]}"#
        let root = try parse(text(answer(.messages, body, streaming: false)))
        let reply = root.member("content")?.elements.first { _ in true }?.member("text")?.string
        #expect(reply?.utf8.count == "You said: ".utf8.count + EchoProvider.maximumTextBytes - 1)
        #expect(reply?.last == "é")
    }

    @Test(arguments: [("{", 400), ("[]", 400), ("{}", 200)])
    func `what is no request is refused in the dialect`(body: String, status: Int) {
        for endpoint in [
            Endpoint.chatCompletions, .responses, .messages, .countTokens, .embeddings, .completions,
        ] {
            let answer = answer(endpoint, body)
            #expect(answer.status == status)
            if status == 400 { #expect(text(answer).contains("invalid_request_error")) }
        }
        #expect(self.answer(.images, "{}").status == 404)
        #expect(self.answer(.responsesCompact, "{}").status == 404)
    }

    @Test func `completions continue a prompt, in a stream and whole`() throws {
        let body = #"{"prompt":"a long enough prompt to be cut","stream_options":{"include_usage":true}}"#
        var joined = ""
        let events = try events(answer(.completions, body))
        for event in events.dropLast() {
            joined +=
                try parse(event.text).member("choices")?.elements.first { _ in true }?.member("text")?.string
                ?? ""
        }
        #expect(joined == "You said: a long enough prompt to be cut")
        #expect(events.last?.text == "[DONE]")
        #expect(text(answer(.completions, body, streaming: false)).contains(joined))
        #expect(
            observe(answer(.completions, body).chunks.map { $0[...] }, .completions).usage.input == body.utf8
                .count / 4)
    }

    @Test func `tokens are counted in bytes`() {
        let body = #"{"messages":[]}"#
        #expect(text(answer(.countTokens, body)) == "{\"input_tokens\":\(body.utf8.count / 4)}")
    }

    @Test func `embeddings differ by input and keep their order`() throws {
        let body = #"{"input":["a","b","a"],"dimensions":3}"#
        let root = try parse(text(answer(.embeddings, body)))
        let vectors = root.member("data")?.elements.map {
            $0.member("embedding")?.elements.map { $0.double ?? 2 } ?? []
        }
        #expect(vectors?.count == 3)
        #expect(vectors?[0].count == 3)
        #expect(vectors?[0] == vectors?[2])
        #expect(vectors?[0] != vectors?[1])
        #expect(vectors?.joined().allSatisfy { abs($0) <= 1 } == true)
        #expect(try parse(text(answer(.embeddings, #"{"input":[1,2]}"#))).member("data")?.count == 1)
        #expect(try parse(text(answer(.embeddings, #"{"input":[[1],[2]]}"#))).member("data")?.count == 2)
    }

    @Test(arguments: [(1, 8), (2, 12), (3, 16)])
    func `embeddings come in base64 when asked for`(dimensions: Int, length: Int) throws {
        let body = "{\"input\":\"a\",\"dimensions\":\(dimensions),\"encoding_format\":\"base64\"}"
        let text = try parse(text(answer(.embeddings, body))).member("data")?.elements.first { _ in true }?
            .member("embedding")?.string
        #expect(text?.utf8.count == length)
    }
}
