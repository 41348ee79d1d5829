// SPDX-License-Identifier: Apache-2.0
// Starting and reaping children: what they inherit, how they end.

import Glibc
import Posix
import Testing

@Suite("Child processes", .timeLimit(.minutes(1))) struct ChildProcessTests {
    /// Runs a shell script whose descriptor 3 is a pipe, and returns what it wrote there and how it ended.
    private func run(_ script: String, environment: [String] = [], more: [Int32] = []) throws -> (
        output: String, ending: ChildProcess.Ending, pid: Int32
    ) {
        let pipe = try Pipe()
        let child: ChildProcess
        do {
            let writer = try pipe.takeWriter()
            child = try ChildProcess.spawn(
                path: "/bin/sh", arguments: ["sh", "-c", script],
                environment: ["PATH=/bin:/usr/bin"] + environment,
                descriptors: [writer.raw] + more)
        }
        let output = pipe.readToEnd()
        return (output, try ending(of: child), child.pid)
    }

    private func ending(of child: ChildProcess) throws -> ChildProcess.Ending {
        try #require(waitReadable(child.raw))
        return try #require(try child.reap())
    }

    @Test("Descriptors are numbered from 3 in their order and no other is inherited")
    func descriptors() throws {
        let others = [try Pipe(), try Pipe()]
        let writers = try others.map { SharedDescriptor(try $0.takeWriter()) }
        // Without close-on-exec: inherited by an ordinary fork and exec.
        let stray = FileDescriptor(owning: dup(writers[0].raw))
        let result = try run("echo $(ls /proc/$$/fd) >&3; echo b >&4; echo c >&5", more: writers.map(\.raw))
        let numbers = Set(result.output.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init))
        #expect(numbers.isSuperset(of: ["0", "1", "2", "3", "4", "5"]))
        #expect(!numbers.contains("\(stray.raw)") || stray.raw <= 5)
        for (pipe, expected) in zip(others, ["b\n", "c\n"]) {
            var buffer = [UInt8](repeating: 0, count: 16)
            let count = read(pipe.reader.raw, &buffer, 16)
            #expect(text(buffer[..<max(0, count)]) == expected)
        }
        #expect(withExtendedLifetime(writers) { result.ending } == .exited(status: 0))
    }

    @Test("LISTEN_PID becomes the child's own number, the rest of the environment stays as given")
    func environment() throws {
        let result = try run(
            "echo $LISTEN_PID $$ $LISTEN_FDNAMES ${HOME-none} >&3",
            environment: ["LISTEN_FDNAMES=control:config", "LISTEN_PID=000000000000"])
        #expect(result.output == "\(result.pid) \(result.pid) control:config none\n")
    }

    @Test("Signals are neither blocked nor ignored, whatever the parent does")
    func signals() throws {
        let before = signal(SIGUSR2, SIG_IGN)
        defer { signal(SIGUSR2, before) }
        var mask = sigset_t()
        var old = sigset_t()
        sigemptyset(&mask)
        sigaddset(&mask, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &mask, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        let result = try run("grep -E 'SigBlk|SigIgn' /proc/self/status >&3")
        let sets = result.output.split(separator: "\n").map {
            UInt64($0.split(separator: "\t")[1], radix: 16)
        }
        // glibc keeps signals 32 and 33 for itself and lets nobody change them.
        let changeable = ~(UInt64(3) << 31)
        #expect(sets.map { $0.map { $0 & changeable } } == [0, 0])
    }

    @Test("An exit status is told", arguments: [0, 1, 78, 255])
    func status(status: Int32) throws {
        let result = try run("exit \(status)")
        #expect(result.ending == .exited(status: status))
        #expect(result.ending.description == "exited with status \(status)")
    }

    @Test("A signal that killed is told", arguments: [SIGTERM, SIGKILL, SIGSEGV])
    func killed(number: Int32) throws {
        let result = try run("ulimit -c 0; kill -\(number) $$")
        #expect(result.ending == .killed(signal: number))
        #expect(result.ending.description == "killed by signal \(number)")
    }

    @Test("A running child has no ending yet, and a signal reaches it")
    func running() throws {
        let pipe = try Pipe()
        let gate = try Pipe()
        let child: ChildProcess
        do {
            let writer = try pipe.takeWriter()
            child = try ChildProcess.spawn(
                path: "/bin/sh", arguments: ["sh", "-c", "echo up >&3; read line <&4"], environment: [],
                descriptors: [writer.raw, gate.reader.raw])
        }
        #expect(waitReadable(pipe.reader.raw))
        #expect(try child.reap() == nil)
        child.signal(SIGTERM)
        #expect(try ending(of: child) == .killed(signal: SIGTERM))
        child.signal(SIGTERM)
    }

    @Test(
        "A file that cannot be started is an error with the kernel's reason",
        arguments: [
            ("/nowhere/at/all", Errno("open", code: ENOENT)), ("/etc/passwd", Errno("execve", code: EACCES)),
            ("/tmp", Errno("execve", code: EACCES)),
        ])
    func missing(path: String, error: Errno) throws {
        let pipe = try Pipe()
        do {
            let writer = try pipe.takeWriter()
            #expect(throws: error) {
                try ChildProcess.spawn(
                    path: path, arguments: ["x"], environment: [], descriptors: [writer.raw])
            }
        }
        #expect(pipe.closes(), "the failed child is gone with its descriptors")
    }

    @Test("More descriptors than a child may inherit are refused")
    func tooMany() throws {
        #expect(throws: Errno("execve", code: EINVAL)) {
            try ChildProcess.spawn(
                path: "/bin/true", arguments: ["true"], environment: [],
                descriptors: [Int32](repeating: 0, count: 513))
        }
    }

    @Test("A file that is open is what starts, whatever stands under its name by then")
    func openExecutable() throws {
        let path = "/tmp/ccr-executable-\(getpid())"
        defer { unlink(path) }
        symlink("/bin/true", path)
        let before = try #require(FileIdentity(path: path))
        let executable = try ExecutableFile.open(path)
        #expect(FileIdentity(executable) == before)
        unlink(path)
        #expect(FileIdentity(path: path) == nil)
        symlink("/bin/false", path)
        #expect(FileIdentity(path: path) != before)
        let old = try ChildProcess.spawn(
            executable: executable, arguments: ["x"], environment: [], descriptors: [])
        #expect(try ending(of: old) == .exited(status: 0))
        let new = try ChildProcess.spawn(path: path, arguments: ["x"], environment: [], descriptors: [])
        #expect(try ending(of: new) == .exited(status: 1))
    }
}
