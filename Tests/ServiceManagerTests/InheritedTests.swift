// SPDX-License-Identifier: Apache-2.0
// Inherited descriptors. Each test is a process of its own, since it lives on the environment, and in it a fork, since
// the test library's threads own low descriptor numbers that a fork without threads may use.

import Glibc
import Posix
import ServiceManager
import Testing

/// Opens pipes whose reading ends become descriptors 3…, as a manager leaves them, and tells what was inherited.
private func inherit(_ names: String?, count: Int) {
    for number in 0..<count {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        let text = "pipe \(number)"
        _ = write(ends[1], text, text.utf8.count)
        // Above everything that is open: the pipes must not be overwritten by each other.
        let high = fcntl(ends[0], F_DUPFD, 100)
        dup2(high, Int32(3 + number))
    }
    setenv("LISTEN_FDS", "\(count)", 1)
    setenv("LISTEN_PID", "\(getpid())", 1)
    if let names { setenv("LISTEN_FDNAMES", names, 1) } else { unsetenv("LISTEN_FDNAMES") }
}

/// Runs `body` in a fork and ends this process as the fork ended.
private func inFork(_ body: () throws -> Void) -> Never {
    let pid = fork()
    if pid == 0 {
        do {
            try body()
            _exit(0)
        } catch {
            say("\(error)")
            _exit(1)
        }
    }
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    _exit(status == 0 ? 0 : 1)
}

private func content(_ fd: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = read(fd, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : "nothing"
}

private func say(_ text: String) {
    let line = "\n\(text)\n"
    _ = write(1, line, line.utf8.count)
}

@Suite("Inherited descriptors", .timeLimit(.minutes(1))) struct InheritedTests {
    private func lines(_ result: ExitTest.Result?) throws -> [String] {
        let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
        return output.split(separator: "\n").map(String.init)
    }

    @Test("Descriptors are found by name, each once, as close-on-exec copies")
    func byName() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            inFork {
                inherit("http:control:http", count: 3)
                var inherited = try InheritedDescriptors()
                say("\(inherited.names) \(getenv("LISTEN_FDS") == nil) \(getenv("LISTEN_FDNAMES") == nil)")
                guard let control = try inherited.take("control") else { return say("no control") }
                say("\(content(control.raw)) \(fcntl(control.raw, F_GETFD) & FD_CLOEXEC)")
                let again = try inherited.take("control") == nil
                say("taken \(again) \(fcntl(4, F_GETFD))")
                for (name, descriptor) in try inherited.takeAll(prefix: "ht") {
                    say("\(name) \(content(descriptor.raw))")
                }
                say("\(inherited.names)")
            }
        }
        #expect(
            try lines(result).suffix(6) == [
                "[\"http\", \"control\", \"http\"] true true", "pipe 1 1", "taken true -1", "http pipe 0",
                "http pipe 2", "[]",
            ])
    }

    @Test("Descriptors without names are found as the unnamed ones they are")
    func unnamed() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            inFork {
                inherit(nil, count: 2)
                var inherited = try InheritedDescriptors()
                say("\(inherited.names.count) \(try inherited.takeAll(prefix: "").count)")
            }
        }
        #expect(try lines(result).last == "2 2")
    }

    @Test("What was inherited and not taken is closed")
    func untaken() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            inFork {
                inherit("a:b", count: 2)
                do {
                    let inherited = try InheritedDescriptors()
                    say("\(inherited.names)")
                }
                say("\(fcntl(3, F_GETFD)) \(fcntl(4, F_GETFD))")
            }
        }
        #expect(try lines(result).suffix(2) == ["[\"a\", \"b\"]", "-1 -1"])
    }

    @Test("Without a manager, or with descriptors meant for another process, nothing is inherited")
    func nothing() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            inFork {
                unsetenv("LISTEN_FDS")
                unsetenv("LISTEN_PID")
                let none = try InheritedDescriptors()
                setenv("LISTEN_FDS", "1", 1)
                setenv("LISTEN_PID", "1", 1)
                let foreign = try InheritedDescriptors()
                say("\(none.names) \(foreign.names)")
            }
        }
        #expect(try lines(result).last == "[] []")
    }

    @Test("A count that is no number is an error", arguments: ["x", "-1"])
    func badCount(count: String) async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            [count] in
            inFork {
                setenv("LISTEN_FDS", count, 1)
                setenv("LISTEN_PID", "\(getpid())", 1)
                do throws(Errno) {
                    let inherited = try InheritedDescriptors()
                    say("\(inherited.names)")
                } catch {
                    say("\(error.call)")
                }
            }
        }
        #expect(try lines(result).last == "sd_listen_fds")
    }
}
