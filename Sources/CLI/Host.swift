// SPDX-License-Identifier: Apache-2.0
// The machine as the service commands and the doctor see it: other programs, files, the kernel. Memory in tests.

import CLinux
import Glibc
package import Posix

/// What a finished program came to.
package struct ProgramResult: Equatable, Sendable {
    /// The exit status, or 128 and the number of the signal that ended it.
    package let status: Int32
    /// Its standard output, at most `LinuxHost.maximumOutput` bytes.
    package let output: String

    package init(status: Int32, output: String) {
        self.status = status
        self.output = output
    }
}

/// What is known of a file.
package struct FileFacts: Equatable, Sendable {
    /// Permission bits, as in chmod(1).
    package let mode: UInt32
    package let isDirectory: Bool
    package let size: Int64
    /// Seconds since 1970 of the last change.
    package let modified: Int64

    package init(mode: UInt32, isDirectory: Bool = false, size: Int64 = 0, modified: Int64 = 0) {
        self.mode = mode
        self.isDirectory = isDirectory
        self.size = size
        self.modified = modified
    }
}

package protocol Host: AnyObject {
    /// Runs a program found on PATH and reads its standard output; no shell, no input, standard error dropped.
    /// - Returns: nil when it cannot be started or has not ended in time.
    func query(_ arguments: [String], timeoutMs: Int) -> ProgramResult?
    /// Runs a program with the own standard streams and waits for it, however long it takes.
    /// - Returns: the exit status, 127 when it cannot be started.
    func perform(_ arguments: [String]) -> Int32
    /// Becomes the program; returns only when that is not possible.
    func become(_ arguments: [String]) -> Errno
    /// What is at a path, or nil when nothing is or it cannot be seen.
    func facts(_ path: String) -> FileFacts?
    /// Whether this user may write there.
    func isWritable(_ path: String) -> Bool
    /// Connects to a numeric address; nil when it succeeds, else why not.
    func connect(_ address: String, port: UInt16, timeoutMs: Int) -> String?
    /// Whether a listening socket could be bound; the error number if not.
    func bindError(_ address: ListenAddress) -> Errno?
    /// The process that listens on a TCP port, if that can be known.
    func portHolder(_ port: UInt16) -> String?
    var kernel: KernelFacts { get }
    /// The soft and the hard limit of open files.
    var fileLimits: (soft: UInt64, hard: UInt64) { get }
    /// Seconds since 1970.
    var realtime: Int64 { get }
}

/// What the kernel can do for ccr.
package struct KernelFacts: Equatable, Sendable {
    /// "6.1.0-18-amd64".
    package let release: String
    package let hasSeccomp: Bool
    /// Landlock's version, 0 without it.
    package let landlockABI: Int32
    package let hasMemfd: Bool
    package let hasPidfd: Bool

    package init(release: String, hasSeccomp: Bool, landlockABI: Int32, hasMemfd: Bool, hasPidfd: Bool) {
        self.release = release
        self.hasSeccomp = hasSeccomp
        self.landlockABI = landlockABI
        self.hasMemfd = hasMemfd
        self.hasPidfd = hasPidfd
    }
}

/// This machine.
/// Source: posix_spawn(3), waitpid(2), stat(2), access(2), uname(2), getrlimit(2).
package final class LinuxHost: Host {
    /// The most of a program's output that is read.
    package static let maximumOutput = 1 << 20

    package init() {}

    package func query(_ arguments: [String], timeoutMs: Int) -> ProgramResult? {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        let reader = FileDescriptor(owning: ends[0])
        let writer = FileDescriptor(owning: ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let pid: pid_t
        do {
            pid = try Spawn.run(arguments, input: .null, output: .descriptor(writer.raw), error: .null)
        } catch {
            return nil
        }
        _ = consume writer
        let deadline = Clock.monotonicUsec() + UInt64(timeoutMs) * 1_000
        let output = read(reader.raw, until: deadline)
        // A program that is still writing or waiting is given up; it is an own child and not yet reaped.
        if output == nil { kill(pid, SIGKILL) }
        let status = Spawn.wait(pid)
        return output.map { ProgramResult(status: status, output: String(decoding: $0, as: UTF8.self)) }
    }

    /// Everything up to the end of the stream, or nil when the time is over or it is too much.
    private func read(_ raw: Int32, until deadline: UInt64) -> [UInt8]? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= Self.maximumOutput {
            let now = Clock.monotonicUsec()
            var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            guard now < deadline, poll(&entry, 1, Int32((deadline - now) / 1_000 + 1)) != 0 else {
                return nil
            }
            let count = Glibc.read(raw, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count > 0 { bytes.append(contentsOf: chunk[..<count]) } else if errno != EINTR { return nil }
        }
        return nil
    }

    package func perform(_ arguments: [String]) -> Int32 {
        do {
            return Spawn.wait(try Spawn.run(arguments, input: .same, output: .same, error: .same))
        } catch {
            return 127
        }
    }

    package func become(_ arguments: [String]) -> Errno {
        let argv = arguments.map { strdup($0) } + [nil]
        execvp(arguments[0], argv)
        let error = Errno("execvp")
        for text in argv { free(text) }
        return error
    }

    package func facts(_ path: String) -> FileFacts? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileFacts(
            mode: status.st_mode & 0o7777, isDirectory: status.st_mode & S_IFMT == S_IFDIR,
            size: Int64(status.st_size), modified: Int64(status.st_mtim.tv_sec))
    }

    package func isWritable(_ path: String) -> Bool { access(path, W_OK) == 0 }

    package func connect(_ address: String, port: UInt16, timeoutMs: Int) -> String? {
        do {
            _ = try HTTPClient.connect(
                .tcp(host: address, port: port), Clock.monotonicUsec() + UInt64(timeoutMs) * 1_000)
            return nil
        } catch {
            return error.message
        }
    }

    package func bindError(_ address: ListenAddress) -> Errno? {
        do {
            _ = try Socket.listen(address, backlog: 1)
            return nil
        } catch {
            return error
        }
    }

    package func portHolder(_ port: UInt16) -> String? { PortHolder.find(port: port) }

    package var kernel: KernelFacts {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return KernelFacts(
            release: release, hasSeccomp: access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0,
            landlockABI: max(0, ccr_landlock_abi()),
            hasMemfd: isOpen(ccr_memfd_create("ccr-doctor")), hasPidfd: isOpen(ccr_pidfd_open(getpid())))
    }

    /// Whether a call gave a descriptor, which is closed.
    private func isOpen(_ raw: Int32) -> Bool {
        guard raw >= 0 else { return false }
        close(raw)
        return true
    }

    package var fileLimits: (soft: UInt64, hard: UInt64) {
        var limits = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
        return (UInt64(limits.rlim_cur), UInt64(limits.rlim_max))
    }

    package var realtime: Int64 { Int64(Clock.realtimeUsec() / 1_000_000) }
}
