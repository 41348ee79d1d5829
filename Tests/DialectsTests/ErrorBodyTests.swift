// SPDX-License-Identifier: Apache-2.0
import Dialects
import Gateway
import JSON
import Testing

@Suite struct ErrorBodyTests {
    let parser = JSONParser()

    private func text(_ error: GatewayError, _ dialect: Dialect) -> String {
        String(decoding: ErrorBody.render(error, dialect: dialect, requestID: "req_1"), as: UTF8.self)
    }

    @Test func `each dialect has its own body`() {
        let error = GatewayError(.modelNotFound, "no \"x\"")
        let openAI =
            #"{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#
        #expect(text(error, .chat) == openAI)
        #expect(text(error, .responses) == openAI)
        let anthropic =
            #"{"type":"error","error":{"type":"not_found_error","message":"no \"x\""},"request_id":"req_1"}"#
        #expect(text(error, .messages) == anthropic)
        #expect(text(error, .gemini) == #"{"error":{"code":404,"message":"no \"x\"","status":"NOT_FOUND"}}"#)
    }

    @Test(arguments: ErrorKind.allCases, Dialect.allCases)
    func `every error is JSON with a type and a message`(kind: ErrorKind, dialect: Dialect) throws {
        let error = GatewayError(kind, "m")
        let body = try parser.parse(ErrorBody.render(error, dialect: dialect, requestID: "r"))
        let inner = try #require(body.member("error"))
        // Claude Code compacts at these words.
        let prefix = kind == .contextTooLong && dialect == .messages ? "prompt is too long: " : ""
        #expect(inner.member("message")?.string == prefix + "m")
        #expect(inner.member(dialect == .gemini ? "status" : "type")?.string?.isEmpty == false)
        #expect((inner.member("code") != nil) == (dialect != .messages))
    }

    @Test(arguments: [
        ("prompt is too long: 9 tokens > 8 maximum", "prompt is too long: 9 tokens > 8 maximum"),
        (
            "input length and `max_tokens` exceed context limit: 7 + 2 > 8",
            "input length and `max_tokens` exceed context limit: 7 + 2 > 8"
        ),
        ("maximum context length is 8 tokens", "prompt is too long: m: maximum context length is 8 tokens"),
    ])
    func `Claude Code reads of a conversation that is too long what it knows`(quote: String, told: String) {
        let error = GatewayError(.contextTooLong, "m", quote: quote)
        #expect(text(error, .messages).contains(#""message":"\#(told)""#))
    }

    @Test func `Codex shows a bad request's message alone`() {
        let error = GatewayError(.invalidRequest, "m")
        #expect(text(error, .responses).contains(#""code":"invalid_prompt""#))
        #expect(text(error, .chat).contains(#""code":null"#))
    }

    @Test(arguments: ErrorKind.allCases)
    func `only what may get better is worth a retry`(kind: ErrorKind) {
        let headers = ErrorBody.headers(GatewayError(kind, "m"), dialect: .chat, requestID: "r")
        let retry = headers.first { $0.name == "x-should-retry" }?.value
        let temporary: [ErrorKind] = [
            .requestTimeout, .rateLimited, .internalFault, .upstreamUnreachable, .overloaded,
            .upstreamTimeout,
        ]
        #expect(retry == (temporary.contains(kind) ? nil : "false"))
    }

    @Test func `headers carry the request id and the delay`() {
        let error = GatewayError(.rateLimited, "m", retryAfter: 7)
        let chat = ErrorBody.headers(error, dialect: .chat, requestID: "req_1").map {
            "\($0.name): \($0.value)"
        }
        #expect(chat == ["x-request-id: req_1", "retry-after: 7"])
        let messages = ErrorBody.headers(error, dialect: .messages, requestID: "req_1").map(\.name)
        #expect(messages == ["request-id", "retry-after"])
    }
}

@Suite struct FailureEventTests {
    private func text(_ stream: String, _ endpoint: Endpoint, _ error: GatewayError) -> String {
        let observer = observe(stream, endpoint, ends: false)
        return String(
            decoding: FailureEvent.render(error, after: observer, requestID: "req_1"), as: UTF8.self)
    }

    @Test func `chat ends with an error chunk`() {
        let expected =
            #"data: {"error":{"message":"m","type":"server_error","param":null,"code":"upstream_unreachable"}}"#
            + "\n\n"
        #expect(text("data: {}\n\n", .chatCompletions, GatewayError(.upstreamUnreachable, "m")) == expected)
    }

    @Test func `messages ends with an error event`() {
        let expected =
            "event: error\ndata: "
            + #"{"type":"error","error":{"type":"timeout_error","message":"m"},"request_id":"req_1"}"#
            + "\n\n"
        #expect(text("", .messages, GatewayError(.upstreamTimeout, "m")) == expected)
    }

    @Test func `responses fails in the name of the response that began`() throws {
        let events = Golden.responses.text.split(separator: "\n\n").map { $0 + "\n\n" }
        let text = text(events[..<4].joined(), .responses, GatewayError(.upstreamUnreachable, "m"))
        let data = try #require(text.split(separator: "\n").last?.dropFirst("data: ".count))
        #expect(text == "event: response.failed\ndata: \(data)\n\n")
        let parser = JSONParser()
        let root = try parser.parse(Array(data.utf8))
        #expect(root.member("type")?.string == "response.failed")
        #expect(root.member("sequence_number")?.int == 4)
        let response = root.member("response")
        #expect(response?.member("id")?.string == "resp_1")
        #expect(response?.member("created_at")?.int == 7)
        #expect(response?.member("model")?.string == "m")
        #expect(response?.member("status")?.string == "failed")
        #expect(response?.member("error")?.member("code")?.string == "server_error")
        #expect(response?.member("error")?.member("message")?.string == "m")
        #expect(response?.member("output")?.isArray == true)
        withExtendedLifetime(parser) {}
    }

    @Test(arguments: ErrorKind.allCases)
    func `Codex tries again only when that may help`(kind: ErrorKind) {
        let error = GatewayError(kind, "m")
        let isDefinitive = ErrorBody.headers(error, dialect: .responses, requestID: "").contains {
            $0.name == "x-should-retry"
        }
        let code =
            switch kind {
            case .contextTooLong: "context_length_exceeded"
            case .quotaExhausted, .budgetSpent: "insufficient_quota"
            default: "invalid_prompt"
            }
        #expect(text("", .responses, error).contains("\"code\":\"\(code)\"") == isDefinitive)
    }

    @Test(arguments: [Endpoint.chatCompletions, .responses, .messages, .streamGenerateContent])
    func `the client is told what the provider said`(endpoint: Endpoint) {
        let error = GatewayError(.overloaded, "p reported an error", quote: "busy")
        let told = "\"p reported an error: busy\""
        #expect(text("", endpoint, error).contains(told))
        let body = ErrorBody.render(error, dialect: endpoint.dialect, requestID: "req_1")
        #expect(String(decoding: body, as: UTF8.self).contains(told))
    }

    @Test(arguments: [Endpoint.chatCompletions, .responses, .messages, .streamGenerateContent])
    func `an unfinished event is ended first, and the failure is then read`(endpoint: Endpoint) {
        let begun = "event: x\ndata: {\"a\":"
        let failure = text(begun, endpoint, GatewayError(.overloaded, "m"))
        #expect(failure.hasPrefix("\n\n"))
        let observer = observe(begun + failure, endpoint)
        #expect(observer.failure?.message == "m")
        #expect(observer.isAtBoundary)
    }
}

@Suite struct KeepaliveTests {
    @Test(arguments: [Golden.chat, .responses, .messages, .gemini])
    func `a keepalive between any two events changes nothing`(golden: Golden) {
        let keepalive = String(decoding: Keepalive.bytes(golden.endpoint.dialect), as: UTF8.self)
        let text = golden.text.split(separator: "\n\n").map { $0 + "\n\n" + keepalive }.joined()
        let observer = observe(text, golden.endpoint)
        #expect(observer.phase == .finished)
        #expect(observer.usage == golden.usage)
    }

    @Test func `a keepalive of Gemini holds nothing that its SDK would take for JSON`() {
        #expect(Keepalive.bytes(.gemini).allSatisfy { $0 == 0x0A })
    }

    @Test func `a keepalive of Responses is an event with data`() {
        #expect(String(decoding: Keepalive.bytes(.responses), as: UTF8.self).contains("\ndata: {"))
    }
}
