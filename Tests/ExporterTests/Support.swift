// SPDX-License-Identifier: Apache-2.0
// What the exporter's tests share: a temporary directory, records and a view of the state's numbers.

import Gateway
import Glibc
import Metrics
import SQLite
import Testing

@testable import Exporter

/// A directory that is gone after the test, with what is in it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/ccr-exporter-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        chmod(path, 0o700)
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    /// The files in it.
    var names: [String] {
        guard let handle = opendir(path) else { return [] }
        defer { closedir(handle) }
        var found: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { found.append(name) }
        }
        return found.sorted()
    }

    func read(_ name: String) -> [UInt8] {
        let fd = open("\(path)/\(name)", O_RDONLY)
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 16 << 20)
        let count = Glibc.read(fd, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }

    func write(_ name: String, _ bytes: [UInt8]) {
        let fd = open("\(path)/\(name)", O_CREAT | O_TRUNC | O_WRONLY, 0o600)
        defer { close(fd) }
        let written = Glibc.write(fd, bytes, bytes.count)
        #expect(written == bytes.count)
    }

    /// The files as a process that is killed now would leave them.
    func snapshot() throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        for name in names where !name.hasSuffix("-shm") { copy.write(name, read(name)) }
        return copy
    }

    /// One number that a query of usage.db gives.
    func query(_ sql: String) throws -> Int {
        let database = try Database(path: "\(path)/usage.db", migrations: UsageSchema.migrations)
        var statement = try database.prepare(sql)
        return try statement.step() ? statement.integer(0) : -1
    }
}

func config(_ directory: TemporaryDirectory? = nil, providers: [String] = ["openai", "anthropic"])
    -> ExporterConfig
{
    ExporterConfig(stateDirectory: directory?.path ?? "/nowhere", providers: providers, version: "9.9.9")
}

/// 2026-11-21 00:00:00 UTC.
let startOfDay: UInt64 = 1_795_219_200_000_000

func record(
    _ sequence: UInt64, provider: String = "openai", model: String = "m1", client: String = "codex",
    endpoint: String = "/responses", status: Int = 200, outcome: ExchangeOutcome = .completed,
    seconds: Double = 0.5, firstByte: Double = 0, streaming: Bool = false, usage: Usage = Usage(),
    backpressure: UInt32 = 0, failed: [FailedAttempt] = [], rejection: ErrorKind? = nil,
    startedUsec: UInt64 = startOfDay
) -> RequestRecord {
    RequestRecord(
        sequence: sequence, requestID: "req_\(sequence)", startedUsec: startedUsec,
        durationUsec: UInt64(seconds * 1e6), firstByteUsec: UInt64(firstByte * 1e6), client: client,
        endpoint: endpoint, provider: provider, model: model, status: status, outcome: outcome,
        streaming: streaming, usage: usage, backpressureCount: backpressure, failedAttempts: failed,
        rejection: rejection)
}

func batch(_ records: [RequestRecord], front: UInt64 = 1, gauges: FrontGauges = FrontGauges()) -> RecordBatch
{
    RecordBatch(frontInstance: front, records: records, gauges: gauges)
}

extension UsageState {
    /// The value of a shown counter or gauge, nil when it is not shown.
    func value(_ metric: Metric, _ labels: String...) -> Double? {
        registry.shown(metric).first { $0.labels == labels }.map { registry.value($0.id) }
    }

    /// The number of observations and their sum, nil when the histogram is not shown.
    func summary(_ metric: Metric, _ labels: String...) -> [Double]? {
        registry.shown(metric).first { $0.labels == labels }.map {
            let summary = registry.summary($0.id)
            return [summary.count, summary.sum]
        }
    }

    /// Everything a scraper sees.
    var text: String {
        var output: [UInt8] = []
        TextFormat.render(registry, into: &output)
        return String(decoding: output, as: UTF8.self)
    }
}
