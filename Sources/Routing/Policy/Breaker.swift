// SPDX-License-Identifier: Apache-2.0
// Whether something may be asked: closed lets everything through, open nothing, half-open a few probes. One machine
// serves the circuit of a model at a provider and the pause of a credential. A value without clock; times are
// microseconds of one clock.
// Source: the circuit breaker of Nygard, "Release It!"; the slow start of Envoy's outlier detection.

package import IPC

package struct Breaker: Equatable, Sendable {
    package enum State: UInt8, CaseIterable, Sendable {
        case closed = 0
        case open = 1
        case halfOpen = 2
    }

    package private(set) var state = State.closed
    /// The end of the present or the last opening.
    package private(set) var openUntil: UInt64 = 0
    /// The provider said how long, so nothing is asked before; else a request that has no other way may be.
    package private(set) var isFirm = false
    /// Openings without a full recovery in between.
    package private(set) var openings = 0
    private var consecutive = 0
    /// The latest outcomes, one bit each, the youngest lowest; set for a failure.
    private var history: UInt32 = 0
    private var historyCount = 0
    private var probes = 0
    private var successes = 0

    /// So many failures in a row open it.
    static let consecutiveLimit = 5
    /// So many failures among the latest outcomes open it.
    static let historyLength = 20
    static let historyLimit = 10
    /// An opening without a word of the provider's lasts so long, doubling up to the most.
    package static let firstHoldUsec: UInt64 = 1_000_000
    package static let longestHoldUsec: UInt64 = 15_000_000
    /// So many successes close it again; after each, twice as many may be asked at once.
    static let successesToClose = 3

    package init() {}

    /// Whether a request may pass; ask `begin` when one does.
    package func admits(_ now: UInt64) -> Bool {
        switch state {
        case .closed: true
        case .open: now >= openUntil
        case .halfOpen: probes < 1 << successes
        }
    }

    /// Whether nothing may pass before a time that is known.
    func isShut(_ now: UInt64) -> Bool { state == .open && now < openUntil }

    /// When a request may pass, as far as is known: a probe that is under way may change it at any time.
    package func opensAt(_ now: UInt64) -> UInt64 { state == .open ? max(now, openUntil) : now }

    /// A request passes, by `admits` or, having no other way, in spite of it. Returns whether it is a probe, which the
    /// other calls want to know.
    package mutating func begin(_ now: UInt64) -> Bool {
        if state == .open, now >= openUntil {
            state = .halfOpen
            probes = 0
            successes = 0
        }
        if state == .halfOpen { probes += 1 }
        return state != .closed
    }

    /// A request ended without showing anything.
    package mutating func released(probe: Bool) {
        if probe, state == .halfOpen, probes > 0 { probes -= 1 }
    }

    package mutating func succeeded(probe: Bool) {
        consecutive = 0
        note(failure: false)
        // What was asked before it opened says nothing about now.
        guard probe, state != .closed else { return }
        if state == .open {
            state = .halfOpen
            probes = 0
            successes = 0
        }
        released(probe: probe)
        successes += 1
        if successes >= Self.successesToClose {
            self = Breaker()
        }
    }

    /// One failure more.
    ///
    /// - Parameter random: 0..<1, spreads the end of an opening.
    /// - Returns: whether it opened.
    @discardableResult
    package mutating func failed(probe: Bool, _ now: UInt64, random: Double) -> Bool {
        consecutive += 1
        note(failure: true)
        switch state {
        case .closed:
            guard consecutive >= Self.consecutiveLimit || history.nonzeroBitCount >= Self.historyLimit else {
                return false
            }
        case .halfOpen: guard probe else { return false }
        case .open: return false
        }
        open(until: now + hold(random: random), firm: false)
        return true
    }

    /// Opens at once, or for longer.
    ///
    /// - Parameter until: nil takes the next hold of its own.
    package mutating func open(_ now: UInt64, until: UInt64?, firm: Bool, random: Double) {
        open(until: until ?? now + hold(random: random), firm: firm)
    }

    private mutating func open(until: UInt64, firm: Bool) {
        // What was asked before it opened tells nothing new.
        if state == .open {
            openUntil = max(openUntil, until)
            isFirm = isFirm || firm
            return
        }
        state = .open
        openUntil = until
        isFirm = firm
        openings += 1
        probes = 0
        successes = 0
        history = 0
        historyCount = 0
    }

    /// One failure more would open it.
    package var opensWithNextFailure: Bool {
        state != .closed || consecutive + 1 >= Self.consecutiveLimit
            || (history << 1 & (1 << UInt32(Self.historyLength) - 1)).nonzeroBitCount + 1 >= Self.historyLimit
    }

    /// For how long it would open without a word of the provider's, at most.
    package var nextHoldUsec: UInt64 { hold(random: 1) }

    private func hold(random: Double) -> UInt64 {
        let base = min(Self.firstHoldUsec << UInt64(min(openings, 4)), Self.longestHoldUsec)
        return UInt64(Double(base) * (0.8 + 0.2 * random))
    }

    private mutating func note(failure: Bool) {
        history = history << 1 & (1 << UInt32(Self.historyLength) - 1) | (failure ? 1 : 0)
        historyCount = min(historyCount + 1, Self.historyLength)
    }

    /// Nothing would be lost if it were forgotten.
    package var isFresh: Bool { state == .closed && history == 0 }
}

extension Breaker: WireCodable {
    package func encode(to writer: inout WireWriter) {
        writer.put(state.rawValue)
        writer.put(openUntil)
        writer.put(isFirm)
        writer.put(UInt32(clamping: openings))
    }

    /// Probes that were under way are not: whoever sent them is gone.
    package init(from reader: inout WireReader) throws(WireError) {
        state = try reader.getCase()
        openUntil = try reader.get()
        isFirm = try reader.getBool()
        openings = Int(try reader.get(UInt32.self))
        if state == .halfOpen { state = .open }
    }
}
