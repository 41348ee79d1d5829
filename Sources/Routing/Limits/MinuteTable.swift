// SPDX-License-Identifier: Apache-2.0
// The limits per minute of many holders (credentials, models, client keys) in one place, so that fronts can share what
// each of them has used.

package struct MinuteTable: Sendable {
    /// Names, the same in every front that knows the holder; none twice.
    package private(set) var holders: [String] = []
    private var budgets: [MinuteBudget] = []
    /// Places that have changed and that `takeTouched` has not told yet.
    private var touched: Set<Int> = []

    package init() {}

    /// Adds a holder; nil when there is nothing to hold.
    mutating func add(_ holder: String, _ limits: MinuteLimits) -> Int? {
        guard !limits.isEmpty else { return nil }
        holders.append(holder)
        budgets.append(MinuteBudget(limits))
        return budgets.count - 1
    }

    /// What a holder has used. Setting it is no change of its own: another front has told it.
    package subscript(place: Int) -> MinuteBudget {
        get { budgets[place] }
        set { budgets[place] = newValue }
    }

    /// The places that have changed since the last call.
    package mutating func takeTouched() -> Set<Int> {
        guard !touched.isEmpty else { return [] }
        defer { touched = [] }
        return touched
    }

    // MARK: - As of MinuteBudget; a place that is nil has no limit

    mutating func check(_ place: Int?, tokens: TokenDemand, at now: UInt64) -> MinuteBudget.Admission {
        guard let place else { return .admitted }
        return budgets[place].check(tokens: budgets[place].amount(tokens), at: now)
    }

    mutating func isHalfUsed(_ place: Int?, at now: UInt64) -> Bool {
        guard let place else { return false }
        return budgets[place].isHalfUsed(at: now)
    }

    mutating func admit(_ place: Int?, tokens: TokenDemand, at now: UInt64) -> MinuteBudget.Admission {
        guard let place else { return .admitted }
        touched.insert(place)
        return budgets[place].admit(tokens: budgets[place].amount(tokens), at: now)
    }

    mutating func settle(
        _ place: Int?, tokens: TokenDemand, takenAt then: UInt64, actual: Int, at now: UInt64
    ) {
        guard let place else { return }
        touched.insert(place)
        budgets[place].settle(
            tokens: budgets[place].amount(tokens), takenAt: then, actual: actual, at: now)
    }

    mutating func cancel(_ place: Int?, tokens: TokenDemand, takenAt then: UInt64) {
        guard let place else { return }
        touched.insert(place)
        budgets[place].cancel(tokens: budgets[place].amount(tokens), takenAt: then)
    }
}
