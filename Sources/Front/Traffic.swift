// SPDX-License-Identifier: Apache-2.0
// The traffic of a front in one line for people, as `systemctl status` and /health show it: running streams, requests
// per second, and the provider that fails most.

import Gateway

struct Traffic {
    /// A line is made this often while there is something to say.
    static let intervalMsec = 5_000
    /// Failures of providers count for this many intervals, half of them at least.
    private static let span = 12

    private var requests = 0
    private var interval = 0
    private var recent: [String: Attempts] = [:]
    private var before: [String: Attempts] = [:]

    private struct Attempts {
        var count = 0
        var failed = 0
    }

    /// A request is over; asking each provider for it was one attempt.
    mutating func count(_ record: RequestRecord) {
        requests += 1
        for attempt in record.failedAttempts { add(attempt.provider, failed: true) }
        guard !record.provider.isEmpty, record.outcome != .rejected else { return }
        add(record.provider, failed: record.outcome == .upstreamFailed || record.outcome == .timedOut)
    }

    private mutating func add(_ provider: String, failed: Bool) {
        recent[provider, default: Attempts()].count += 1
        if failed { recent[provider, default: Attempts()].failed += 1 }
    }

    /// The line about the interval that ends now, or nil when nothing happened and nothing runs.
    mutating func line(streams: Int) -> String? {
        let worst = worst()
        defer {
            requests = 0
            interval += 1
            if interval % (Traffic.span / 2) == 0 {
                before = recent
                recent = [:]
            }
        }
        guard requests > 0 || streams > 0 || worst != nil else { return nil }
        let tenths = (requests * 10_000 + Traffic.intervalMsec / 2) / Traffic.intervalMsec
        var line = "\(streams) stream\(streams == 1 ? "" : "s"), \(tenths / 10).\(tenths % 10) requests/s"
        if let worst { line += ", worst provider \(worst)" }
        return line
    }

    /// "openai: 3 of 10 failed", by the share of failures and then by their number.
    private func worst() -> String? {
        let all = recent.merging(before) {
            Attempts(count: $0.count + $1.count, failed: $0.failed + $1.failed)
        }
        let failing = all.filter { $0.value.failed > 0 }.max { a, b in
            let (left, right) = (a.value.failed * b.value.count, b.value.failed * a.value.count)
            return left == right ? (a.value.failed, b.key) < (b.value.failed, a.key) : left < right
        }
        return failing.map { "\($0.key): \($0.value.failed) of \($0.value.count) failed" }
    }
}
