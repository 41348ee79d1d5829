// SPDX-License-Identifier: Apache-2.0
// Bounds repeated requests to a share of the first ones, so that an outage cannot multiply its own traffic.
// Source: the retry budgets of Finagle and the retry throttling of gRPC (A6).

package struct RetryBudget: Equatable, Sendable {
    /// What each first request of a provider pays in, in repetitions.
    static let deposit = 0.1
    /// The most that is saved, which is also what a quiet provider starts with.
    static let most = 10.0

    private var balance = RetryBudget.most

    package init() {}

    /// Repetitions that may be made now.
    package var left: Double { balance }

    package var isEmpty: Bool { balance < 1 }

    package mutating func requested() { balance = min(balance + Self.deposit, Self.most) }

    /// Takes one repetition; false when none is left.
    package mutating func take() -> Bool {
        guard !isEmpty else { return false }
        balance -= 1
        return true
    }
}
