// SPDX-License-Identifier: Apache-2.0
// Every role in its sandbox, in a process of its own: what it must never do fails, what it lives from works.

import CLinux
import Foundation
import Glibc
import Posix
import Runtime
import Sandbox
import Testing

/// A call that a process tries; returns 0, or the error number it failed with.
private struct Attempt: Sendable {
    let name: String
    /// The roles that succeed with it.
    let allowed: Set<Role>
    let body: @Sendable (Scene) -> Int32

    init(_ name: String, allowed: Set<Role> = [], _ body: @escaping @Sendable (Scene) -> Int32) {
        self.name = name
        self.allowed = allowed
        self.body = body
    }
}

/// What was open before the sandbox, as a real process has it.
private struct Scene {
    let listener: Int32
    let port: UInt16
    let pair: [Int32]
    let stateDirectory: String
}

/// A function of the C library that Swift does not import, for example one with a variable number of arguments.
private func call(_ name: String, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0) -> Int {
    typealias Function = @convention(c) (Int, Int, Int, Int) -> Int
    return unsafeBitCast(dlsym(nil, name), to: Function.self)(a, b, c, d)
}

private func outcome(_ result: some BinaryInteger) -> Int32 { result < 0 ? errno : 0 }

private func opening(_ path: String, _ flags: Int32 = O_RDONLY) -> Int32 {
    let fd = open(path, flags | O_CLOEXEC, 0o600)
    defer { close(fd) }
    return outcome(fd)
}

private func creating(_ family: Int32, _ type: __socket_type) -> Int32 {
    let fd = socket(family, Int32(type.rawValue), 0)
    defer { close(fd) }
    return outcome(fd)
}

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    return address
}

private func connecting(_ port: UInt16) -> Int32 {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard fd >= 0 else { return errno }
    defer { close(fd) }
    var address = loopback(port)
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            outcome(connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)))
        }
    }
}

private func binding() -> Int32 {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard fd >= 0 else { return errno }
    defer { close(fd) }
    var address = loopback(0)
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            outcome(bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)))
        }
    }
}

private func mapping(_ protection: Int32) -> Int32 {
    let address = mmap(nil, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    return address == MAP_FAILED ? errno : 0
}

private func makingExecutable() -> Int32 {
    guard let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        page != MAP_FAILED
    else { return errno }
    return outcome(mprotect(page, 4096, PROT_READ | PROT_EXEC))
}

private func startingThread() -> Int32 {
    var thread = pthread_t()
    let result = pthread_create(&thread, nil, { _ in nil }, nil)
    if result == 0 { pthread_join(thread, nil) }
    return result
}

private let attempts = [
    // Programs and processes.
    Attempt("execve") { _ in
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
        return outcome(execve("/bin/true", &arguments, environ))
    },
    Attempt("fork") { _ in
        let pid = Int32(truncatingIfNeeded: call("fork"))
        if pid == 0 { _exit(0) }
        return outcome(pid)
    },
    Attempt("ptrace") { _ in outcome(call("ptrace", 16, Int(getppid()))) },
    Attempt("process_vm_readv") { _ in outcome(call("process_vm_readv", Int(getppid()))) },
    Attempt("kill of another process") { _ in outcome(kill(getppid(), 0)) },
    Attempt("a thread", allowed: [.worker]) { _ in startingThread() },
    // The network.
    Attempt("an IPv4 socket", allowed: [.worker]) { _ in creating(AF_INET, SOCK_STREAM) },
    Attempt("an IPv6 socket", allowed: [.worker]) { _ in creating(AF_INET6, SOCK_STREAM) },
    Attempt("a UDP socket", allowed: [.worker]) { _ in creating(AF_INET, SOCK_DGRAM) },
    Attempt("a raw socket") { _ in creating(AF_INET, SOCK_RAW) },
    Attempt("a packet socket") { _ in creating(17, SOCK_DGRAM) },
    Attempt("a connection", allowed: [.worker]) { connecting($0.port) },
    Attempt("bind") { _ in binding() },
    Attempt("listen") { outcome(listen($0.pair[0], 1)) },
    Attempt("accept", allowed: [.front, .exporter]) { scene in
        // Nothing waits: EAGAIN is what an allowed call says.
        let result = outcome(Int32(truncatingIfNeeded: call("accept4", Int(scene.listener))))
        return result == EAGAIN ? 0 : result
    },
    Attempt("a datagram to the manager", allowed: [.front, .worker, .exporter]) { _ in
        creating(AF_UNIX, SOCK_DGRAM)
    },
    Attempt("a message over a socket", allowed: [.front, .worker, .exporter]) { scene in
        outcome(send(scene.pair[0], "x", 1, Int32(MSG_NOSIGNAL)))
    },
    // Files.
    Attempt("reading /etc/passwd") { _ in opening("/etc/passwd") },
    Attempt("reading the memory of itself") { _ in opening("/proc/self/mem") },
    Attempt("reading certificates", allowed: [.worker]) { _ in opening("/etc/ssl/certs") },
    Attempt("reading how names are resolved", allowed: [.worker]) { _ in opening("/etc/nsswitch.conf") },
    Attempt("reading the state directory", allowed: [.exporter, .worker, .refresher]) {
        opening($0.stateDirectory)
    },
    Attempt("making a file in the state directory", allowed: [.exporter]) {
        opening($0.stateDirectory + "/made", O_CREAT | O_RDWR)
    },
    Attempt("removing a file of the state directory", allowed: [.exporter]) {
        outcome(unlink($0.stateDirectory + "/there"))
    },
    Attempt("making a file elsewhere") { _ in opening("/tmp/ccr-elsewhere-\(getpid())", O_CREAT | O_RDWR) },
    Attempt("making a directory in the state directory") { outcome(mkdir($0.stateDirectory + "/d", 0o700)) },
    Attempt("an anonymous file", allowed: [.front]) { _ in
        outcome(ccr_memfd_create("ccr"))
    },
    // Memory.
    Attempt("memory to write", allowed: [.front, .worker, .exporter]) { _ in
        mapping(PROT_READ | PROT_WRITE)
    },
    Attempt("memory to execute") { _ in mapping(PROT_READ | PROT_EXEC) },
    Attempt("memory to write and execute") { _ in mapping(PROT_READ | PROT_WRITE | PROT_EXEC) },
    Attempt("written memory made executable") { _ in makingExecutable() },
    // Rights.
    Attempt("io_uring") { _ in outcome(Int32(truncatingIfNeeded: call("syscall", 425, 1))) },
    Attempt("a namespace") { _ in outcome(Int32(truncatingIfNeeded: call("unshare", 0x1000_0000))) },
    Attempt("raising the limit of descriptors") { _ in
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)
        return outcome(setrlimit(__rlimit_resource_t(7), &limit))
    },
]

/// Makes the scene, enters the sandbox of the role, tries everything and says on standard error what went as it must not.
private func check(_ role: Role) -> Never {
    let directory = NSTemporaryDirectory() + "ccr-sandbox-\(getpid())"
    mkdir(directory, 0o700)
    close(open(directory + "/there", O_CREAT | O_RDWR, 0o600))
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    var pair: [Int32] = [-1, -1]
    guard listen(listener, 5) == 0, let port = Socket.localPort(listener),
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0
    else { fatalError("no scene") }
    let scene = Scene(listener: listener, port: port, pair: pair, stateDirectory: directory)
    var faults: [String] = []
    do { _ = try Sandbox.watchRefusals() } catch { faults.append("\(error)") }
    faults += Sandbox.enter(ProcessTable.entry(role).rights, stateDirectory: directory).map(\.description)
    for attempt in attempts {
        let result = attempt.body(scene)
        if attempt.allowed.contains(role) {
            if result != 0 { faults.append("\(attempt.name) fails: \(String(cString: strerror(result)))") }
        } else if result != EPERM && result != EACCES {
            faults.append("\(attempt.name): \(result == 0 ? "works" : String(cString: strerror(result)))")
        }
    }
    for name in ["execve", "ptrace", "io_uring_setup"] where !Sandbox.refusedCalls().contains(name) {
        faults.append("\(name) was refused without a report")
    }
    for fault in faults { FileHandle.standardError.write(Data("\(role): \(fault)\n".utf8)) }
    exit(0)
}

private func expectNoFault(of role: Role, in result: ExitTest.Result?) {
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(!text.contains("\(role): "), "\(text)")
}

@Suite("Sandbox", .serialized) struct SandboxTests {
    @Test("Front does what it must and nothing else")
    func front() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            check(.front)
        }
        expectNoFault(of: .front, in: result)
    }

    @Test("A worker does what it must and nothing else")
    func worker() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            check(.worker)
        }
        expectNoFault(of: .worker, in: result)
    }

    @Test("The exporter does what it must and nothing else")
    func exporter() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            check(.exporter)
        }
        expectNoFault(of: .exporter, in: result)
    }

    @Test("Every place and every ability of the rights is given to somebody")
    func used() {
        let abilities = ProcessTable.entries.flatMap { Array($0.rights.abilities) }
        #expect(Set(abilities) == Set(Ability.allCases))
    }

    @Test("A process that ends itself for a broken invariant ends by that signal")
    func crash() async {
        await #expect(processExitsWith: .signal(SIGABRT)) {
            // In a process of one thread, as ccr's are: what other threads of the test's do may not be allowed.
            let fork = try #require(dlsym(nil, "fork"))
            let pid = unsafeBitCast(fork, to: (@convention(c) () -> Int32).self)()
            if pid == 0 {
                _ = Sandbox.enter(ProcessTable.entry(.front).rights, stateDirectory: "")
                abort()
            }
            var status: Int32 = 0
            // The lowest bits name the signal (wait(2)).
            guard waitpid(pid, &status, 0) == pid, status & 0x7F == SIGABRT else { exit(1) }
            abort()
        }
    }

    @Test("What the supervisor gives up stays given up in what it starts")
    func supervisor() async {
        await #expect(processExitsWith: .success) {
            try Sandbox.giveUpNeverNeeded()
            let tried = [
                outcome(call("ptrace", 16, Int(getppid()))), outcome(call("unshare", 0x1000_0000)),
                outcome(setuid(getuid())),
            ]
            guard tried.allSatisfy({ $0 == EPERM }), creating(AF_INET, SOCK_STREAM) == 0,
                startingThread() == 0
            else { exit(1) }
            let child = try ChildProcess.spawn(
                path: "/bin/grep", arguments: ["grep", "-q", "^NoNewPrivs:.1", "/proc/self/status"],
                environment: [], descriptors: [])
            var waiting = pollfd(fd: child.raw, events: Int16(POLLIN), revents: 0)
            poll(&waiting, 1, 10_000)
            exit(try child.reap() == .exited(status: 0) ? 0 : 1)
        }
    }
}
