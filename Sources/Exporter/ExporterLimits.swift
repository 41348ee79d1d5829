// SPDX-License-Identifier: Apache-2.0
// Every bound of the exporter.

/// Bounds in space and time; times in microseconds.
enum ExporterLimits {
    // MARK: Counting

    /// Models per day with a row of their own in the daily table; further ones count as "other".
    static let modelsPerDay = 1_000
    /// Throughput samples kept per provider.
    static let recentSamples = 256
    /// Days of the daily table that are kept.
    static let dailyDays = 400
    /// A front instance that has not been seen for this long is forgotten, with its sequence.
    static let frontMemoryUsec: UInt64 = 24 * 3_600 * 1_000_000
    /// Records kept for later counting while usage.db cannot be opened; as many as a front keeps.
    static let retainedRecords = 10_000

    // MARK: Times

    /// From the first record of a batch to its commit and acknowledgement.
    static let flushUsec: UInt64 = 200_000
    /// Records after which a commit does not wait for the timer.
    static let flushRecords = 2_000
    /// Milliseconds to wait for somebody else's lock on the database; nothing is answered meanwhile.
    static let busyMsec: Int32 = 250
    /// Between attempts to write to or open a database in trouble.
    static let retryUsec: UInt64 = 1_000_000
    /// Between rounds that forget old fronts and days.
    static let maintenanceUsec: UInt64 = 3_600 * 1_000_000
    /// A client that does not read its answer is given up.
    static let answerUsec: UInt64 = 30_000_000
    /// How long a draining exporter waits for its fronts to go.
    static let drainUsec: UInt64 = 5_000_000
    /// How long a new exporter waits for the one before it without complaint: its drain, and time on a busy machine.
    static let handoverUsec: UInt64 = 15_000_000

    // MARK: Connections

    /// Answers being written to clients of front at one time.
    static let pendingAnswers = 256
    /// Connections to the exporter's own metrics sockets at one time.
    static let metricsConnections = 64
    /// Bytes of a request head on a metrics socket.
    static let metricsHeadBytes = 8_192
    /// From the start of a connection to a metrics socket to its end.
    static let metricsConnectionUsec: UInt64 = 10_000_000
}
