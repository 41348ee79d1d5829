// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Worker

@Suite("Retry headers") struct RetryHeadersTests {
    /// 2027-01-15T08:00:00Z.
    private static let now = 1_800_000_000_000

    private func headers(_ text: String) -> RetryHeaders {
        var headers = RetryHeaders()
        for line in text.split(separator: "\n") {
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            let name = Array(line[..<colon].utf8)
            let value = Array(line[line.index(after: colon)...].drop { $0 == " " }.utf8)
            name.withUnsafeBytes { name in value.withUnsafeBytes { headers.received(name, $0) } }
        }
        return headers
    }

    @Test(
        "The provider's word about when to come back is read in all its forms",
        arguments: [
            ("retry-after: 7", 7_000), ("Retry-After: 0.5", 500),
            ("retry-after-ms: 250\nretry-after: 7", 250),
            ("retry-after: Fri, 15 Jan 2027 08:00:09 GMT", 9_000),
            // A date counts from the server's own clock.
            (
                "date: Fri, 15 Jan 2027 07:00:00 GMT\nretry-after: Fri, 15 Jan 2027 07:00:30 GMT", 30_000
            ),
            ("retry-after: Fri, 15 Jan 2027 07:59:00 GMT", nil), ("retry-after: soon", nil),
            ("retry-after: -3", nil), ("retry-after: 99999999999", 604_800_000), ("x-request-id: 7", nil),
        ])
    func asked(text: String, wanted: Int?) {
        #expect(headers(text).askedMsec(nowMsec: Self.now) == wanted)
    }

    @Test(
        "Resets are lengths of time, seconds and points in time; the longest of what is used up counts",
        arguments: [
            ("x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 6m0s", 360_000),
            ("x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 120ms", 120),
            (
                "x-ratelimit-remaining-requests: 4\nx-ratelimit-reset-requests: 1h\n"
                    + "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 2s", 2_000
            ),
            ("x-ratelimit-remaining: 0\nx-ratelimit-reset: 1800000005", 5_000),
            ("x-ratelimit-remaining: 0\nx-ratelimit-reset: 1800000005500", 5_500),
            ("x-ratelimit-remaining: 0\nx-ratelimit-reset-ms: 1800000000250", 250),
            ("x-ratelimit-remaining-requests-day: 0\nx-ratelimit-reset-requests-day: 33.5", 33_500),
            (
                "anthropic-ratelimit-requests-remaining: 0\n"
                    + "anthropic-ratelimit-requests-reset: 2027-01-15T08:00:04Z", 4_000
            ),
            ("x-ratelimit-remaining: 0\nx-ratelimit-reset: 1700000000", nil),
            ("x-ratelimit-remaining-requests: 4\nx-ratelimit-reset-requests: 1h", nil),
        ])
    func exhausted(text: String, wanted: Int?) {
        #expect(headers(text).exhaustedForMsec(nowMsec: Self.now) == wanted)
        #expect(headers(text).resetMsec(nowMsec: Self.now) == wanted)
    }

    @Test("A reset without a word about what is left is evidence of a refusal's end alone")
    func resetAlone() {
        let headers = headers("x-ratelimit-reset-requests: 3s\nx-ratelimit-reset-tokens: 9s")
        #expect(headers.resetMsec(nowMsec: Self.now) == 3_000)
        #expect(headers.exhaustedForMsec(nowMsec: Self.now) == nil)
    }

    @Test("A provider may forbid another try")
    func shouldRetry() {
        #expect(headers("").mayRepeat)
        #expect(headers("x-should-retry: true").mayRepeat)
        #expect(!headers("X-Should-Retry: false").mayRepeat)
    }

    @Test("What is kept is bounded")
    func bounded() {
        let many = (0..<100).map { "x-ratelimit-a\($0): 1" }.joined(separator: "\n") + "\nretry-after: 3"
        #expect(headers(many).askedMsec(nowMsec: Self.now) == nil)
        let long = "retry-after: " + String(repeating: "1", count: 65)
        #expect(headers(long).askedMsec(nowMsec: Self.now) == nil)
    }
}
