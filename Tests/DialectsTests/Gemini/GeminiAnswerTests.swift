// SPDX-License-Identifier: Apache-2.0
import Foundation
import Gateway
import JSON
import Testing

@testable import Dialects

enum GeminiSample {
    static let signature = ReasoningState(
        .thoughtSignature, origin: Origin(provider: "p", model: "m"), bytes: Array("c2ln".utf8))
    static let foreign = ReasoningState(
        .signature, origin: Origin(provider: "a", model: "b"), bytes: Array("sig".utf8))

    static let events: [AnswerEvent] = [
        .started(id: "x"),
        .reasoningBegan(isSummary: true), .reasoning("Let me "), .reasoning("see."),
        .reasoningEnded(state: signature),
        .textBegan(phase: nil), .text("I will "), .text("look: \"é😀\""), .textEnded,
        .citation(Citation(url: "https://e.org/", title: "E")),
        .reasoningBegan(isSummary: true), .reasoning("Hm."), .reasoningEnded(state: foreign),
        .callBegan(ToolCall(id: "call_1", name: "f", arguments: "")), .arguments(#"{"a":"#), .arguments("1}"),
        .callEnded,
        .callBegan(ToolCall(id: "call_2", name: "g", arguments: "")), .callEnded,
        .usage(Usage(input: 10, cacheRead: 5, cacheWrite: 2, output: 7, reasoning: 3)),
        .finished(.toolUse, stopSequence: nil),
    ]
}

@Suite struct GeminiAnswerEncoderTests {
    @Test func `a stream has a chunk for every piece and the counts in the last one`() throws {
        let stream = CodecSupport.stream(GeminiAnswerEncoder(CodecSupport.context), GeminiSample.events)
        try CodecSupport.expect(stream, isGolden: "gemini-stream.txt")
    }

    @Test func `without alt=sse a stream is one array`() throws {
        let stream = CodecSupport.stream(
            GeminiAnswerEncoder(CodecSupport.context, framing: .array), GeminiSample.events)
        let chunks = try #require(try JSONSerialization.jsonObject(with: Data(stream.utf8)) as? [Any])
        let events = CodecSupport.stream(GeminiAnswerEncoder(CodecSupport.context), GeminiSample.events)
        #expect(chunks.count == events.components(separatedBy: "data: ").count - 1)
        let failed = CodecSupport.stream(
            GeminiAnswerEncoder(CodecSupport.context, framing: .array),
            [.text("a"), .failed(GatewayError(.rateLimited, "m")), .text("b")])
        #expect(try (JSONSerialization.jsonObject(with: Data(failed.utf8)) as? [Any])?.count == 2)
    }

    @Test func `a document has the parts of the stream`() throws {
        let document = CodecSupport.document(GeminiAnswerEncoder(CodecSupport.context), GeminiSample.events)
        try CodecSupport.expect(document, isGolden: "gemini-document.json")
    }

    @Test(arguments: [
        (StopReason.endTurn, "STOP"), (.toolUse, "STOP"), (.stopSequence, "STOP"), (.maxTokens, "MAX_TOKENS"),
        (.contentFilter, "SAFETY"), (.refusal, "SAFETY"), (.pauseTurn, "CONTINUATION"),
        (.contextWindowExceeded, "MAX_TOKENS"), (.compaction, "STOP"),
    ])
    func `each reason ends the stream with one last chunk`(reason: StopReason, name: String) {
        let stream = CodecSupport.stream(
            GeminiAnswerEncoder(CodecSupport.context),
            [
                .text("a"), .finished(reason, stopSequence: nil), .text("late"),
                .finished(reason, stopSequence: nil),
            ])
        #expect(stream.components(separatedBy: #""finishReason":"\#(name)""#).count == 2)
        #expect(!stream.contains("late"))
    }

    @Test func `a failure is an error chunk`() {
        let stream = CodecSupport.stream(
            GeminiAnswerEncoder(CodecSupport.context),
            [.text("a"), .failed(GatewayError(.rateLimited, "slow")), .text("b")])
        #expect(
            stream.hasSuffix(
                "data: {\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n")
        )
        #expect(!stream.contains("finishReason"))
    }
}

@Suite struct GeminiAnswerDecoderTests {
    private static var decoder: GeminiAnswerDecoder {
        GeminiAnswerDecoder(origin: CodecSupport.origin, ids: AnswerIDs(requestID: "req_t"))
    }

    struct Stream: Sendable, CustomTestStringConvertible {
        let name: String
        let data: [String]
        let events: [AnswerEvent]
        var testDescription: String { name }
        var text: String { data.map { "data: \($0)\r\n\r\n" }.joined() }

        init(_ name: String, _ data: [String], _ events: [AnswerEvent]) {
            self.name = name
            self.data = data
            self.events = events
        }
    }

    private static func parts(_ parts: String, _ members: String = "") -> String {
        #"{"candidates":[{"content":{"parts":[\#(parts)],"role":"model"}\#(members)}]}"#
    }
    private static let stop = #","finishReason":"STOP""#
    private static let state = ReasoningState(
        .thoughtSignature, origin: CodecSupport.origin, bytes: Array("c2ln".utf8))

    static let streams = [
        Stream(
            "thoughts, a text and running totals",
            [
                #"{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}]}}],"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4},"responseId":"r"}"#,
                parts(#"{"text":"Hé"}"#), parts(#"{"text":"llo"}"#),
                #"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2}}"#,
                parts(#"{"text":"late"}"#),
            ],
            [
                .started(id: "r"), .usage(Usage(input: 5, cacheRead: 4)), .reasoningBegan(isSummary: true),
                .reasoning("Hm"), .reasoningEnded(state: nil), .textBegan(phase: nil), .text("Hé"),
                .text("llo"),
                .usage(Usage(input: 5, cacheRead: 4, output: 5, reasoning: 2)), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "parallel calls, of which the first has the signature, and STOP",
            [
                parts(
                    #"{"functionCall":{"name":"f","args":{"a":1.50}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"own","name":"g"}}"#,
                    stop)
            ],
            [
                .started(id: nil), .reasoningBegan(isSummary: true), .reasoningEnded(state: state),
                .callBegan(ToolCall(id: "call_t", name: "f", arguments: "")), .arguments(#"{"a":1.5}"#),
                .callEnded,
                .callBegan(ToolCall(id: "own", name: "g", arguments: "")), .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ]),
        Stream(
            "a signature on a part of its own",
            [parts(#"{"text":"a"}"#), parts(#"{"text":"","thoughtSignature":"c2ln"}"#, stop)],
            [
                .started(id: nil), .textBegan(phase: nil), .text("a"), .textEnded,
                .reasoningBegan(isSummary: true),
                .reasoningEnded(state: state), .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "a signature behind thoughts",
            [
                parts(#"{"text":"t","thought":true}"#),
                parts(#"{"functionCall":{"id":"1","name":"f","args":{}},"thoughtSignature":"c2ln"}"#, stop),
            ],
            [
                .started(id: nil), .reasoningBegan(isSummary: true), .reasoning("t"),
                .reasoningEnded(state: state),
                .callBegan(ToolCall(id: "1", name: "f", arguments: "")), .arguments("{}"), .callEnded,
                .finished(.toolUse, stopSequence: nil),
            ]),
        Stream(
            "sources",
            [
                parts(
                    #"{"text":"a"}"#,
                    #","groundingMetadata":{"groundingChunks":[{"web":{"uri":"u","title":"t"}},{"other":{}}]},"finishReason":"STOP""#
                )
            ],
            [
                .started(id: nil), .textBegan(phase: nil), .text("a"),
                .citation(Citation(url: "u", title: "t")),
                .textEnded, .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "a blocked prompt",
            [#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}"#],
            [.started(id: nil), .usage(Usage(input: 3)), .finished(.contentFilter, stopSequence: nil)]),
        Stream(
            "the limit", [parts(#"{"text":"a"}"#, #","finishReason":"MAX_TOKENS""#)],
            [
                .started(id: nil), .textBegan(phase: nil), .text("a"), .textEnded,
                .finished(.maxTokens, stopSequence: nil),
            ]),
        Stream(
            "a call that the model could not write",
            [#"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"bad"}]}"#],
            [
                .started(id: nil),
                .failed(
                    GatewayError(
                        .upstreamUnreachable, "the provider gave the answer up: MALFORMED_FUNCTION_CALL",
                        quote: "bad")),
            ]),
        Stream(
            "a reason nobody knows", [parts(#"{"text":"a"}"#, #","finishReason":"TIRED""#)],
            [
                .started(id: nil), .textBegan(phase: nil), .text("a"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "no reason at all", [parts(#"{"functionCall":{"id":"1","name":"f","args":{}}}"#)],
            [
                .started(id: nil), .callBegan(ToolCall(id: "1", name: "f", arguments: "")), .arguments("{}"),
                .callEnded, .finished(.toolUse, stopSequence: nil),
            ]),
        Stream(
            "an error chunk", [#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}"#],
            [.failed(GatewayError(.rateLimited, "the provider reported an error", quote: "slow"))]),
        Stream(
            "nothing", ["nonsense", "3"],
            [.failed(GatewayError(.upstreamUnreachable, "the provider ended the answer before it began"))]),
        Stream(
            "Code Assist's wrapping", [#"{"response":\#(parts(#"{"text":"a"}"#, stop)),"traceId":"t"}"#],
            [
                .started(id: nil), .textBegan(phase: nil), .text("a"), .textEnded,
                .finished(.endTurn, stopSequence: nil),
            ]),
        Stream(
            "what only Gemini shows",
            [parts(#"{"executableCode":{"language":"PYTHON","code":"1"}},{"text":"a"}"#, stop)],
            [
                .started(id: nil),
                .opaque(
                    OpaquePart(
                        .gemini, type: "executableCode",
                        json: JSONText(#"{"executableCode":{"language":"PYTHON","code":"1"}}"#))),
                .textBegan(phase: nil), .text("a"), .textEnded, .finished(.endTurn, stopSequence: nil),
            ]),
    ]

    @Test(arguments: streams)
    func `Gemini streams in many ways`(stream: Stream) throws {
        #expect(try CodecSupport.events(Self.decoder, stream.text) == stream.events)
        let bytes = Array(stream.text.utf8)
        #expect(try CodecSupport.events(Self.decoder, bytes.indices.map { bytes[$0...$0] }) == stream.events)
        for index in bytes.indices {
            #expect(
                try CodecSupport.events(Self.decoder, [bytes[..<index], bytes[index...]]) == stream.events)
        }
    }

    @Test(arguments: streams.filter { $0.data.allSatisfy { $0.hasPrefix("{") } })
    func `an array of chunks is read like the stream`(stream: Stream) throws {
        let document = "[" + stream.data.joined(separator: "\n,\r\n") + "]"
        #expect(try CodecSupport.events(Self.decoder, document: document) == stream.events)
    }

    @Test func `what the encoder writes is read as it was, but for foreign state`() throws {
        let stream = CodecSupport.stream(GeminiAnswerEncoder(CodecSupport.context), GeminiSample.events)
        let read = CodecSupport.document(try CodecSupport.events(Self.decoder, stream))
        let sample = CodecSupport.document(GeminiSample.events)
        #expect(read.parts.count == sample.parts.count)
        #expect(read.usage == Usage(input: 12, cacheRead: 5, output: 7, reasoning: 3))
        #expect(read.stop == .toolUse)
        let calls = read.parts.compactMap { part in if case .toolCall(let call) = part { call } else { nil } }
        #expect(calls.map(\.arguments) == [#"{"a":1}"#, "{}"])
    }
}
