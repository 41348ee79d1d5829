// SPDX-License-Identifier: Apache-2.0
// The channel to the exporter: records in batches until they are acknowledged, and questions handed over.

import EventLoop
import Gateway
import IPC
import Journal
import Posix
import Routing

final class ExporterLink {
    private unowned let front: FrontProcess
    private let loop: EventLoop
    private let instance: UInt64
    private var channel: MessageChannel?
    private var queue = RecordQueue()
    private var buffer = WireWriter()
    private var timer: Timer?
    private var isArmed = false
    private var questions: [UInt64: ClientRequest] = [:]
    /// What the exporter knows of this front.
    private var sentGauges = FrontGauges()
    /// The policy's changes of which it has been told.
    private var sentChanges: UInt64?
    private var onFinished: (() -> Void)?

    /// Records wait this long for company.
    private static let batchDelayUsec: UInt64 = 100_000
    /// A draining front waits this long for its last acknowledgement: a new exporter may have to start first.
    private static let finishUsec: UInt64 = 5_000_000

    init(_ front: FrontProcess, instance: UInt64) throws(Errno) {
        self.front = front
        loop = front.loop
        self.instance = instance
        timer = try Timer(loop, accuracyUsec: 20_000) { [unowned self] in self.timeIsUp() }
    }

    func attach(_ descriptor: consuming FileDescriptor) throws(Errno) {
        channel?.close()
        queue.resendAll()
        sentChanges = nil
        channel = try MessageChannel(
            loop, descriptor,
            onMessage: { [unowned self] bytes, _ in self.handle(bytes) },
            onClose: { [unowned self] in self.exporterEnded() })
        // The exporter answers the first message with what client keys have spent.
        sendBatch([])
        reportPolicy()
        arm()
    }

    // MARK: - Records

    func add(_ record: consuming RequestRecord) {
        front.ledger.add(cost: record.cost, key: record.key)
        queue.add(record)
        arm()
    }

    private func arm() {
        guard queue.hasUnsent else { return }
        // The timer bounds the end now.
        if onFinished != nil { return flush() }
        guard !isArmed else { return }
        isArmed = true
        timer?.arm(afterUsec: ExporterLink.batchDelayUsec)
    }

    private func timeIsUp() {
        isArmed = false
        if let onFinished, queue.count > 0 {
            // The last acknowledgement did not come in time; the records are lost with this process.
            front.journal.log(.warning, .storeTrouble, "\(queue.count) usage records were not acknowledged")
            onFinished()
            return
        }
        flush()
    }

    private func flush() {
        while queue.hasUnsent { sendBatch(queue.nextBatch()) }
    }

    private func sendBatch(_ records: [RequestRecord]) {
        front.gauges.droppedRecords = queue.droppedCount
        sentGauges = front.gauges
        MessageHead.begin(.frontRecords, in: &buffer)
        buffer.put(RecordBatch(frontInstance: instance, records: records, gauges: front.gauges))
        // A full or closed channel loses nothing: what is not acknowledged is sent to the next exporter.
        channel?.send(buffer.view)
    }

    /// Tells of gauges that have changed without a record: streams may run for long.
    func reportGauges() {
        if front.gauges != sentGauges { sendBatch([]) }
    }

    /// Tells how the failure policy is when that has changed.
    func reportPolicy() {
        guard sentChanges != front.policy.changes, !front.isDraining else { return }
        sentChanges = front.policy.changes
        send(front.policyMetrics)
    }

    /// Another front decides from now on.
    func endPolicy() { send(PolicyReport()) }

    private func send(_ report: PolicyReport) {
        MessageHead.begin(.frontPolicy, in: &buffer)
        buffer.put(report)
        channel?.send(buffer.view)
    }

    // MARK: - Questions

    /// Lets the exporter answer a request.
    func ask(_ request: ClientRequest) {
        let connection = request.connection
        // The answer should know everything up to now.
        flush()
        sendBatch([])
        reportPolicy()
        MessageHead.begin(.frontQuery, in: &buffer)
        buffer.put(
            HandoffQuery(
                tag: request.tag, requestID: request.id, path: request.path,
                keepAlive: request.clientKeepsAlive && !front.isDraining))
        guard channel?.send(buffer.view, descriptors: [connection.descriptor.raw]) == .accepted else {
            return front.finish(
                request, with: GatewayError(.overloaded, "the exporter is not running", retryAfter: 1))
        }
        questions[request.tag] = request
    }

    // MARK: - What the exporter says

    private func handle(_ bytes: UnsafeRawBufferPointer) {
        front.tick()
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            case .exporterAck:
                let ack: RecordAck = try reader.get()
                try reader.end()
                guard ack.frontInstance == instance else { return }
                queue.acknowledged(ack.sequence)
                front.ledger.stored(ack.spends, pending: queue.costs)
                if queue.count == 0 { onFinished?() }
            case .workerCommitted:
                // An answer of the exporter is never tried elsewhere, so its beginning changes nothing.
                let _: HandoffCommitted = try reader.get()
                try reader.end()
            case .workerDone:
                let done: HandoffDone = try reader.get()
                try reader.end()
                guard let request = questions.removeValue(forKey: done.tag) else { return }
                front.record(request, status: done.status, outcome: done.outcome, rejection: nil)
                request.connection.answered(reusable: done.keepAlive)
            case let other: throw WireError.invalidValue("\(other) from the exporter")
            }
        } catch {
            front.protocolViolation("message from the exporter: \(error)")
        }
    }

    private func exporterEnded() {
        front.tick()
        channel = nil
        let unanswered = questions.values
        questions = [:]
        for request in unanswered {
            // It may have begun to write, so nothing can be said on the connection any more.
            front.record(request, status: 502, outcome: .upstreamFailed, rejection: nil)
            request.connection.breakOff()
        }
    }

    // MARK: - The end

    /// Calls `done` when every record is acknowledged, by the next exporter if this one dies, or after a short wait.
    func finish(_ done: @escaping () -> Void) {
        guard onFinished == nil else { return }
        flush()
        guard queue.count > 0 else { return done() }
        onFinished = done
        isArmed = true
        timer?.arm(afterUsec: ExporterLink.finishUsec)
    }
}
