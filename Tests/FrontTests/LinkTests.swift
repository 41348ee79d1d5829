// SPDX-License-Identifier: Apache-2.0
// The channels to workers: their names and the least busy of them; and what front says about the stack's health.

import EventLoop
import Gateway
import JSON
import Posix
import Testing

@testable import Front

@Suite("Worker links") struct LinkTests {
    /// A link of provider 0, and the worker's end of its channel.
    private func link(_ loop: EventLoop, worker: Int = 0) throws -> (WorkerLink, SharedDescriptor?) {
        let link = try WorkerLink(providerIndex: 0, workerIndex: worker)
        var ends: (SharedDescriptor?, SharedDescriptor?)
        try MessageSocket.pair().split { ends = (SharedDescriptor($0), SharedDescriptor($1)) }
        link.channel = try MessageChannel(
            loop, try #require(ends.0).take(), onMessage: { _, _ in }, onClose: {})
        return (link, ends.1)
    }

    @Test("A worker's channel names its provider and its number")
    func names() {
        let both = WorkerLinks.parse("worker-3-17")
        #expect(both?.provider == 3)
        #expect(both?.worker == 17)
    }

    @Test(
        "Other names are no worker's",
        arguments: [
            "", "worker", "worker-1", "worker-1-", "worker--1", "worker-1-2-3", "front-1-2", "worker-a-1",
            "worker-1-b", "Worker-1-2", "worker_1_2",
        ])
    func otherNames(name: String) {
        #expect(WorkerLinks.parse(name) == nil)
    }

    @Test("A provider without a running worker has no link")
    func none() throws {
        var links = WorkerLinks(providerCount: 2)
        #expect(links.leastBusy(0) == nil)
        let loop = try EventLoop()
        let (link, end) = try link(loop)
        links.add(link)
        #expect(links.leastBusy(0) === link)
        #expect(links.leastBusy(1) == nil)
        links.remove(link)
        #expect(links.leastBusy(0) == nil)
        withExtendedLifetime(end) {}
    }

    @Test("A worker that was found to have ended gets no request, although its end is not told yet")
    func ended() throws {
        var links = WorkerLinks(providerCount: 1)
        let loop = try EventLoop()
        var (link, end) = try link(loop)
        links.add(link)
        end = nil
        #expect(links.leastBusy(0) === link)
        #expect(link.channel?.send([1]) == .closed)
        #expect(links.leastBusy(0) == nil)
        withExtendedLifetime(end) {}
    }

    @Test("The worker with the fewest requests is chosen, the first of equals")
    func leastBusy() throws {
        var links = WorkerLinks(providerCount: 1)
        let loop = try EventLoop()
        let made = try (0..<3).map { try link(loop, worker: $0) }
        let workers = made.map(\.0)
        for worker in workers { links.add(worker) }
        #expect(links.leastBusy(0) === workers[0])
        links.remove(workers[0])
        #expect(links.leastBusy(0) === workers[1])
        links.add(workers[0])
        #expect(links.leastBusy(0) === workers[1])
        withExtendedLifetime(made) {}
    }
}

@Suite("Health") struct HealthTests {
    private func status(
        _ role: String, _ state: ProcessStatus.State, provider: String = "", text: String = ""
    )
        -> ProcessStatus
    {
        ProcessStatus(
            role: role, provider: provider, pid: 7, state: state, restarts: 2, residentBytes: 4096,
            startedUsec: 9,
            text: text)
    }

    @Test("The stack is ready when every process is, and nobody is not ready")
    func ready() {
        #expect(!HealthReport.isReady([]))
        #expect(HealthReport.isReady([status("front", .ready), status("worker", .draining)]))
        #expect(!HealthReport.isReady([status("front", .ready), status("worker", .starting)]))
        #expect(!HealthReport.isReady([status("front", .backOff)]))
    }

    @Test("The report lists every process with what is known of it")
    func report() throws {
        let body = HealthReport.body([
            status("front", .ready), status("worker", .backOff, provider: "p\"", text: "line\n"),
        ])
        let parser = JSONParser()
        let root = try parser.parse(body)
        #expect(root.member("version")?.string == CCR.version)
        #expect(root.member("ready")?.bool == false)
        let processes = try #require(root.member("processes")).elements.map { $0 }
        #expect(processes.map { $0.member("role")?.string } == ["front", "worker"])
        #expect(processes.map { $0.member("state")?.string } == ["ready", "back_off"])
        #expect(processes.map { $0.member("provider")?.string } == [nil, "p\""])
        #expect(processes.map { $0.member("text")?.string } == [nil, "line\n"])
        #expect(processes.map { $0.member("pid")?.int } == [7, 7])
        #expect(processes.map { $0.member("resident_bytes")?.int } == [4096, 4096])
        withExtendedLifetime(parser) {}
    }

    @Test("The report tells whom the policy leaves alone, and nothing when that is nobody")
    func policy() throws {
        var policy = PolicyReport()
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        let well = try parser.parse(HealthReport.body([], [], policy, nowUsec: 1))
        for name in ["circuits", "pauses", "bans"] as [StaticString] { #expect(well.member(name) == nil) }
        policy.circuits = [
            .init(provider: "p", model: "m", state: .open, untilUsec: 5_000_000),
            .init(provider: "p", model: "n", state: .open, untilUsec: 1_000_000),
        ]
        policy.pauses = [.init(provider: "p", credential: "c", model: "", untilUsec: 2_500_000)]
        policy.bans = [.init(provider: "p", credential: "", model: "m", origin: "admin", untilUsec: nil)]
        let text = String(
            decoding: HealthReport.body([], [], policy, nowUsec: 2_000_000), as: UTF8.self)
        #expect(
            text.hasSuffix(
                #""circuits":[{"provider":"p","model":"m","state":"open","remaining_seconds":3},"#
                    + #"{"provider":"p","model":"n","state":"half_open","remaining_seconds":0}],"#
                    + #""pauses":[{"provider":"p","credential":"c","model":null,"remaining_seconds":1}],"#
                    + #""bans":[{"provider":"p","credential":null,"model":"m","origin":"admin","remaining_seconds":null}]}"#
            ))
    }
}
