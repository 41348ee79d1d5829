// SPDX-License-Identifier: Apache-2.0
// What an error's body says besides its code: when to come back, and which parameter is not wanted.
// Source: OpenAI ("try again in 1.5s"), ChatGPT's backend (resets_at, resets_in_seconds), google.rpc.RetryInfo,
// pydantic's wording in Anthropic's and vLLM's 400, google.rpc.BadRequest; read 2026-11.

import Bytes
import Gateway
import JSON

enum FailureHints {
    /// No provider is waited for longer; what it says beyond is taken as this.
    static let longestMsec = 7 * 24 * 3_600_000

    // MARK: - When

    /// Milliseconds until the provider wants to hear again.
    ///
    /// - Parameters:
    ///   - sources: the error object and what holds it.
    ///   - nowUnix: seconds since 1970, or nil when nobody knows; then points in time say nothing.
    static func retryAfterMsec(_ sources: [JSONValue], message: String, nowUnix: Int?) -> Int? {
        for source in sources {
            if let seconds = source.member("resets_in_seconds")?.double, seconds >= 0 {
                return milliseconds(seconds)
            }
            if let time = source.member("resets_at")?.int, let nowUnix, time > nowUnix {
                return milliseconds(Double(time - nowUnix))
            }
            guard let details = source.member("details") else { continue }
            for detail in details.elements {
                if let text = detail.member("retryDelay")?.string, let seconds = Duration.seconds(text) {
                    return milliseconds(seconds)
                }
            }
        }
        return told(in: message)
    }

    static func milliseconds(_ seconds: Double) -> Int {
        min(Int(max(0, min(seconds, 1e9)) * 1000), longestMsec)
    }

    /// "Please try again in 1.5s", "Please retry in 34.07s".
    private static func told(in message: String) -> Int? {
        let words = message.lowercased().split(separator: " ").map { String($0).trimmingDots }
        for index in words.indices.dropFirst(2) {
            let isTold =
                words[index - 1] == "in" && (words[index - 2] == "again" || words[index - 2] == "retry")
                || words[index - 1] == "after" && words[index - 2] == "retry"
            guard isTold else { continue }
            if let seconds = Duration.seconds(words[index]) { return milliseconds(seconds) }
            // "5 seconds" has its unit in a word of its own.
            guard let count = Double(words[index]), index + 1 < words.count else { continue }
            let unit = words[index + 1]
            if unit.hasPrefix("ms") || unit.hasPrefix("milli") { return milliseconds(count / 1000) }
            if unit.hasPrefix("s") { return milliseconds(count) }
            if unit.hasPrefix("m") { return milliseconds(count * 60) }
        }
        return nil
    }

    // MARK: - What

    /// Parameters without which a request is another one, or none.
    private static let essential = [
        "model", "messages", "input", "contents", "prompt", "stream", "tools", "system", "instructions",
        "max_tokens",
    ]

    /// The member of the request's top level that the provider does not take; "" when none is named.
    static func parameter(_ sources: [JSONValue], message: String) -> String {
        let named = sources.compactMap { $0.member("param")?.string }.first { !$0.isEmpty }
        guard let name = named ?? quoted(in: message) ?? first(of: message) else { return "" }
        let top = String(name.prefix { $0 != "." && $0 != "[" })
        let isName =
            !top.isEmpty && top.utf8.count <= 64
            && top.utf8.allSatisfy { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 || $0 == 0x5F }
        return isName && !essential.contains(top) ? top : ""
    }

    /// "Unsupported parameter: 'temperature'", "Unknown name \"foo\"".
    private static func quoted(in message: String) -> String? {
        let lower = message.lowercased()
        let isNamed = ["unsupported parameter", "unknown parameter", "unknown name", "argument supplied"]
            .contains { lower.contains($0) }
        guard isNamed else { return nil }
        for quote in ["'", "\"", "`"] as [Character] {
            let parts = message.split(separator: quote, maxSplits: 2, omittingEmptySubsequences: false)
            if parts.count == 3 { return String(parts[1]) }
        }
        guard let colon = message.firstIndex(of: ":") else { return nil }
        let word = message[message.index(after: colon)...].split(separator: " ").first
        return word.map { String($0).trimmingDots }
    }

    /// "context_management: Extra inputs are not permitted".
    private static func first(of message: String) -> String? {
        guard message.lowercased().contains("extra inputs are not permitted"),
            let colon = message.firstIndex(of: ":")
        else { return nil }
        return String(message[..<colon])
    }
}

/// Lengths of time as header fields and bodies write them.
package enum Duration {
    /// Seconds of "6m0s", "120ms", "1.5s", "1h2m3s"; nil for any other form, also for a number without a unit.
    package static func seconds(_ text: String) -> Double? {
        var rest = text[...]
        var total = 0.0
        guard !rest.isEmpty, text.utf8.count <= 32 else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            guard let value = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            switch unit {
            case "ms": total += value / 1000
            case "s": total += value
            case "m": total += value * 60
            case "h": total += value * 3600
            case "d": total += value * 86_400
            default: return nil
            }
        }
        return total
    }
}

extension String {
    fileprivate var trimmingDots: String {
        var text = self[...]
        while text.last == "." || text.last == "," { text.removeLast() }
        return String(text)
    }
}
