// SPDX-License-Identifier: Apache-2.0
// Usage records on their way: acknowledged, sent again, dropped when there is no end of waiting.

import Gateway
import Testing

@testable import Front

@Suite("Record queue") struct RecordQueueTests {
    private func record(_ id: Int) -> RequestRecord {
        RequestRecord(
            sequence: 0, requestID: "\(id)", startedUsec: 0, durationUsec: 0, firstByteUsec: 0,
            client: "other",
            endpoint: "", provider: "", model: "", status: 200, outcome: .completed, streaming: false,
            usage: Usage(), backpressureCount: 0, failedAttempts: [], rejection: nil)
    }

    private func queue(_ count: Int) -> RecordQueue {
        var queue = RecordQueue()
        for id in 0..<count { queue.add(record(id)) }
        return queue
    }

    /// Everything that is to be sent, by sequence.
    private func sent(_ queue: inout RecordQueue) -> [UInt64] {
        var list: [UInt64] = []
        while queue.hasUnsent {
            let batch = queue.nextBatch()
            #expect(!batch.isEmpty && batch.count <= RecordQueue.batchSize)
            list += batch.map(\.sequence)
        }
        return list
    }

    @Test("Records are numbered from 1 without a gap and sent once, in batches")
    func numbering() {
        var queue = queue(450)
        #expect(queue.nextBatch().count == 200)
        #expect(queue.hasUnsent)
        #expect(queue.nextBatch().map(\.sequence) == Array(201...400))
        queue.add(record(450))
        #expect(queue.nextBatch().map(\.requestID) == (400...450).map(String.init))
        #expect(!queue.hasUnsent)
        #expect(queue.nextBatch().isEmpty)
        #expect(queue.count == 451)
    }

    @Test(
        "What is acknowledged is forgotten, what is not is kept",
        arguments: [0, 1, 200, 299, 300, 1000] as [UInt64])
    func acknowledgement(sequence: UInt64) {
        var queue = queue(300)
        #expect(sent(&queue).count == 300)
        queue.acknowledged(sequence)
        #expect(queue.count == 300 - Int(min(sequence, 300)))
        #expect(!queue.hasUnsent)
        queue.acknowledged(sequence / 2)
        #expect(queue.count == 300 - Int(min(sequence, 300)), "an older acknowledgement changes nothing")
        queue.resendAll()
        #expect(sent(&queue) == Array((min(sequence, 300) + 1)..<301))
    }

    @Test("A new exporter gets everything again that is not acknowledged, and what is new behind it")
    func resend() {
        var queue = queue(10)
        #expect(sent(&queue) == Array(1...10))
        queue.acknowledged(4)
        queue.resendAll()
        queue.add(record(10))
        #expect(sent(&queue) == Array(5...11))
    }

    @Test("An acknowledgement of the exporter before, arriving late, is no harm")
    func lateAcknowledgement() {
        var queue = queue(10)
        _ = sent(&queue)
        queue.resendAll()
        queue.acknowledged(6)
        #expect(sent(&queue) == Array(7...10))
    }

    @Test("Beyond the bound the oldest records go and are counted")
    func overflow() {
        var queue = queue(RecordQueue.capacity + 5)
        #expect(queue.count == RecordQueue.capacity)
        #expect(queue.droppedCount == 5)
        let all = sent(&queue)
        #expect(all.first == 6)
        #expect(all.count == RecordQueue.capacity)
        #expect(all == all.sorted())
    }

    @Test("Records that were sent and are dropped are not skipped twice")
    func overflowAfterSending() {
        var queue = queue(RecordQueue.capacity)
        #expect(queue.nextBatch().last?.sequence == 200)
        for id in 0..<3 { queue.add(record(id)) }
        #expect(queue.droppedCount == 3)
        #expect(queue.nextBatch().first?.sequence == 201)
    }

    @Test("A long life leaves nothing behind")
    func longLife() {
        var queue = RecordQueue()
        var expected: UInt64 = 1
        for round in 0..<300 {
            for id in 0..<(round % 37 + 1) { queue.add(record(id)) }
            for sequence in sent(&queue) {
                #expect(sequence == expected)
                expected += 1
            }
            if round % 3 == 0 { queue.acknowledged(expected - 1) }
        }
        queue.acknowledged(.max)
        #expect(queue.count == 0)
        #expect(queue.droppedCount == 0)
    }
}
