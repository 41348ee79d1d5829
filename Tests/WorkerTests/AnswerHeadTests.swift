// SPDX-License-Identifier: Apache-2.0
// The head of an answer: which fields pass, which are added, how the body is delimited.

import Gateway
import Testing

@testable import Worker

@Suite("Heads of answers") struct AnswerHeadTests {
    private let content = "data: {\"choices\":[{\"text\":\"a\"}]}\n\n"

    /// The committed head's lines.
    private func lines(_ player: borrowing Player) -> [String] {
        let text = player.head
        #expect(text.hasSuffix("\r\n\r\n"))
        return text.replacing("\r\n", with: "\n").split(separator: "\n").map(String.init)
    }

    @Test("A stream to an HTTP/1.1 client is chunked and keeps the connection")
    func chunked() {
        var player = Player(.chatCompletions)
        _ = player.play([
            .head(200, "HTTP/1.1 200 Fine\nContent-Type: text/event-stream\nX-Custom:  two words \t"),
            .body(content),
        ])
        #expect(player.answer.framing == .chunked)
        #expect(player.answer.keepsConnection == true)
        #expect(
            lines(player) == [
                "HTTP/1.1 200 OK", "Content-Type: text/event-stream", "X-Custom: two words",
                "x-request-id: req_1",
                "x-ccr-request-id: req_1", "x-ccr-tier: p", "transfer-encoding: chunked",
            ])
        #expect(player.held == content)
        player.answer.dropSent()
        #expect(player.answer.head.isEmpty && player.answer.held.isEmpty)
    }

    @Test("A length that the upstream tells is told")
    func length() {
        var player = Player(.chatCompletions)
        let body = "{\"choices\":[1]}"
        _ = player.play([.head(200, "content-length: \(body.utf8.count)"), .body(body), .completed])
        #expect(player.answer.framing == .length(body.utf8.count))
        #expect(
            lines(player).filter { $0.lowercased().hasPrefix("content-length") } == ["content-length: 15"])
        #expect(!player.head.contains("transfer-encoding"))
    }

    @Test(
        "A length that is no number is none", arguments: ["", "x", "-1", "1 2", "+5", "9999999999999999999"])
    func badLength(value: String) {
        var player = Player(.chatCompletions)
        _ = player.play([.head(200, "content-length: \(value)"), .body("{\"choices\":[1]}"), .completed])
        #expect(player.answer.framing == .chunked)
    }

    @Test("An HTTP/1.0 client gets everything until the connection ends, or a length")
    func oldClient() {
        var stream = Player(.chatCompletions, isHTTP11: false)
        _ = stream.play([.stream, .body(content)])
        #expect(stream.answer.framing == .untilClose)
        #expect(stream.answer.keepsConnection == false)
        #expect(lines(stream).last == "connection: close")
        #expect(!stream.head.contains("chunked"))
        var document = Player(.chatCompletions, isHTTP11: false)
        _ = document.play([.head(200, "content-length: 15"), .body("{\"choices\":[1]}"), .completed])
        #expect(document.answer.framing == .length(15))
        #expect(document.answer.keepsConnection == true)
    }

    @Test("A client that wants its connection closed is told so")
    func close() {
        var player = Player(.chatCompletions, keepAlive: false)
        _ = player.play([.stream, .body(content)])
        #expect(player.answer.keepsConnection == false)
        #expect(lines(player).last == "connection: close")
        #expect(player.answer.framing == .chunked)
    }

    @Test("Fields between the upstream and ccr stay out, whatever their case")
    func dropped() {
        var player = Player(.chatCompletions)
        _ = player.play([
            .head(
                200,
                "Content-Type: text/event-stream\nConnection: keep-alive\nTRANSFER-ENCODING: chunked\n"
                    + "Set-Cookie: a=b\nopenai-organization: o\nServer: s\nnonsense without colon"),
            .body(content),
        ])
        #expect(
            lines(player).dropFirst().map { $0.prefix { $0 != ":" }.lowercased() } == [
                "content-type", "x-request-id", "x-ccr-request-id", "x-ccr-tier", "transfer-encoding",
            ])
    }

    @Test("A field that the Connection field names stays out, before it and behind it")
    func nominated() {
        var player = Player(.chatCompletions)
        _ = player.play([
            .head(
                200,
                "x-before: 1\nConnection: keep-alive, X-Before ,x-behind\nX-Behind: 2\n"
                    + "content-type: text/event-stream\nx-before-all: 3"),
            .body(content),
        ])
        #expect(
            lines(player).dropFirst().prefix(2) == ["content-type: text/event-stream", "x-before-all: 3"])
    }

    @Test(
        "A refusal that no other try mends says so, unless the provider has said something about it",
        arguments: [
            (401, "", true), (403, "", true), (404, "", true), (400, "", true), (429, "", false),
            (500, "", false),
            (529, "", false), (401, "x-should-retry: true", false), (401, "X-Should-Retry: false", false),
        ])
    func finality(status: Int, field: String, isAdded: Bool) {
        var player = Player(.messages, isLast: true)
        let body = #"{"type":"error","error":{"type":"x","message":"no"}}"#
        _ = player.play([.head(status, "content-type: application/json\n" + field), .body(body), .completed])
        #expect(lines(player).contains("x-should-retry: false") == isAdded)
        #expect(player.held == body)
        let told = lines(player).filter { $0.lowercased().hasPrefix("x-should-retry") }
        #expect(told.count <= 1)
    }

    @Test("The length of a stream is not told, because pings may be added")
    func streamLength() {
        var player = Player(.chatCompletions)
        _ = player.play([.head(200, "content-type: text/event-stream\ncontent-length: 99"), .body(content)])
        #expect(player.answer.framing == .chunked)
        #expect(!player.head.lowercased().contains("content-length"))
    }

    @Test("A head that is still arriving is not sent, however long it takes")
    func slowHead() {
        var player = Player(.chatCompletions)
        Array("content-type: text/event-stream".utf8).withUnsafeBytes {
            player.answer.headLineReceived($0)
        }
        #expect(player.answer.isHoldingStream == false)
        #expect(player.play(.holdExpired) == "hold")
        let step = player.answer.headReceived(status: 200, nowMsec: 0)
        #expect(step == .hold)
        #expect(player.answer.isHoldingStream == true)
    }

    @Test("The upstream's own request id stays in place of ccr's", arguments: ["x-request-id", "Request-Id"])
    func requestID(name: String) {
        var player = Player(.chatCompletions)
        _ = player.play([.head(200, "content-type: text/event-stream\n\(name): up_1"), .body(content)])
        #expect(lines(player).contains("\(name): up_1"))
        #expect(lines(player).contains("x-ccr-request-id: req_1"))
        #expect(!lines(player).contains("x-request-id: req_1"))
    }

    @Test("The answering model is told only when it is the one that was named", arguments: [false, true])
    func model(changed: Bool) {
        var player = Player(.responses, modelChanged: changed)
        _ = player.play([
            .head(200, "content-type: text/event-stream\nOpenAI-Model: gpt-5"), .holdExpired,
        ])
        #expect(lines(player).contains("OpenAI-Model: gpt-5") != changed)
    }

    @Test("A status passes as it is", arguments: [200, 201, 400, 429, 529])
    func status(status: Int) {
        var player = Player(.chatCompletions, isLast: true)
        #expect(player.play([.head(status, ""), .body("{\"choices\":[1]}"), .completed]).last == "finish")
        #expect(player.answer.status == status)
        #expect(lines(player).first?.hasPrefix("HTTP/1.1 \(status) ") == true)
    }

    @Test("An answer that has no body by its status is not framed")
    func noBody() {
        var player = Player(.chatCompletions, isLast: true)
        #expect(player.play([.head(304, "content-length: 5\netag: x"), .completed]) == ["hold", "finish"])
        let fields = lines(player).map { $0.lowercased() }
        #expect(fields.contains("etag: x"))
        #expect(!fields.contains { $0.hasPrefix("content-length") || $0.hasPrefix("transfer-encoding") })
        #expect(player.answer.keepsConnection == true)
    }
}
