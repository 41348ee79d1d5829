// SPDX-License-Identifier: Apache-2.0
// What the header of an answer says about limits: when to come back, whether to come back, and whether anything is left.
// Source: RFC 9110 §10.2.3; the rate-limit fields of OpenAI, Azure, Anthropic, Mistral, Cerebras and Groq (API references
// 2026) and of the ChatGPT backend (codex-rs, rate_limits.rs); openai-python 3.52 (order of evidence, x-should-retry).

import Bytes
import Credentials
import Dialects
import Gateway

package struct RetryHeaders: Equatable, Sendable {
    /// Fields that are kept of one answer; more say nothing new.
    private static let maximumFields = 32
    private static let maximumValueBytes = 64

    private struct Field: Equatable, Sendable {
        /// In lower case.
        let name: String
        let value: String
    }

    private var fields: [Field] = []
    /// Some limit may have nothing left.
    private var saysNothingLeft = false

    package init() {}

    /// Takes note of one field.
    package mutating func received(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        // Nearly every field of nearly every answer ends here.
        guard let first = name.first, fields.count < Self.maximumFields, value.count <= Self.maximumValueBytes
        else { return }
        switch ASCII.lower(first) {
        case UInt8(ascii: "r"): guard Self.begins(name, "retry-after") else { return }
        case UInt8(ascii: "d"): guard ASCII.equalIgnoringCase(name, "date") else { return }
        case UInt8(ascii: "x"):
            guard
                Self.begins(name, "x-ratelimit-") || Self.begins(name, "x-codex-")
                    || ASCII.equalIgnoringCase(name, "x-should-retry")
            else { return }
        case UInt8(ascii: "a"): guard Self.begins(name, "anthropic-ratelimit-") else { return }
        default: return
        }
        if value.first == UInt8(ascii: "0") { saysNothingLeft = true }
        let field = Field(
            name: String(decoding: name, as: UTF8.self).lowercased(),
            value: String(decoding: value, as: UTF8.self))
        fields.append(field)
    }

    private static func begins(_ name: UnsafeRawBufferPointer, _ prefix: StaticString) -> Bool {
        name.count >= prefix.utf8CodeUnitCount
            && ASCII.equalIgnoringCase(name.slice(0..<prefix.utf8CodeUnitCount), prefix)
    }

    private func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// False when the provider says that trying again is in vain.
    package var mayRepeat: Bool { value("x-should-retry") != "false" }

    /// Whether the provider says anything about it.
    package var saysWhetherToRepeat: Bool { value("x-should-retry") != nil }

    /// Milliseconds until some limit is filled again: the weakest evidence of when to come back.
    package func resetMsec(nowMsec: Int) -> Int? { reset(nowMsec, onlyExhausted: false) }

    /// Milliseconds that the provider asks for in so many words.
    ///
    /// - Parameter nowMsec: milliseconds since 1970.
    package func askedMsec(nowMsec: Int) -> Int? {
        if let text = value("retry-after-ms"), let count = Double(text), count >= 0 {
            return Self.bounded(count)
        }
        guard let text = value("retry-after") else { return nil }
        if let seconds = Double(text) { return seconds >= 0 ? Self.bounded(seconds * 1000) : nil }
        guard let until = HTTPTime.parse(text) else { return nil }
        // A date counts from the server's own clock.
        let now = value("date").flatMap { HTTPTime.parse($0) } ?? nowMsec / 1000
        return until >= now ? Self.bounded(Double(until - now) * 1000) : nil
    }

    /// Milliseconds until a limit that has nothing left is filled again; nil while every limit has something left.
    package func exhaustedForMsec(nowMsec: Int) -> Int? {
        saysNothingLeft ? reset(nowMsec, onlyExhausted: true) : nil
    }

    /// Whole seconds of a time that is given in milliseconds alone, which only some clients read.
    package var missingSeconds: Int? {
        guard !fields.isEmpty, value("retry-after") == nil, let text = value("retry-after-ms"),
            let count = Double(text), count >= 0
        else { return nil }
        return (Self.bounded(count) + 999) / 1000
    }

    /// The longest reset of the limits that have nothing left; without a word about what is left, the shortest of all.
    private func reset(_ nowMsec: Int, onlyExhausted: Bool) -> Int? {
        var exhausted: Int?
        var any: Int?
        for field in fields {
            guard let limit = Self.limit(ofReset: field.name),
                let wait = Self.wait(field.value, nowMsec)
            else { continue }
            if value(limit).flatMap({ Double($0) }) == 0 {
                exhausted = max(exhausted ?? 0, wait)
            } else if value(limit) == nil {
                any = min(any ?? .max, wait)
            }
        }
        return exhausted ?? (onlyExhausted ? nil : any)
    }

    /// The field that tells what is left of the limit whose reset this field tells.
    private static func limit(ofReset name: String) -> String? {
        if name == "x-ratelimit-reset-ms" { return "x-ratelimit-remaining" }
        guard name.contains("ratelimit"), let range = Self.find("reset", in: name) else { return nil }
        return name.prefix(range) + "remaining" + name.dropFirst(range + 5)
    }

    private static func find(_ word: String, in text: String) -> Int? {
        let (word, text) = (Array(word.utf8), Array(text.utf8))
        return (0...max(0, text.count - word.count)).first { text[$0...].starts(with: word) }
    }

    /// Milliseconds until the reset: a length of time, a number of seconds, a point in time in seconds, milliseconds or
    /// RFC 3339. Nil for the past.
    private static func wait(_ text: String, _ nowMsec: Int) -> Int? {
        if let seconds = Duration.seconds(text) { return bounded(seconds * 1000) }
        if let number = Double(text), number >= 0 {
            let until =
                number > 1e12 ? number : number > 1e9 ? number * 1000 : Double(nowMsec) + number * 1000
            return until > Double(nowMsec) ? bounded(until - Double(nowMsec)) : nil
        }
        guard let until = Timestamp.rfc3339(text), until * 1000 > nowMsec else { return nil }
        return until * 1000 - nowMsec
    }

    private static func bounded(_ milliseconds: Double) -> Int {
        Int(min(max(milliseconds, 0), 7 * 86_400_000).rounded(.up))
    }
}
