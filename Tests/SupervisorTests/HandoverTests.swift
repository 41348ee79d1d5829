// SPDX-License-Identifier: Apache-2.0
// What a supervisor leaves to its next version.

import Gateway
import Glibc
import IPC
import Posix
import Runtime
import Testing

@testable import Supervisor

@Suite("Handover", .serialized) struct HandoverTests {
    private func child(_ role: Role, pid: Int32 = 7, control: Int32 = -1, pidfd: Int32 = -1) -> Handover.Child
    {
        Handover.Child(
            role: role, provider: role == .worker ? "openai" : "", index: 1, pid: pid, pidfd: pidfd,
            control: control, state: .ready, restarts: 3, startedUsec: 4, startedRealtimeUsec: 5,
            statusText: "serving", protocolVersion: 9)
    }

    private func handover(
        listeners: [Handover.Listener] = [], children: [Handover.Child]? = nil, workers: [[UInt32]] = [[1]]
    ) -> Handover {
        Handover(
            startedRealtimeUsec: 1, generation: 2, watchdogMsec: 3, drainMsec: 4, notifyAddress: "@ccr/x",
            notifyDescriptor: -1, policyDescriptor: -1, listeners: listeners,
            children: children ?? [child(.front), child(.worker), child(.exporter)],
            generations: [
                Handover.Members(number: 1, front: 0, workers: [[], []]),
                Handover.Members(number: 2, front: 0, workers: workers),
            ],
            exporter: 2, oldExporter: -1, refresher: -1)
    }

    /// What the next program would find in its environment.
    private func pass(_ memory: SharedMemory) throws -> Handover? {
        // The program owns the descriptor that it is told of.
        setenv(Handover.variable, "\(dup(memory.raw))", 1)
        return try Handover.take()
    }

    @Test("Everything arrives as it was left, and the environment names it no more")
    func roundTrip() throws {
        let left = handover(
            listeners: [
                Handover.Listener(kind: .tcp, host: "127.0.0.1", port: 3456, descriptor: -1),
                Handover.Listener(kind: .unix, host: "/run/x", port: 0, descriptor: -1),
            ])
        #expect(try pass(try left.write()) == left)
        #expect(!Handover.isPending)
        #expect(try Handover.take() == nil)
    }

    @Test("A structure of another version is refused")
    func otherVersion() throws {
        var body = WireWriter()
        body.put(Handover.version + 1)
        body.put(handover())
        var framed = WireWriter()
        framed.put(body.bytes)
        let memory = try SharedMemory(name: "test", capacity: framed.bytes.count)
        try memory.append(framed.bytes)
        #expect(throws: WireError.invalidValue("handover \(Handover.version + 1)")) { try pass(memory) }
    }

    @Test("Members that do not exist are refused")
    func members() throws {
        #expect(throws: WireError.self) { try pass(try handover(workers: [[3]]).write()) }
        #expect(throws: WireError.self) { try pass(try handover(children: []).write()) }
    }

    @Test("Descriptors stay open across execve only while they are handed over")
    func inheritable() throws {
        let socket = try Socket.listen(.tcp(host: "127.0.0.1", port: 0))
        let raw = socket.raw
        let left = handover(
            listeners: [Handover.Listener(kind: .inherited, host: "", port: 0, descriptor: raw)])
        #expect(left.descriptors == [raw])
        #expect(fcntl(raw, F_GETFD) == FD_CLOEXEC)
        try left.setInheritable(true)
        #expect(fcntl(raw, F_GETFD) == 0)
        #expect(try pass(try left.write()) == left)
        #expect(fcntl(raw, F_GETFD) == FD_CLOEXEC)
        _ = consume socket
    }

    @Test("Listeners are the same after they were handed over")
    func listeners() throws {
        func bound() throws -> Int32 { try Socket.listen(.tcp(host: "127.0.0.1", port: 0)).release() }
        let given = [
            Handover.Listener(kind: .tcp, host: "127.0.0.1", port: 3456, descriptor: try bound()),
            Handover.Listener(kind: .metrics, host: "", port: 0, descriptor: try bound()),
            Handover.Listener(kind: .admin, host: "", port: 0, descriptor: try bound()),
        ]
        let listeners = Listeners(adopting: given)
        #expect(listeners.http.map(\.raw) == [given[0].descriptor])
        #expect(listeners.metrics.map(\.raw) == [given[1].descriptor])
        #expect(listeners.admin.map(\.raw) == [given[2].descriptor])
        #expect(listeners.handover == given)
        let inherited = [Handover.Listener(kind: .inherited, host: "", port: 0, descriptor: try bound())]
        #expect(Listeners(adopting: inherited).handover == inherited)
    }
}
