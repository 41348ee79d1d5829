// SPDX-License-Identifier: Apache-2.0
// Requests and tokens a minute of one holder (a client key, a credential, a model), checked and taken in one step.

package import IPC

/// Limits of any 60 s; nil means none.
package struct MinuteLimits: Equatable, Sendable, WireCodable {
    package var requests: Int?
    package var tokens: Int?

    package init(requests: Int? = nil, tokens: Int? = nil) {
        self.requests = requests
        self.tokens = tokens
    }

    package var isEmpty: Bool { requests == nil && tokens == nil }

    package func encode(to writer: inout WireWriter) {
        for limit in [requests, tokens] { writer.put(limit) { $0.put(UInt64(max(0, $1))) } }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        requests = try reader.getOptional { (reader) throws(WireError) in
            Int(clamping: try reader.get(UInt64.self))
        }
        tokens = try reader.getOptional { (reader) throws(WireError) in
            Int(clamping: try reader.get(UInt64.self))
        }
    }
}

/// The tokens that a request is thought to use.
package struct TokenDemand: Equatable, Sendable {
    package let input: Int
    /// Set aside for its answer, as far as a limit allows.
    package let output: Int

    package init(input: Int, output: Int) {
        self.input = input
        self.output = output
    }
}

/// The two windows of a holder.
package struct MinuteBudget: Equatable, Sendable {
    /// Which limit stands in the way.
    package enum Limit: Equatable, Sendable {
        case requests
        case tokens
    }

    package enum Admission: Equatable, Sendable {
        /// One request and its tokens have been taken.
        case admitted
        /// Nothing has been taken; it fits after `usec` at the earliest.
        case wait(usec: UInt64, Limit)
        /// More tokens than a whole minute allows.
        case never
    }

    private var requests: SlidingWindow?
    private var tokens: SlidingWindow?

    package init(_ limits: MinuteLimits) {
        requests = limits.requests.map { SlidingWindow(limit: $0) }
        tokens = limits.tokens.map { SlidingWindow(limit: $0) }
    }

    /// What a request takes of the tokens: all of its input, and for the answer a quarter of the limit at most, so that a
    /// small limit lets more than one request go on at a time, and one that fits is never refused for its answer.
    package func amount(_ demand: TokenDemand) -> Int {
        guard let limit = tokens?.limit else { return demand.input + demand.output }
        return max(demand.input, min(demand.input + min(demand.output, limit / 4), limit))
    }

    /// The limits and what is left of them at `now`, for header fields and displays; nil without a limit.
    package mutating func remaining(at now: UInt64) -> (requests: Int?, tokens: Int?) {
        let left = { (window: inout SlidingWindow?) -> Int? in
            guard let limit = window?.limit, let used = window?.used(at: now) else { return nil }
            return max(0, limit - used)
        }
        return (left(&requests), left(&tokens))
    }

    /// Whether more than half of a limit is taken at `now`.
    package mutating func isHalfUsed(at now: UInt64) -> Bool {
        let isHalf = { (window: inout SlidingWindow?) -> Bool in
            guard let limit = window?.limit, let used = window?.used(at: now) else { return false }
            return used * 2 > limit
        }
        return isHalf(&requests) || isHalf(&tokens)
    }

    /// What `admit` would say, without taking anything.
    package mutating func check(tokens amount: Int, at now: UInt64) -> Admission {
        var longest: (usec: UInt64, limit: Limit) = (0, .requests)
        if requests != nil {
            guard let wait = requests?.wait(for: 1, at: now) else { return .never }
            longest = (wait, .requests)
        }
        if tokens != nil {
            guard let wait = tokens?.wait(for: amount, at: now) else { return .never }
            if wait > longest.usec { longest = (wait, .tokens) }
        }
        return longest.usec == 0 ? .admitted : .wait(usec: longest.usec, longest.limit)
    }

    /// Takes one request of `amount` tokens, all or nothing.
    package mutating func admit(tokens amount: Int, at now: UInt64) -> Admission {
        let admission = check(tokens: amount, at: now)
        if admission == .admitted {
            requests?.take(1, at: now)
            tokens?.take(amount, at: now)
        }
        return admission
    }

    /// The request is over: `actual` tokens in place of the `amount` taken at `then`. What was used beyond it counts
    /// from `now` on.
    package mutating func settle(tokens amount: Int, takenAt then: UInt64, actual: Int, at now: UInt64) {
        if actual < amount {
            tokens?.giveBack(amount - actual, takenAt: then)
        } else if actual > amount {
            tokens?.take(actual - amount, at: now)
        }
    }

    /// The request never went out: everything is given back.
    package mutating func cancel(tokens amount: Int, takenAt then: UInt64) {
        requests?.giveBack(1, takenAt: then)
        tokens?.giveBack(amount, takenAt: then)
    }

    // MARK: - What fronts share

    /// Bytes of what `store` writes.
    package static let storedBytes = 2 * SlidingWindow.storedBytes

    /// Writes what was taken into `storedBytes` bytes; what has no limit here is left as it is there.
    package func store(into bytes: UnsafeMutableRawBufferPointer) {
        requests?.store(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<SlidingWindow.storedBytes]))
        tokens?.store(into: UnsafeMutableRawBufferPointer(rebasing: bytes[SlidingWindow.storedBytes...]))
    }

    /// Goes on from what another front has taken, under the limits of this one.
    package mutating func load(from bytes: UnsafeRawBufferPointer) {
        requests?.load(from: UnsafeRawBufferPointer(rebasing: bytes[..<SlidingWindow.storedBytes]))
        tokens?.load(from: UnsafeRawBufferPointer(rebasing: bytes[SlidingWindow.storedBytes...]))
    }
}
