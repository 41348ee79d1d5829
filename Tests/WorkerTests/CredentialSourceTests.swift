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
        /// The generations that were said to be refused, and what is done when one is.
        private(set) var refusals: [UInt64] = []
        var onRefusal: () -> Void = {}

        /// - Parameter waitMsec: how long a request waits for a token.
        init(waitMsec: Int = 15_000) throws {
            var template = Array("/tmp/ccr-worker-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            loop = try EventLoop()
            tokens = try TokenDatabase(path: directory + "/tokens.db")
            source = try CredentialSource(
                provider: "p",
                members: ["main", "spare"].map {
                    CredentialMember(name: $0, weight: 1, priority: 0, waitMsec: waitMsec)
                },
                tokensPath: directory + "/tokens.db", loop, complain: { Issue.record("\($0)") })
            guardTimer = try Timer(loop) { [unowned self] in self.loop.exit(1) }
            guardTimer?.arm(afterUsec: 20_000_000)
            try come()
        }

        /// A refresher is there, and hands over the keys.
        func come() throws {
            var ends: [SharedDescriptor] = []
            try MessageSocket.pair().split { first, second in
                ends = [SharedDescriptor(first), SharedDescriptor(second)]
            }
            refresher = try MessageChannel(
                loop, try ends[0].take(), onMessage: { [unowned self] bytes, _ in self.receive(bytes) },
                onClose: {})
            source.attach(try ends[1].take())
            let list = keys.keys(for: .worker(provider: "p")).map { (number: $0.number, key: $0.key) }
            send(.refresherKeys, WorkerKeys(keys: list))
        }

        deinit {
            for name in ["tokens.db", "tokens.db-wal", "tokens.db-shm"] { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }

        /// The refresher dies; returns when the worker knows.
        func die() throws {
            refresher?.close()
            refresher = nil
            try turn()
        }

        /// Runs the loop until everything that waits has been done.
        func turn() throws {
            for _ in 0..<4 {
                loop.later { self.loop.later { self.loop.exit(0) } }
                #expect(try loop.run() == 0)
            }
        }

        private func receive(_ bytes: UnsafeRawBufferPointer) {
            var reader = WireReader(bytes)
            guard (try? MessageHead.kind(&reader)) == .workerRefusal,
                let refusal: TokenRefusal = try? reader.get()
            else {
                Issue.record("something else than a refusal")
                return
            }
            refusals.append(refusal.generation)
            onRefusal()
        }

        private func send(_ kind: MessageKind, _ message: some WireCodable) {
            var writer = WireWriter()
            MessageHead.begin(kind, in: &writer)
            writer.put(message)
            refresher?.send(writer.bytes)
        }

        /// A new token is published and said to be there.
        func publish(bootID: String = "", deadline: UInt64? = nil, expiresAt: Int? = nil) throws {
            generation += 1
            var row = TokenRow(
                credential: "main", provider: "p", generation: generation, sequence: 0, state: .static,
                reason: "",
                sealed: [], expiresAt: expiresAt, bootID: bootID, deadline: deadline, retryAt: nil)
            let token = PublishedToken(fields: [
                (name: "Authorization", value: Secret("Bearer \(generation)"))
            ])
            row.sealed = Envelope.seal(
                token.sealedForm, keys.keys(for: .worker(provider: "p"))[0], row.place)
            try tokens.publish(row, now: 1)
            say(.static)
        }

        /// Tells where the credential stands.
        func say(_ state: CredentialState, _ name: String = "main") {
            send(
                .refresherNotice,
                CredentialNotice(
                    credential: name, generation: name == "main" ? generation : 0, state: state,
                    retryAfterMsec: 0))
        }

        /// The token in hand, which is refused from now on.
        func refusedLease() throws -> CredentialLease {
            var found: CredentialLease?
            source.acquire("main", isOnly: true) { found = try? $0.get() }
            return try #require(found)
        }

        /// Runs the loop until the refused request can go on or has failed.
        func retry(_ lease: CredentialLease) throws -> Result<UInt64, GatewayError> {
            var result: Result<UInt64, GatewayError>?
            source.refused(lease) {
                result = $0.map(\.generation)
                self.loop.exit(0)
            }
            if result == nil { #expect(try loop.run() == 0) }
            return try #require(result)
        }

        /// Runs the loop until a request has a token; its generation.
        func acquire() throws -> UInt64? {
            var found: UInt64?
            source.acquire("main", isOnly: true) { result in
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
            bench.source.acquire("main", isOnly: true) { if case .success = $0 { served += 1 } }
        }
        #expect(served == 100_000)
        #expect(bench.source.readCount == before)
        #expect(before <= 2, "one for the keys, one for the notice")
    }

    @Test(
        "a token that is refused while no refresher is there is reported to the next one, and its first word is no answer"
    )
    func refusedMeanwhile() throws {
        let bench = try Bench()
        try bench.publish()
        #expect(try bench.acquire() == 1)
        let lease = try bench.refusedLease()
        try bench.die()
        var results: [Result<UInt64, GatewayError>] = []
        for _ in 0..<3 { bench.source.refused(lease) { results.append($0.map(\.generation)) } }
        try bench.turn()
        #expect(results.isEmpty)
        bench.onRefusal = { do { try bench.publish() } catch { Issue.record("\(error)") } }
        try bench.come()
        bench.say(.static)
        #expect(try bench.retry(lease) == .success(2))
        try bench.turn()
        #expect(results == [.success(2), .success(2), .success(2)])
        #expect(bench.refusals == [1], "one report for all")
    }

    @Test("what was reported to a refresher that died is reported to the next one")
    func diedMeanwhile() throws {
        let bench = try Bench()
        try bench.publish()
        #expect(try bench.acquire() == 1)
        let lease = try bench.refusedLease()
        var result: Result<UInt64, GatewayError>?
        bench.source.refused(lease) { result = $0.map(\.generation) }
        try bench.turn()
        #expect(bench.refusals == [1])
        try bench.die()
        #expect(result == nil)
        bench.onRefusal = { do { try bench.publish() } catch { Issue.record("\(error)") } }
        try bench.come()
        bench.say(.suspect)
        #expect(try bench.retry(lease) == .success(2))
        try bench.turn()
        #expect(result == .success(2))
        #expect(bench.refusals == [1, 1])
    }

    @Test("a refresher that published a token before it died need not come back for it")
    func publishedBefore() throws {
        let bench = try Bench()
        try bench.publish()
        #expect(try bench.acquire() == 1)
        let lease = try bench.refusedLease()
        try bench.publish()
        try bench.turn()
        try bench.die()
        #expect(try bench.retry(lease) == .success(2))
        #expect(bench.refusals.isEmpty)
    }

    @Test("a refresher that stays away is waited for once, then refused tokens fail at once")
    func staysAway() throws {
        let bench = try Bench(waitMsec: 300)
        try bench.publish()
        #expect(try bench.acquire() == 1)
        let lease = try bench.refusedLease()
        try bench.die()
        let began = Clock.boottimeUsec()
        guard case .failure(let late) = try bench.retry(lease) else {
            Issue.record("a token")
            return
        }
        #expect(late.kind == .overloaded && late.retryAfter == 5)
        #expect(Clock.boottimeUsec() - began >= 300_000)
        var result: Result<UInt64, GatewayError>?
        bench.source.refused(lease) { result = $0.map(\.generation) }
        guard case .failure(let error)? = result else {
            Issue.record("it waits again")
            return
        }
        #expect(error.message.contains("no refresher runs") && error.retryAfter == 5)
    }

    @Test("a refused token is reported once, whoever meets the refusal")
    func reportedOnce() throws {
        let bench = try Bench()
        try bench.publish()
        #expect(try bench.acquire() == 1)
        // The refresher has said where the credential stands.
        try bench.turn()
        let lease = try bench.refusedLease()
        var results: [Result<UInt64, GatewayError>] = []
        for _ in 0..<3 { bench.source.refused(lease) { results.append($0.map(\.generation)) } }
        bench.source.report(lease)
        try bench.turn()
        #expect(bench.refusals == [1])
        try bench.publish()
        try bench.turn()
        #expect(results == [.success(2), .success(2), .success(2)])
    }

    @Test(
        "what a refresher could not help is not asked again at once, and its token is not sent any more")
    func lockedToken() throws {
        let bench = try Bench()
        try bench.publish()
        #expect(try bench.acquire() == 1)
        let lease = try bench.refusedLease()
        bench.onRefusal = { bench.say(.crypto) }
        guard case .failure(let error) = try bench.retry(lease) else {
            Issue.record("a token")
            return
        }
        #expect(error.message == "p refuses the credential main (crypto)")
        var told: [String] = []
        bench.source.refused(lease) { if case .failure(let error) = $0 { told.append(error.message) } }
        bench.source.acquire("main", isOnly: true) {
            if case .failure(let error) = $0 { told.append(error.message) }
        }
        #expect(
            told == [
                "p refuses the credential main (crypto)",
                "no credential of p can be used (main: crypto, spare: empty)",
            ])
        try bench.turn()
        #expect(bench.refusals == [1], "nobody is asked")
    }

    @Test("a token's end counts on the clock that nobody sets, as long as the boot is the same")
    func ends() throws {
        let bench = try Bench()
        let now = Clock.boottimeUsec() / 1000
        let wall = Int(Clock.realtimeUsec() / 1_000_000)
        for (boot, deadline, end, isUsable) in [
            (Clock.bootID(), now + 60_000, wall - 60, true), (Clock.bootID(), now, wall + 60, false),
            ("another boot", now + 60_000, wall - 60, false), ("another boot", now, wall + 60, true),
        ] {
            try bench.publish(bootID: boot, deadline: deadline, expiresAt: end)
            try bench.turn()
            var isServed = false
            bench.source.acquire("main", isOnly: false) { if case .success = $0 { isServed = true } }
            #expect(isServed == isUsable, "\(boot), \(deadline), \(end)")
        }
    }

    @Test("a request gets the credential it was granted, and waits for its token only when there is no other")
    func named() throws {
        let bench = try Bench()
        try bench.publish()
        #expect(try bench.acquire() == 1)
        var told: [String] = []
        func ask(_ name: String, isOnly: Bool) {
            bench.source.acquire(name, isOnly: isOnly) { result in
                switch result {
                case .success(let lease): told.append("token \(lease.generation)")
                case .failure(let error): told.append(error.message)
                }
            }
        }
        ask("spare", isOnly: true)
        #expect(told.isEmpty, "it waits")
        ask("spare", isOnly: false)
        #expect(told == ["no credential of p can be used (main: static, spare: empty)"])
        ask("main", isOnly: false)
        #expect(told.last == "token 1")
        bench.say(.needsLogin, "spare")
        try bench.turn()
        ask("spare", isOnly: true)
        #expect(
            told.last
                == "no credential of p can be used (main: static, spare: needs_login); run ccr login spare")
    }
}
