// SPDX-License-Identifier: Apache-2.0
// The bodies and heads of the answers, and requests on a metrics socket.

import Gateway
import Testing

@testable import Exporter

private func text(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }

@Suite struct AnswerTests {
    var state = UsageState(config())

    init() {
        state.apply(
            batch(
                [
                    record(
                        1, seconds: 3, firstByte: 0.5, streaming: true,
                        usage: Usage(input: 10, cacheRead: 20, cacheWrite: 5, output: 50)),
                    record(2, provider: "anthropic", client: "claude_code", status: 500, seconds: 1),
                ], gauges: FrontGauges(activeRequests: 2, activeStreams: 1)), nowUsec: 0)
    }

    @Test(
        arguments: [
            (
                "/v1/latencies",
                """
                [{"tier":"anthropic","ewma_seconds":1.0,"sample_count":1},\
                {"tier":"openai","ewma_seconds":3.0,"sample_count":1}]
                """
            ),
            (
                "/v1/usage",
                """
                {"total_requests":2,"total_failures":1,"total_input_tokens":10,"total_output_tokens":50,\
                "total_cost_usd":0.0,"active_streams":1,"active_requests":2,"tiers":[\
                {"tier":"anthropic","requests":1,"failures":1,"input_tokens":0,"output_tokens":0,\
                "cache_read_tokens":0,"cache_creation_tokens":0,"cost_usd":0.0,"avg_duration_seconds":1.0},\
                {"tier":"openai","requests":1,"failures":0,"input_tokens":10,"output_tokens":50,\
                "cache_read_tokens":20,"cache_creation_tokens":5,"cost_usd":0.0,"avg_duration_seconds":3.0}],"keys":[]}
                """
            ),
            (
                "/v1/throughput",
                """
                [{"tier":"openai","samples":1,"avg_ttft_seconds":0.5,"p50_ttft_seconds":0.375,\
                "p90_ttft_seconds":0.475,"p99_ttft_seconds":0.4975,"avg_tokens_per_second":20.0,\
                "p50_tokens_per_second":15.0,"recent":[{"ttft_seconds":0.5,"tokens_per_second":20.0,\
                "output_tokens":50,"generation_seconds":2.5,"timestamp":"2026-11-21T00:00:03.000Z"}]}]
                """
            ),
            (
                "/v1/frontend-metrics",
                """
                [{"frontend":"claude_code","requests":1,"avg_latency_ms":1000.0},\
                {"frontend":"codex","requests":1,"avg_latency_ms":3000.0},\
                {"frontend":"other","requests":0,"avg_latency_ms":0.0}]
                """
            ),
            ("/v1/token-drift", "[]"), ("/v1/token-audit", "[]"),
        ])
    func `each path has the shape its clients know`(path: String, body: String) {
        let answer = Answer(path: path, state: state)
        #expect(answer.status == 200)
        #expect(answer.contentType == "application/json")
        #expect(text(answer.body) == body)
    }

    @Test func `nothing counted yet is empty, not missing`() {
        let state = UsageState(config())
        #expect(text(Answer(path: "/v1/latencies", state: state).body) == "[]")
        #expect(text(Answer(path: "/v1/throughput", state: state).body) == "[]")
        #expect(text(Answer(path: "/v1/usage", state: state).body).contains(#""tier":"openai","requests":0"#))
    }

    @Test func `the metrics are those of the state`() {
        let answer = Answer(path: "/metrics", state: state)
        #expect(answer.contentType.hasPrefix("text/plain; version=0.0.4"))
        let lines = text(answer.body).split(separator: "\n")
        #expect(lines.contains(#"ccr_requests_total{tier="openai"} 1"#))
        #expect(lines.contains(#"ccr_failures_total{tier="anthropic",reason="upstream_error"} 1"#))
        #expect(lines.contains(#"ccr_build_info{version="9.9.9"} 1"#))
    }

    @Test(arguments: ["/", "/v1/usage/", "/metrics/x", "", "/v1/Usage"])
    func `an unknown path is told which ones there are`(path: String) {
        let answer = Answer(path: path, state: state)
        #expect(answer.status == 404)
        #expect(
            text(answer.body) == """
                {"error":{"message":"no such path; there are /metrics, /v1/latencies, /v1/usage, /v1/throughput, \
                /v1/frontend-metrics, /v1/token-drift, /v1/token-audit","type":"invalid_request_error",\
                "code":"not_found"}}
                """)
    }

    @Test func `an answer is framed by its length and says whether the connection stays`() {
        let answer = Answer(path: "/v1/token-drift", state: state)
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
        #expect(
            text(answer.bytes(keepAlive: false, isHTTP11: true))
                == head + "content-length: 2\r\nconnection: close\r\n\r\n[]")
        #expect(
            text(answer.bytes(keepAlive: true, isHTTP11: true)) == head + "content-length: 2\r\n\r\n[]")
        #expect(
            text(answer.bytes(keepAlive: true, isHTTP11: false, isHead: true))
                == head + "content-length: 2\r\nconnection: keep-alive\r\n\r\n")
    }
}

@Suite struct MetricsExchangeTests {
    private static let answer = Answer(path: "/v1/token-drift", state: UsageState(config()))

    /// What comes back when the request arrives in these pieces; the path asked for comes along.
    private func send(_ pieces: [[UInt8]]) -> (answer: String, path: String?) {
        var exchange = MetricsExchange()
        var path: String?
        for piece in pieces {
            let response = piece.withUnsafeBytes { bytes in
                exchange.receive(bytes) {
                    path = $0
                    return MetricsExchangeTests.answer
                }
            }
            if let response { return (text(response), path) }
        }
        return ("", path)
    }

    private let request = Array("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n".utf8)

    @Test func `a request is answered however its bytes arrive`() {
        let whole = send([request])
        #expect(whole.path == "/metrics")
        #expect(whole.answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(whole.answer.hasSuffix("connection: close\r\n\r\n[]"))
        #expect(send(request.map { [$0] }) == whole)
        for split in 0...request.count {
            let pieces = [Array(request[..<split]), Array(request[split...])]
            #expect(send(pieces) == whole, "split at \(split)")
        }
        for count in 0..<request.count {
            #expect(send([Array(request[..<count])]) == ("", nil), "\(count) bytes")
        }
    }

    @Test(
        arguments: [
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK", "close\r\n\r\n"),
            ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "[]"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 ", "}}"),
            ("GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 400 ", "}}"), ("\u{16}\u{3}\u{1}", "HTTP/1.1 400 ", "}}"),
            ("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 8192), "HTTP/1.1 431 ", "}}"),
        ])
    func `other requests get their own answer`(request: String, start: String, end: String) {
        let answer = send([Array(request.utf8)]).answer
        #expect(answer.hasPrefix(start))
        #expect(answer.hasSuffix(end))
        #expect(answer.contains("connection: close\r\n"))
    }
}
