// SPDX-License-Identifier: Apache-2.0
// Translated answers as transcripts: a Messages client, a Chat provider.

import Dialects
import Gateway
import JSON
import Testing

@testable import Worker

@Suite struct TranslatedAnswerTests {
    private let parser = JSONParser()

    /// - Parameter upstreamStreams: nil: as the client.
    private func answer(
        streaming: Bool, upstreamStreams: Bool? = nil, isLast: Bool = true
    ) throws -> Answer {
        let body =
            #"{"model":"x","max_tokens":9,"stream":\#(streaming),"messages":[{"role":"user","content":"Hi"}]}"#
        let request = TranslationRequest(
            client: .messages, upstream: .chat,
            target: RequestTarget(
                origin: Origin(provider: "p", model: "m"), streaming: upstreamStreams ?? streaming),
            streamingByPath: nil, requestID: "req_1", nowUnix: 1)
        let (translation, _) = try Translation.make(
            request, body: Array(body.utf8), clientModel: "x", estimatedInput: 7, parser: parser)
        return Answer(
            endpoint: .messages,
            request: Answer.RequestFacts(
                requestID: "req_1", provider: "p", terms: isLast ? .none : .everything, keepAlive: true,
                isHTTP11: true,
                modelChanged: true),
            translation: translation)
    }

    private func head(_ answer: inout Answer, _ status: Int, _ type: String) -> Answer.Step {
        Array("content-type: \(type)".utf8).withUnsafeBytes { answer.headLineReceived($0) }
        Array("content-length: 9999".utf8).withUnsafeBytes { answer.headLineReceived($0) }
        return answer.headReceived(status: status, nowMsec: 1_800_000_000_000)
    }

    private func feed(_ answer: inout Answer, _ text: String) -> Answer.Step {
        Array(text.utf8).withUnsafeBytes { answer.bodyReceived($0, parser: parser) }
    }

    private func chunk(_ delta: String, _ reason: String = "null") -> String {
        #"data: {"id":"c","choices":[{"index":0,"delta":\#(delta),"finish_reason":\#(reason)}]}"# + "\n\n"
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func `a stream is committed at its first content and sent event for event`() throws {
        var answer = try answer(streaming: true)
        #expect(head(&answer, 200, "text/event-stream") == .hold)
        #expect(feed(&answer, chunk(#"{"role":"assistant","content":""}"#)) == .hold)
        #expect(feed(&answer, chunk(#"{"content":"Hel"}"#)) == .commit)
        #expect(text(answer.head).contains("content-type: text/event-stream; charset=utf-8\r\n"))
        #expect(!text(answer.head).contains("9999"))
        #expect(answer.framing == .chunked)
        #expect(text(answer.held).hasPrefix("event: message_start\n"))
        answer.dropSent()
        guard case .send(let bytes) = feed(&answer, chunk(#"{"content":"lo"}"#)) else {
            Issue.record("nothing was sent")
            return
        }
        #expect(text(bytes).contains(#""text_delta","text":"lo""#))
        #expect(answer.acceptsKeepalive == true)
        _ = feed(&answer, chunk("{}", #""stop""#) + "data: [DONE]\n\n")
        #expect(answer.isOver == true)
        #expect(answer.needsNoMore == false)
        #expect(answer.upstreamCompleted(parser: parser) == .finish(last: []))
    }

    @Test(arguments: [false, true])
    func `a refusal that is given back is kept as the client would have got it`(isTranslated: Bool) throws {
        func refused(
            isLast: Bool, _ pieces: [String], check: (inout Answer, Answer.Ending) throws -> Void
        ) throws {
            var answer =
                try isTranslated
                ? answer(streaming: true, isLast: isLast) : Player.answer(.messages, isLast: isLast)
            Array("content-type: application/json".utf8).withUnsafeBytes { answer.headLineReceived($0) }
            _ = answer.headReceived(status: 503, nowMsec: 1_800_000_000_000)
            for piece in pieces { _ = feed(&answer, piece) }
            let early = Answer.Failure(
                error: GatewayError(.overloaded, ""), report: FailureReport(.overload, status: 503))
            #expect(answer.refusal(early) == nil, "what is not whole is no answer")
            try check(&answer, answer.upstreamCompleted(parser: parser))
        }
        func given(_ pieces: [String]) throws -> HandoffRefusal? {
            var refusal: HandoffRefusal?
            try refused(isLast: false, pieces) { answer, ending in
                guard case .fail(let failure) = ending else {
                    Issue.record("it was not given back")
                    return
                }
                refusal = answer.refusal(failure)
            }
            return refusal
        }
        let pieces = [#"{"type":"error","error":{"type":"overloaded"#, #"_error","message":"later"}}"#]
        let kept = try #require(try given(pieces))
        #expect(kept.status == 503)
        try refused(isLast: true, pieces) { told, _ in
            #expect(told.isCommitted == true)
            let lines = text(told.head).split(separator: "\r\n").filter {
                !$0.hasPrefix("transfer-encoding:") && !$0.hasPrefix("content-length:")
            }
            for line in lines { #expect(text(kept.bytes).contains(line)) }
            let end = "content-length: \(told.held.count)\r\n\r\n" + text(told.held)
            #expect(text(kept.bytes).hasSuffix(end))
        }
        let large = try given(pieces + [String(repeating: " ", count: HandoffRefusal.maximumBytes)])
        #expect(isTranslated || large == nil)
    }

    @Test func `a document is committed whole, with its own length`() throws {
        var answer = try answer(streaming: false)
        #expect(head(&answer, 200, "application/json") == .hold)
        let document =
            #"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}"#
        #expect(feed(&answer, document) == .hold)
        #expect(answer.upstreamCompleted(parser: parser) == .finish(last: []))
        #expect(answer.framing == .length(answer.held.count))
        #expect(text(answer.held).contains(#""text":"Hello""#))
        #expect(text(answer.head).contains("content-type: application/json\r\n"))
        #expect(text(answer.head).contains("x-ccr-usage: estimated\r\n"), "the provider counted nothing")
        #expect(text(answer.held).contains(#""input_tokens":7,"#))
    }

    private let wholeAnswer =
        #"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"#
        + #""usage":{"prompt_tokens":11,"completion_tokens":2,"total_tokens":13}}"#

    @Test func `a whole answer becomes a stream`() throws {
        var answer = try answer(streaming: true, upstreamStreams: false)
        #expect(answer.isAwaitingWhole == true)
        #expect(head(&answer, 200, "application/json") == .hold)
        #expect(answer.isAwaitingWhole == false)
        #expect(feed(&answer, wholeAnswer) == .hold)
        #expect(answer.upstreamCompleted(parser: parser) == .finish(last: []))
        #expect(answer.framing == .chunked)
        #expect(text(answer.head).contains("content-type: text/event-stream; charset=utf-8\r\n"))
        #expect(text(answer.held).hasPrefix("event: message_start\n"))
        #expect(text(answer.held).contains(#""text_delta","text":"Hello""#))
        #expect(text(answer.held).hasSuffix("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"))
        #expect(answer.usage == Usage(input: 11, output: 2))
    }

    @Test func `a stream is opened while a provider thinks over its whole answer`() throws {
        var answer = try answer(streaming: true, upstreamStreams: false, isLast: false)
        #expect(answer.holdExpired() == .commit)
        #expect(text(answer.head).hasPrefix("HTTP/1.1 200 "))
        #expect(text(answer.head).contains("content-type: text/event-stream; charset=utf-8\r\n"))
        #expect(answer.held == [])
        answer.dropSent()
        #expect(answer.acceptsKeepalive == true)
        #expect(head(&answer, 200, "application/json") == .hold)
        #expect(feed(&answer, wholeAnswer) == .hold)
        guard case .finish(let last) = answer.upstreamCompleted(parser: parser) else {
            Issue.record("not finished")
            return
        }
        #expect(text(last).hasPrefix("event: message_start\n"))
        #expect(text(last).contains("event: message_stop\n"))
    }

    @Test func `a provider that streams after all, with the stream open, is passed on event for event`()
        throws
    {
        var answer = try answer(streaming: true, upstreamStreams: false)
        #expect(answer.holdExpired() == .commit)
        answer.dropSent()
        #expect(head(&answer, 200, "text/event-stream") == .hold)
        guard case .send(let bytes) = feed(&answer, chunk(#"{"content":"Hel"}"#)) else {
            Issue.record("nothing was sent")
            return
        }
        #expect(text(bytes).contains(#""text":"Hel""#))
    }

    @Test func `a refusal after the stream was opened is told inside of it, and nowhere else`() throws {
        var answer = try answer(streaming: true, upstreamStreams: false, isLast: false)
        #expect(answer.holdExpired() == .commit)
        answer.dropSent()
        #expect(head(&answer, 429, "application/json") == .hold)
        #expect(feed(&answer, #"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#) == .hold)
        guard case .breakOff(let event) = answer.upstreamCompleted(parser: parser) else {
            Issue.record("not broken off")
            return
        }
        #expect(text(event).hasPrefix("event: error\n"))
        #expect(text(event).contains("rate_limit_error") && text(event).contains("slow down"))
        #expect(answer.status == 200, "what the client saw")
    }

    @Test func `a provider that never answers is told inside of the open stream`() throws {
        var answer = try answer(streaming: true, upstreamStreams: false)
        #expect(answer.holdExpired() == .commit)
        guard case .breakOff(let event) = answer.upstreamBroke(GatewayError(.upstreamTimeout, "too late"))
        else {
            Issue.record("not broken off")
            return
        }
        #expect(text(event).hasPrefix("event: error\n"))
    }

    @Test func `a refusal before the stream was opened keeps its status`() throws {
        var answer = try answer(streaming: true, upstreamStreams: false)
        #expect(head(&answer, 400, "application/json") == .hold)
        _ = feed(&answer, #"{"error":{"message":"no","code":"invalid_prompt"}}"#)
        #expect(answer.upstreamCompleted(parser: parser) == .finish(last: []))
        #expect(answer.status == 400)
    }

    @Test(arguments: [("retry-after-ms: 2500", "3"), ("retry-after-ms: 2500\nretry-after: 9", "9")])
    func `a wait in milliseconds is told in seconds as well`(lines: String, seconds: String) throws {
        var answer = try answer(streaming: false)
        for line in lines.split(separator: "\n") {
            Array(line.utf8).withUnsafeBytes { answer.headLineReceived($0) }
        }
        _ = head(&answer, 429, "application/json")
        _ = answer.upstreamCompleted(parser: parser)
        let fields = text(answer.head).split(separator: "\r\n").filter { $0.hasPrefix("retry-after:") }
        #expect(fields == ["retry-after: \(seconds)"])
    }

    @Test func `a stream that ends too early is told in the client's dialect and broken off`() throws {
        var answer = try answer(streaming: true)
        _ = head(&answer, 200, "text/event-stream")
        _ = feed(&answer, chunk(#"{"content":"Hel"}"#))
        answer.dropSent()
        let ending = answer.upstreamBroke(GatewayError(.upstreamUnreachable, "the connection broke"))
        guard case .breakOff(let event) = ending else {
            Issue.record("\(ending)")
            return
        }
        #expect(text(event).hasPrefix("event: error\n") || text(event).contains("\nevent: error\n"))
    }

    @Test func `an error before content may be tried elsewhere`() throws {
        var answer = try answer(streaming: true, isLast: false)
        _ = head(&answer, 200, "text/event-stream")
        let step = feed(&answer, #"data: {"error":{"message":"busy","code":"rate_limit_exceeded"}}"# + "\n\n")
        guard case .fail(let failure) = step else {
            Issue.record("\(step)")
            return
        }
        #expect(failure.report.class == .rate)
        #expect(failure.error.kind == .rateLimited)
    }

    @Test(arguments: [
        (
            429, #"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#, 429, "rate_limit_error",
            "slow down"
        ),
        (
            400, #"{"error":{"message":"This model's maximum context length is 8 tokens"}}"#, 400,
            "invalid_request_error", "prompt is too long"
        ),
        (529, #"{"error":{"type":"overloaded_error","message":"later"}}"#, 529, "overloaded_error", "later"),
        (500, "<html>", 500, "api_error", "provider p answered 500"),
    ])
    func `a refusal becomes one of the client's dialect`(
        _ status: Int, _ body: String, _ told: Int, _ type: String, _ words: String
    ) throws {
        var answer = try answer(streaming: true)
        #expect(head(&answer, status, "application/json") == .hold)
        #expect(feed(&answer, body) == .hold)
        #expect(answer.upstreamCompleted(parser: parser) == .finish(last: []))
        #expect(answer.status == told)
        #expect(text(answer.held).contains(type))
        #expect(text(answer.held).contains(words))
        #expect(text(answer.head).hasPrefix("HTTP/1.1 \(told) "))
    }
}

@Suite struct TokenCalibrationTests {
    @Test func `an estimate is corrected by what the provider counts`() {
        var calibration = TokenCalibration()
        #expect(calibration.calibrated(1000, model: "m") == 1050)
        for _ in 0..<50 {
            calibration.learn(
                estimated: 1000, usage: Usage(input: 300, cacheRead: 1000, cacheWrite: 200), model: "m")
        }
        #expect(calibration.calibrated(1000, model: "m") == 1575)
        #expect(calibration.calibrated(1000, model: "other") == 1050)
    }

    @Test func `nothing is learnt from short requests, missing counts and absurd ones`() {
        var calibration = TokenCalibration()
        calibration.learn(estimated: 10, usage: Usage(input: 20), model: "m")
        calibration.learn(estimated: 1000, usage: Usage(), model: "m")
        calibration.learn(estimated: 1000, usage: Usage(input: 1_000_000), model: "m")
        #expect(calibration.calibrated(1000, model: "m") == 1050)
        #expect(calibration.calibrated(0, model: "m") == 1)
    }
}

@Suite struct RequestPlannerTests {
    private let parser = JSONParser()

    /// - Parameter dialects: what the provider's kind speaks besides what there are URLs for.
    private func planner(
        _ urls: [Endpoint: String], _ quirks: Quirks = [], dialects: [Dialect] = [], isEcho: Bool = false
    ) -> RequestPlanner {
        var dialects = dialects
        for endpoint in Endpoint.allCases where urls[endpoint] != nil && !dialects.contains(endpoint.dialect)
        {
            dialects.append(endpoint.dialect)
        }
        var rules = UpstreamRules()
        rules.quirks = quirks
        return RequestPlanner(
            WorkerConfig(
                provider: "p", isEcho: isEcho,
                profile: ProviderProfile("k", dialects.map { Surface($0) }, rules: rules),
                models: [], urls: urls, streamURLs: [:], key: [],
                anthropicVersion: "2023-06-01",
                extraHeaders: [:], proxy: nil,
                timeouts: ExchangeTimeouts(
                    connect: 1, firstEvent: 1, total: 1, idle: 1, keepalive: 1, commitHold: 1,
                    unusedConnection: 1)))
    }

    private func handoff(_ endpoint: Endpoint, streaming: Bool = true, carriesEnvelope: Bool = false)
        -> HandoffRequest
    {
        HandoffRequest(
            tag: 1, requestID: "req_1", endpoint: endpoint, streaming: streaming,
            keepAlive: true, isHTTP11: true, model: "m", clientModel: "c", estimatedInput: 100,
            carriesEnvelope: carriesEnvelope, bodySize: 0, inlineBody: [], splices: [],
            headers: HeaderBlock(),
            query: "beta=true", deadlineUsec: 0)
    }

    private static let body = Array(
        #"{"model":"c","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#.utf8)

    private func describe(_ plan: RequestPlan) -> String {
        switch plan {
        case .passThrough(let url): "pass \(url)"
        case .translated(_, _, let endpoint, let url): "translate \(endpoint) \(url)"
        case .local(let answer): String(decoding: answer.chunks.joined(), as: UTF8.self)
        }
    }

    private func plan(_ planner: borrowing RequestPlanner, _ handoff: HandoffRequest) throws -> String {
        describe(
            try planner.plan(
                handoff, ResolvedModel(handoff.model, kind: "k", rows: []), nowUnix: 1, parser: parser
            ) { Self.body })
    }

    @Test func `bytes pass where the provider speaks the client's dialect`() throws {
        let planner = planner([
            .messages: "http://h/v1/messages", .chatCompletions: "http://h/v1/chat/completions",
        ])
        #expect(try plan(planner, handoff(.messages)) == "pass http://h/v1/messages?beta=true")
    }

    @Test func `state of another provider makes the request be read`() throws {
        let planner = planner([.messages: "http://h/v1/messages"])
        #expect(
            try plan(planner, handoff(.messages, carriesEnvelope: true))
                == "translate messages http://h/v1/messages?beta=true",
            "what the client says beside its body holds for the provider too")
    }

    @Test func `state of another provider does not pass in a body that is not read`() throws {
        let planner = planner([
            .messages: "http://h/v1/messages", .countTokens: "http://h/v1/messages/count_tokens",
            .responses: "http://h/v1/responses", .responsesCompact: "http://h/v1/responses/compact",
        ])
        #expect(try plan(planner, handoff(.countTokens)).hasPrefix("pass "))
        #expect(
            try plan(planner, handoff(.countTokens, carriesEnvelope: true)).hasPrefix(#"{"input_tokens":"#),
            "the count is estimated")
        #expect(try plan(planner, handoff(.responsesCompact)).hasPrefix("pass "))
        #expect {
            _ = try plan(planner, handoff(.responsesCompact, carriesEnvelope: true))
        } throws: { error in
            (error as? GatewayError)?.message.contains("whose encrypted_content begins with") == true
        }
    }

    @Test func `an effort that the provider is told in another form than a word makes the request be read`()
        throws
    {
        func sent(_ effort: String, _ body: String, _ thinking: ThinkingForm) throws -> String {
            var rules = ModelRules()
            rules.thinking = thinking
            rules.budgets = [EffortBudget("low", 2_000)]
            var handoff = handoff(.messages)
            handoff.effort = effort
            let plan = try planner([.messages: "http://h/v1/messages"]).plan(
                handoff, ResolvedModel(name: "m", rules: rules), nowUnix: 1, parser: parser
            ) { Array(body.utf8) }
            guard case .translated(_, let bytes, _, _) = plan else { return "passes" }
            return String(decoding: bytes, as: UTF8.self)
        }
        let open = #"{"model":"c","max_tokens":9000,"messages":[{"role":"user","content":"Hi"}]}"#
        let off = open.replacing("{\"model\"", with: "{\"thinking\":{\"type\":\"disabled\"},\"model\"")
        #expect(try sent("", open, .budget) == "passes")
        #expect(try sent("low", open, .adaptive) == "passes", "the adapter writes the word")
        let thinking = #""thinking":{"type":"enabled","budget_tokens":2000}"#
        let asked = try sent("low", open, .budget)
        #expect(asked.contains(thinking), "\(asked)")
        let unasked = try sent("low", off, .budget)
        #expect(unasked.contains(#""thinking":{"type":"disabled"}"#), "\(unasked)")
    }

    @Test func `an effort of a rule fills what a translated request leaves open, one of a name replaces it`()
        throws
    {
        func effort(_ body: String, name: String? = nil) throws -> Substring? {
            var handoff = handoff(.messages)
            handoff.effort = "low"
            let plan = try planner([.chatCompletions: "http://h/c"]).plan(
                handoff, ResolvedModel(name: "m", effort: name), nowUnix: 1, parser: parser
            ) { Array(body.utf8) }
            guard case .translated(_, let bytes, _, _) = plan else { return nil }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let start = text.firstRange(of: #""reasoning_effort":""#)?.upperBound else { return nil }
            return text[start...].prefix { $0 != "\"" }
        }
        let rest = #""model":"c","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#
        #expect(try effort("{" + rest) == "low")
        #expect(try effort(#"{"output_config":{"effort":"high"},"# + rest) == "high")
        #expect(try effort(#"{"thinking":{"type":"disabled"},"# + rest) != "low")
        #expect(try effort(#"{"output_config":{"effort":"high"},"# + rest, name: "minimal") == "minimal")
    }

    @Test func `a model may stream only, or never, in place of what its provider does`() throws {
        let urls: [Endpoint: String] = [.chatCompletions: "http://h/c"]
        var rules = ModelRules()
        rules.addedQuirks = [.documentOnly]
        func plan(_ quirks: Quirks, _ rules: ModelRules) throws -> String {
            describe(
                try planner(urls, quirks).plan(
                    handoff(.chatCompletions), ResolvedModel(name: "m", rules: rules), nowUnix: 1,
                    parser: parser
                ) { Self.body })
        }
        #expect(try plan([], rules) == "translate chatCompletions http://h/c?beta=true")
        rules = ModelRules()
        rules.removedQuirks = [.documentOnly]
        #expect(try plan([.documentOnly], rules) == "pass http://h/c?beta=true")
    }

    @Test func `the dialect that carries most is asked`() throws {
        let both = planner([.responses: "http://h/r", .chatCompletions: "http://h/c"])
        #expect(try plan(both, handoff(.messages)) == "translate responses http://h/r")
        let gemini = planner([
            .generateContent: "http://h/{model}:generateContent",
            .streamGenerateContent: "http://h/{model}:s?alt=sse",
        ])
        #expect(
            try plan(gemini, handoff(.messages)) == "translate streamGenerateContent http://h/m:s?alt=sse")
        #expect(
            try plan(gemini, handoff(.messages, streaming: false))
                == "translate generateContent http://h/m:generateContent")
    }

    @Test func `a dialect that the configuration gives no URL for is passed over`() throws {
        let planner = planner([.messages: "http://h/m"], dialects: [.responses])
        #expect(
            try plan(planner, handoff(.chatCompletions)) == "translate messages http://h/m")
    }

    @Test func `the embedded provider answers without a URL, other dialects by translation`() throws {
        let planner = planner([:], dialects: [.chat], isEcho: true)
        #expect(try plan(planner, handoff(.chatCompletions)).hasPrefix("pass "))
        #expect(try plan(planner, handoff(.messages)).hasPrefix("translate chatCompletions "))
    }

    @Test func `a provider that only streams, or never does, is asked for what it has`() throws {
        let urls: [Endpoint: String] = [.chatCompletions: "http://h/c"]
        #expect(
            try plan(planner(urls, [.streamOnly]), handoff(.chatCompletions)) == "pass http://h/c?beta=true")
        let document = handoff(.chatCompletions, streaming: false)
        #expect(
            try plan(planner(urls, [.streamOnly]), document)
                == "translate chatCompletions http://h/c?beta=true")
        #expect(
            try plan(planner(urls, [.documentOnly]), handoff(.chatCompletions))
                == "translate chatCompletions http://h/c?beta=true")
    }

    @Test func `tokens are estimated where the provider does not count them`() throws {
        let chat = planner([.chatCompletions: "http://h/c"])
        #expect(try plan(chat, handoff(.countTokens)) == #"{"input_tokens":105}"#)
        #expect(try plan(chat, handoff(.geminiCountTokens)) == #"{"totalTokens":105}"#)
    }

    @Test func `what nobody can translate is refused`() {
        let chat = planner([.chatCompletions: "http://h/c"])
        #expect(throws: GatewayError.self) { try plan(chat, handoff(.responsesCompact)) }
    }
}
