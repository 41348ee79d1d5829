// SPDX-License-Identifier: Apache-2.0
// ccr in the background without a service manager: a detached `ccr run`, a pid file, a log file, a wait for health.
// Source: XDG Base Directory Specification 0.8 ($XDG_STATE_HOME); daemon(7) "SysV Daemons" for what is left out on purpose.

import Config
import Glibc
import Posix

/// The background instance of one user.
struct Background {
    /// What went wrong, in words for a person.
    struct Fault: Error {
        let message: String
    }

    /// Why a new instance does not serve.
    enum StartFault: Error {
        case cannot(String)
        /// It ended; its exit status and the last lines of its log.
        case ended(status: Int32, log: [String])
        /// It runs and is not ready.
        case notReady(pid: Int32)
    }

    /// How long a new instance may take until it is ready.
    static let startTimeoutMs = 30_000
    /// Lines of the log that explain a failed start.
    static let shownLines = 15
    /// Between the signals that end an instance, behind the drain time.
    static let graceMs = 5_000

    let directory: String

    /// The place depends on nothing that changes between a login and a job of cron, unlike $XDG_RUNTIME_DIR: the boot in
    /// the record makes a leftover harmless.
    init(environment: [String: String]) {
        directory = Surroundings.userStateDirectory(environment) ?? "/var/lib/ccr"
    }

    var pidPath: String { "\(directory)/ccr.pid" }
    var logPath: String { "\(directory)/ccr.log" }

    /// The instance that runs, or nil.
    var running: PidRecord? {
        guard let record = PidFile.read(pidPath), HeldProcess(record) != nil else { return nil }
        return record
    }

    // MARK: - Starting

    /// Starts `ccr run` with these words and waits until `isReady`; the pid file is locked by the caller.
    ///
    /// - Parameter progress: as of `wait`.
    func start(
        _ arguments: [String], environment: [String: String], file: borrowing PidFile, isReady: () -> Bool,
        progress: (Int) -> Void
    ) throws(StartFault) -> Int32 {
        let log = try openLog()
        let pid: Int32
        do {
            pid = try Spawn.run(
                ["\(OwnProcess.executableDirectory)/ccr", "run"] + arguments,
                environment: Self.cleaned(environment), input: .null, output: .descriptor(log.raw),
                error: .descriptor(log.raw), isDetached: true)
            // An own child: it cannot be replaced by another process before it is waited for.
            let ticks = ProcessFacts.startTicks(of: pid) ?? 0
            try file.write(
                PidRecord(pid: pid, boot: ProcessFacts.boot, startTicks: ticks, arguments: arguments))
        } catch {
            throw .cannot("\(error)")
        }
        var ending: Int32?
        let isDone = wait(
            until: {
                ending = Spawn.ended(pid)
                return ending != nil || isReady()
            }, progress: progress)
        if let status = ending {
            // What is left is a record of a process that has ended, which counts as none.
            try? file.write(nil)
            throw .ended(status: status, log: lastLines())
        }
        guard isDone else { throw .notReady(pid: pid) }
        return pid
    }

    /// Asks again and again for at most `startTimeoutMs`; whether the answer was yes.
    ///
    /// - Parameter progress: called each time before it waits, with the milliseconds since the beginning.
    func wait(until isDone: () -> Bool, progress: (Int) -> Void) -> Bool {
        let began = Clock.monotonicUsec()
        while !isDone() {
            let passed = Int((Clock.monotonicUsec() - began) / 1_000)
            guard passed < Self.startTimeoutMs else { return false }
            progress(passed)
            poll(nil, 0, 50)
        }
        return true
    }

    /// The variables of a service manager belong to whoever called `ccr start`, not to what it starts.
    static func cleaned(_ environment: [String: String]) -> [String: String] {
        let foreign = [
            "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
            "JOURNAL_STREAM", "INVOCATION_ID", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY",
        ]
        return environment.filter { !foreign.contains($0.key) }
    }

    /// Makes the directory, for this user alone.
    func makeDirectory() throws(Fault) {
        var prefix = ""
        for part in directory.split(separator: "/") {
            prefix += "/\(part)"
            guard mkdir(prefix, 0o700) == 0 || errno == EEXIST else {
                throw Fault(message: "cannot make \(prefix): \(Errno("mkdir"))")
            }
        }
    }

    /// A new log; the one of the start before is kept beside it.
    private func openLog() throws(StartFault) -> FileDescriptor {
        // There may be none yet.
        _ = rename(logPath, logPath + ".1")
        let raw = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard raw >= 0 else { throw .cannot("cannot open \(logPath): \(Errno("open"))") }
        return FileDescriptor(owning: raw)
    }

    private func lastLines() -> [String] {
        // Without a readable log the exit status has to do.
        let bytes = (try? DiskFiles().read(logPath, limit: 1 << 20)) ?? []
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        return Array(lines.suffix(Self.shownLines))
    }

    // MARK: - Stopping

    /// Ends the instance: SIGTERM and the drain time, then what ccr understands as "now", then SIGKILL.
    ///
    /// - Returns: false when it had to be killed.
    func stop(_ process: borrowing HeldProcess, drainMs: Int, progress: (Int) -> Void) -> Bool {
        for (signal, patience) in [(SIGTERM, drainMs + Self.graceMs), (SIGTERM, Self.graceMs)] {
            process.signal(signal)
            var waited = 0
            while waited < patience {
                if process.hasEnded(withinMs: 200) { return true }
                waited += 200
                progress(waited)
            }
        }
        process.signal(SIGKILL)
        _ = process.hasEnded(withinMs: Self.graceMs)
        return false
    }
}
