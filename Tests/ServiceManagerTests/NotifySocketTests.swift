// SPDX-License-Identifier: Apache-2.0
// What children report: the text of a notification, and who the kernel says has sent it.

import Glibc
import Posix
import ServiceManager
import Testing

@Suite("Notifications") struct NotificationTests {
    @Test(
        "A notification is its lines that assign something, in order",
        arguments: [
            ("READY=1\nSTATUS=serving", ["READY": "1", "STATUS": "serving"]),
            ("READY=1\n", ["READY": "1"]), ("\n\nREADY=1\n\n", ["READY": "1"]),
            ("STATUS=a=b\nnonsense\n=x", ["STATUS": "a=b", "": "x"]), ("STATUS=", ["STATUS": ""]), ("", [:]),
            ("STATUS=one\nSTATUS=two", ["STATUS": "two"]),
        ])
    func parsing(text: String, expected: [String: String]) {
        let notification = Notification(pid: 1, text: text)
        for (key, value) in expected { #expect(notification[key] == value) }
        #expect(Set(notification.assignments.map(\.key)) == Set(expected.keys))
        #expect(notification["MISSING"] == nil)
    }

    @Test("Notifications are equal when sender and lines are")
    func equality() {
        let one = Notification(pid: 1, text: "A=1\nB=2")
        #expect(one == Notification(pid: 1, text: "A=1\nnoise\nB=2"))
        #expect(one != Notification(pid: 2, text: "A=1\nB=2"))
        #expect(one != Notification(pid: 1, text: "B=2\nA=1"))
        #expect(one != Notification(pid: 1, text: "A=1"))
    }
}

@Suite("Notify socket", .timeLimit(.minutes(1))) struct NotifySocketTests {
    private let notify: NotifySocket

    init() throws {
        notify = try NotifySocket(unique: "test-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
    }

    /// A socket that sends to the notify socket.
    private func sender() throws -> FileDescriptor {
        let fd = FileDescriptor(owning: socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = [0] + Array(notify.address.utf8.dropFirst())
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let size = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd.raw, $0, size) }
        }
        try #require(result == 0)
        return fd
    }

    private func send(_ bytes: [UInt8], descriptors: [Int32] = []) throws {
        let socket = try sender()
        let sent = try bytes.withUnsafeBytes {
            try MessageSocket.send(socket.raw, $0, descriptors: descriptors)
        }
        #expect(sent == .bytes(bytes.count))
    }

    @Test("Nothing waits at first, then each notification once")
    func order() throws {
        #expect(try notify.receive() == nil)
        try send(Array("STATUS=one".utf8))
        try send(Array("STATUS=two".utf8))
        #expect(try notify.receive() == Notification(pid: getpid(), text: "STATUS=one"))
        #expect(try notify.receive() == Notification(pid: getpid(), text: "STATUS=two"))
        #expect(try notify.receive() == nil)
    }

    @Test("The address is what children find in NOTIFY_SOCKET, and nobody else may take it")
    func address() throws {
        #expect(notify.address.hasPrefix("@ccr/test-"))
        #expect(throws: Errno("bind", code: EADDRINUSE)) {
            try NotifySocket(unique: String(notify.address.dropFirst("@ccr/".count)))
        }
        #expect(throws: Errno("bind", code: ENAMETOOLONG)) {
            try NotifySocket(unique: String(repeating: "x", count: 104))
        }
    }

    @Test("A child's report carries the child's own process id")
    func otherProcess() async throws {
        let address = notify.address
        await #expect(processExitsWith: .success) {
            [address = address as String] in
            setenv("NOTIFY_SOCKET", address, 1)
            Notifier.ready(status: "\(getpid())")
            Notifier.status("busy")
            Notifier.reloading(monotonicUsec: 42)
            Notifier.stopping()
        }
        let ready = try #require(try notify.receive())
        #expect(ready["READY"] == "1")
        #expect(ready["STATUS"] == "\(ready.pid)")
        #expect(ready.pid != getpid())
        #expect(try notify.receive() == Notification(pid: ready.pid, text: "STATUS=busy"))
        #expect(try notify.receive() == Notification(pid: ready.pid, text: "RELOADING=1\nMONOTONIC_USEC=42"))
        #expect(try notify.receive() == Notification(pid: ready.pid, text: "STOPPING=1\nSTATUS=draining"))
    }

    @Test("A process without a manager reports to nobody and goes on")
    func noManager() async {
        await #expect(processExitsWith: .success) {
            unsetenv("NOTIFY_SOCKET")
            Notifier.ready(status: "x")
        }
    }

    @Test("A descriptor that comes along is closed: a barrier waits for that")
    func barrier() throws {
        var numbers: [Int32] = [-1, -1]
        try #require(pipe(&numbers) == 0)
        let reader = FileDescriptor(owning: numbers[0])
        try send(Array("BARRIER=1".utf8), descriptors: [numbers[1]])
        close(numbers[1])
        #expect(try notify.receive()?["BARRIER"] == "1")
        var entry = pollfd(fd: reader.raw, events: 0, revents: 0)
        poll(&entry, 1, 20_000)
        #expect(entry.revents & Int16(POLLHUP) != 0)
    }

    @Test("Text that is no UTF-8 says nothing but who sent it")
    func notUTF8() throws {
        try send([0x41, 0x3D, 0xFF])
        #expect(try notify.receive() == Notification(pid: getpid(), text: ""))
    }
}
