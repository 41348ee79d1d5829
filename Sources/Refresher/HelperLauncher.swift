// SPDX-License-Identifier: Apache-2.0
// The helper process: starts the programs that print tokens. The refresher may start no program, so it starts this
// process before it shuts itself in; this one starts what the configuration names and nothing that is asked for later.
// Source: pidfd_open(2), setpgid(2), pipe(7).

import Credentials
import EventLoop
import Glibc
import IPC
import Posix
import Sandbox

package enum HelperLauncher {
    /// The word behind the program's name.
    package static let word = "helper"

    /// Runs until the refresher has gone; descriptor 3 is the channel to it.
    ///
    /// - Parameter vault: the directory that no program sees into.
    package static func run(hiding vault: String) -> Int32 {
        ProcessSettings.setName("ccr-helper")
        ProcessSettings.forbidDumps()
        do {
            // The programs inherit it, and need none of it; a narrower filter they would inherit too.
            try Sandbox.giveUpNeverNeeded()
            let loop = try EventLoop()
            let launcher = Launcher(loop, hiding: vault)
            try launcher.listen(FileDescriptor(owning: 3))
            defer { withExtendedLifetime(launcher) {} }
            return try loop.run()
        } catch {
            return 1
        }
    }
}

private final class Launcher {
    private let loop: EventLoop
    private var channel: MessageChannel?
    private var commands: [HelperCommand] = []
    private var runs: [UInt32: HelperRun] = [:]
    private let vault: String

    init(_ loop: EventLoop, hiding vault: String) {
        self.loop = loop
        self.vault = vault
    }

    func listen(_ descriptor: consuming FileDescriptor) throws(Errno) {
        channel = try MessageChannel(
            loop, descriptor, onMessage: { [unowned self] bytes, _ in self.receive(bytes) },
            onClose: { [unowned self] in
                for run in self.runs.values { run.kill() }
                self.loop.exit(0)
            })
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        var reader = WireReader(bytes)
        do {
            switch try MessageHead.kind(&reader) {
            // Once, before the refresher has read a byte from outside.
            case .refresherCommands where commands.isEmpty:
                commands = try reader.getList { (reader) throws(WireError) in
                    try reader.get(HelperCommand.self)
                }
                try reader.end()
            case .refresherRun:
                let number: UInt32 = try reader.get()
                try reader.end()
                guard number < commands.count, runs[number] == nil else {
                    throw WireError.invalidValue("command \(number)")
                }
                start(number)
            case let other: throw WireError.invalidValue("\(other) for a helper")
            }
        } catch {
            fatalError("message from the refresher: \(error)")
        }
    }

    private func start(_ number: UInt32) {
        let run = HelperRun(commands[Int(number)], loop, hiding: vault) { [unowned self] answer in
            self.runs[number] = nil
            var writer = WireWriter()
            MessageHead.begin(.helperAnswer, in: &writer)
            writer.put(number)
            writer.put(answer)
            self.channel?.send(writer.bytes)
        }
        runs[number] = run
        run.start()
    }
}

/// One run of a program.
private final class HelperRun {
    private let command: HelperCommand
    private let loop: EventLoop
    private let vault: String
    private var done: ((HelperAnswer) -> Void)?
    private var process: ChildProcess?
    private var watches: [EventLoop.Watch] = []
    private var pipes: [SharedDescriptor] = []
    private var timer: Timer?
    private var output: [UInt8] = []
    private var errors: [UInt8] = []
    private var hasTimedOut = false

    /// Between the request to end and the end.
    private static let graceUsec: UInt64 = 2_000_000

    init(
        _ command: HelperCommand, _ loop: EventLoop, hiding vault: String,
        done: @escaping (HelperAnswer) -> Void
    ) {
        self.vault = vault
        self.command = command
        self.loop = loop
        self.done = done
    }

    func kill() { process?.signalGroup(SIGKILL) }

    func start() {
        if let reason = Self.objection(to: command.words[0]) {
            return finish(HelperAnswer(.notStarted, status: EPERM, reason: reason))
        }
        do throws(Errno) {
            let out = try FileDescriptor.pipe()
            let err = try FileDescriptor.pipe()
            let process = try ChildProcess.spawnProgram(
                command.words, environment: command.environment, output: out.writing, errors: err.writing,
                rules: try Sandbox.rules(hiding: vault))
            self.process = process
            pipes = [out.reading, err.reading]
            // Both at once: a program that waits for one pipe to be read would never fill the other.
            watches = [
                try loop.watch(out.reading.raw, .readable) { [unowned self] _ in self.drain(0) },
                try loop.watch(err.reading.raw, .readable) { [unowned self] _ in self.drain(1) },
                try loop.watch(process.raw, .readable) { [unowned self] _ in self.ended() },
            ]
            timer = try Timer(loop) { [unowned self] in self.timedOut() }
            timer?.arm(afterUsec: UInt64(command.timeoutMsec) * 1000)
        } catch {
            finish(
                HelperAnswer(
                    .notStarted, status: error.code, reason: "\(command.words[0]) cannot be started: \(error)"
                ))
        }
    }

    /// Why a file is not started: whoever may write it could have it print any token, or read this user's files.
    private static func objection(to path: String) -> String? {
        var status = Glibc.stat()
        guard stat(path, &status) == 0 else { return "\(path) cannot be started: \(Errno("stat"))" }
        guard status.st_mode & S_IFMT == S_IFREG else { return "\(path) is no regular file" }
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            return "\(path) belongs to user \(status.st_uid); it must be root's or this user's"
        }
        guard status.st_mode & 0o022 == 0 else {
            return "\(path) may be changed by others; repair it with chmod go-w \(path)"
        }
        return nil
    }

    private func timedOut() {
        process?.signalGroup(hasTimedOut ? SIGKILL : SIGTERM)
        hasTimedOut = true
        timer?.arm(afterUsec: Self.graceUsec)
    }

    /// Reads what is there. The end of the pipe is not waited for: what the program started may hold it open.
    private func drain(_ index: Int) {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(pipes[index].raw, &buffer, buffer.count)
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                if count == 0 { watches[index].cancel() }
                return
            }
            if index == 0 {
                output += buffer[..<count].prefix(HelperAnswer.maximumBytes + 1 - output.count)
            } else {
                errors = (errors + buffer[..<count]).suffix(HelperAnswer.maximumErrorBytes)
            }
        }
    }

    private func ended() {
        guard let process else { return }
        let ending: ChildProcess.Ending
        do throws(Errno) {
            guard let found = try process.reap() else { return }
            ending = found
        } catch {
            return finish(HelperAnswer(.notStarted, status: error.code, reason: "\(error)"))
        }
        drain(0)
        drain(1)
        // What the program left behind goes with it.
        process.signalGroup(SIGKILL)
        var answer: HelperAnswer
        switch ending {
        case .exited(let status): answer = HelperAnswer(.exited, status: status)
        case .killed(let signal): answer = HelperAnswer(.killed, status: signal)
        }
        if hasTimedOut { answer.ending = .timedOut }
        answer.isOversized = output.count > HelperAnswer.maximumBytes
        answer.output = Array(output.prefix(HelperAnswer.maximumBytes))
        answer.errors = errors
        finish(answer)
    }

    private func finish(_ answer: HelperAnswer) {
        for watch in watches { watch.cancel() }
        watches = []
        pipes = []
        timer = nil
        let done = done
        self.done = nil
        // The owner lets go of this object inside the call.
        loop.later { done?(answer) }
    }
}
