// SPDX-License-Identifier: Apache-2.0
// The worker of one provider: takes handoffs from fronts and answers clients. Holds that provider's key and no other.

import Curl
import Dialects
import EventLoop
import Gateway
import HTTPClient
import IPC
import JSON
import Journal
import Posix
import Runtime
import ServiceManager

/// How requests for one model are fitted to the provider. Shared by all of them.
private final class Adaptation {
    struct Key: Hashable {
        let endpoint: Endpoint
        let model: String
        /// As in a handoff.
        let effort: String
        let isTranslated: Bool
    }

    /// The most that are kept.
    static let maximumCount = 256

    let model: ResolvedModel
    let adapter: RequestAdapter

    init(model: ResolvedModel, adapter: RequestAdapter) {
        self.model = model
        self.adapter = adapter
    }
}

package final class WorkerProcess {
    let loop: EventLoop
    let config: WorkerConfig
    let parser = JSONParser()
    private let child: Child
    private let client: HTTPClient
    private let headers: UpstreamHeaders
    private var adaptations: [Adaptation.Key: Adaptation] = [:]
    /// The provider's credentials, if the refresher keeps them.
    private(set) var credentials: CredentialSource?
    private var planner: RequestPlanner
    private var lister: ModelLister?
    private let bodyFiles = BodyFiles()
    private var keepalives: [Dialect: [UInt8]] = [:]
    private var links: [FrontLink] = []
    private var sweep: Sweep?
    private var isDraining = false
    /// Seconds that the clock of a provider that checks signatures is ahead of this one.
    var signingSkew = 0
    private var activeCount = 0
    private var heapPeak = HeapPeak()

    /// Runs a worker until it is told to end; returns its exit status.
    package static func run() -> Int32 {
        ProcessMemory.keepFreedBlocks()
        var worker: WorkerProcess?
        let status = Child.run(
            role: .worker, provider: { (config: WorkerConfig) in config.provider },
            stateDirectory: { $0.tokenDirectory }
        ) { child, config, inherited in
            let process = try WorkerProcess(child, config)
            for (_, descriptor) in try inherited.takeAll(prefix: "front") {
                process.attach(try descriptor.take())
            }
            for (_, descriptor) in try inherited.takeAll(prefix: "refresher") {
                process.credentials?.attach(try descriptor.take())
            }
            worker = process
            let handlers = Child.Handlers(
                attach: { name, descriptor in
                    if name == "refresher" {
                        process.credentials?.attach(descriptor)
                    } else {
                        process.attach(descriptor)
                    }
                }, drain: { process.drain() })
            return (handlers, "serving \(config.provider)")
        }
        withExtendedLifetime(worker) {}
        return status
    }

    private init(_ child: Child, _ config: WorkerConfig) throws(Errno) {
        self.child = child
        self.config = config
        loop = child.loop
        client = try HTTPClient(child.loop, unusedConnectionMsec: config.timeouts.unusedConnection)
        headers = UpstreamHeaders(config)
        if !config.credentials.isEmpty {
            credentials = try CredentialSource(
                provider: config.provider, members: config.credentials,
                tokensPath: config.tokenDirectory + "/tokens.db", loop,
                complain: { [unowned child] in child.journal.log(.error, .credentialTrouble, $0) })
        }
        planner = RequestPlanner(config)
        for dialect in Dialect.allCases { keepalives[dialect] = Keepalive.bytes(dialect) }
        child.loop.atTurnEnd { [unowned self] in for link in self.links { link.flush() } }
        sweep = try Sweep(child.loop, intervalMsec: 200) { [unowned self] in self.sweepExchanges($0) }
        lister = ModelLister(self)
    }

    func keepalive(for endpoint: Endpoint) -> [UInt8] { keepalives[endpoint.dialect] ?? [] }

    private func attach(_ descriptor: consuming FileDescriptor) {
        let link = FrontLink()
        do {
            link.channel = try MessageChannel(
                loop, descriptor,
                onMessage: { [unowned self, unowned link] bytes, received in
                    self.handle(bytes, &received, link)
                },
                onClose: { [unowned self, unowned link] in self.frontGone(link) })
            links.append(link)
        } catch {
            child.journal.log(.error, .processEnded, "cannot watch a front's channel: \(error)")
        }
    }

    /// The front has ended; what it handed over is finished all the same, unless nobody gets it.
    private func frontGone(_ link: FrontLink) {
        link.channel = nil
        for exchange in link.exchanges.values where exchange.handoff.isDiscarded { exchange.abandon() }
        dropIfUnused(link)
    }

    private func dropIfUnused(_ link: FrontLink) {
        if link.channel == nil, link.exchanges.isEmpty { links.removeAll { $0 === link } }
    }

    private func handle(
        _ bytes: UnsafeRawBufferPointer, _ received: inout MessageSocket.Received, _ link: FrontLink
    ) {
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            case .frontHandoff:
                let handoff: HandoffRequest = try reader.get()
                try reader.end()
                try start(handoff, &received, link)
            case .frontAbandon:
                let tag: UInt64 = try reader.get()
                try reader.end()
                link.exchanges[tag]?.abandon()
            case .frontCommitLog:
                guard let descriptor = received.takeDescriptor() else { throw WireError.truncated }
                try reader.end()
                link.commits = try CommitLog(adopting: descriptor)
            case .frontModels:
                try reader.end()
                lister?.ask(for: link)
            case let other: throw WireError.invalidValue("\(other) from a front")
            }
        } catch {
            child.protocolViolation("message from a front: \(error)")
        }
    }

    private func start(
        _ handoff: HandoffRequest, _ received: inout MessageSocket.Received, _ link: FrontLink
    ) throws(WireError) {
        var client: FileDescriptor?
        if !handoff.isDiscarded {
            client = received.takeDescriptor()
            guard client != nil else { throw .truncated }
        }
        let unchanged: SplicedBody?
        if let inline = handoff.inlineBody {
            unchanged = SplicedBody(inline: inline, splices: handoff.splices)
        } else {
            guard let descriptor = received.takeDescriptor() else { throw .truncated }
            do {
                let file = try bodyFiles.view(of: descriptor, size: handoff.bodySize)
                unchanged = SplicedBody(file: file, size: handoff.bodySize, splices: handoff.splices)
            } catch {
                throw .invalidValue("body: \(error)")
            }
        }
        guard let unchanged else { throw .invalidValue("splices") }
        var token: CommitToken?
        if handoff.isContested {
            guard let descriptor = received.takeDescriptor() else { throw .truncated }
            token = CommitToken(adopting: descriptor)
        }
        let adaptation = adaptation(handoff.endpoint, handoff)
        let plan: RequestPlan
        do {
            let nowUnix = Int(Clock.realtimeUsec() / 1_000_000)
            plan = try planner.plan(handoff, adaptation.model, nowUnix: nowUnix, parser: parser) {
                unchanged.bytes
            }
        } catch {
            let refusal = HandoffFailed(
                tag: handoff.tag, kind: error.kind, message: error.message, report: FailureReport(.client))
            return link.send(.workerFailed, refusal)
        }
        let (body, dropped) = outgoing(unchanged, adaptation, plan, handoff)
        let exchange = Exchange(
            handoff, client: client.take(), link: link, worker: self, translation: plan.translation,
            dropped: dropped,
            token: token)
        exchange.transformers = adaptation.model.rules.transformers
        link.exchanges[handoff.tag] = exchange
        activeCount += 1
        heapPeak.note(activeCount)
        sweep?.wake()
        exchange.begin { [unowned self] lease, delegate in
            self.upstream(for: handoff, body, plan, lease, delegate)
        }
    }

    /// What the model's name stands for, and what follows for requests to this endpoint.
    private func adaptation(_ endpoint: Endpoint, _ handoff: HandoffRequest, isTranslated: Bool = false)
        -> Adaptation
    {
        let name = handoff.model
        let key = Adaptation.Key(
            endpoint: endpoint, model: name, effort: handoff.effort, isTranslated: isTranslated)
        if let known = adaptations[key] { return known }
        let model = ResolvedModel(name, kind: config.profile.kind, rows: config.models)
        var asked = model
        if asked.effort == nil, !handoff.effort.isEmpty { asked.effort = handoff.effort }
        let adapter = RequestAdapter(
            config.profile, endpoint: endpoint, wanted: name, model: asked, isTranslated: isTranslated)
        let adaptation = Adaptation(model: model, adapter: adapter)
        // Clients may pin models of any name.
        if adaptations.count >= Adaptation.maximumCount { adaptations = [:] }
        adaptations[key] = adaptation
        return adaptation
    }

    /// The body that goes to the provider, and what its rules took out of it.
    private func outgoing(
        _ body: SplicedBody, _ adaptation: Adaptation, _ plan: RequestPlan, _ handoff: HandoffRequest
    ) -> (SplicedBody, Losses) {
        switch plan {
        case .local: (body, Losses())
        case .passThrough: adapted(body, adaptation.adapter, refused: handoff.dropped)
        case .translated(_, let bytes, let endpoint, _):
            adapted(
                SplicedBody(written: bytes),
                self.adaptation(endpoint, handoff, isTranslated: true).adapter,
                refused: handoff.dropped)
        }
    }

    /// The body as the provider wants it; the same body when nothing has to change.
    ///
    /// - Parameter refused: members that the provider has refused.
    private func adapted(_ body: SplicedBody, _ adapter: RequestAdapter, refused: [String]) -> (
        SplicedBody, Losses
    ) {
        var losses = Losses()
        guard !config.isEcho, !adapter.isIdle || !refused.isEmpty else { return (body, losses) }
        let bytes = body.bytes
        let splices = bytes.withUnsafeBytes { text -> [Splice] in
            // Front has parsed it before; what is no object here stays as it is.
            guard let root = try? parser.parse(text), root.isObject,
                let map = SourceMap(parser)
            else { return [] }
            return adapter.splices(root, text: text, map: map, dropped: refused, &losses)
        }
        guard !splices.isEmpty, let changed = SplicedBody(inline: bytes, splices: splices) else {
            return (body, losses)
        }
        return (changed, losses)
    }

    private func upstream(
        for handoff: HandoffRequest, _ body: SplicedBody, _ plan: RequestPlan, _ lease: CredentialLease?,
        _ delegate: any TransferDelegate
    ) -> any RunningRequest {
        switch plan {
        case .local(let answer): return EchoUpstream(loop, answer, delegate: delegate)
        case .passThrough(let url):
            if config.isEcho {
                return echo(handoff, handoff.endpoint, body.bytes, streaming: handoff.streaming, delegate)
            }
            let fields = headers.fields(for: handoff, credential: lease?.fields)
            return transfer(url, fields, body, lease, handoff, handoff.streaming, delegate)
        case .translated(let translation, let bytes, let endpoint, let url):
            if config.isEcho {
                return echo(handoff, endpoint, bytes, streaming: translation.upstreamStreams, delegate)
            }
            let fields = headers.fields(
                for: handoff, translatedTo: endpoint.dialect, streaming: translation.upstreamStreams,
                credential: lease?.fields)
            return transfer(url, fields, body, lease, handoff, translation.upstreamStreams, delegate)
        }
    }

    private func transfer(
        _ url: String, _ fields: HeaderBlock, _ body: SplicedBody, _ lease: CredentialLease?,
        _ handoff: HandoffRequest, _ expectsStream: Bool, _ delegate: any TransferDelegate
    ) -> any RunningRequest {
        let url = lease?.origin.map { UpstreamURL.moved(url, to: $0) } ?? url
        var fields = fields
        if config.profile.rules.has(.editorFields) {
            EditorFields.append(
                to: &fields, body: body.bytes, requestID: handoff.requestID, parser: parser)
        }
        if let keys = lease?.keys {
            let now = Int(Clock.realtimeUsec() / 1_000_000) + signingSkew
            RequestSigner.sign(&fields, url: url, body: body.bytes, keys, now: now)
        }
        let request = TransferRequest(
            url: url, headers: fields.bytes, body: body, connectTimeoutMsec: config.timeouts.connect,
            proxy: config.proxy, expectsStream: expectsStream)
        return client.start(request, delegate: delegate)
    }

    /// Asks the provider for its models.
    func listModels(
        _ lease: CredentialLease?, at url: String, finish: @escaping (ModelListTransfer.Outcome) -> Void
    ) throws(Errno) -> ModelListTransfer {
        let request = TransferRequest(
            url: lease?.origin.map { UpstreamURL.moved(url, to: $0) } ?? url,
            headers: headers.fieldsOfQuestion(credential: lease?.fields).bytes, body: nil,
            connectTimeoutMsec: config.timeouts.connect, proxy: config.proxy)
        return try ModelListTransfer(request, loop, client, finish: finish)
    }

    /// The provider has said what it offers.
    func learn(_ models: [OfferedModel]) {
        planner.learn(models, over: config.profile.modelDialects)
    }

    func complain(_ text: String) { child.journal.log(.warning, .credentialTrouble, text) }

    private func echo(
        _ handoff: HandoffRequest, _ endpoint: Endpoint, _ body: [UInt8], streaming: Bool,
        _ delegate: any TransferDelegate
    ) -> any RunningRequest {
        let answer = EchoProvider.answer(
            endpoint: endpoint, streaming: streaming, model: handoff.model, body: body,
            requestID: handoff.requestID, parser: parser)
        return EchoUpstream(loop, answer, delegate: delegate)
    }

    /// An exchange is over and has told its front.
    ///
    /// - Parameter usage: what the provider reported; zero when it reported nothing.
    func ended(_ exchange: Exchange, _ link: FrontLink, usage: Usage = Usage()) {
        planner.calibration.learn(
            estimated: exchange.handoff.estimatedInput, usage: usage, model: exchange.handoff.model)
        link.exchanges[exchange.handoff.tag] = nil
        activeCount -= 1
        dropIfUnused(link)
        if isDraining, activeCount == 0 { loop.exit(0) }
    }

    private func drain() {
        guard !isDraining else { return }
        isDraining = true
        Notifier.stopping()
        if activeCount == 0 { loop.exit(0) }
    }

    /// Returns whether another look is needed.
    private func sweepExchanges(_ now: UInt64) -> Bool {
        for link in links {
            for exchange in link.exchanges.values { exchange.sweep(now, config.timeouts) }
        }
        let hasBodyFiles = bodyFiles.sweep(now)
        if heapPeak.hasHalved(activeCount) { ProcessMemory.trim() }
        return activeCount > 0 || hasBodyFiles
    }
}
