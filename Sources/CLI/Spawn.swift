// SPDX-License-Identifier: Apache-2.0
// Starts other programs with a fixed vector of arguments; no shell reads them.
// Source: posix_spawn(3), setsid(2), waitpid(2).

import Config
import Glibc
import Posix

enum Spawn {
    /// Where a standard stream of the program leads.
    enum Stream {
        /// Where the own one does.
        case same
        case null
        case descriptor(Int32)
    }

    /// glibc's number of POSIX_SPAWN_SETSID, which its header shows to GNU sources alone.
    private static let newSession: Int16 = 0x80

    /// Starts a program found on PATH, with default signal dispositions and no descriptor but the three streams'.
    ///
    /// - Parameters:
    ///   - environment: instead of the own one.
    ///   - isDetached: in a session of its own, so that no terminal's hang-up or interrupt reaches it.
    static func run(
        _ arguments: [String], environment: [String: String]? = nil, input: Stream, output: Stream,
        error: Stream, isDetached: Bool = false
    ) throws(Errno) -> pid_t {
        closeOnExec()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, stream) in [input, output, error].enumerated() {
            switch stream {
            case .same: break
            case .null: posix_spawn_file_actions_addopen(&actions, Int32(number), "/dev/null", O_RDWR, 0)
            case .descriptor(let raw): posix_spawn_file_actions_adddup2(&actions, raw, Int32(number))
            }
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        let flags = Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
        posix_spawnattr_setflags(&attributes, isDetached ? flags | newSession : flags)

        let argv = arguments.map { strdup($0) } + [nil]
        let variables = environment.map { $0.map { strdup("\($0.key)=\($0.value)") } + [nil] }
        defer { for text in argv + (variables ?? []) { free(text) } }
        var pid: pid_t = 0
        let code =
            if let variables {
                posix_spawnp(&pid, arguments[0], &actions, &attributes, argv, variables)
            } else {
                posix_spawnp(&pid, arguments[0], &actions, &attributes, argv, environ)
            }
        guard code == 0 else { throw Errno("posix_spawn", code: code) }
        return pid
    }

    /// Waits for an own child; its exit status, or 128 and the signal.
    static func wait(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { return 127 }
        }
        return ending(status)
    }

    /// The exit status of an own child that has ended, or nil while it runs.
    static func ended(_ pid: pid_t) -> Int32? {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) == pid ? ending(status) : nil
    }

    private static func ending(_ status: Int32) -> Int32 {
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }

    /// Descriptors that came from whoever started ccr, such as a terminal's, are not passed on.
    private static func closeOnExec() {
        // Without /proc they are; nothing here depends on it.
        for name in (try? DiskFiles().names(in: "/proc/self/fd")) ?? [] {
            if let raw = Int32(name), raw > 2 { _ = fcntl(raw, F_SETFD, FD_CLOEXEC) }
        }
    }
}
