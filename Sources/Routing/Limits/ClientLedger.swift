// SPDX-License-Identifier: Apache-2.0
// What the client keys have used: their windows of a minute and what they have spent. Decides whether a request may go on
// before anything is asked. A state machine without I/O and without a clock.

import Config
package import Gateway

package struct ClientLedger {
    /// What a request has taken until it is over.
    package struct Hold: Equatable, Sendable {
        let client: Int
        let tokens: TokenDemand
        /// CLOCK_MONOTONIC microseconds.
        let takenAt: UInt64
    }

    private struct Account {
        /// The place of its limit in `minutes`; nil without one.
        let minute: Int?
        /// As the exporter knows it.
        var stored: KeySpend
        /// What the exporter has not acknowledged yet.
        var pending = 0
    }

    package let rules: [ClientRule]
    private var accounts: [Account]
    private var places: [String: Int] = [:]
    /// The limits per minute of the keys.
    package var minutes = MinuteTable()

    package init(_ rules: [ClientRule]) {
        self.rules = rules
        var minutes = MinuteTable()
        accounts = rules.map {
            Account(
                minute: minutes.add("client,\($0.name)", $0.minute),
                stored: KeySpend(key: $0.name, day: 0, today: 0, month: 0))
        }
        self.minutes = minutes
        for (place, rule) in rules.enumerated() { places[rule.name] = place }
    }

    /// Lets a request of a client go on and takes what it is thought to use.
    ///
    /// - Parameters:
    ///   - input: its tokens.
    ///   - output: those of its answer, set aside as far as the limit allows.
    ///   - now: CLOCK_MONOTONIC microseconds.
    ///   - realtime: CLOCK_REALTIME microseconds, for days and months.
    /// - Throws: 402 when a budget is spent, 429 when a window is full.
    package mutating func admit(
        _ client: Int, input: Int, output: Int, now: UInt64, realtime: UInt64
    ) throws(GatewayError) -> Hold {
        let rule = rules[client]
        let spent = spent(client, realtime)
        if let daily = rule.daily, spent.today >= daily { throw refusal(rule, "daily", daily) }
        if let monthly = rule.monthly, spent.month >= monthly { throw refusal(rule, "monthly", monthly) }
        let tokens = TokenDemand(input: input, output: output)
        switch minutes.admit(accounts[client].minute, tokens: tokens, at: now) {
        case .admitted:
            return Hold(client: client, tokens: tokens, takenAt: now)
        case .wait(let usec, let limit):
            let what = limit == .requests ? "requests" : "tokens"
            throw GatewayError(
                .rateLimited, "the key of \(quoted(rule.name)) has used its \(what) of this minute",
                retryAfter: Int((usec + 999_999) / 1_000_000))
        case .never:
            throw GatewayError(
                .tooLarge,
                "the request has about \(input) tokens, more than the key of "
                    + "\(quoted(rule.name)) may use in a minute")
        }
    }

    /// The request is over.
    ///
    /// - Parameter tokens: what was used, or nil when nothing went out or nobody counted it.
    package mutating func settle(_ hold: Hold, tokens: Int?, wasAsked: Bool, now: UInt64) {
        let place = accounts[hold.client].minute
        if !wasAsked {
            minutes.cancel(place, tokens: hold.tokens, takenAt: hold.takenAt)
        } else if let tokens {
            minutes.settle(place, tokens: hold.tokens, takenAt: hold.takenAt, actual: tokens, at: now)
        }
    }

    // MARK: - Money

    /// A request of a key has cost this much, in billionths of a US dollar, and the exporter does not know it yet.
    package mutating func add(cost: Int, key: String) {
        guard cost > 0, let place = places[key] else { return }
        accounts[place].pending += cost
    }

    /// The exporter has said what keys have spent; `pending` is what it does not know yet, by key.
    package mutating func stored(_ spends: [KeySpend], pending: [String: Int]) {
        for spend in spends {
            if let place = places[spend.key] { accounts[place].stored = spend }
        }
        for place in accounts.indices { accounts[place].pending = pending[rules[place].name] ?? 0 }
    }

    private func spent(_ client: Int, _ realtime: UInt64) -> (today: Int, month: Int) {
        let account = accounts[client]
        let today = Calendar.day(realtime)
        let isThisMonth = account.stored.day >= Calendar.monthStart(of: today)
        return (
            (account.stored.day == today ? account.stored.today : 0) + account.pending,
            (isThisMonth ? account.stored.month : 0) + account.pending
        )
    }

    private func refusal(_ rule: ClientRule, _ period: String, _ nano: Int) -> GatewayError {
        let cents = nano / (Calendar.nanoPerUSD / 100)
        let amount = "\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)"
        return GatewayError(
            .budgetSpent, "the \(period) budget of \(quoted(rule.name)) is spent (\(amount) USD)")
    }
}
