// SPDX-License-Identifier: Apache-2.0
// What client keys have spent by day: this month's days in memory, all of them in usage.db.

import Gateway

/// One row of the table of spends.
struct SpendKey: Hashable {
    let key: String
    /// Days since 1970-01-01 UTC.
    let day: Int
}

struct SpendBook {
    /// Billionths of a US dollar.
    private var rows: [SpendKey: Int] = [:]
    private var changes: [SpendKey: Int] = [:]
    /// Keys whose numbers the fronts do not know yet.
    private var changedKeys: Set<String> = []

    /// The days of which a book is made: the longest month.
    static let days = 31

    /// - Parameter stored: the rows of the last `days` days.
    init(_ stored: [SpendKey: Int] = [:]) {
        rows = stored
    }

    mutating func add(_ cost: Int, key: String, day: Int) {
        let row = SpendKey(key: key, day: day)
        rows[row, default: 0] += cost
        changes[row, default: 0] += cost
        changedKeys.insert(key)
    }

    /// What every key has spent that has spent anything this month.
    func all(_ today: Int) -> [KeySpend] { spends(today) { _ in true } }

    /// What those keys have spent whose numbers have changed since the last call.
    mutating func takeChanged(_ today: Int) -> [KeySpend] {
        guard !changedKeys.isEmpty else { return [] }
        let changed = changedKeys
        changedKeys = []
        return spends(today) { changed.contains($0) }
    }

    private func spends(_ today: Int, _ isWanted: (String) -> Bool) -> [KeySpend] {
        let start = Calendar.monthStart(of: today)
        var spends: [String: KeySpend] = [:]
        for (row, cost) in rows where start...max(start, today) ~= row.day && isWanted(row.key) {
            var spend = spends[row.key] ?? KeySpend(key: row.key, day: today, today: 0, month: 0)
            spend.month += cost
            if row.day == today { spend.today += cost }
            spends[row.key] = spend
        }
        return spends.values.sorted { $0.key < $1.key }
    }

    // MARK: - Storing

    /// Takes out what is to be added to the table, and forgets days that no month needs any more.
    mutating func take() -> [SpendKey: Int] {
        let taken = changes
        changes = [:]
        if let newest = taken.keys.map(\.day).max() {
            rows = rows.filter { $0.key.day > newest - SpendBook.days }
        }
        return taken
    }

    /// Puts changes back whose commit failed.
    mutating func giveBack(_ changes: [SpendKey: Int]) {
        self.changes.merge(changes, uniquingKeysWith: +)
    }
}
