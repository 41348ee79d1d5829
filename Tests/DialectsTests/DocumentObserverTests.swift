// SPDX-License-Identifier: Apache-2.0
import Dialects
import Gateway
import JSON
import Testing

@Suite struct DocumentObserverTests {
    struct Answer: Sendable {
        let endpoint: Endpoint
        let text: String
        let usage: Usage

        init(_ endpoint: Endpoint, _ text: String, _ usage: Usage) {
            self.endpoint = endpoint
            self.text = text
            self.usage = usage
        }
    }

    static let answers = [
        Answer(
            .chatCompletions,
            #"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1}},"error":null}"#,
            Usage(input: 2, cacheRead: 1, output: 4)),
        Answer(
            .responses,
            #"{"status":"completed","error":null,"output":[{"type":"message"}],"usage":{"input_tokens":3,"output_tokens":4}}"#,
            Usage(input: 3, output: 4)),
        Answer(
            .messages,
            #"{"type":"message","content":[{"type":"text","text":"\"error\""}],"usage":{"input_tokens":3,"cache_read_input_tokens":9,"output_tokens":4}}"#,
            Usage(input: 3, cacheRead: 9, output: 4)),
        Answer(
            .embeddings, #"{"data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            Usage(input: 8)),
        Answer(
            .images, #"{"created":1,"data":[{"b64_json":""}],"usage":{"input_tokens":5,"output_tokens":6}}"#,
            Usage(input: 5, output: 6)),
        Answer(
            .completions, #"{"choices":[{"text":"a"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            Usage(input: 1, output: 2)),
        Answer(.countTokens, #"{"input_tokens":77}"#, Usage()),
        Answer(
            .generateContent,
            #"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":1,"toolUsePromptTokenCount":2}}"#,
            Usage(input: 5, output: 5, reasoning: 1)),
        Answer(.geminiCountTokens, #"{"totalTokens":77}"#, Usage()),
        Answer(
            .responsesCompact,
            #"{"object":"response.compaction","output":[{}],"usage":{"input_tokens":1,"output_tokens":2}}"#,
            Usage(input: 1, output: 2)),
        Answer(
            .chatCompletions,
            #"{"choices":[],"huge":18446744073709551616,"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            Usage(input: 1, output: 2)),
        Answer(.chatCompletions, #" [1]"#, Usage()),
    ]

    @Test(arguments: answers)
    func `a document is undecided until its end, then finished with its usage`(answer: Answer) {
        let bytes = Array(answer.text.utf8)
        for parts in [[bytes[...]], bytes.indices.map { bytes[$0...$0] }] {
            #expect(observe(parts, answer.endpoint, isEventStream: false, ends: false).phase == .undecided)
            let observer = observe(parts, answer.endpoint, isEventStream: false)
            #expect(observer.phase == .finished)
            #expect(observer.usage == answer.usage)
            #expect(!observer.isAtBoundary)
        }
    }

    @Test(arguments: [
        (
            Endpoint.chatCompletions,
            #"{"error":{"message":"m","type":"requests","code":"rate_limit_exceeded"}}"#,
            ErrorKind.rateLimited, "m"
        ),
        (.chatCompletions, #"{"error":"m"}"#, .upstreamUnreachable, "m"),
        (
            .generateContent, #"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}"#,
            .rateLimited, "m"
        ),
        (.chatCompletions, #"{"choices":[],"error":{"code":503,"message":"m"}}"#, .overloaded, "m"),
        (
            .responses, #"{"status":"failed","output":[],"error":{"code":"server_error","message":"m"}}"#,
            .upstreamUnreachable, "m"
        ),
        (
            .messages, #"{"type":"error","error":{"type":"not_found_error","message":"m"}}"#, .modelNotFound,
            "m"
        ),
        (
            .embeddings, #"{"error":{"status":"RESOURCE_EXHAUSTED","code":429,"message":"m"}}"#, .rateLimited,
            "m"
        ),
        (.messages, "", .upstreamUnreachable, "the provider sent an empty answer"),
        (
            .messages, "<html>login</html>", .upstreamUnreachable,
            "the provider sent an answer that is not JSON"
        ),
    ])
    func `an error behind a 200 is understood`(
        endpoint: Endpoint, text: String, kind: ErrorKind, message: String
    ) {
        let failure = observe(text, endpoint, isEventStream: false).failure
        #expect(failure?.kind == kind)
        #expect(failure?.message == message)
    }

    @Test(arguments: [1, 1000, 4096, 70_000])
    func `of a large document only the end is kept`(partBytes: Int) {
        let filler = String(repeating: "\\\"usage\\\":{", count: 40_000)
        let text =
            "{\"choices\":[{\"message\":{\"content\":\"\(filler)\"}}],\"usage\": {\"prompt_tokens\":3,\"completion_tokens\":4,\"x\":{\"y\":\"}\\\"}\"}}}"
        let bytes = Array(text.utf8)
        let parts = stride(from: 0, to: bytes.count, by: partBytes).map {
            bytes[$0..<min($0 + partBytes, bytes.count)]
        }
        #expect(observe(parts, .chatCompletions, isEventStream: false, ends: false).phase == .content)
        let observer = observe(parts, .chatCompletions, isEventStream: false)
        #expect(observer.phase == .finished)
        #expect(observer.usage == Usage(input: 3, output: 4))
    }

    @Test(arguments: [
        ("{\"error\": {\"message\":\"", "the provider sent an error that is too large to read"),
        ("<html>", "the provider sent an answer that is not JSON"),
    ])
    func `a large document that is no answer fails`(start: String, message: String) {
        let text = start + String(repeating: "x", count: 300_000)
        #expect(observe(text, .chatCompletions, isEventStream: false).failure?.message == message)
    }
}
