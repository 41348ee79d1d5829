// SPDX-License-Identifier: Apache-2.0
// The connection to a refresher that somebody else runs: found, lost, found again.

import EventLoop
import Gateway
import Glibc
import IPC
import Posix
import Testing

@testable import Supervisor

/// A refresher as far as the supervisor sees it: accepts at a path and keeps what it is told.
private final class FakeRefresher {
    let path: String
    private let loop: EventLoop
    private var listener: SharedDescriptor?
    private var watch: EventLoop.Watch?
    private var channel: MessageChannel?
    /// The kinds of messages, and the names in them.
    private(set) var told: [String] = []
    private(set) var descriptors = 0
    var onMessage: () -> Void = {}

    init(_ loop: EventLoop) {
        self.loop = loop
        path = "/tmp/ccr-link-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    }

    deinit {
        watch?.cancel()
        unlink(path)
    }

    func listen() throws {
        let made = SharedDescriptor(try MessageSocket.listen(path: path))
        listener = made
        watch = try loop.watch(made.raw, .readable) { [unowned self] _ in self.accept() }
    }

    private func accept() {
        guard let accepted = try? Socket.accept(listener?.raw ?? -1) else { return }
        channel = try? MessageChannel(
            loop, accepted.take(),
            onMessage: { [unowned self] bytes, received in
                var reader = WireReader(bytes)
                if let kind = try? MessageHead.kind(&reader) {
                    self.told.append(
                        kind == .supervisorAttach ? (try? reader.getString()) ?? "?" : "\(kind)")
                }
                if received.takeDescriptor() != nil { self.descriptors += 1 }
                self.onMessage()
            }, onClose: {})
    }

    /// Ends the connection; the socket stays, as with socket activation.
    func die() {
        channel?.close()
        channel = nil
    }
}

@Suite("The link to a refresher", .timeLimit(.minutes(1))) struct RefresherLinkTests {
    /// Runs until `exit`; the timer bounds a test that is broken.
    private func run(_ loop: EventLoop) throws {
        let bound = try Timer(loop) { loop.exit(99) }
        bound.arm(afterUsec: 20_000_000)
        #expect(try withExtendedLifetime(bound) { try loop.run() } == 0)
    }

    @Test("A socket that is not there is told once and found as soon as it is")
    func unreachable() throws {
        let loop = try EventLoop()
        let refresher = FakeRefresher(loop)
        var events: [RefresherLink.Event] = []
        var waiting: Timer?
        let link = try RefresherLink(path: refresher.path, loop) { event in
            events.append(event)
            if event == .connected { return loop.exit(0) }
            // Later than the second attempt, which comes after 50 ms and must not be told.
            let later = try? Timer(loop) { try? refresher.listen() }
            later?.arm(afterUsec: 200_000)
            waiting = later
        }
        try run(loop)
        #expect(events == [.unreachable(Errno("connect", code: ENOENT)), .connected])
        #expect(link.isConnected)
        withExtendedLifetime(waiting) {}
    }

    @Test("A worker's channel is brought, a loss is made up for, and a new start can be asked for")
    func life() throws {
        let loop = try EventLoop()
        let refresher = FakeRefresher(loop)
        try refresher.listen()
        var link: RefresherLink?
        var events: [RefresherLink.Event] = []
        link = try RefresherLink(path: refresher.path, loop) { event in
            events.append(event)
            guard event == .connected else { return }
            do {
                try MessageSocket.pair().split { mine, theirs in
                    link?.bring("worker-\(events.count)", SharedDescriptor(theirs))
                    _ = mine.raw
                }
            } catch {
                Issue.record("\(error)")
            }
        }
        refresher.onMessage = {
            switch refresher.told.count {
            case 1: refresher.die()
            case 2: link?.drain()
            case 3: refresher.die()
            default: loop.exit(0)
            }
        }
        try run(loop)
        #expect(refresher.told == ["worker-1", "worker-3", "supervisorDrain", "worker-5"])
        #expect(refresher.descriptors == 3)
        #expect(
            events == [.connected, .lost(expected: false), .connected, .lost(expected: true), .connected])
        #expect(link?.status.restarts == 1)
    }
}
