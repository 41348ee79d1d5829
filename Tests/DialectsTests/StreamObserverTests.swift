// SPDX-License-Identifier: Apache-2.0
import Dialects
import EventStream
import Gateway
import JSON
import Testing

@Suite struct StreamObserverTests {
    @Test(arguments: Golden.all)
    func `a whole stream finishes and its usage is read`(golden: Golden) {
        let observer = observe(golden.text, golden.endpoint)
        #expect(observer.phase == .finished)
        #expect(observer.usage == golden.usage)
        #expect(observer.isAtBoundary)
    }

    @Test(arguments: Golden.all)
    func `a stream read byte by byte means the same`(golden: Golden) {
        let bytes = Array(golden.text.utf8)
        let observer = observe(bytes.indices.map { bytes[$0...$0] }, golden.endpoint)
        #expect(observer.phase == .finished)
        #expect(observer.usage == golden.usage)
    }

    @Test(arguments: Golden.all)
    func `a stream split anywhere means the same`(golden: Golden) {
        let bytes = Array(golden.text.utf8)
        for split in 0...bytes.count {
            let observer = observe([bytes[..<split], bytes[split...]], golden.endpoint)
            #expect(observer.phase == .finished && observer.usage == golden.usage, "split at \(split)")
        }
    }

    @Test(arguments: Golden.all)
    func `line ends make no difference`(golden: Golden) {
        for end in ["\r\n", "\r"] {
            let text = golden.text.split(separator: "\n", omittingEmptySubsequences: false).joined(
                separator: end)
            #expect(observe(text, golden.endpoint).phase == .finished)
            #expect(observe(text, golden.endpoint).usage == golden.usage)
        }
    }

    /// The events of a stream, each with its blank line.
    private func events(_ golden: Golden) -> [String] {
        golden.text.split(separator: "\n\n").map { $0 + "\n\n" }
    }

    @Test(arguments: [
        (Golden.chat, 2), (.deepSeek, 0), (.completions, 0), (.images, 0), (.responses, 3),
        (.responsesUnnamed, 2),
        (.messages, 3), (.unstopped, 1), (.gemini, 1),
    ])
    func `greetings leave the request undecided`(golden: Golden, greetings: Int) {
        let events = events(golden)
        for count in 0...greetings {
            let observer = observe(events[..<count].joined(), golden.endpoint, ends: false)
            #expect(observer.phase == .undecided, "after \(count) events")
        }
        #expect(observe(events[...greetings].joined(), golden.endpoint, ends: false).phase == .content)
    }

    @Test(arguments: [
        (
            Endpoint.chatCompletions,
            #"{"choices":[{"delta":{"role":"assistant","content":null,"refusal":null}}]}"#, false
        ),
        (.chatCompletions, #"{"choices":[{"delta":{"content":"","tool_calls":[]}}]}"#, false),
        (.chatCompletions, #"{"choices":[{"delta":{}},{"delta":{"content":"a"}}]}"#, true),
        (.chatCompletions, #"{"choices":[{"delta":{"reasoning_content":"a"}}]}"#, true),
        (.chatCompletions, #"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, true),
        (.chatCompletions, #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, true),
        (.completions, #"{"choices":[{"text":""}]}"#, false),
        (.completions, #"{"choices":[{"text":"a"}]}"#, true),
        (
            .messages,
            #"{"type":"content_block_start","content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            false
        ),
        (
            .messages,
            #"{"type":"content_block_start","content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}"#,
            true
        ),
        (.messages, #"{"type":"content_block_delta","delta":{"type":"text_delta","text":""}}"#, false),
        (
            .messages,
            #"{"type":"content_block_delta","delta":{"type":"citations_delta","citation":{"url":"u"}}}"#, true
        ),
        (.messages, #"{"type":"content_block_stop","index":0}"#, false),
        (.messages, #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, true),
        (
            .responses, #"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
            false
        ),
        (.responses, #"{"type":"response.output_text.delta","delta":"a"}"#, true),
    ])
    func `only what says something is content`(endpoint: Endpoint, data: String, isContent: Bool) {
        let phase = observe("data: \(data)\n\n", endpoint, ends: false).phase
        #expect(phase == (isContent ? .content : .undecided))
    }

    @Test(arguments: Golden.all)
    func `a stream that is cut before its finish fails and may be tried elsewhere`(golden: Golden) {
        let events = events(golden)
        let last = events.lastIndex { event in
            ["\"finish_reason\":\"", "completed", "incomplete", "stop_reason", "finishReason"].contains {
                event.contains($0)
            }
        }
        for count in 0..<(last ?? 0) where !events[..<count].joined().contains("finish_reason\":\"") {
            let observer = observe(events[..<count].joined(), golden.endpoint)
            #expect(observer.failure?.origin == .truncated, "after \(count) events")
            #expect(observer.failure?.kind == .upstreamUnreachable)
            #expect(observer.failure?.report.class == .server)
        }
    }

    @Test func `a finished chat without its last event is still running`() {
        let text = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        #expect(observe(text, .chatCompletions, ends: false).phase == .content)
        #expect(observe(text, .chatCompletions).phase == .finished)
    }

    @Test func `a blocked prompt ends a stream of Gemini as its answer`() {
        let text = "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n"
        #expect(observe(text, .streamGenerateContent, ends: false).phase == .content)
        #expect(observe(text, .streamGenerateContent).phase == .finished)
    }

    struct Report: Sendable {
        let endpoint: Endpoint
        let text: String
        let kind: ErrorKind
        let message: String
        let elsewhere: Bool

        init(
            _ endpoint: Endpoint, _ text: String, _ kind: ErrorKind, _ message: String, elsewhere: Bool = true
        ) {
            self.endpoint = endpoint
            self.text = text
            self.kind = kind
            self.message = message
            self.elsewhere = elsewhere
        }
    }

    static let reports = [
        Report(.chatCompletions, #"data: {"error":{"message":"m","code":429}}"#, .rateLimited, "m"),
        Report(
            .streamGenerateContent,
            #"data: {"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#, .overloaded, "m"),
        Report(
            .chatCompletions, #"data: {"error": {"message":"m","type":"server_error","code":null}}"#,
            .upstreamUnreachable, "m"),
        Report(.chatCompletions, #"data: {"error":"boom","code":"oops"}"#, .upstreamUnreachable, "boom"),
        Report(
            .chatCompletions,
            #"data: {"id":"x","error":{"code":502,"message":"m"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            .upstreamUnreachable, "m"),
        Report(
            .chatCompletions, #"data: {"error":{"message":"m","code":"invalid_api_key"},"choices":[]}"#,
            .authentication, "m"),
        Report(
            .responses,
            "event: error\ndata: "
                + #"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null}"#, .rateLimited,
            "m"),
        Report(
            .responses, #"data: {"type":"error","error":{"type":"invalid_request_error","message":"m"}}"#,
            .invalidRequest, "m", elsewhere: false),
        Report(
            .responses,
            "event: response.failed\ndata: "
                + #"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_is_overloaded","message":"m"}}}"#,
            .overloaded, "m"),
        Report(
            .responses,
            #"data: {"type":"response.failed","response":{"error":{"code":"invalid_prompt","message":"m"}}}"#,
            .invalidRequest, "m", elsewhere: false),
        Report(
            .responses, "event: response.failed\ndata: {}", .upstreamUnreachable,
            "the provider sent an error that cannot be read"),
        Report(
            .messages,
            "event: error\ndata: " + #"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            .overloaded, "m"),
        Report(
            .messages,
            "event: error\ndata: " + #"{"type":"error","error":{"type":"api_error","message":""}}"#,
            .upstreamUnreachable, "the provider reported an error without a message"),
        Report(
            .messages, #"data: {"type":"error","error":{"type":"authentication_error","message":"m"}}"#,
            .authentication, "m"),
        Report(
            .messages, "event: error\ndata: <html>", .upstreamUnreachable,
            "the provider sent an error that cannot be read"),
    ]

    @Test(arguments: reports)
    func `an error inside a stream is understood, first or in the middle`(report: Report) {
        let begun = events(Golden.all.first { $0.endpoint == report.endpoint } ?? .chat)[..<3].joined()
        for before in ["", begun] {
            let observer = observe(before + report.text + "\n\ndata: [DONE]\n\n", report.endpoint)
            #expect(observer.failure?.kind == report.kind)
            #expect(observer.failure?.origin == .reported)
            #expect(observer.failure?.message == report.message)
            #expect((observer.failure?.report.class != .client) == report.elsewhere)
        }
    }

    @Test func `an error that is null or comes with an answer is none`() {
        for text in [
            #"{"error":null,"choices":[{"delta":{"content":"a"}}]}"#,
            #"{"error":{"a":1},"choices":[{"delta":{"content":"a"}}]}"#,
            #"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"error":{"a":1},"usage":{"b":2}}}}]}}]}"#,
        ] {
            let observer = observe("data: \(text)\n\ndata: \(text)\n\n", .chatCompletions, ends: false)
            #expect(observer.phase == .content)
            #expect(observer.usage == Usage())
        }
    }

    @Test func `a message is cut at a character`() {
        let long = String(repeating: "é", count: 400)
        let text = "data: {\"error\":{\"message\":\"x\(long)\"}}\n\n"
        let message = observe(text, .chatCompletions).failure?.message
        #expect(message?.utf8.count == 499)
        #expect(message?.last == "é")
    }

    @Test func `what follows the end changes nothing`() {
        let more = "data: {\"error\":{\"message\":\"late\"}}\n\n"
        let observer = observe(Golden.chat.text + more, .chatCompletions)
        #expect(observer.phase == .finished)
        #expect(
            observe("data: {\"error\":{\"message\":\"m\"}}\n\n" + Golden.chat.text, .chatCompletions).failure
                != nil)
    }

    @Test func `what is no JSON passes without a meaning`() {
        #expect(
            observe("data: hello\n\ndata: [1]\n\ndata: {}\n\n", .chatCompletions, ends: false).phase
                == .undecided)
        #expect(observe("data: hello\n\n", .responses, ends: false).phase == .undecided)
        #expect(
            observe("event: codex.rate_limits\ndata: {}\n\n", .responses, ends: false).phase == .undecided)
        #expect(observe("event: new_thing\ndata: {}\n\n", .messages, ends: false).phase == .undecided)
    }

    @Test func `counts that are negative or absurd are bounded`() {
        let usage =
            #"{"prompt_tokens":5,"completion_tokens":-3,"prompt_tokens_details":{"cached_tokens":9223372036854775807,"cache_write_tokens":9}}"#
        let text = "data: {\"choices\":[],\"usage\":\(usage)}\n\n"
        let read = observe(text, .chatCompletions).usage
        #expect(read.input == 0)
        #expect(read.output == 0)
        #expect(read.cacheRead == 1 << 40)
    }

    @Test func `an endless event is given up`() {
        var observer = ResponseObserver(endpoint: .chatCompletions, isEventStream: true)
        let parser = JSONParser()
        let part = [UInt8](repeating: 0x78, count: 1 << 20)
        for _ in 0...(EventStreamScanner.maximumEventBytes >> 20) {
            part.withUnsafeBytes { observer.received($0, parser: parser) }
        }
        #expect(observer.failure?.origin == .truncated)
    }
}
