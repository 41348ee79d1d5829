// SPDX-License-Identifier: Apache-2.0
// usage.db: reads all of it once and commits changes whole.

import SQLite

/// The open database. One process writes it; people may read it at the same time.
final class UsageStore {
    private let database: Database
    private var putSeries: Statement
    private var putFront: Statement
    private var deleteFront: Statement
    private var addDaily: Statement
    private var deleteDays: Statement
    private var addSpend: Statement
    private var deleteSpends: Statement

    private static let labelSeparator: Character = "\u{1F}"

    /// Opens or creates the file.
    init(path: String) throws(SQLiteError) {
        database = try Database(
            path: path, migrations: UsageSchema.migrations, busyMsec: ExporterLimits.busyMsec)
        putSeries = try database.prepare(UsageSchema.putSeries)
        putFront = try database.prepare(UsageSchema.putFront)
        deleteFront = try database.prepare(UsageSchema.deleteFront)
        addDaily = try database.prepare(UsageSchema.addDaily)
        deleteDays = try database.prepare(UsageSchema.deleteDays)
        addSpend = try database.prepare(UsageSchema.addSpend)
        deleteSpends = try database.prepare(UsageSchema.deleteSpends)
    }

    // MARK: - Reading

    /// Reads what a new state needs; the daily table itself stays where it is.
    func load() throws(SQLiteError) -> StoredUsage {
        var stored = StoredUsage()
        var series = try database.prepare(UsageSchema.allSeries)
        while try series.step() {
            stored.series.append(
                SeriesRow(
                    name: series.text(0), labels: UsageStore.labels(series.text(1)),
                    cells: UsageStore.numbers(series.blob(3)) + [series.double(2)]))
        }
        var fronts = try database.prepare(UsageSchema.allFronts)
        while try fronts.step() {
            stored.fronts.append(
                FrontRow(
                    instance: fronts.unsigned(0), sequence: fronts.unsigned(1), handoffs: fronts.unsigned(2),
                    droppedRecords: fronts.unsigned(3), seenUsec: fronts.unsigned(4)))
        }
        var models = try database.prepare(UsageSchema.newestModels)
        while try models.step() {
            stored.day = models.integer(0)
            stored.models.append(models.text(1))
        }
        var spends = try database.prepare(UsageSchema.newestSpends)
        while try spends.step() {
            stored.spends[SpendKey(key: spends.text(0), day: spends.integer(1))] = spends.integer(2)
        }
        return stored
    }

    private static func labels(_ joined: String) -> [String] {
        joined.isEmpty
            ? [] : joined.split(separator: labelSeparator, omittingEmptySubsequences: false).map(String.init)
    }

    private static func numbers(_ bytes: UnsafeRawBufferPointer) -> [Double] {
        (0..<(bytes.count / 8)).map {
            Double(bitPattern: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
        }
    }

    // MARK: - Writing

    /// Writes all changes in one transaction; after an error nothing of them is in the database.
    func commit(_ changes: UsageChanges) throws(SQLiteError) {
        try database.transaction { () throws(SQLiteError) in
            for row in changes.series { try put(row) }
            for row in changes.fronts { try put(row) }
            for instance in changes.forgottenFronts {
                deleteFront.bind(1, Int(bitPattern: UInt(instance)))
                try deleteFront.run()
            }
            for (key, counts) in changes.daily { try add(key, counts) }
            for (row, cost) in changes.spends {
                addSpend.bind(1, row.key)
                addSpend.bind(2, row.day)
                addSpend.bind(3, cost)
                try addSpend.run()
            }
        }
    }

    private func put(_ row: SeriesRow) throws(SQLiteError) {
        putSeries.bind(1, row.name)
        putSeries.bind(2, row.labels.joined(separator: String(UsageStore.labelSeparator)))
        putSeries.bind(3, row.cells.last ?? 0)
        if row.cells.count > 1 {
            row.cells.dropLast().withUnsafeBytes { putSeries.bind(4, $0) }
        } else {
            putSeries.bindNull(4)
        }
        try putSeries.run()
    }

    private func put(_ row: FrontRow) throws(SQLiteError) {
        putFront.bind(1, unsigned: row.instance)
        putFront.bind(2, unsigned: row.sequence)
        putFront.bind(3, unsigned: row.handoffs)
        putFront.bind(4, unsigned: row.droppedRecords)
        putFront.bind(5, unsigned: row.seenUsec)
        try putFront.run()
    }

    private func add(_ key: DailyKey, _ counts: DailyCounts) throws(SQLiteError) {
        addDaily.bind(1, key.day)
        for (index, text) in [key.provider, key.model, key.endpoint, key.client].enumerated() {
            addDaily.bind(Int32(2 + index), text)
        }
        let numbers = [
            counts.requests, counts.failures, counts.input, counts.cacheRead, counts.cacheWrite,
            counts.output,
            counts.reasoning,
        ]
        for (index, number) in numbers.enumerated() { addDaily.bind(Int32(6 + index), number) }
        try addDaily.run()
    }

    /// Deletes the days before this one.
    func deleteDays(before day: Int) throws(SQLiteError) {
        deleteDays.bind(1, day)
        try deleteDays.run()
        deleteSpends.bind(1, day)
        try deleteSpends.run()
    }
}

/// SQLite's integers are signed; unsigned ones keep their bits.
extension Statement {
    fileprivate mutating func bind(_ index: Int32, unsigned value: UInt64) {
        bind(index, Int(bitPattern: UInt(value)))
    }

    fileprivate func unsigned(_ column: Int32) -> UInt64 { UInt64(UInt(bitPattern: integer(column))) }
}
