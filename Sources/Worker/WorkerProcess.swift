// SPDX-License-Identifier: Apache-2.0
// The worker of one provider: takes handoffs from fronts and answers clients. Holds that provider's key and no other.

import Curl
import Dialects
import EventLoop
import Gateway
import IPC
import JSON
import Journal
import Posix
import Runtime
import ServiceManager

/// A channel to one front and what it handed over.
final class FrontLink {
    fileprivate var channel: MessageChannel?
    fileprivate var exchanges: [UInt64: Exchange] = [:]
    private var buffer = WireWriter()

    /// Tells the front; after its end nobody needs to know.
    func send(_ kind: MessageKind, _ message: some WireCodable) {
        IPC.begin(kind, in: &buffer)
        buffer.put(message)
        channel?.send(buffer.bytes)
    }
}

/// How requests for one model are fitted to the provider.
private struct Adaptation {
    struct Key: Hashable {
        let endpoint: Endpoint
        let model: String
    }

    /// The most that are kept.
    static let maximumCount = 256

    let model: ResolvedModel
    let adapter: RequestAdapter
}

package final class WorkerProcess {
    let loop: EventLoop
    let config: WorkerConfig
    let parser = JSONParser()
    private let child: Child
    private let transfers: TransferPool
    private let headers: UpstreamHeaders
    private var adaptations: [Adaptation.Key: Adaptation] = [:]
    /// The provider's credentials, if the refresher keeps them.
    private(set) var credentials: CredentialSource?
    private var keepalives: [Dialect: [UInt8]] = [:]
    private var links: [FrontLink] = []
    private var sweep: Sweep?
    private var isDraining = false
    private var activeCount = 0

    /// Runs a worker until it is told to end; returns its exit status.
    package static func run() -> Int32 {
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
        transfers = try TransferPool(
            child.loop, unusedConnectionMsec: config.timeouts.unusedConnection)
        headers = UpstreamHeaders(config)
        if !config.credentials.isEmpty {
            credentials = try CredentialSource(
                provider: config.provider, members: config.credentials,
                tokensPath: config.tokenDirectory + "/tokens.db", loop,
                complain: { [unowned child] in child.journal.log(.error, .credentialTrouble, $0) })
        }
        for dialect in Dialect.allCases { keepalives[dialect] = Keepalive.bytes(dialect) }
        sweep = try Sweep(child.loop, intervalMsec: 200) { [unowned self] in self.sweepExchanges($0) }
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

    /// The front has ended; what it handed over is finished all the same.
    private func frontGone(_ link: FrontLink) {
        link.channel = nil
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
            switch try IPC.kind(&reader) {
            case .frontHandoff:
                let handoff: HandoffRequest = try reader.get()
                try reader.end()
                guard let client = received.takeDescriptor() else { throw WireError.truncated }
                try start(handoff, client, &received, link)
            case .frontAbandon:
                let tag: UInt64 = try reader.get()
                try reader.end()
                link.exchanges[tag]?.abandon()
            case let other: throw WireError.invalidValue("\(other) from a front")
            }
        } catch {
            child.protocolViolation("message from a front: \(error)")
        }
    }

    private func start(
        _ handoff: HandoffRequest, _ client: consuming FileDescriptor,
        _ received: inout MessageSocket.Received,
        _ link: FrontLink
    ) throws(WireError) {
        let unchanged: SplicedBody?
        if let inline = handoff.inlineBody {
            unchanged = SplicedBody(inline: inline, splices: handoff.splices)
        } else {
            guard let descriptor = received.takeDescriptor() else { throw .truncated }
            do {
                try SharedMemory.check(descriptor.raw, size: handoff.bodySize)
            } catch {
                throw .invalidValue("body: \(error)")
            }
            unchanged = SplicedBody(file: descriptor, size: handoff.bodySize, splices: handoff.splices)
        }
        guard let unchanged else { throw .invalidValue("splices") }
        let adaptation = adaptation(handoff)
        let body = adapted(unchanged, adaptation.adapter)
        let exchange = Exchange(handoff, client: client, link: link, worker: self)
        exchange.transformers = adaptation.model.rules.transformers
        link.exchanges[handoff.tag] = exchange
        activeCount += 1
        sweep?.wake()
        exchange.begin { [unowned self] lease, delegate in
            self.upstream(for: handoff, adaptation.model, body, lease, delegate)
        }
    }

    /// What the model's name stands for, and what follows for requests to this endpoint.
    private func adaptation(_ handoff: HandoffRequest) -> Adaptation {
        let key = Adaptation.Key(endpoint: handoff.endpoint, model: handoff.model)
        if let known = adaptations[key] { return known }
        let model = ResolvedModel(handoff.model, kind: config.profile.kind, rows: config.models)
        let adapter = RequestAdapter(
            config.profile, endpoint: handoff.endpoint, wanted: handoff.model, model: model)
        let adaptation = Adaptation(model: model, adapter: adapter)
        // Clients may pin models of any name.
        if adaptations.count >= Adaptation.maximumCount { adaptations = [:] }
        adaptations[key] = adaptation
        return adaptation
    }

    /// The body as the provider wants it; the same body when nothing has to change.
    private func adapted(_ body: SplicedBody, _ adapter: RequestAdapter) -> SplicedBody {
        guard !config.isEcho, !adapter.isIdle else { return body }
        var bytes = [UInt8](repeating: 0, count: body.size)
        bytes.withUnsafeMutableBytes { _ = body.read(from: 0, into: $0) }
        let splices = bytes.withUnsafeBytes { text -> [Splice] in
            // Front has parsed it before; what is no object here stays as it is.
            guard let root = try? parser.parse(text, padded: false), root.isObject,
                let map = SourceMap(parser, text: text)
            else { return [] }
            return adapter.splices(root, text: text, map: map)
        }
        return SplicedBody(inline: bytes, splices: splices) ?? body
    }

    private func upstream(
        for handoff: HandoffRequest, _ model: ResolvedModel, _ body: SplicedBody, _ lease: CredentialLease?,
        _ delegate: any TransferDelegate
    ) -> any Upstream {
        if config.isEcho {
            var bytes = [UInt8](repeating: 0, count: body.size)
            bytes.withUnsafeMutableBytes { _ = body.read(from: 0, into: $0) }
            let answer = EchoProvider.answer(
                endpoint: handoff.endpoint, streaming: handoff.streaming, model: handoff.model, body: bytes,
                requestID: handoff.requestID, parser: parser)
            return EchoUpstream(loop, answer, delegate: delegate)
        }
        guard let template = config.url(handoff.endpoint, streaming: handoff.streaming) else {
            child.protocolViolation("front routed \(handoff.endpoint) to \(config.provider)")
        }
        var url = UpstreamURL.make(template, model: model.name, for: handoff)
        if let origin = lease?.origin { url = UpstreamURL.moved(url, to: origin) }
        let request = TransferRequest(
            url: url, headers: headers.fields(for: handoff, credential: lease?.fields).bytes, body: body,
            connectTimeoutMsec: config.timeouts.connect, proxy: config.proxy)
        return transfers.start(request, delegate: delegate)
    }

    /// An exchange is over and has told its front.
    func ended(_ exchange: Exchange, _ link: FrontLink) {
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
        // Thousands of streams leave thousands of holes behind; give their pages back while there is time.
        if activeCount == 0 { ProcessMemory.trim() }
        return activeCount > 0
    }
}
