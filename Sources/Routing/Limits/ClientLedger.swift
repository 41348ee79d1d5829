// SPDX-License-Identifier: Apache-2.0
// What the client keys have used: their windows of a minute and what they have spent. Decides whether a request may go on
// before anything is asked. A state machine without I/O and without a clock.

import Config
package import Gateway
package import IPC

package struct ClientLedger {
    /// What a request has taken until it is over.
    package struct Hold: Equatable, Sendable {
        let client: Int
        let tokens: Int
        /// CLOCK_MONOTONIC microseconds.
        let takenAt: UInt64
    }

    private struct Account {
        var minute: MinuteBudget
        /// As the exporter knows it.
        var stored: KeySpend
        /// What the exporter has not acknowledged yet.
        var pending = 0
    }

    package let rules: [ClientRule]
    private var accounts: [Account]
    private var places: [String: Int] = [:]
    /// Grows with every change of a window.
    package private(set) var changes: UInt64 = 0

    package init(_ rules: [ClientRule]) {
        self.rules = rules
        accounts = rules.map {
            Account(
                minute: MinuteBudget($0.minute), stored: KeySpend(key: $0.name, day: 0, today: 0, month: 0))
        }
        for (place, rule) in rules.enumerated() { places[rule.name] = place }
    }

    /// Lets a request of a client go on and takes what it is thought to use.
    ///
    /// - Parameters:
    ///   - now: CLOCK_MONOTONIC microseconds.
    ///   - realtime: CLOCK_REALTIME microseconds, for days and months.
    /// - Throws: 402 when a budget is spent, 429 when a window is full.
    package mutating func admit(
        _ client: Int, tokens: Int, now: UInt64, realtime: UInt64
    ) throws(GatewayError) -> Hold {
        let rule = rules[client]
        let spent = spent(client, realtime)
        if let daily = rule.daily, spent.today >= daily { throw refusal(rule, "daily", daily) }
        if let monthly = rule.monthly, spent.month >= monthly { throw refusal(rule, "monthly", monthly) }
        switch accounts[client].minute.admit(tokens: tokens, at: now) {
        case .admitted:
            changes += 1
            return Hold(client: client, tokens: tokens, takenAt: now)
        case .wait(let usec, let limit):
            let what = limit == .requests ? "requests" : "tokens"
            throw GatewayError(
                .rateLimited, "the key of \(quoted(rule.name)) has used its \(what) of this minute",
                retryAfter: Int((usec + 999_999) / 1_000_000))
        case .never:
            throw GatewayError(
                .tooLarge,
                "the request has about \(tokens) tokens, more than the key of "
                    + "\(quoted(rule.name)) may use in a minute")
        }
    }

    /// The request is over.
    ///
    /// - Parameter tokens: what was used, or nil when nothing went out or nobody counted it.
    package mutating func settle(_ hold: Hold, tokens: Int?, wasAsked: Bool, now: UInt64) {
        changes += 1
        if !wasAsked {
            accounts[hold.client].minute.cancel(tokens: hold.tokens, takenAt: hold.takenAt)
        } else if let tokens {
            accounts[hold.client].minute.settle(
                tokens: hold.tokens, takenAt: hold.takenAt, actual: tokens, at: now)
        }
    }

    // MARK: - What outlives a front

    /// The windows by the names of their keys, so that another configuration can go on with them.
    package func write(to writer: inout WireWriter) {
        writer.put(list: rules.indices.filter { !rules[$0].minute.isEmpty }) { writer, place in
            writer.put(rules[place].name)
            writer.put(accounts[place].minute)
        }
    }

    /// Goes on from the windows of another front; keys that this configuration does not have are left out.
    ///
    /// - Throws: when the bytes are none; then nothing has changed.
    package mutating func merge(from reader: inout WireReader) throws(WireError) {
        let windows = try reader.getList { (reader) throws(WireError) in
            (name: try reader.getString(), minute: try MinuteBudget(from: &reader))
        }
        for window in windows {
            if let place = places[window.name] { accounts[place].minute.merge(window.minute) }
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
