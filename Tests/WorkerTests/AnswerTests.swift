// SPDX-License-Identifier: Apache-2.0
// The answer's state machine as transcripts: what the upstream does, what the client gets.

import Gateway
import JSON
import Testing

@testable import Worker

/// One thing that happens to an answer.
enum Event: Sendable {
    /// The head's lines, joined by line feeds, and its status.
    case head(Int, String)
    case body(String)
    case holdExpired
    /// The reason of a refusal does not come to its end.
    case errorHoldExpired
    /// The upstream ended as HTTP wants it.
    case completed
    /// The upstream broke off.
    case broke

    static let stream = Event.head(200, "HTTP/1.1 200 OK\ncontent-type: text/event-stream")
    static let document = Event.head(
        200, "HTTP/1.1 200 OK\ncontent-type: application/json\ncontent-length: 20")
}

extension ReturnTerms {
    /// Whatever another candidate could do better.
    static let everything = ReturnTerms(
        always: FailureSet(FailureClass.allCases.filter { $0 != .client }), repeated: [], afterWait: [],
        longestWaitMsec: 0)
}

/// Plays events into a fresh answer and notes each reaction.
struct Player: ~Copyable {
    var answer: Answer
    private let parser = JSONParser()

    init(
        _ endpoint: Endpoint, isLast: Bool = false, isHTTP11: Bool = true, keepAlive: Bool = true,
        modelChanged: Bool = false
    ) {
        answer = Answer(
            endpoint: endpoint,
            request: Answer.RequestFacts(
                requestID: "req_1", provider: "p", terms: isLast ? .none : .everything, keepAlive: keepAlive,
                isHTTP11: isHTTP11, modelChanged: modelChanged))
    }

    /// The fresh answer alone.
    static func answer(_ endpoint: Endpoint, isLast: Bool) -> Answer {
        Answer(
            endpoint: endpoint,
            request: Answer.RequestFacts(
                requestID: "req_1", provider: "p", terms: isLast ? .none : .everything, keepAlive: true,
                isHTTP11: true, modelChanged: false))
    }

    /// The reaction to one event, in a few words.
    mutating func play(_ event: Event) -> String {
        switch event {
        case .head(let status, let lines):
            for line in lines.split(separator: "\n") {
                Array(line.utf8).withUnsafeBytes { answer.headLineReceived($0) }
            }
            return describe(answer.headReceived(status: status, nowMsec: 1_800_000_000_000))
        case .body(let text):
            return describe(body(Array(text.utf8)))
        case .holdExpired: return describe(answer.holdExpired())
        case .errorHoldExpired: return describe(answer.errorHoldExpired(parser: parser))
        case .completed: return describe(answer.upstreamCompleted(parser: parser))
        case .broke:
            return describe(answer.upstreamBroke(GatewayError(.upstreamUnreachable, "the connection broke")))
        }
    }

    mutating func body(_ bytes: [UInt8]) -> Answer.Step {
        bytes.withUnsafeBytes { answer.bodyReceived($0, parser: parser) }
    }

    mutating func play(_ events: [Event]) -> [String] { events.map { play($0) } }

    private func describe(_ step: Answer.Step) -> String {
        switch step {
        case .hold: "hold"
        case .commit: "commit"
        case .forward: "forward"
        case .send(let bytes): "send " + String(decoding: bytes, as: UTF8.self)
        case .fail(let failure): describe(failure)
        }
    }

    private func describe(_ ending: Answer.Ending) -> String {
        switch ending {
        case .finish: "finish"
        case .breakOff(let event):
            "break off " + (event.isEmpty ? "silently" : String(decoding: event, as: UTF8.self))
        case .fail(let failure): describe(failure)
        }
    }

    private func describe(_ failure: Answer.Failure) -> String {
        let retry = failure.error.retryAfter.map { " after \($0)" } ?? ""
        return
            "fail \(failure.error.kind.name)\(retry)\(failure.report.class == .client ? " everywhere" : "")"
    }

    var head: String { String(decoding: answer.head, as: UTF8.self) }
    var held: String { String(decoding: answer.held, as: UTF8.self) }
}

/// Events in, reactions out.
struct Transcript: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let endpoint: Endpoint
    var isLast = false
    let events: [Event]
    let reactions: [String]

    init(_ name: String, _ endpoint: Endpoint, isLast: Bool = false, _ steps: [(Event, String)]) {
        testDescription = name
        self.endpoint = endpoint
        self.isLast = isLast
        events = steps.map(\.0)
        reactions = steps.map(\.1)
    }
}

private let role =
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
private let word = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
private let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
private let created =
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"
private let delta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\"}\n\n"
private let completed =
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{}}\n\n"
private let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n"
private let block = """
    event: content_block_start
    data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}


    """
private let text = """
    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}


    """
private let overloaded =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n"
private let messageStop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

@Suite("Answers") struct AnswerTests {
    @Test(
        "The client gets what is worth getting, and nothing before that",
        arguments: [
            Transcript(
                "a stream passes from its first content on", .messages,
                [
                    (.stream, "hold"), (.body(start + block), "hold"), (.body(text), "commit"),
                    (.body(messageStop), "forward"),
                    (.completed, "finish"),
                ]),
            Transcript(
                "a chat stream's greeting is no content, its first word is", .chatCompletions,
                [
                    (.stream, "hold"), (.body(role), "hold"), (.body(word), "commit"),
                    (.body(stop), "forward"),
                    (.completed, "finish"),
                ]),
            Transcript(
                "half an event decides nothing", .messages,
                [
                    (.stream, "hold"), (.body(String(text.prefix(20))), "hold"),
                    (.body(String(text.dropFirst(20))), "commit"),
                ]),
            Transcript(
                "an error event before the content gives the request back", .messages,
                [(.stream, "hold"), (.body(start + block), "hold"), (.body(overloaded), "fail overloaded")]),
            Transcript(
                "an error that would come back everywhere says so", .messages,
                [
                    (.stream, "hold"),
                    (
                        .body(
                            "event: error\ndata: {\"error\":{\"type\":\"invalid_request_error\",\"message\":\"no\"}}\n\n"
                        ), "fail invalid_request everywhere"
                    ),
                ]),
            Transcript(
                "an error event in a committed stream is the client's to read", .messages,
                [
                    (.stream, "hold"), (.body(text), "commit"), (.body(overloaded), "forward"),
                    (.completed, "finish"),
                ]),
            Transcript(
                "a stream that ends before its content gives the request back", .responses,
                [(.stream, "hold"), (.body(created), "hold"), (.completed, "fail upstream_unreachable")]),
            Transcript(
                "an empty stream gives the request back", .responses,
                [(.stream, "hold"), (.completed, "fail upstream_unreachable")]),
            Transcript(
                "a connection that breaks before the content gives the request back", .responses,
                [(.stream, "hold"), (.body(created), "hold"), (.broke, "fail upstream_unreachable")]),
            Transcript(
                "a connection that breaks before the head gives the request back", .responses,
                [(.broke, "fail upstream_unreachable")]),
            Transcript(
                "what breaks behind the terminal event is whole", .responses,
                [
                    (.stream, "hold"), (.body(created + delta), "commit"), (.body(completed), "forward"),
                    (.broke, "finish"),
                ]),
            Transcript(
                "a held stream that lasts is shown to the client", .responses,
                [
                    (.stream, "hold"), (.body(created), "hold"), (.holdExpired, "commit"),
                    (.body(delta), "forward"), (.holdExpired, "hold"), (.body(completed), "forward"),
                    (.completed, "finish"),
                ]),
            Transcript(
                "another candidate is asked when this one is busy", .chatCompletions,
                [(.head(429, "retry-after: 7"), "hold"), (.completed, "fail rate_limited after 7")]),
            Transcript(
                "what a status says, the body may say better", .chatCompletions,
                [
                    (.head(429, "retry-after: 7"), "hold"),
                    (.body("{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"no\"}}"), "hold"),
                    (.completed, "fail quota_exhausted after 7"),
                ]),
            Transcript(
                "a refusal whose body does not end is decided by its status", .chatCompletions,
                [
                    (.head(503, "content-type: application/json"), "hold"), (.body("{\"err"), "hold"),
                    (.errorHoldExpired, "fail overloaded"),
                ]),
            Transcript(
                "the last candidate's refusal goes to the client", .chatCompletions, isLast: true,
                [
                    (.head(429, "retry-after: 7\ncontent-type: application/json"), "hold"),
                    (.body("{\"error\":{}}"), "hold"), (.completed, "finish"),
                ]),
            Transcript(
                "a request that is wrong in itself is not tried elsewhere", .chatCompletions,
                [
                    (.head(400, ""), "hold"), (.body("{\"error\":{\"message\":\"no\"}}"), "hold"),
                    (.completed, "finish"),
                ]
            ),
            Transcript(
                "a refusal is no stream, whatever its type says", .messages, isLast: true,
                [
                    (.head(529, "content-type: text/event-stream"), "hold"), (.body(block), "hold"),
                    (.holdExpired, "hold"), (.completed, "finish"),
                ]),
            Transcript(
                "a document is sent when it is complete", .embeddings,
                [
                    (.document, "hold"), (.body("{\"data\":"), "hold"), (.body("[1]}"), "hold"),
                    (.completed, "finish"),
                ]),
            Transcript(
                "an error in a document with status 200 gives the request back", .chatCompletions,
                [
                    (.document, "hold"),
                    (.body("{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}}"), "hold"),
                    (.completed, "fail rate_limited"),
                ]),
            Transcript(
                "a document that breaks off gives the request back", .chatCompletions,
                [
                    (.document, "hold"), (.body("{\"choices\":"), "hold"),
                    (.broke, "fail upstream_unreachable"),
                ]),
            Transcript(
                "a document that is no JSON gives the request back", .chatCompletions,
                [(.document, "hold"), (.body("<html>"), "hold"), (.completed, "fail upstream_unreachable")]),
            Transcript(
                "an encoded answer passes unread", .messages,
                [
                    (.head(200, "content-type: text/event-stream\ncontent-encoding: gzip"), "hold"),
                    (.body("\u{1F}\u{8B}"), "commit"), (.body(overloaded), "forward"), (.completed, "finish"),
                ]),
            Transcript(
                "the coding identity is none", .messages,
                [
                    (.head(200, "Content-Type: text/event-stream\nContent-Encoding: Identity"), "hold"),
                    (.body(start), "hold"), (.body(overloaded), "fail overloaded"),
                ]),
            Transcript(
                "an encoded answer that breaks off is cut without a word", .messages,
                [
                    (.head(200, "content-type: text/event-stream\ncontent-encoding: br"), "hold"),
                    (.body("x"), "commit"), (.broke, "break off silently"),
                ]),
        ])
    func transcript(transcript: Transcript) {
        var player = Player(transcript.endpoint, isLast: transcript.isLast)
        #expect(player.play(transcript.events) == transcript.reactions)
    }

    @Test(
        "Every split of the bytes leads to the same end",
        arguments: [
            (Endpoint.messages, start + block + text + messageStop, true),
            (.responses, created + delta + completed, true),
            (.chatCompletions, role + word + stop, true), (.messages, start + overloaded, false),
        ])
    func splits(endpoint: Endpoint, text: String, succeeds: Bool) {
        let bytes = Array(text.utf8)
        for split in 1..<bytes.count {
            var player = Player(endpoint)
            _ = player.play(.stream)
            var sent: [UInt8] = []
            var failed = false
            for part in [bytes[..<split], bytes[split...]] where !failed {
                switch player.body(Array(part)) {
                case .hold: break
                case .commit:
                    sent += player.answer.held
                    player.answer.dropSent()
                case .forward: sent += part
                case .send: Issue.record("bytes that pass are not replaced")
                case .fail: failed = true
                }
            }
            #expect(failed != succeeds, "split at \(split)")
            if succeeds {
                #expect(sent == bytes, "split at \(split)")
                #expect(player.play(.completed) == "finish")
            }
        }
    }

    @Test(
        "A committed stream that breaks ends with its dialect's failure event",
        arguments: [
            (Endpoint.chatCompletions, role + word, "data: {\"error\":"),
            (.responses, created + delta, "event: response.failed\ndata: "),
            (.messages, start + block + text, "event: error\ndata: "),
        ])
    func failureEvent(endpoint: Endpoint, text: String, beginning: String) {
        for ending in [Event.broke, .completed] {
            var player = Player(endpoint)
            #expect(player.play([.stream, .body(text)]) == ["hold", "commit"])
            let reaction = player.play(ending)
            #expect(reaction.hasPrefix("break off \(beginning)"), "\(reaction)")
            #expect(reaction.hasSuffix("\n\n"))
            #expect(player.answer.upstreamReportedFailure == false)
        }
    }

    @Test("An event that broke in the middle is closed before the failure event")
    func failureEventInEvent() {
        var player = Player(.chatCompletions)
        _ = player.play([.stream, .body(word), .body("data: {\"choi")])
        #expect(player.play(.broke).hasPrefix("break off \n\ndata: {\"error\":"))
    }

    @Test("After an error that the upstream told itself nothing is added")
    func noSecondError() {
        var player = Player(.messages)
        _ = player.play([.stream, .body(text), .body(overloaded)])
        #expect(player.answer.upstreamReportedFailure == true)
        #expect(player.play(.broke) == "break off silently")
    }

    @Test("A committed document that breaks off is cut without a word")
    func documentBreaks() {
        var player = Player(.chatCompletions)
        _ = player.play(.head(200, "content-type: application/json"))
        let large = [UInt8](repeating: 0x20, count: Answer.maximumHeld)
        #expect(player.body(large) == .hold)
        #expect(player.body(Array("{".utf8)) == .commit, "more than is held is a real answer")
        #expect(player.held.utf8.count == Answer.maximumHeld + 1)
        #expect(player.play(.broke) == "break off silently")
    }

    @Test("A stream of nothing but comments is held up to the bound")
    func heldStream() {
        var player = Player(.responses)
        _ = player.play(.stream)
        var count = 0
        while player.body(Array((": " + String(repeating: "x", count: 1021) + "\n").utf8)) == .hold {
            count += 1
            if count > 1000 { break }
        }
        #expect(count == Answer.maximumHeld / 1024)
        #expect(player.answer.isCommitted == true)
    }

    @Test("What the upstream said is for the client, and not part of the message that is logged")
    func quote() {
        var player = Player(.messages)
        _ = player.play(.stream)
        guard case .fail(let failure) = player.body(Array(overloaded.utf8)) else {
            Issue.record("the error event did not fail the answer")
            return
        }
        #expect(failure.error.message == "provider p reported an error")
        #expect(failure.error.quote == "busy")
    }

    @Test("Token counts are read on the way")
    func usage() {
        var player = Player(.chatCompletions)
        _ = player.play([
            .stream, .body(word),
            .body("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n"),
        ])
        #expect(player.answer.usage == Usage(input: 5, output: 2))
    }

    @Test("A sign of life fits only between the events of a committed stream that is not over")
    func keepalive() {
        var player = Player(.chatCompletions)
        func accepts() -> Bool { player.answer.acceptsKeepalive }
        #expect(!accepts())
        _ = player.play(.stream)
        #expect(!accepts())
        _ = player.play(.body(word))
        #expect(accepts())
        _ = player.play(.body("data: {"))
        #expect(!accepts())
        _ = player.play(.body("}\n\n"))
        #expect(accepts())
        _ = player.play(.body("data: [DONE]\n\n"))
        #expect(!accepts())
        var document = Player(.chatCompletions)
        _ = document.play([.document, .body("{\"choices\":[1]}"), .completed])
        #expect(document.answer.isCommitted == true)
        #expect(document.answer.acceptsKeepalive == false)
    }
}
