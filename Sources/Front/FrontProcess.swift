// SPDX-License-Identifier: Apache-2.0
// The front: accepts connections, admits requests, and owns what the parts of front share. Opens no file, makes no
// connection and knows no credential of a provider.

import Bytes
import Crypto
import EventLoop
import Gateway
import Glibc
import HTTP1
import IPC
import JSON
import Journal
import Posix
import Routing
import Runtime
import ServiceManager

package final class FrontProcess {
    let loop: EventLoop
    let config: FrontConfig
    let journal: Journal
    let httpLimits: HTTPLimits
    let parser = JSONParser()
    let bodies = BodyPool()
    /// Receives from any connection; its content is used before the next one is served.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
    /// CLOCK_MONOTONIC microseconds of the event being served.
    private(set) var now: UInt64
    private let child: Child
    private let keys: KeySet
    private let adminKeys: KeySet
    private let instance = Random.uint64()
    /// What the ids of all requests begin with.
    private let requestPrefix: String
    private var listeners: [SharedDescriptor] = []
    private var listenerWatches: [EventLoop.Watch] = []
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var heapPeak = HeapPeak()
    private var sweep: Sweep?
    private var traffic = Traffic()
    private var trafficSweep: Sweep?
    private var trafficLine = FrontProcess.idleLine
    private var requestCounter: UInt64 = 0
    private(set) var processes: [ProcessStatus] = []
    private(set) var isDraining = false
    var workers: WorkerLinks
    /// Set for the whole life of the process but the moments of its making.
    private(set) var exporter: ExporterLink?
    private(set) lazy var refresher = RefresherLink(self)
    private(set) lazy var models = ModelLists(self)
    var gauges = FrontGauges()
    /// Requests whose candidate has no running worker at the moment.
    var waiting: [ClientRequest] = []
    var ledger: ClientLedger
    /// Requests that wait for their turn; by client key, those without one last.
    var gate: AdmissionGate<ClientRequest>
    /// Requests that wait until somebody may be asked.
    var parked: [ClientRequest] = []
    private(set) var parking: Timer?
    /// Requests beside which somebody else may be asked.
    var races = RaceList()
    private(set) var starter: Timer?
    /// Copies under way, by tag.
    var shadows: [UInt64: Shadow] = [:]
    var policy: Policy
    private var policyStore: PolicyStore?
    /// It was logged that the store has no room for everything.
    private var hasToldLoss = false
    /// By provider.
    private lazy var modelLabels = config.routes.providers.indices.map { number in
        Set(config.routes.models(of: number).filter { $0.utf8.count <= FrontProcess.longestLabel })
    }
    /// The limits per minute of providers and of client keys, as all fronts count them; nil without any.
    private var policyMinutes: SharedMinutes?
    private var ledgerMinutes: SharedMinutes?
    private var saving: Timer?
    private var isSaving = false
    var handoffBuffer = WireWriter(capacity: 65_536)

    /// An idle connection stays open this long while front drains.
    static let drainGraceMsec = 1_000
    /// What front says of itself while nothing happens.
    private static let idleLine = "accepting connections"
    /// Connections taken from a listener before other descriptors get their turn.
    private static let acceptBurst = 64

    /// Runs the front until it is told to end; returns its exit status.
    package static func run() -> Int32 {
        ProcessMemory.keepFreedBlocks()
        var front: FrontProcess?
        let status = Child.run(role: .front) { (child, config: FrontConfig, inherited) in
            let process = try FrontProcess(child, config)
            front = process
            for (name, descriptor) in try inherited.takeAll(prefix: "worker-") {
                process.attach(name, try descriptor.take())
            }
            if let descriptor = try inherited.take("policy") { process.remember(descriptor) }
            for name in ["exporter", "refresher"] {
                if let descriptor = try inherited.take(name) { process.attach(name, descriptor) }
            }
            for (_, descriptor) in try inherited.takeAll(prefix: "http") { try process.listen(descriptor) }
            for (_, descriptor) in try inherited.takeAll(prefix: "admin") {
                try process.listen(descriptor, isAdmin: true)
            }
            let handlers = Child.Handlers(
                attach: { process.attach($0, $1) }, drain: { process.drain() },
                status: { process.processes = $0 })
            return (handlers, idleLine)
        }
        withExtendedLifetime(front) {}
        return status
    }

    private init(_ child: Child, _ config: FrontConfig) throws(Errno) {
        self.child = child
        self.config = config
        loop = child.loop
        journal = child.journal
        now = Clock.monotonicUsec()
        httpLimits = HTTPLimits(headBytes: config.limits.headBytes)
        keys = KeySet(digests: config.clients.map(\.digest))
        adminKeys = KeySet(digests: config.adminKeyDigests)
        ledger = ClientLedger(config.clients)
        gate = AdmissionGate(
            total: config.limits.concurrentRequests == .max ? nil : config.limits.concurrentRequests,
            limits: config.clients.map(\.concurrency) + [nil], queued: config.limits.queuedRequests)
        requestPrefix = "req_" + String(instance, radix: 16)
        policy = Policy(config.policy, seed: Random.uint64())
        workers = WorkerLinks(providerCount: config.routes.providers.count)
        saving = try Timer(child.loop, accuracyUsec: 5_000) { [unowned self] in self.savePolicy() }
        parking = try Timer(child.loop, accuracyUsec: 2_000) { [unowned self] in self.wakeParked() }
        starter = try Timer(child.loop, accuracyUsec: 2_000) { [unowned self] in self.joinRaces() }
        exporter = try ExporterLink(self, instance: instance)
        sweep = try Sweep(child.loop, intervalMsec: 250) { [unowned self] in self.look($0) }
        trafficSweep = try Sweep(child.loop, intervalMsec: Traffic.intervalMsec) { [unowned self] _ in
            self.reportTraffic()
        }
    }

    /// Reads the clock once per event.
    @inline(__always)
    func tick() { now = Clock.monotonicUsec() }

    func protocolViolation(_ text: String) -> Never { child.protocolViolation(text) }

    // MARK: - Connections

    private func listen(_ descriptor: SharedDescriptor, isAdmin: Bool = false) throws(Errno) {
        listeners.append(descriptor)
        listenerWatches.append(
            try loop.watch(descriptor.raw, .readable) { [unowned self] _ in
                self.accept(descriptor.raw, isAdmin: isAdmin)
            })
    }

    private func accept(_ listener: Int32, isAdmin: Bool) {
        tick()
        for _ in 0..<FrontProcess.acceptBurst {
            do {
                guard let accepted = try Socket.accept(listener) else { return }
                let isLoopback = accepted.peerIsLoopback
                let connection = try Connection(
                    accepted.take(), peerIsLoopback: isLoopback, isAdmin: isAdmin, front: self)
                connections[ObjectIdentifier(connection)] = connection
                heapPeak.note(connections.count)
                gauges.connections = UInt32(connections.count)
                sweep?.wake()
                if connections.count > config.limits.connections {
                    refused(
                        connection,
                        GatewayError(
                            .overloaded, "too many connections (limit \(config.limits.connections))",
                            retryAfter: 1),
                        request: nil)
                }
            } catch {
                // Out of descriptors: connections wait in the kernel's queue until some close.
                journal.log(.error, .limitReached, "cannot accept: \(error)")
                return
            }
        }
    }

    func closed(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = nil
        gauges.connections = UInt32(connections.count)
        if isDraining { finishIfDrained() }
    }

    // MARK: - Requests

    /// Unique in the life of this front.
    func nextTag() -> UInt64 {
        requestCounter += 1
        return requestCounter
    }

    /// Decides whether a request may go on before its body is read, and gives it its identity.
    func admit(_ request: ClientRequest) throws(GatewayError) {
        request.tag = nextTag()
        request.id = requestPrefix + String(requestCounter, radix: 16)
        let head = request.head
        if head.upgrade == .webSocket, head.path == Endpoint.responses.clientPath {
            throw GatewayError(
                .upgradeRequired, "WebSocket is not offered here; send the request by HTTP POST")
        }
        let target: PathTarget
        do {
            target = try PathTable.find(method: head.methodName, path: head.path)
        } catch {
            switch error {
            case .unknown:
                throw GatewayError(.notFound, "no such path; served are \(PathTable.summary)")
            case .wrongMethod(let allowed):
                throw GatewayError(.methodNotAllowed, "this path takes \(allowed)")
            }
        }
        request.target = target
        request.client = clientKind(head)
        try authenticate(request)
        if request.endpoint != nil {
            guard head.bodyFraming != .none, head.bodyFraming != .length(0) else {
                throw GatewayError(.invalidRequest, "the request has no body")
            }
            guard gauges.activeRequests < config.limits.requestsInFlight else {
                throw GatewayError(
                    .overloaded, "too many requests in flight (limit \(config.limits.requestsInFlight))",
                    retryAfter: 1)
            }
        } else if head.bodyFraming != .none, head.bodyFraming != .length(0), !target.takesBody {
            throw GatewayError(.invalidRequest, "this path takes no body")
        }
    }

    private func clientKind(_ head: RequestHead) -> ClientKind {
        var hasAnthropicHeader = false
        head.forEachHeader { name, _ in
            if name.count > 10, ASCII.equalIgnoringCase(name.slice(0..<10), "anthropic-") {
                hasAnthropicHeader = true
            }
        }
        let kind = head.withFirst("user-agent") {
            ClientKind.detect(userAgent: $0, hasAnthropicHeader: hasAnthropicHeader)
        }
        return kind ?? (hasAnthropicHeader ? .claudeCode : .other)
    }

    private func authenticate(_ request: ClientRequest) throws(GatewayError) {
        switch request.target {
        case .health, .readiness, .greeting: return
        default: break
        }
        // Who may connect there is decided by the mode of the socket's file.
        if request.connection.isAdmin { return }
        if request.target?.isAdministrative == true { return try authenticateAdmin(request) }
        guard !keys.isEmpty else {
            if request.connection.peerIsLoopback { return try LocalOrigin.check(request.head) }
            throw GatewayError(.authentication, "no client key is configured; only local clients are served")
        }
        let head = request.head
        var found =
            head.withFirst("authorization") { value -> Int? in
                guard value.count > 7, ASCII.equalIgnoringCase(value.slice(0..<7), "bearer ") else {
                    return nil
                }
                return keys.index(of: value.slice(7..<value.count))
            } ?? nil
        for name in ["x-api-key", "x-goog-api-key"] as [StaticString] where found == nil {
            found = head.withFirst(name, { keys.index(of: $0) }) ?? nil
        }
        var hasQueryKey = false
        if found == nil, request.dialect == .gemini {
            found =
                GeminiPath.withKey(head.query) { key -> Int? in
                    hasQueryKey = true
                    return keys.index(of: key)
                } ?? nil
        }
        if let found {
            guard !config.clients[found].hasExpired(Clock.realtimeUsec()) else {
                throw GatewayError(.authentication, "the client key has expired")
            }
            request.clientKey = found
            return
        }
        let isMissing =
            !hasQueryKey
            && (["authorization", "x-api-key", "x-goog-api-key"] as [StaticString]).allSatisfy {
                head.withFirst($0, { _ in true }) == nil
            }
        throw GatewayError(
            .authentication, isMissing ? "a client key is needed" : "the client key is not valid")
    }

    /// Whoever may send requests may not change credentials or bans: another key.
    private func authenticateAdmin(_ request: ClientRequest) throws(GatewayError) {
        guard !adminKeys.isEmpty else {
            throw GatewayError(
                .permission,
                "this is for administrators: set ADMIN_API_KEY in the configuration and send it, or ask over an admin socket"
            )
        }
        let head = request.head
        let bearer = head.withFirst("authorization") { value -> Bool in
            guard value.count > 7, ASCII.equalIgnoringCase(value.slice(0..<7), "bearer ") else {
                return false
            }
            return adminKeys.index(of: value.slice(7..<value.count)) != nil
        }
        if bearer == true || head.withFirst("x-api-key", { adminKeys.index(of: $0) != nil }) == true {
            return
        }
        throw GatewayError(.authentication, "the admin key is needed")
    }

    // MARK: - Time

    /// Returns whether another look is needed.
    private func look(_ now: UInt64) -> Bool {
        self.now = now
        for connection in connections.values { connection.sweep(now, config.limits) }
        expireWaiting(now)
        expireQueue(now)
        exporter?.reportGauges()
        exporter?.reportPolicy()
        let hasFreedBodies = bodies.sweep(now)
        if heapPeak.hasHalved(connections.count) || hasFreedBodies { ProcessMemory.trim() }
        return !connections.isEmpty || bodies.isHolding
    }

    /// A request is over.
    func account(_ record: consuming RequestRecord) {
        if record.origin == .client { traffic.count(record) }
        trafficSweep?.wake()
        exporter?.add(record)
    }

    /// Tells the supervisor when the line has changed. Returns whether another one is needed.
    private func reportTraffic() -> Bool {
        let line = traffic.line(streams: Int(gauges.activeStreams))
        let text = line ?? FrontProcess.idleLine
        if text != trafficLine, !isDraining { Notifier.status(text) }
        trafficLine = text
        return line != nil
    }

    // MARK: - The policy's state

    /// How the policy is, with times as dates.
    var policyReport: PolicyReport { dated(policy.report(now)) }

    /// The same for metrics.
    var policyMetrics: PolicyReport {
        dated(policy.metrics(now) { modelLabels[$0].contains($1) ? $1 : FrontProcess.otherModel })
    }

    private func dated(_ report: PolicyReport) -> PolicyReport {
        let realtime = Clock.realtimeUsec()
        return report.moved { $0 > now ? realtime + ($0 - now) : realtime - min(realtime, now - $0) }
    }

    /// The label of models that are not of the configuration.
    private static let otherModel = "other"
    /// Longer names are no labels, so that a report fits into a message.
    private static let longestLabel = 128

    /// Goes on with what the front before this one knew.
    private func remember(_ descriptor: consuming FileDescriptor) {
        do {
            let memory = try SharedMemory(adopting: descriptor)
            guard let minutes = MinuteMemory(memory) else { return }
            policyMinutes = SharedMinutes(policy.minutes, in: minutes)
            ledgerMinutes = SharedMinutes(ledger.minutes, in: minutes)
            let store = PolicyStore(memory)
            if let bytes = store.load() { try takeOver(bytes) }
            policyStore = store
            // From now on the next front knows which half this one writes.
            savePolicy()
        } catch {
            journal.log(.warning, .limitReached, "what was known of providers is lost: \(error)")
        }
    }

    /// The front before this one has told more since; what this one has learnt itself is not given up for it.
    func rememberMore() {
        guard let bytes = policyStore?.loadNewer() else { return }
        do {
            try takeOver(bytes)
        } catch {
            journal.log(.warning, .limitReached, "what was known of providers is lost: \(error)")
        }
    }

    private func takeOver(_ bytes: [UInt8]) throws(WireError) {
        if policy.counters.calls == 0 {
            try policy.restore(bytes)
        } else {
            try policy.restoreBans(bytes)
        }
    }

    /// Asks the policy, or tells it, what may change what is left of a minute.
    func withPolicy<Answer>(_ body: (inout Policy) -> Answer) -> Answer {
        guard let policyMinutes else { return body(&policy) }
        policyMinutes.begin(&policy.minutes)
        defer { policyMinutes.end(&policy.minutes) }
        return body(&policy)
    }

    /// The same with the client keys.
    func withLedger<Answer, Failure>(
        _ body: (inout ClientLedger) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        guard let ledgerMinutes else { return try body(&ledger) }
        ledgerMinutes.begin(&ledger.minutes)
        defer { ledgerMinutes.end(&ledger.minutes) }
        return try body(&ledger)
    }

    /// The policy has learnt something, which is kept soon; seldom when there is much of it.
    func policyChanged() {
        guard !isSaving, let policyStore else { return }
        isSaving = true
        saving?.arm(afterUsec: max(20_000, 100 * policyStore.costUsec))
    }

    /// Keeps what the policy knows now.
    func savePolicy() {
        isSaving = false
        tick()
        guard let policyStore else { return }
        var leftOut = 0
        let isKept = policyStore.save(policy.changes, nowUsec: now) { room in
            let snapshot = policy.snapshot(room: room)
            leftOut = snapshot.leftOut
            return snapshot.bytes
        }
        guard !isKept || leftOut > 0, !hasToldLoss else { return }
        hasToldLoss = true
        journal.log(
            .warning, .limitReached,
            "the next front will not know "
                + (isKept
                    ? "\(leftOut) of the models that were asked for" : "what this one knows of providers")
                + ": it is more than there is room for")
    }

    // MARK: - Channels

    private func attach(_ name: String, _ descriptor: consuming FileDescriptor) {
        do {
            if name == "exporter" { return try exporter?.attach(descriptor) ?? () }
            if name == "refresher" { return try refresher.attach(descriptor) }
            guard let (provider, worker) = WorkerLinks.parse(name), provider < config.routes.providers.count
            else {
                protocolViolation("a channel named \(name)")
            }
            let link = try WorkerLink(providerIndex: provider, workerIndex: worker)
            link.channel = try MessageChannel(
                loop, descriptor,
                onMessage: { [unowned self, unowned link] bytes, _ in self.handle(bytes, from: link) },
                onClose: { [unowned self, unowned link] in self.workerEnded(link) })
            MessageHead.begin(.frontCommitLog, in: &handoffBuffer)
            link.channel?.send(handoffBuffer.view, descriptors: [link.commits.raw])
            workers.add(link)
            models.attached(link)
            retryWaiting()
        } catch {
            journal.log(.error, .limitReached, "cannot watch the channel to \(name): \(error)")
        }
    }

    // MARK: - The end

    private func drain() {
        guard !isDraining else { return }
        isDraining = true
        tick()
        savePolicy()
        // The next front goes on from here.
        policyStore = nil
        exporter?.endPolicy()
        Notifier.stopping()
        cancelShadows()
        for watch in listenerWatches { watch.cancel() }
        listenerWatches = []
        listeners = []
        sweep?.wake()
        finishIfDrained()
    }

    private func finishIfDrained() {
        guard connections.isEmpty else { return }
        exporter?.finish { [unowned self] in self.loop.exit(0) }
    }
}
