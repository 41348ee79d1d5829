// SPDX-License-Identifier: Apache-2.0
// usage.db: nothing counted twice or lost, however the process or the file ends.

import Gateway
import Glibc
import Metrics
import SQLite
import Testing

@testable import Exporter

/// A keeper and what it reported.
private final class Subject {
    var reports: [String] = []
    private(set) var keeper: UsageKeeper?

    init(_ directory: TemporaryDirectory, providers: [String] = ["openai", "anthropic"]) {
        keeper = UsageKeeper(config(directory, providers: providers), monotonicUsec: 0) { [unowned self] in
            self.reports.append(($0 ? "trouble: " : "fine: ") + $1)
        }
    }

    func receive(_ batch: RecordBatch) { keeper?.receive(batch, nowUsec: startOfDay) }

    /// The acknowledged sequences.
    func flush(at usec: UInt64 = 0) -> [UInt64] { keeper?.flush(monotonicUsec: usec).map(\.sequence) ?? [] }

    func value(_ metric: Metric, _ labels: String...) -> Double? {
        keeper?.state.registry.shown(metric).first { $0.labels == labels }.flatMap {
            keeper?.state.registry.value($0.id)
        }
    }

    var requests: Double? { value(.requests, "openai") }
}

private let stream = record(
    1, seconds: 3, firstByte: 1, streaming: true,
    usage: Usage(input: 1, cacheRead: 2, cacheWrite: 3, output: 4),
    backpressure: 5, failed: [FailedAttempt(provider: "anthropic", reason: .rateLimited)])

@Suite struct UsageKeeperTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func `a new process shows exactly what the old one had committed`() throws {
        let first = Subject(directory)
        first.receive(
            batch([stream, record(2, status: 500)], gauges: FrontGauges(peakStreams: 3, handoffs: 4)))
        #expect(first.flush() == [2])
        let copy = try directory.snapshot()
        let second = Subject(copy)
        #expect(second.reports == [])
        second.receive(batch([], gauges: FrontGauges(peakStreams: 3, handoffs: 4)))
        #expect(second.keeper?.state.text == first.keeper?.state.text)
    }

    @Test func `a kill before the commit loses nothing, because the front sends again`() throws {
        let first = Subject(directory)
        first.receive(batch([record(1)]))
        #expect(first.flush() == [1])
        first.receive(batch([record(2), record(3)]))
        let second = Subject(try directory.snapshot())
        second.receive(batch([record(2), record(3)]))
        #expect(second.flush() == [3])
        #expect(second.requests == 3)
    }

    @Test func `a kill between commit and acknowledgement counts nothing twice`() throws {
        let first = Subject(directory)
        first.receive(batch([record(1), record(2)]))
        _ = first.flush()
        let copy = try directory.snapshot()
        let second = Subject(copy)
        second.receive(batch([record(1), record(2), record(3)]))
        #expect(second.flush() == [3])
        #expect(second.requests == 3)
        #expect(try copy.query("SELECT sum(requests) FROM daily") == 3)
    }

    @Test func `the counters of a front go on over a restart of the exporter`() throws {
        let first = Subject(directory)
        first.receive(batch([], gauges: FrontGauges(handoffs: 10, droppedRecords: 2)))
        _ = first.flush()
        let second = Subject(try directory.snapshot())
        second.receive(batch([], gauges: FrontGauges(handoffs: 12, droppedRecords: 2)))
        #expect(second.value(.handoffs) == 12)
        #expect(second.value(.droppedRecords) == 2)
    }

    @Test func `a batch is committed whole or not at all`() throws {
        let first = Subject(directory)
        first.receive(batch([record(1)]))
        _ = first.flush()
        let blocker = try Database(path: "\(directory.path)/usage.db", migrations: UsageSchema.migrations)
        try blocker.execute(
            "CREATE TRIGGER no BEFORE INSERT ON daily BEGIN SELECT RAISE(ABORT, 'no'); END")
        first.receive(batch([record(2, model: "m2")]))
        #expect(first.flush() == [])
        #expect(try directory.query("SELECT sequence FROM front") == 1)
        #expect(try directory.query("SELECT value FROM series WHERE name = 'ccr_requests_total'") == 1)
        #expect(first.value(.storeUp) == 0)
        try blocker.execute("DROP TRIGGER no")
        #expect(first.flush(at: ExporterLimits.retryUsec - 1) == [])
        #expect(first.flush(at: ExporterLimits.retryUsec) == [2])
        #expect(try directory.query("SELECT sequence FROM front") == 2)
        #expect(try directory.query("SELECT sum(requests) FROM daily") == 2)
        #expect(first.requests == 2)
        #expect(first.value(.storeUp) == 1)
        #expect(
            first.reports == [
                "trouble: usage.db cannot be written, counts stay in memory: no (1811)",
                "fine: usage.db is in order again",
            ])
    }

    @Test func `trouble that lasts is reported once`() throws {
        let first = Subject(directory)
        let blocker = try Database(path: "\(directory.path)/usage.db", migrations: UsageSchema.migrations)
        try blocker.execute(
            "CREATE TRIGGER no BEFORE INSERT ON front BEGIN SELECT RAISE(ABORT, 'no'); END")
        first.receive(batch([record(1)]))
        for second in 0..<5 as Range<UInt64> { _ = first.flush(at: second * ExporterLimits.retryUsec) }
        #expect(first.reports.count == 1)
    }

    @Test(arguments: [0, 5_000])
    func `a damaged file is moved aside and a new one begins`(offset: Int) throws {
        let first = Subject(directory)
        first.receive(batch((1...300).map { record($0, model: "model \($0)") }))
        _ = first.flush()
        let copy = try directory.snapshot()
        var bytes = try damagedDatabase(copy)
        for index in offset..<min(bytes.count, offset + 60_000) { bytes[index] = 0xFF }
        copy.write("usage.db", bytes)
        let second = Subject(copy)
        #expect(second.requests == 0)
        second.receive(batch([record(301)]))
        #expect(second.flush() == [301])
        #expect(second.value(.storeUp) == 1)
        let report = try #require(second.reports.first)
        #expect(report.hasPrefix("trouble: usage.db is damaged ("))
        #expect(report.hasSuffix("a new one begins"))
        let aside = copy.names.filter { $0.hasPrefix("usage.db.corrupt-") && !$0.contains("wal") }
        #expect(aside.count == 1)
        #expect(copy.read(aside.first ?? "") == bytes)
        #expect(try copy.query("SELECT sequence FROM front") == 301)
    }

    /// The whole database in one file, its log merged in.
    private func damagedDatabase(_ directory: TemporaryDirectory) throws -> [UInt8] {
        do {
            let database = try Database(
                path: "\(directory.path)/usage.db", migrations: UsageSchema.migrations)
            try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        }
        return directory.read("usage.db")
    }

    @Test func `a file that is damaged while it is open is replaced and gets all counts`() throws {
        let first = Subject(directory)
        first.receive(batch([record(1), stream], front: 1))
        _ = first.flush()
        // Every page but the first, in the file and in the log, so that neither can give a good one.
        let database = try Database(path: "\(directory.path)/usage.db", migrations: UsageSchema.migrations)
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let bytes = directory.read("usage.db")
        directory.write(
            "usage.db", Array(bytes.prefix(4096)) + Array(repeating: 0xFF, count: bytes.count - 4096))
        first.receive(batch([record(2)], front: 1))
        #expect(first.flush() == [2])
        #expect(first.requests == 2)
        #expect(first.reports.count == 1)
        let second = Subject(try directory.snapshot())
        #expect(second.requests == 2)
        second.receive(batch([record(2)], front: 1))
        #expect(second.requests == 2)
    }

    @Test func `without a directory counts stay in memory, and are added when it appears`() throws {
        let first = Subject(directory)
        first.receive(batch([record(1), record(2)], front: 7))
        _ = first.flush()
        let stored = try directory.snapshot()
        let missing = try TemporaryDirectory()
        rmdir(missing.path)

        let second = Subject(missing)
        second.receive(batch([record(2), record(3)], front: 7))
        second.receive(batch([record(1)], front: 8))
        #expect(second.flush(at: ExporterLimits.retryUsec) == [])
        #expect(second.requests == 3)
        #expect(second.value(.storeUp) == 0)
        #expect(second.reports.count == 1)

        mkdir(missing.path, 0o700)
        for name in stored.names { missing.write(name, stored.read(name)) }
        #expect(second.flush(at: 2 * ExporterLimits.retryUsec).sorted() == [1, 3])
        #expect(second.requests == 4)
        #expect(second.value(.storeUp) == 1)
        #expect(try missing.query("SELECT sum(requests) FROM daily") == 4)
    }

    @Test func `two exporters never write one file, the second adds its counts when the first is gone`()
        throws
    {
        var first: Subject? = Subject(directory)
        first?.receive(batch([record(1)]))
        let second = Subject(directory)
        second.receive(batch([record(1), record(2)]))
        #expect(second.flush(at: ExporterLimits.retryUsec) == [])
        #expect(second.reports == [], "the one before may take its time")
        #expect(second.value(.storeUp) == 0)
        #expect(first?.flush() == [1])
        first = nil
        #expect(second.flush(at: 2 * ExporterLimits.retryUsec) == [2])
        #expect(second.reports == [])
        #expect(second.requests == 2)
        #expect(try directory.query("SELECT sum(requests) FROM daily") == 2)
    }

    @Test func `an exporter that does not let the database go is told of, once, and when it has gone`() {
        var first: Subject? = Subject(directory)
        _ = first?.flush()
        let second = Subject(directory)
        let patience = ExporterLimits.handoverUsec
        for attempt in 0...2 { _ = second.flush(at: patience + UInt64(attempt) * ExporterLimits.retryUsec) }
        let trouble = "trouble: usage.db cannot be opened, counts stay in memory: another exporter has it"
        #expect(second.reports == [trouble])
        first = nil
        _ = second.flush(at: patience + 3 * ExporterLimits.retryUsec)
        #expect(second.reports == [trouble, "fine: usage.db is in order again"])
    }

    @Test func `what is kept for later counting is bounded`() throws {
        let blocker = Subject(directory)
        let second = Subject(directory)
        let size = 100 as UInt64
        for start in stride(from: 0, to: UInt64(ExporterLimits.retainedRecords) + 3 * size, by: Int(size)) {
            second.receive(batch((1...size).map { record(start + $0) }))
        }
        #expect(second.requests == Double(ExporterLimits.retainedRecords) + 300)
        _ = blocker.flush()
        withExtendedLifetime(blocker) {}
    }

    @Test func `counts of a provider that is no longer configured stay`() throws {
        let first = Subject(directory)
        first.receive(batch([record(1)]))
        _ = first.flush()
        let second = Subject(try directory.snapshot(), providers: ["other-one"])
        #expect(second.requests == 1)
        second.receive(batch([record(2)]))
        #expect(second.requests == 1)
        #expect(second.value(.requests, "other") == 1)
    }

    @Test func `rows of another version's metrics are passed over`() throws {
        _ = Subject(directory)
        let database = try Database(path: "\(directory.path)/usage.db", migrations: UsageSchema.migrations)
        try database.execute(
            """
            INSERT INTO series VALUES ('ccr_gone_total', 'openai', 5, NULL), ('ccr_requests_total', '', 5, NULL),
                ('ccr_request_duration_seconds', 'openai', 5, x'00'), ('ccr_requests_total', 'openai', 5, NULL)
            """)
        let second = Subject(directory)
        #expect(second.requests == 5)
        #expect(second.reports == [])
    }

    @Test func `old days and old fronts are deleted`() throws {
        let first = Subject(directory)
        let day = 86_400_000_000 as UInt64
        let old = startOfDay - UInt64(ExporterLimits.dailyDays + 1) * day
        first.receive(batch([record(1, startedUsec: old), record(2)], front: 1))
        first.keeper?.frontLeft(1)
        _ = first.flush()
        first.keeper?.maintain(realtimeUsec: startOfDay + 1)
        _ = first.flush()
        #expect(try directory.query("SELECT count(*) FROM daily") == 1)
        #expect(try directory.query("SELECT count(*) FROM front") == 1)
        first.keeper?.maintain(realtimeUsec: startOfDay + 2 * day)
        _ = first.flush()
        #expect(try directory.query("SELECT count(*) FROM front") == 0)
    }

    @Test func `the day's bound of models holds over a restart`() throws {
        let limit = UInt64(ExporterLimits.modelsPerDay)
        let first = Subject(directory)
        first.receive(batch((1...limit).map { record($0, model: "m\($0)") }))
        _ = first.flush()
        let copy = try directory.snapshot()
        let second = Subject(copy)
        second.receive(batch([record(limit + 1, model: "new"), record(limit + 2, model: "m1")]))
        _ = second.flush()
        #expect(try copy.query("SELECT requests FROM daily WHERE model = 'other'") == 1)
        #expect(try copy.query("SELECT requests FROM daily WHERE model = 'm1'") == 2)
    }
}
