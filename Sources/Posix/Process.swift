// SPDX-License-Identifier: Apache-2.0
// Starting and reaping own processes.
// Source: pidfd_open(2), execveat(2), waitid(2), prctl(2).

import CLinux
import Glibc

/// A running child, its process descriptor readable once it has ended.
package final class ChildProcess {
    /// The process id; reused by the kernel once reaped.
    package let pid: Int32
    private let pidfd: FileDescriptor

    /// Takes over a child of this process that was started before it became another program by execve(2).
    package init(adopting pid: Int32, pidfd: consuming FileDescriptor) {
        self.pid = pid
        self.pidfd = pidfd
    }

    /// The process descriptor's number, to watch for readability.
    package var raw: Int32 { pidfd.raw }

    /// How a process ended.
    package enum Ending: Equatable, CustomStringConvertible {
        case exited(status: Int32)
        case killed(signal: Int32)

        /// "exited with status 1" or "killed by signal 9".
        package var description: String {
            switch self {
            case .exited(let status): "exited with status \(status)"
            case .killed(let signal): "killed by signal \(signal)"
            }
        }
    }

    /// Starts the file that is open as `executable`, whatever its path leads to by now; `descriptors[i]` becomes
    /// descriptor 3+i and no other is inherited but 0, 1 and 2.
    ///
    /// The child is killed when the caller's process ends. An entry "LISTEN_PID=" in `environment` must be followed
    /// by at least 12 characters of room, which are replaced by the child's process id.
    /// - Throws: the error of fork or execve.
    package static func spawn(
        executable: borrowing FileDescriptor, arguments: [String], environment: [String], descriptors: [Int32]
    ) throws(Errno) -> ChildProcess {
        let argv = arguments.map { strdup($0) } + [nil]
        let envp = environment.map { strdup($0) } + [nil]
        defer {
            for text in argv { free(text) }
            for text in envp { free(text) }
        }
        var pidfd: Int32 = -1
        let pid = ccr_spawn(executable.raw, argv, envp, descriptors, Int32(descriptors.count), &pidfd)
        guard pid > 0 else { throw Errno("execve") }
        return ChildProcess(adopting: pid, pidfd: FileDescriptor(owning: pidfd))
    }

    /// As above, with the file at `path`.
    package static func spawn(
        path: String, arguments: [String], environment: [String], descriptors: [Int32]
    ) throws(Errno) -> ChildProcess {
        let executable = try ExecutableFile.open(path)
        return try spawn(
            executable: executable, arguments: arguments, environment: environment, descriptors: descriptors)
    }

    /// Starts a foreign program with the ends of two pipes as its outputs; see ccr_spawn_program.
    ///
    /// - Parameter environment: all that it gets, as "NAME=value".
    /// - Throws: the error of fork or execve.
    package static func spawnProgram(
        _ words: [String], environment: [String], output: SharedDescriptor,
        errors: SharedDescriptor, rules: SharedDescriptor?
    ) throws(Errno) -> ChildProcess {
        let argv = words.map { strdup($0) } + [nil]
        let envp = environment.map { strdup($0) } + [nil]
        defer {
            for text in argv { free(text) }
            for text in envp { free(text) }
        }
        var pidfd: Int32 = -1
        let pid = ccr_spawn_program(
            words[0], argv, envp, output.raw, errors.raw, rules?.raw ?? -1, &pidfd)
        guard pid > 0 else { throw Errno("execve") }
        return ChildProcess(adopting: pid, pidfd: FileDescriptor(owning: pidfd))
    }

    /// Sends a signal to the group that a foreign program leads; an empty group is no error.
    package func signalGroup(_ number: Int32) { _ = ccr_kill_group(pid, number) }

    /// Collects the ending without blocking, or nil while the process runs.
    package func reap() throws(Errno) -> Ending? {
        var code: Int32 = 0
        switch ccr_reap(pidfd.raw, &code) {
        case 1: return code < 0 ? .killed(signal: -code) : .exited(status: code)
        case 0: return nil
        default: throw Errno("waitid")
        }
    }

    /// Sends a signal; one to a process that has just ended is no error.
    package func signal(_ number: Int32) {
        _ = ccr_pidfd_send_signal(pidfd.raw, number)
    }
}

package enum ProcessSettings {
    /// Raises the soft limit of open files to the hard limit and returns it.
    @discardableResult
    package static func raiseFileLimit() -> Int { Int(clamping: ccr_raise_file_limit()) }

    /// Forbids core dumps, reports of crashes and tracing of this process, so that no secret leaves its memory that way.
    package static func forbidDumps() { _ = ccr_forbid_dumps() }

    /// Sets the name shown by ps and top (at most 15 bytes).
    package static func setName(_ name: String) { _ = ccr_set_process_name(name) }
}
