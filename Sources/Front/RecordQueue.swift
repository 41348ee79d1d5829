// SPDX-License-Identifier: Apache-2.0
// Usage records on their way to the exporter: kept until they are acknowledged as stored, sent again to a new one.
// A state machine without I/O.

package import Gateway

package struct RecordQueue {
    /// Records kept while the exporter is away; older ones are dropped and counted.
    package static let capacity = 10_000
    /// Records in one message.
    package static let batchSize = 200

    private var records: [RequestRecord] = []
    private var head = 0
    /// How many records from `head` on the present exporter has been sent.
    private var sentCount = 0
    private var nextSequence: UInt64 = 1
    /// Records lost because the exporter was away for too long.
    package private(set) var droppedCount: UInt64 = 0

    package init() {}

    /// Records not yet acknowledged.
    package var count: Int { records.count - head }

    /// Whether some records have not been sent to the present exporter.
    package var hasUnsent: Bool { sentCount < count }

    /// Adds a record; its sequence is set here.
    package mutating func add(_ record: consuming RequestRecord) {
        record.sequence = nextSequence
        nextSequence += 1
        records.append(record)
        if count > RecordQueue.capacity {
            head += 1
            droppedCount += 1
            sentCount = max(0, sentCount - 1)
            compact()
        }
    }

    /// What the records that are not acknowledged have cost, by client key.
    package var costs: [String: Int] {
        var costs: [String: Int] = [:]
        for record in records[head...] where record.cost > 0 { costs[record.key, default: 0] += record.cost }
        return costs
    }

    /// The next records to send, at most `batchSize`.
    package mutating func nextBatch() -> [RequestRecord] {
        let start = head + sentCount
        let end = min(start + RecordQueue.batchSize, records.count)
        sentCount += end - start
        return Array(records[start..<end])
    }

    /// The exporter has everything up to `sequence` on disk.
    package mutating func acknowledged(_ sequence: UInt64) {
        while head < records.count, records[head].sequence <= sequence {
            head += 1
            sentCount = max(0, sentCount - 1)
        }
        compact()
    }

    /// A new exporter starts: everything not acknowledged is sent again; it knows duplicates by their sequence.
    package mutating func resendAll() { sentCount = 0 }

    private mutating func compact() {
        guard head == records.count || head > 1024 else { return }
        records.removeFirst(head)
        head = 0
    }
}
