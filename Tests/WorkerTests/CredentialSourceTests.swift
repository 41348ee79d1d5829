// SPDX-License-Identifier: Apache-2.0
import Config
import CredentialStore
import Credentials
import EventLoop
import Gateway
import Glibc
import IPC
import Posix
import Testing

@testable import Worker

@Suite("A worker's credentials")
struct CredentialSourceTests {
    /// A store with one token, and a source that is connected to what stands for the refresher.
    private final class Bench {
        let loop: EventLoop
        let source: CredentialSource
        private let tokens: TokenDatabase
        private let keys = KeyRing.make()
        private let directory: String
        private var refresher: MessageChannel?
        private var guardTimer: Timer?
        private var generation: UInt64 = 0

        init() throws {
            var template = Array("/tmp/ccr-worker-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            loop = try EventLoop()
            tokens = try TokenDatabase(path: directory + "/tokens.db")
            source = try CredentialSource(
                provider: "p", members: [CredentialMember(name: "main", weight: 1, priority: 0)],
                tokensPath: directory + "/tokens.db", loop, complain: { Issue.record("\($0)") })
            var ends: [SharedDescriptor] = []
            try MessageSocket.pair().split { first, second in
                ends = [SharedDescriptor(first), SharedDescriptor(second)]
            }
            refresher = try MessageChannel(loop, try ends[0].take(), onMessage: { _, _ in }, onClose: {})
            source.attach(try ends[1].take())
            guardTimer = try Timer(loop) { [unowned self] in self.loop.exit(1) }
            guardTimer?.arm(afterUsec: 20_000_000)
            let list = keys.keys(for: .worker(provider: "p")).map { (number: $0.number, key: $0.key) }
            send(.refresherKeys, WorkerKeys(keys: list))
        }

        deinit {
            for name in ["tokens.db", "tokens.db-wal", "tokens.db-shm"] { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }

        private func send(_ kind: MessageKind, _ message: some WireCodable) {
            var writer = WireWriter()
            IPC.begin(kind, in: &writer)
            writer.put(message)
            refresher?.send(writer.bytes)
        }

        /// A new token is published and said to be there.
        func publish() throws {
            generation += 1
            var row = TokenRow(
                credential: "main", provider: "p", generation: generation, sequence: 0, state: .static,
                reason: "",
                sealed: [], expiresAt: nil, bootID: "", deadline: nil, retryAt: nil)
            let token = PublishedToken(fields: [
                (name: "Authorization", value: Secret("Bearer \(generation)"))
            ])
            row.sealed = Envelope.seal(
                token.sealedForm, keys.keys(for: .worker(provider: "p"))[0], row.place)
            try tokens.publish(row, now: 1)
            send(
                .refresherNotice,
                CredentialNotice(
                    credential: "main", generation: generation, state: .static, retryAfterMsec: 0))
        }

        /// Runs the loop until a request has a token; its generation.
        func acquire() throws -> UInt64? {
            var found: UInt64?
            source.acquire { result in
                if case .success(let lease) = result { found = lease.generation }
                self.loop.exit(0)
            }
            if found == nil {
                let status = try loop.run()
                #expect(status == 0)
            }
            return found
        }
    }

    @Test("a hundred thousand requests read the store once, and once more for the next token")
    func lookups() throws {
        let bench = try Bench()
        try bench.publish()
        #expect(try bench.acquire() == 1)
        let before = bench.source.readCount
        var served = 0
        for _ in 0..<100_000 {
            bench.source.acquire { if case .success = $0 { served += 1 } }
        }
        #expect(served == 100_000)
        #expect(bench.source.readCount == before)
        #expect(before <= 2, "one for the keys, one for the notice")
    }
}
