// SPDX-License-Identifier: Apache-2.0
// The exporter's root: takes records and queries of the fronts, commits by the clock, answers clients.

import EventLoop
import Gateway
import IPC
import Journal
import Posix
import Runtime
import ServiceManager

/// Everything the exporter process owns.
final class Manager {
    private let loop: EventLoop
    private let journal: Journal
    private let keeper: UsageKeeper
    private let server: MetricsServer
    private var links: [Int: FrontLink] = [:]
    private var answers: [Int: AnswerWriter] = [:]
    /// The refresher's, which says how every credential is.
    private var credentialChannel: MessageChannel?
    private var nextNumber = 0
    private var flushTimer: Timer?
    private var maintenanceTimer: Timer?
    private var drainTimer: Timer?
    private var sweep: Sweep?
    /// Records counted since the last commit.
    private var uncommitted = 0
    private var isDraining = false

    private struct FrontLink {
        let channel: MessageChannel
        /// Known from the first batch on.
        var instance: UInt64?
    }

    /// Ends the process because an own process said something that cannot be.
    private let violation: (String) -> Never

    /// Opens the database of the configuration and goes on from what it holds.
    init(
        _ loop: EventLoop, _ journal: Journal, _ config: ExporterConfig,
        violation: @escaping (String) -> Never
    ) throws(Errno) {
        self.loop = loop
        self.journal = journal
        self.violation = violation
        let keeper = UsageKeeper(config, monotonicUsec: Clock.monotonicUsec()) { isTrouble, text in
            journal.log(isTrouble ? .error : .notice, .storeTrouble, text)
            Notifier.status(text)
        }
        self.keeper = keeper
        server = MetricsServer(loop) {
            Answer(path: $0, state: keeper.shownState(nowUsec: Clock.realtimeUsec()))
        }
        flushTimer = try Timer(loop, accuracyUsec: 10_000) { [unowned self] in self.flush() }
        maintenanceTimer = try Timer(loop, accuracyUsec: 60_000_000) { [unowned self] in self.maintain() }
        drainTimer = try Timer(loop) { [unowned self] in self.loop.exit(0) }
        sweep = try Sweep(loop, intervalMsec: 1_000) { [unowned self] in self.check(nowUsec: $0) }
        server.onConnection = { [unowned self] in self.sweep?.wake() }
        maintenanceTimer?.arm(afterUsec: ExporterLimits.maintenanceUsec)
        // The exporter before this one may hold the database for another moment.
        if keeper.trouble != nil { retryLater() }
    }

    /// A line for people.
    var status: String { keeper.trouble ?? "counting for \(links.count) front\(links.count == 1 ? "" : "s")" }

    /// Serves scrapers on a listening stream socket.
    func listen(_ descriptor: consuming FileDescriptor) throws(Errno) {
        try server.listen(descriptor)
    }

    /// The supervisor's view of every process.
    func processesChanged(_ processes: [ProcessStatus]) {
        keeper.processesChanged(processes)
    }

    // MARK: - Fronts

    /// Takes a channel to a front or the refresher over.
    func attach(_ name: String, _ descriptor: consuming FileDescriptor) {
        if name == "refresher" { return attachRefresher(descriptor) }
        let number = nextNumber
        nextNumber += 1
        do {
            let channel = try MessageChannel(
                loop, descriptor,
                onMessage: { [unowned self] bytes, received in self.handle(number, bytes, &received) },
                onClose: { [unowned self] in self.frontClosed(number) })
            links[number] = FrontLink(channel: channel, instance: nil)
        } catch {
            journal.log(.error, .limitReached, "the channel to a front cannot be watched: \(error)")
        }
    }

    private func attachRefresher(_ descriptor: consuming FileDescriptor) {
        do {
            credentialChannel = try MessageChannel(
                loop, descriptor,
                onMessage: { [unowned self] bytes, _ in
                    var reader = WireReader(bytes)
                    do {
                        let kind = try MessageHead.kind(&reader)
                        guard kind == .refresherReport else {
                            throw WireError.invalidValue("\(kind) from the refresher")
                        }
                        let reports = try reader.getList { (reader) throws(WireError) in
                            try reader.get(CredentialReport.self)
                        }
                        try reader.end()
                        self.keeper.credentialsChanged(reports)
                    } catch {
                        self.violation("refresher message: \(error)")
                    }
                }, onClose: { [unowned self] in self.credentialChannel = nil })
        } catch {
            journal.log(.error, .limitReached, "the channel to the refresher cannot be watched: \(error)")
        }
    }

    private func handle(
        _ number: Int, _ bytes: UnsafeRawBufferPointer, _ received: inout MessageSocket.Received
    ) {
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            case .frontRecords:
                let batch: RecordBatch = try reader.get()
                try reader.end()
                receive(number, batch)
            case .frontPolicy:
                let report: PolicyReport = try reader.get()
                try reader.end()
                // A front's first message is a batch, which names it.
                if let instance = links[number]?.instance { keeper.policyChanged(report, of: instance) }
            case .frontQuery:
                let query: HandoffQuery = try reader.get()
                try reader.end()
                guard let descriptor = received.takeDescriptor() else { throw WireError.truncated }
                answer(number, query, descriptor)
            case let other: throw WireError.invalidValue("\(other) from a front")
            }
        } catch {
            violation("front message: \(error)")
        }
    }

    private func receive(_ number: Int, _ batch: RecordBatch) {
        links[number]?.instance = batch.frontInstance
        keeper.receive(batch, nowUsec: Clock.realtimeUsec())
        if uncommitted == 0 { flushTimer?.arm(afterUsec: ExporterLimits.flushUsec) }
        uncommitted += max(1, batch.records.count)
        if uncommitted >= ExporterLimits.flushRecords { flush() }
    }

    private func frontClosed(_ number: Int) {
        let instance = links.removeValue(forKey: number)?.instance
        if let instance, !links.values.contains(where: { $0.instance == instance }) {
            keeper.frontLeft(instance)
        }
        exitWhenDrained()
    }

    private func send(_ number: Int, _ kind: MessageKind, _ message: some WireCodable) {
        guard let link = links[number] else { return }
        var writer = WireWriter()
        MessageHead.begin(kind, in: &writer)
        writer.put(message)
        if link.channel.send(writer.bytes) == .full {
            // A front that does not read is stuck; it loses the channel and sends its records again over the next.
            journal.log(.error, .limitReached, "a front does not read its messages")
            link.channel.close()
            frontClosed(number)
        }
    }

    // MARK: - Committing

    private func flush() {
        uncommitted = 0
        for ack in keeper.flush(monotonicUsec: Clock.monotonicUsec()) {
            for (number, link) in links where link.instance == ack.frontInstance {
                send(number, .exporterAck, ack)
            }
        }
        if keeper.trouble != nil { retryLater() }
    }

    private func retryLater() {
        uncommitted = 1
        flushTimer?.arm(afterUsec: ExporterLimits.retryUsec)
    }

    private func maintain() {
        keeper.maintain(realtimeUsec: Clock.realtimeUsec())
        flush()
        maintenanceTimer?.arm(afterUsec: ExporterLimits.maintenanceUsec)
    }

    // MARK: - Answering

    private func answer(_ link: Int, _ query: HandoffQuery, _ descriptor: consuming FileDescriptor) {
        let isRefused = answers.count >= ExporterLimits.pendingAnswers
        let answer =
            isRefused
            ? Answer.error(status: 503, code: "overloaded", "too many answers are being written already")
            : Answer(path: query.path, state: keeper.shownState(nowUsec: Clock.realtimeUsec()))
        let keepAlive = query.keepAlive && !isRefused
        let number = nextNumber
        nextNumber += 1
        let started = Clock.monotonicUsec()
        send(link, .workerCommitted, HandoffCommitted(tag: query.tag, status: answer.status))
        let writer = AnswerWriter(
            loop, descriptor, answer.bytes(keepAlive: keepAlive, isHTTP11: false),
            deadlineUsec: started + ExporterLimits.answerUsec
        ) { [unowned self] ending in
            let writer = self.answers.removeValue(forKey: number)
            let outcome: ExchangeOutcome =
                switch ending {
                case .complete: isRefused ? .rejected : .completed
                case .clientGone: .aborted
                case .timedOut: .timedOut
                }
            self.send(
                link, .workerDone,
                HandoffDone(
                    tag: query.tag, outcome: outcome, status: answer.status,
                    keepAlive: keepAlive && ending == .complete,
                    firstByteUsec: Clock.monotonicUsec() - started, bodyBytes: UInt64(answer.body.count),
                    backpressureCount: writer?.fullCount ?? 0))
            self.exitWhenDrained()
        }
        answers[number] = writer
        writer.start()
        // A refusal has one chance: it takes none of the room that is missing.
        if isRefused { writer.check(nowUsec: UInt64.max) }
        if answers[number] != nil { sweep?.wake() }
    }

    /// Looks for answers and connections whose time is over; true while there are any to look after.
    private func check(nowUsec: UInt64) -> Bool {
        for writer in answers.values { writer.check(nowUsec: nowUsec) }
        server.check(nowUsec: nowUsec)
        return !answers.isEmpty || server.isBusy
    }

    // MARK: - Ending

    /// Takes what the fronts still send, for a bounded time; what is not committed then, they keep.
    func drain() {
        guard !isDraining else { return }
        isDraining = true
        Notifier.stopping()
        server.stopListening()
        drainTimer?.arm(afterUsec: ExporterLimits.drainUsec)
        exitWhenDrained()
    }

    private func exitWhenDrained() {
        if isDraining, links.isEmpty, answers.isEmpty { loop.exit(0) }
    }

    /// Commits and acknowledges what is left and closes the database; called after the loop has ended.
    func finish() {
        flush()
        keeper.close()
    }
}
